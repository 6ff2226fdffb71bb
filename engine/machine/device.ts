/**
 * What a device may see of the machine, and what the machine may see of a device.
 *
 * A device knows neither its address nor its listeners: it is given offsets into itself, an interrupt line, guest time and a way to memory.
 *
 * @module
 */

/** A level-triggered interrupt line; the device never learns which controller is at the other end. */
export interface InterruptLine {
  set(asserted: boolean): void;
}

/** Guest time and things that come due in it (T7, T8). Times are in steps plus idle. */
export interface Clock {
  /** Guest time now: steps plus idle; exact up to 2^53. */
  now(): number;
  /** Asks for `due()` to be called at guest time `at`, or never (`null`). One deadline a device; asking again replaces it. */
  schedule(at: number | null): void;
}

/** A device's way to guest memory. Both throw {@link BusError} outside RAM. */
export interface DeviceMemory {
  read(address: bigint, length: number): Uint8Array;
  write(address: bigint, bytes: Uint8Array): void;
}

/** An access that reaches neither RAM nor a register. The hart turns it into an access fault. */
export class BusError extends Error {
  override readonly name = "BusError";
}

/** A memory-mapped device. */
export interface Device {
  /** The name that events and digests know it by; unique on a board. */
  readonly name: string;
  /** Length of its register window, in bytes. */
  readonly size: number;
  /**
   * Reads a register. Side effects (a FIFO that pops) are the device's own.
   *
   * @param offset Into the window. @param size 1, 2, 4 or 8 bytes; never beyond the window.
   * @returns The value, zero-extended.
   * @throws {BusError} If no register answers at this offset with this size.
   */
  read(offset: number, size: number): bigint;
  /** Writes a register. @throws {BusError} as {@link Device.read}. */
  write(offset: number, size: number, value: bigint): void;
  /** Called at the guest time that the device scheduled. */
  due?(): void;
  reset(): void;
  /** All state that a guest could ever see, in a fixed order: snapshots and digests are made of it. */
  save(): Uint8Array;
  /** Restores what {@link Device.save} gave. @throws {RangeError} If the bytes are not such a state. */
  load(state: Uint8Array): void;
}
