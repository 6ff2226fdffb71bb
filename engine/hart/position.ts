/**
 * Where a run is: steps, retired instructions, and guest time (T1, T6). Everything that happens is stamped from here.
 *
 * @module
 */

/** Mutable on purpose: the hart and whoever emulates for it move it forward. All counts are exact up to 2^53. */
export class Position {
  /** Retired guest instructions, guest-visible traps and SBI calls. */
  step = 0;
  /** Retired guest instructions. */
  instret = 0;
  /** Steps' worth of time that passed while the guest waited. */
  idle = 0;

  /** Guest time: steps plus idle. */
  get time(): number {
    return this.step + this.idle;
  }
  /** Counts `instructions` that retired. */
  retire(instructions: number): void {
    this.step += instructions;
    this.instret += instructions;
  }
}
