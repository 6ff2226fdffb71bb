/** Is trap-and-emulate very expensive, as each privileged instruction traps? On which workload, for which reason, and what does an exit cost? */
import { hutch } from "trapline/guests";
import { experiment, full, inOrder, native } from "trapline/harness";
import { costPerExit, costPerMark, exitsByReason, slowdown } from "trapline/reports";

export default experiment({
  question: "Is trap-and-emulate very expensive, as each privileged instruction traps?",
  guest: hutch.runningAll(),
  techniques: [native, full],
  costs: [inOrder],
  reports: [costPerMark({ baseline: native }), slowdown({ baseline: native }), exitsByReason(), costPerExit()],
});
