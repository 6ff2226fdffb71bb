/**
 * What does each technique cost on one kernel, and why?
 *
 * hutch is recorded once. full and rewriting run the same binary, and must be the same run exactly; para runs the port and pre the afterburned
 * binary, driven by the same inputs, and their users must observe the same. Each program makes laps of its own, so one run tells them apart.
 */
import { hutch } from "trapline/guests";
import { experiment, full, inOrder, native, para, pre, rewritingInline, rewritingTrap } from "trapline/harness";
import { breakEven, costPerExit, costPerMark, exitsByReason, slowdown } from "trapline/reports";

/** What each exit costs whatever it is for: the trap, the way into the VMM, the way out. */
const EXIT = ["trap.entry", "exit.save", "exit.restore", "trap.return"];

export default experiment({
  question: "What does each technique cost on one kernel, and why?",
  guest: hutch.runningAll(),
  techniques: [native, full, rewritingTrap, rewritingInline, para, pre],
  costs: [inOrder],
  reports: [
    costPerMark({ baseline: native }),
    slowdown({ baseline: native }),
    exitsByReason(),
    costPerExit(),
    breakEven({ baseline: native, prices: EXIT }),
  ],
});
