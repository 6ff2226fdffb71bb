/**
 * The VMM's own memory, in frames: the machine's RAM behind what the guest has.
 *
 * Frames are given out in a fixed order, as a leaking machine shows the guest where its shadow tables lie.
 *
 * @module
 */
import { type MachineMemory, PAGE_BYTES, RAM_BASE } from "../hart/memory.ts";

export class VmmFrames {
  readonly #memory: MachineMemory;
  readonly #first: number;
  readonly #count: number;
  #fresh = 0;
  /** Those that were given back, the next one last. */
  readonly #returned: number[] = [];

  constructor(memory: MachineMemory) {
    this.#memory = memory;
    this.#first = (RAM_BASE + memory.guestBytes) / PAGE_BYTES;
    this.#count = (memory.ramBytes - memory.guestBytes) / PAGE_BYTES;
  }

  /** How many of them, from the first on, were ever given out. */
  get taken(): number {
    return this.#fresh;
  }
  /** How many are left. */
  get free(): number {
    return this.#count - this.#fresh + this.#returned.length;
  }

  /** @returns The number of a frame that is all zeros. @throws {RangeError} If none is left. */
  allocate(): number {
    if (this.free === 0) {
      throw new RangeError(
        `Cannot allocate a frame as the VMM has ${this.#count}: drop tables or copies before a fill that may need more`,
      );
    }
    const frame = this.#returned.pop() ?? this.#first + this.#fresh++;
    const word = this.#memory.linear(frame * PAGE_BYTES) >>> 3;
    this.#memory.u64.fill(0n, word, word + PAGE_BYTES / 8);
    return frame;
  }

  release(frame: number): void {
    this.#returned.push(frame);
  }
}
