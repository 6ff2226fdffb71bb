/**
 * The contents of a disk: an image that never changes, and the blocks that were written since.
 *
 * A snapshot holds only blocks that differ from the image, in order, so that equal contents are equal bytes however they came about.
 *
 * @module
 */
import { StateReader, StateWriter } from "./device-state.ts";

const BLOCK_BYTES = 4096;
const SECTOR_BYTES = 512;

/** T8: how long a request takes, in steps, whatever the host, the technique or other requests do. */
const LATENCY = 5_000;
const BYTES_PER_STEP = 16;

/** @param bytes Of data that are moved. @returns Steps from a request to its completion, however the disk is reached (T8). */
export function diskLatency(bytes: number): number {
  return LATENCY + transferTime(bytes);
}

/** @returns Steps that bytes take where the disk has found their place already. */
export function transferTime(bytes: number): number {
  return Math.floor(bytes / BYTES_PER_STEP);
}

export class Disk {
  readonly #image: Uint8Array;
  readonly #size: number;
  #written = new Map<number, Uint8Array>();

  /** @param image Copied; zero bytes complete its last sector. */
  constructor(image: Uint8Array) {
    this.#image = image.slice();
    this.#size = Math.ceil(image.length / SECTOR_BYTES) * SECTOR_BYTES;
  }

  /** Bytes, a multiple of 512. */
  get size(): number {
    return this.#size;
  }

  /** @throws {RangeError} If the range is not all on the disk. */
  read(offset: number, length: number): Uint8Array {
    this.#check("read", offset, length);
    const bytes = new Uint8Array(length);
    this.#blocks(offset, length, (block, from, at, count) => {
      bytes.set((this.#written.get(block) ?? this.#original(block)).subarray(from, from + count), at);
    });
    return bytes;
  }

  /** @throws {RangeError} If the range is not all on the disk. */
  write(offset: number, bytes: Uint8Array): void {
    this.#check("write", offset, bytes.length);
    this.#blocks(offset, bytes.length, (block, from, at, count) => {
      let held = this.#written.get(block);
      if (held === undefined) {
        held = this.#original(block);
        this.#written.set(block, held);
      }
      held.set(bytes.subarray(at, at + count), from);
    });
  }

  /** Calls `act` for each block of a range: its number, where in it the part starts, where in the range, and how long it is. */
  #blocks(offset: number, length: number, act: (block: number, from: number, at: number, count: number) => void): void {
    let at = 0;
    while (at < length) {
      const from = (offset + at) % BLOCK_BYTES;
      const count = Math.min(BLOCK_BYTES - from, length - at);
      act((offset + at - from) / BLOCK_BYTES, from, at, count);
      at += count;
    }
  }

  /** A block as the image has it, zero-filled, in bytes of its own. */
  #original(block: number): Uint8Array {
    const bytes = new Uint8Array(BLOCK_BYTES);
    bytes.set(this.#image.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES));
    return bytes;
  }

  #check(access: string, offset: number, length: number): void {
    if (offset < 0 || offset + length > this.#size) {
      throw new RangeError(`Cannot ${access} disk as it has ${this.#size} bytes: ${length} at ${offset}`);
    }
  }

  save(): Uint8Array {
    const changed = [...this.#written]
      .filter(([block, bytes]) => !equal(bytes, this.#original(block)))
      .sort(([a], [b]) => a - b);
    const to = new StateWriter("disk/1").count(this.#size).u32(changed.length);
    for (const [block, bytes] of changed) to.u32(block).bytes(bytes);
    return to.finish();
  }

  /** @throws {RangeError} If the state is not one of a disk of this size. The image itself must be the same: a snapshot does not hold it. */
  load(state: Uint8Array): void {
    const from = new StateReader(state, "disk/1", "disk");
    const size = from.count();
    if (size !== this.#size) throw from.error(`it has ${this.#size} bytes`, `the state is of one with ${size}`);
    const blocks = Math.ceil(size / BLOCK_BYTES);
    const count = from.upTo(blocks, from.u32(), "changed blocks");
    const written = new Map<number, Uint8Array>();
    for (let read = 0; read < count; read++) {
      const block = from.upTo(blocks - 1, from.u32(), "a block");
      const bytes = from.bytes(BLOCK_BYTES);
      if (bytes.length !== BLOCK_BYTES) throw from.error(`a block has ${BLOCK_BYTES} bytes`, `${bytes.length}`);
      written.set(block, bytes);
    }
    from.end();
    this.#written = written;
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, at) => byte === b[at]);
}
