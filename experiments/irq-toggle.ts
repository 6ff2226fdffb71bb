/** What does it cost a kernel to turn interrupts off and on? */
import { hutch } from "trapline/guests";
import { experiment, full, inOrder, native } from "trapline/harness";
import { exitsByReason, slowdown, timeline } from "trapline/reports";

export default experiment({
  question: "What does it cost a kernel to turn interrupts off and on?",
  guest: hutch.running("irq-toggle 10000"),
  techniques: [native, full],
  costs: [inOrder],
  measure: "irq",
  reports: [slowdown({ baseline: native }), exitsByReason(), timeline({ between: "irq", laps: 1 })],
});
