/**
 * Interrupts of the VMM's own before any chosen machine instruction, stubs and patched sites included: a hook for tests of guest time rule T9.
 *
 * Whatever comes due does so at a guest time, and stubs have no step boundary inside, so that no run by itself has the VMM take control there.
 * A machine has: its timer knows nothing of stubs. While a hook is set, the hart runs instruction by instruction, and the hook is asked before
 * each. Inside a site the VMM then waits for the site's end, before the guest is brought anything: its pc is the guest's again there.
 *
 * Left out: the wedge's own code, which runs in the VMM and is interrupted by nothing; other tiers than the reference.
 *
 * @module
 */
import { type Hart, STOP, type Stop } from "../hart/hart.ts";

/** Where the machine stands. */
export interface MachineInstruction {
  readonly pc: bigint;
  /** Steps so far. */
  readonly step: number;
  /** Whether it is inside what stands in for a guest's instruction: not at its beginning. */
  readonly inside: boolean;
}

/** @returns What happens while the VMM has control there; undefined where it is not to take control. */
export type Preempt = (at: MachineInstruction) => (() => void) | undefined;

export interface PreemptionParts {
  readonly hart: Hart;
  /** Whether an address is inside what stands in for a guest's instruction. */
  inside(low: number, high: number): boolean;
  /** The VMM takes control: the guest has left. */
  enter(): void;
}

export class Preemption {
  /** Undefined but in tests. */
  hook: Preempt | undefined;
  /** The VMM was called inside a site, and has not come to the site's end: the guest may be brought nothing yet. */
  isInside = false;
  readonly #parts: PreemptionParts;

  constructor(parts: PreemptionParts) {
    this.#parts = parts;
  }

  /** As {@link Hart.run}, but that the hook is asked before each machine instruction. */
  run(hook: Preempt, budget: number): Stop {
    const { hart, enter } = this.#parts;
    const until = hart.position.step + budget;
    for (;;) {
      const inside = this.#parts.inside(hart.pcLow, hart.pcHigh);
      if (this.isInside && !inside) {
        this.isInside = false;
        enter();
        return STOP.budget;
      }
      if (!inside && hart.position.step >= until) return STOP.budget;
      const happens = this.isInside ? undefined : hook({ pc: hart.pc, step: hart.position.step, inside });
      if (happens !== undefined) {
        enter();
        happens();
        this.isInside = inside;
        return STOP.budget;
      }
      const stop = hart.step();
      if (stop !== STOP.budget) return stop;
    }
  }
}
