/**
 * The rewriter: private copies of the guest's code in which what is sensitive traps (T16). Guest RAM is never written.
 *
 * A page is scanned once, when it is first fetched from, and needs no knowledge of where its instructions begin. Each halfword of the copy
 * either holds the original bits or c.ebreak, by one rule: what the hart would carry out from a halfword that keeps its bits is exactly the
 * guest's instruction there, and is innocuous. Compressed instructions are. A 4-byte one is if it is innocuous and its second half keeps
 * its bits as well. So jumps into the middle of anything, data between code and code that looks like data need no care: whatever stands at
 * the address that the guest really goes to either is the original, or traps and is carried out by the VMM from the original.
 *
 * The rule's price: where the second half of an innocuous instruction, taken as an instruction of its own, would be a sensitive one or
 * reach into one, the whole traps too and is carried out in the VMM, like one that crosses the page's end. A site right behind it is then
 * carried out in the same exit.
 *
 * Left out: jumps to stubs in place of traps (the variant `inline`), other sites in a row in one exit, scanning before the first fetch.
 *
 * @module
 */
import type { DecodeCache } from "../hart/decode-cache.ts";
import { type MachineMemory, PAGE_BYTES } from "../hart/memory.ts";
import { csrByNumber } from "../isa/csr.ts";
import type { Decoded } from "../isa/decode.ts";
import { INSTRUCTIONS } from "../isa/instructions.ts";
import type { VmmFrames } from "./frames.ts";

/** c.ebreak: the one trapping instruction that fits every place where an instruction can begin. */
const SITE = 0x9002;
const HALVES = PAGE_BYTES / 2;
/** Copies that are kept; all are dropped before one more is made. */
const MOST_COPIES = 4096;
/** Stores to a copied frame after which it is taken for data again. A frame that is still code is copied anew at its next fetch. */
const MOST_STORES = 64;

/**
 * Whether running an instruction deprivileged may tell the guest so, or act on the machine. Those that trap in every mode are left alone:
 * ecall and ebreak; so are cache-block operations, which envcfg permits where the guest may use them.
 */
export function needsSite({ instruction: { sensitivity, effects, mnemonic }, imm }: Decoded): boolean {
  if (sensitivity === "innocuous" || effects.block !== undefined) return false;
  if (sensitivity === "by-csr") return (csrByNumber(imm & 0xfff)?.sensitivity ?? "innocuous") !== "innocuous";
  return mnemonic !== "ecall" && mnemonic !== "ebreak";
}

/** By the low seven bits: whether some instruction of the opcode is sensitive. None of the compressed ones is. */
const SUSPECT: Uint8Array = (() => {
  const opcodes = new Uint8Array(128);
  for (const { sensitivity, match } of INSTRUCTIONS) if (sensitivity !== "innocuous") opcodes[match & 0x7f] = 1;
  return opcodes;
})();

interface Copy {
  /** The frame of the VMM's that holds it. */
  readonly frame: number;
  /** 1 for each halfword that keeps its bits. */
  readonly kept: Uint8Array;
  stores: number;
}

/** What making or mending a copy took. */
export interface Rewriting {
  /** Halfwords that were looked at. */
  readonly scanned: number;
  /** Halfwords that became sites. */
  readonly patched: number;
}

/** What must follow the bytes of copies, and how they are decoded. */
type Decoding = Pick<DecodeCache, "decodeAt" | "release" | "written">;

export class Rewriter {
  readonly #memory: MachineMemory;
  readonly #decoded: Decoding;
  readonly #frames: VmmFrames;
  /** By the number of the guest's frame. */
  readonly #copies = new Map<number, Copy>();

  constructor(parts: { readonly memory: MachineMemory; readonly decoded: Decoding; readonly frames: VmmFrames }) {
    this.#memory = parts.memory;
    this.#decoded = parts.decoded;
    this.#frames = parts.frames;
  }

  /** How many copies there are. */
  get count(): number {
    return this.#copies.size;
  }
  /** Whether one more copy may be made; if not, {@link clear} first. */
  get roomy(): boolean {
    return this.#copies.size < MOST_COPIES;
  }

  /** The frame of a guest frame's copy, or -1. */
  copyOf(frame: number): number {
    return this.#copies.get(frame)?.frame ?? -1;
  }

  /** Copies a frame of the guest's and puts sites into the copy. Nothing may map the frame writable from now on. */
  make(frame: number): Rewriting {
    const copy: Copy = { frame: this.#frames.allocate(), kept: new Uint8Array(HALVES), stores: 0 };
    this.#copies.set(frame, copy);
    return this.#scan(frame, copy, 0, HALVES);
  }

  /** Whether a site stands at a guest-physical address in place of the guest's instruction. */
  standsAt(physical: number): boolean {
    const copy = this.#copies.get(Math.floor(physical / PAGE_BYTES));
    return copy !== undefined && copy.kept[(physical % PAGE_BYTES) >> 1] === 0;
  }

  /** Counts a store to a copied frame. @returns Whether that makes it data: {@link drop} it. */
  stored(frame: number): boolean {
    const copy = this.#copies.get(frame);
    return copy !== undefined && ++copy.stores >= MOST_STORES;
  }

  /** Drops a copy. @returns The frame that held it, which no shadow may show any longer. */
  drop(frame: number): number {
    const copy = this.#copies.get(frame);
    if (copy === undefined) return -1;
    this.#copies.delete(frame);
    this.#decoded.release(this.#memory.frame(copy.frame * PAGE_BYTES));
    this.#frames.release(copy.frame);
    return copy.frame;
  }
  /** Drops all copies. No shadow may show any of them. */
  clear(): void {
    for (const frame of [...this.#copies.keys()].reverse()) this.drop(frame);
  }

  /** Bytes of RAM changed: the copies follow. @returns What that took, or undefined where no copy is concerned. */
  written(physical: number, length: number): Rewriting | undefined {
    let [scanned, patched] = [0, 0];
    const last = Math.floor((physical + length - 1) / PAGE_BYTES);
    for (let frame = Math.floor(physical / PAGE_BYTES); frame <= last; frame++) {
      const copy = this.#copies.get(frame);
      if (copy === undefined) continue;
      const start = frame * PAGE_BYTES;
      const from = Math.max(0, physical - start) >> 1;
      const to = (Math.min(physical + length - start, PAGE_BYTES) + 1) >> 1;
      const took = this.#scan(frame, copy, from, to);
      scanned += took.scanned;
      patched += took.patched;
    }
    return scanned === 0 ? undefined : { scanned, patched };
  }

  /**
   * Brings a copy up to date with halfwords `from` to `to` of its frame. Whether a halfword keeps its bits depends on its own, the next
   * one's and whether that keeps its, so the scan goes backwards, and on below `from` until nothing changes.
   */
  #scan(frame: number, copy: Copy, from: number, to: number): Rewriting {
    const { u8, wasm } = this.#memory;
    const original = new Uint16Array(wasm.buffer, this.#memory.linear(frame * PAGE_BYTES), HALVES);
    const physical = copy.frame * PAGE_BYTES;
    const place = this.#memory.linear(physical);
    let [scanned, patched] = [0, 0];
    for (let half = to - 1; half >= 0; half--) {
      const keeps = this.#keeps(original, copy.kept, half);
      scanned++;
      if (half < from && keeps === copy.kept[half]) break;
      copy.kept[half] = keeps;
      if (keeps === 0) patched++;
      const bits = keeps === 0 ? SITE : original[half]!;
      const at = place + 2 * half;
      if ((u8[at]! | (u8[at + 1]! << 8)) === bits) continue;
      u8[at] = bits & 0xff;
      u8[at + 1] = bits >> 8;
      this.#decoded.written(physical + 2 * half, 2);
    }
    return { scanned, patched };
  }
  #keeps(original: Uint16Array, kept: Uint8Array, half: number): 0 | 1 {
    const bits = original[half]!;
    if ((bits & 3) !== 3) return 1;
    if (half === HALVES - 1 || kept[half + 1] === 0) return 0;
    if (SUSPECT[bits & 0x7f] === 0) return 1;
    const decoded = this.#decoded.decodeAt(bits, original[half + 1]!);
    return decoded !== undefined && needsSite(decoded) ? 0 : 1;
  }
}
