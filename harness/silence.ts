/**
 * Where a run first went astray on a machine that leaks: the first sensitive instruction of the guest's kernel that ran without a trap.
 *
 * What user code reads of a leak is its own affair on the bare machine too, so it does not count here.
 *
 * @module
 */

import { eventsOf } from "../engine/event/mod.ts";
import { disassemble, type LogBatch } from "../engine/mod.ts";
import type { FirstDifference, SilentInstruction } from "./comparison.ts";

const USER = 0;

/** Looks through a run's batches for it. */
export class SilenceWatch {
  #found: SilentInstruction | undefined;

  feed(batch: LogBatch): void {
    if (this.#found !== undefined) return;
    for (const event of eventsOf(batch)) {
      if (event.kind !== "leak" || event.mode === USER) continue;
      const { step, pc, bits } = event;
      this.#found = { step, pc: `0x${pc.toString(16)}`, instruction: disassemble(bits) };
      return;
    }
  }

  /** Undefined where there has been none. */
  get found(): SilentInstruction | undefined {
    return this.#found;
  }
}

/** A difference with the instruction that is behind it. */
export function withSilence(difference: FirstDifference, silent: SilentInstruction | undefined): FirstDifference {
  if (silent === undefined) return difference;
  const { step, pc, instruction } = silent;
  const said = `The first sensitive instruction that ran without a trap: ${instruction} at pc ${pc}, at step ${step}.`;
  return { ...difference, silent, message: `${difference.message}\n${said}` };
}
