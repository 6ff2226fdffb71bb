/**
 * The machine's memory: one linear memory that holds the hart's state and RAM, with a page table of what a digest must look at again.
 *
 * @module
 */
import * as at from "./layout.ts";

/** Physical address of the first RAM byte. */
export const RAM_BASE = 0x8000_0000;
export const PAGE_BYTES = 4096;

export class MachineMemory {
  readonly wasm: WebAssembly.Memory;
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly u64: BigUint64Array;
  /** Bytes of RAM, from {@link RAM_BASE}; a multiple of the page size. The VMM's own frames lie at its end. */
  readonly ramBytes: number;
  /** Bytes of RAM that the guest has: what its device tree names. */
  readonly guestBytes: number;
  /** 1 for each frame written since its hash was last taken. */
  readonly dirty: Uint8Array;

  /**
   * @param guestBytes RAM of the guest. @param vmmBytes RAM behind it, for the VMM alone.
   * @throws {RangeError} If the sizes are no multiples of 4 KiB, or together do not fit a 32-bit linear memory.
   */
  constructor(guestBytes: number, vmmBytes: number) {
    const ramBytes = guestBytes + vmmBytes;
    if (guestBytes <= 0 || guestBytes % PAGE_BYTES !== 0 || vmmBytes % PAGE_BYTES !== 0) {
      throw new RangeError(`Cannot make a machine as its memory must be a multiple of 4 KiB: ${guestBytes} bytes`);
    }
    if (at.RAM + ramBytes > 0xffff_0000) {
      throw new RangeError(`Cannot make a machine as its memory is at most 3 GiB: ${guestBytes} bytes`);
    }
    this.guestBytes = guestBytes;
    this.ramBytes = ramBytes;
    this.wasm = new WebAssembly.Memory({ initial: Math.ceil((at.RAM + ramBytes) / 65536) });
    this.u8 = new Uint8Array(this.wasm.buffer);
    this.i32 = new Int32Array(this.wasm.buffer);
    this.u32 = new Uint32Array(this.wasm.buffer);
    this.u64 = new BigUint64Array(this.wasm.buffer);
    this.dirty = new Uint8Array(ramBytes / PAGE_BYTES);
  }

  /** Whether `size` bytes at a physical address are all RAM. */
  holds(physical: number, size: number): boolean {
    return physical >= RAM_BASE && physical + size <= RAM_BASE + this.ramBytes;
  }
  /** Whether they are all the guest's RAM. */
  guestHolds(physical: number, size: number): boolean {
    return physical >= RAM_BASE && physical + size <= RAM_BASE + this.guestBytes;
  }
  /** Linear address of a physical one. */
  linear(physical: number): number {
    return at.RAM + (physical - RAM_BASE);
  }
  frame(physical: number): number {
    return Math.floor((physical - RAM_BASE) / PAGE_BYTES);
  }
  /** Bytes of RAM, as a view: copy to keep. */
  view(physical: number, length: number): Uint8Array {
    const start = this.linear(physical);
    return this.u8.subarray(start, start + length);
  }
  /** Puts bytes into RAM, as a loader or a device does. Whoever may hit decoded code must say so to the decode cache as well. */
  place(physical: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.view(physical, bytes.length).set(bytes);
    this.dirty.fill(1, this.frame(physical), this.frame(physical + bytes.length - 1) + 1);
  }
  /** Little-endian value of 1 to 8 bytes. */
  read(physical: number, size: number): bigint {
    const start = this.linear(physical);
    if (size === 8 && (start & 7) === 0) return this.u64[start >>> 3]!;
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.u8[start + i]!);
    return value;
  }
  /** Writes 1 to 8 bytes. Whoever may hit decoded code must say so to the decode cache as well. */
  write(physical: number, size: number, value: bigint): void {
    const start = this.linear(physical);
    let rest = value;
    for (let i = 0; i < size; i++) {
      this.u8[start + i] = Number(rest & 0xffn);
      rest >>= 8n;
    }
    this.dirty[this.frame(physical)] = 1;
    this.dirty[this.frame(physical + size - 1)] = 1;
  }
}
