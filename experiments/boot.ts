/** What does a guest pay from reset to power-off? Name another with --guest or --kernel. */
import { hutch } from "trapline/guests";
import { experiment, full, inOrder, native } from "trapline/harness";
import { exitsByReason, slowdown } from "trapline/reports";

export default experiment({
  question: "What does a guest pay from reset to power-off?",
  guest: hutch.running("true"),
  techniques: [native, full],
  costs: [inOrder],
  reports: [slowdown({ baseline: native }), exitsByReason()],
});
