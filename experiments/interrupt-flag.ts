/**
 * What does it cost a kernel to close interrupts and open them again, and does one that came meanwhile arrive?
 *
 * The same loop by an instruction that traps (full), by two hypercalls (para, in the second recording), and by stores to the state page, with a
 * look at what is pending (para; and where code is patched, rewriting inline and pre). A lap of `pair` closes and opens. A lap of `late` begins
 * where interrupts are opened with a timer due, and ends at the first instruction of its handler; the guest fails unless each of them came, at
 * the first boundary.
 */
import { interruptFlag, interruptFlagByCall } from "trapline/guests";
import { experiment, full, inOrder, native, para, pre, rewritingInline, rewritingTrap } from "trapline/harness";
import { breakEven, exitsByReason, machineInstructions, slowdown } from "trapline/reports";

/** What each exit costs whatever it is for: the trap, the way into the VMM, the way out. */
const EXIT = ["trap.entry", "exit.save", "exit.restore", "trap.return"];

export default experiment({
  question: "What does it cost a kernel to close and open interrupts by traps, by hypercalls, and by stores?",
  guest: interruptFlag,
  techniques: [native, full, rewritingTrap, rewritingInline, pre, para],
  also: [{ guest: interruptFlagByCall, techniques: [para] }],
  costs: [inOrder],
  measure: "pair",
  reports: [
    machineInstructions(),
    slowdown({ baseline: native }),
    exitsByReason(),
    breakEven({ baseline: native, prices: EXIT }),
  ],
});
