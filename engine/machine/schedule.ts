/**
 * What comes due in guest time (T7): one deadline for each owner, fired in order of time, then of owner.
 *
 * @module
 */
import type { Position } from "../hart/position.ts";
import type { Clock } from "./device.ts";

/**
 * The last guest time at which anything comes due. Idle can take a guest here at one step, and its steps from then on must stay exact:
 * a double counts to 2^53.
 */
const LAST = 2 ** 52;

export class Schedule {
  readonly #position: Position;
  readonly #deadlines: number[] = [];
  readonly #actions: (() => void)[] = [];
  /** Owners that the guest's machine does not have. */
  readonly #others = new Set<number>();
  /** The earliest deadline, or infinity. */
  next = Number.POSITIVE_INFINITY;

  constructor(position: Position) {
    this.#position = position;
  }

  /**
   * Makes a clock for an owner. Owners must be added in the same order on every machine: it breaks ties.
   *
   * @param action Called at the owner's deadline, which is then over. What would come due beyond {@link LAST} never does.
   */
  clock(action: () => void): Clock {
    const owner = this.#actions.push(action) - 1;
    this.#deadlines.push(Number.POSITIVE_INFINITY);
    return {
      now: () => this.#position.time,
      schedule: (at) => {
        this.#deadlines[owner] = at === null || at > LAST ? Number.POSITIVE_INFINITY : at;
        this.#refresh();
      },
    };
  }

  /** A clock for a VMM's own: its deadline is neither saved nor digested here, and no restore leaves one. */
  ownClock(action: () => void): Clock {
    this.#others.add(this.#actions.length);
    return this.clock(action);
  }

  #refresh(): void {
    this.next = Math.min(...this.#deadlines);
  }

  /**
   * Fires everything that is due now, including what firing makes due now.
   *
   * @returns Whether anything was due.
   */
  fire(): boolean {
    if (this.next > this.#position.time) return false;
    while (this.next <= this.#position.time) {
      const owner = this.#deadlines.indexOf(this.next);
      this.#deadlines[owner] = Number.POSITIVE_INFINITY;
      this.#refresh();
      this.#actions[owner]!();
    }
    return true;
  }

  /** Deadlines by owner; infinity where there is none. */
  save(): Float64Array {
    return Float64Array.from(this.#deadlines.filter((_, owner) => !this.#others.has(owner)));
  }
  /** @throws {RangeError} If the deadlines are those of a machine with other owners. */
  load(deadlines: Float64Array): void {
    const owners = this.#deadlines.length - this.#others.size;
    if (deadlines.length !== owners) {
      throw new RangeError(
        `Cannot load deadlines as this machine has ${owners} owners of one: the state has ${deadlines.length}`,
      );
    }
    let next = 0;
    for (const owner of this.#deadlines.keys())
      this.#deadlines[owner] = this.#others.has(owner) ? Number.POSITIVE_INFINITY : deadlines[next++]!;
    this.#refresh();
  }
}
