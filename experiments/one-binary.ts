/**
 * Does one afterburned binary run on the bare machine and under every technique, and is it the same run each time?
 *
 * hutch through the afterburner: recorded bare, replayed under full virtualization and rewriting, which know nothing of its annotations, and under
 * pre-virtualization, whose wedge patches what they name.
 */
import { hutchPre } from "trapline/guests";
import { experiment, full, inOrder, native, pre, rewritingInline, rewritingTrap } from "trapline/harness";
import { breakEven, costPerExit, costPerMark, exitsByReason, slowdown } from "trapline/reports";

/** What each exit costs whatever it is for: the trap, the way into the VMM, the way out. */
const EXIT = ["trap.entry", "exit.save", "exit.restore", "trap.return"];

export default experiment({
  question: "Does one afterburned binary run on the bare machine and under every technique?",
  guest: hutchPre.runningAll(),
  techniques: [native, full, rewritingTrap, rewritingInline, pre],
  costs: [inOrder],
  reports: [
    costPerMark({ baseline: native }),
    slowdown({ baseline: native }),
    exitsByReason(),
    costPerExit(),
    breakEven({ baseline: native, prices: EXIT }),
  ],
});
