/**
 * Frames: what a trace file is cut into, each chained to the one before.
 *
 * A file is a preamble (8 bytes of magic, the format version as u32) and frames. A frame is a head of 24 bytes and a payload:
 * ```
 *  0 tag       u32  four ASCII characters: HEAD, CHNK, CHNZ, INDX, TAIL
 *  4 length    u32  of the payload, in bytes
 *  8 sequence  u32  0 for HEAD, one more for each frame
 * 12 previous  u32  the head checksum of the frame before; for HEAD the CRC-32 of the preamble
 * 16 payload   u32  CRC-32 of the payload
 * 20 head      u32  CRC-32 of the 20 bytes before
 * ```
 * All numbers are little-endian. As a head has a checksum of its own, a length that points past the end of the file means that
 * the file was cut short, and not that the length is wrong; as it holds the checksum of the head before, frames cannot be lost,
 * doubled, swapped or brought in from another trace.
 *
 * @module
 */

import { crc32 } from "./crc32.ts";
import { TraceFormatError } from "./trace-format-error.ts";

/** Traces of another version are refused. A change that older readers would misread makes a new version. */
export const FORMAT_VERSION = 2;

// Not ASCII, then a name, then line ends and an end-of-file mark: whatever treats it as text is found out, as in PNG.
const MAGIC = Uint8Array.of(0x93, 0x54, 0x52, 0x41, 0x50, 0x0d, 0x0a, 0x1a);
export const PREAMBLE_BYTES = 12;
export const HEAD_BYTES = 24;

export type FrameTag = "HEAD" | "CHNK" | "CHNZ" | "INDX" | "TAIL";
const TAGS: readonly string[] = ["HEAD", "CHNK", "CHNZ", "INDX", "TAIL"] satisfies FrameTag[];

export interface Frame {
  readonly tag: FrameTag;
  readonly sequence: number;
  /** Where its head starts in the file. */
  readonly offset: number;
  readonly payload: Uint8Array;
  /** Whether what follows must be chained to it. */
  readonly chain: number;
}

export function preamble(): Uint8Array {
  const bytes = new Uint8Array(PREAMBLE_BYTES);
  bytes.set(MAGIC);
  new DataView(bytes.buffer).setUint32(8, FORMAT_VERSION, true);
  return bytes;
}

/** Makes frames in sequence, each chained to the last. */
export class FrameChain {
  #sequence = 0;
  #previous: number;
  /** Bytes of the file so far. */
  offset = PREAMBLE_BYTES;

  constructor(preambleBytes: Uint8Array) {
    this.#previous = crc32(preambleBytes);
  }

  /** The next frame, whole. */
  frame(tag: FrameTag, payload: Uint8Array): Uint8Array {
    const bytes = new Uint8Array(HEAD_BYTES + payload.length);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < 4; i++) bytes[i] = tag.charCodeAt(i);
    view.setUint32(4, payload.length, true);
    view.setUint32(8, this.#sequence++, true);
    view.setUint32(12, this.#previous, true);
    view.setUint32(16, crc32(payload), true);
    this.#previous = crc32(bytes.subarray(0, 20));
    view.setUint32(20, this.#previous, true);
    bytes.set(payload, HEAD_BYTES);
    this.offset += bytes.length;
    return bytes;
  }
}

/** What was found after the last whole frame. */
export type FramesEnd =
  | { readonly kind: "tail" }
  /** The file ends before a TAIL frame does. */
  | { readonly kind: "cut"; readonly found: string }
  | { readonly kind: "damage"; readonly error: TraceFormatError };

/**
 * Checks the preamble, then all frames.
 *
 * @returns The whole frames from the first, and how they end: after a TAIL, where the file was cut, or where it is damaged.
 * @throws {TraceFormatError} If this is no trace, or one of another format version.
 */
export function readFrames(bytes: Uint8Array): { readonly frames: readonly Frame[]; readonly end: FramesEnd } {
  checkPreamble(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames: Frame[] = [];
  let previous = crc32(bytes.subarray(0, PREAMBLE_BYTES));
  let offset = PREAMBLE_BYTES;
  const damage = (rule: string, found: string) =>
    ({ frames, end: { kind: "damage", error: new TraceFormatError(rule, `${found}, at byte ${offset}`) } }) as const;
  const cut = (found: string) => ({ frames, end: { kind: "cut", found } }) as const;

  for (;;) {
    if (offset === bytes.length) return cut(`it ends after ${frames.length} frames, without a TAIL`);
    // A file system may have made the file longer and lost what was written: such a tail is all zeros.
    if (allZero(bytes, offset)) return cut(`only zeros follow after byte ${offset}`);
    if (bytes.length - offset < HEAD_BYTES) return cut(`it ends inside the head of frame ${frames.length}`);
    const number = frames.length;
    const head = crc32(bytes.subarray(offset, offset + 20));
    if (view.getUint32(offset + 20, true) !== head) {
      return damage("the head of a frame must match its checksum", `that of frame ${number} does not`);
    }
    const sequence = view.getUint32(offset + 8, true);
    if (sequence !== number || view.getUint32(offset + 12, true) !== previous) {
      return damage(
        "each frame must follow the one it was written after",
        `frame ${sequence} stands in place ${number}`,
      );
    }
    const tag = String.fromCharCode(...bytes.subarray(offset, offset + 4));
    if (!isTag(tag)) return damage("a frame must be of a known kind", `frame ${number} is "${tag}"`);
    const length = view.getUint32(offset + 4, true);
    if (length > bytes.length - offset - HEAD_BYTES) return cut(`it ends inside frame ${number}`);
    const payload = bytes.subarray(offset + HEAD_BYTES, offset + HEAD_BYTES + length);
    if (view.getUint32(offset + 16, true) !== crc32(payload)) {
      return damage("a frame must match its checksum", `frame ${number} does not`);
    }
    frames.push({ tag, sequence, offset, payload, chain: head });
    previous = head;
    offset += HEAD_BYTES + length;
    if (tag === "TAIL") {
      if (offset === bytes.length) return { frames, end: { kind: "tail" } };
      return damage("nothing may follow the TAIL", `${bytes.length - offset} bytes do`);
    }
  }
}

function isTag(tag: string): tag is FrameTag {
  return TAGS.includes(tag);
}

function allZero(bytes: Uint8Array, from: number): boolean {
  for (let i = from; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}

function checkPreamble(bytes: Uint8Array): void {
  for (let i = 0; i < MAGIC.length; i++) {
    if (i < bytes.length && bytes[i] !== MAGIC[i]) {
      throw new TraceFormatError(
        "it must start as a trace does",
        `byte ${i} is 0x${bytes[i]!.toString(16)}; no such file is a trace`,
      );
    }
  }
  if (bytes.length < PREAMBLE_BYTES) {
    throw new TraceFormatError("its header must be whole", `it has ${bytes.length} bytes; record it again`);
  }
  const version = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(8, true);
  if (version !== FORMAT_VERSION) {
    throw new TraceFormatError(
      `its format version must be ${FORMAT_VERSION}`,
      `it is ${version}; read it with the version of trapline that wrote it, or record it again`,
    );
  }
}
