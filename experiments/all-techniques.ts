/**
 * What does each technique cost on one kernel, and why?
 *
 * hutch is recorded once. full and rewriting run the same binary, and must be the same run exactly; para runs the port and pre the afterburned
 * binary, driven by the same inputs, and their users must observe the same. The afterburned binary is recorded too: there full, rewriting and
 * pre must be exact. Each program makes laps of its own, so one run tells them apart.
 */
import { hutch, hutchPre } from "trapline/guests";
import { experiment, full, inOrder, native, para, pre, rewritingInline, rewritingTrap } from "trapline/harness";
import {
  breakEven,
  costPerExit,
  costPerMark,
  decomposition,
  exitSites,
  exitsByReason,
  exitsPerOperation,
  identityMatrix,
  imageGrowth,
  padding,
  patching,
  portEffort,
  sitesByClass,
  slowdown,
} from "trapline/reports";

/** What each exit costs whatever it is for: the trap, the way into the VMM, the way out. */
const EXIT = ["trap.entry", "exit.save", "exit.restore", "trap.return"];

/** A lap is one operation, but for one system call that flips the interrupt flag so many times. */
const OPERATIONS = { irq: 500 };

export default experiment({
  question: "What does each technique cost on one kernel, and why?",
  guest: hutch.runningAll(),
  techniques: [native, full, rewritingTrap, rewritingInline, para, pre],
  also: [{ guest: hutchPre.runningAll(), techniques: [native, full, rewritingTrap, rewritingInline, pre] }],
  costs: [inOrder],
  reports: [
    identityMatrix(),
    costPerMark({ baseline: native }),
    slowdown({ baseline: native }),
    exitsByReason(),
    exitsPerOperation({ operations: OPERATIONS }),
    exitSites({ operations: OPERATIONS }),
    costPerExit(),
    decomposition(),
    breakEven({ baseline: native, prices: EXIT, everyMark: true }),
    sitesByClass(),
    imageGrowth(),
    padding(),
    patching(),
    portEffort(),
  ],
});
