/** What does a timer tick cost, from the interrupt to the process that waited for it? */
import { hutch } from "trapline/guests";
import { experiment, full, inOrder, native } from "trapline/harness";
import { exitsByReason, slowdown, timeline } from "trapline/reports";

export default experiment({
  question: "What does a timer tick cost, from the interrupt to the process that waited for it?",
  guest: hutch.running("timer-tick 100"),
  techniques: [native, full],
  costs: [inOrder],
  measure: "tick",
  reports: [slowdown({ baseline: native }), exitsByReason(), timeline({ between: "tick", laps: 2 })],
});
