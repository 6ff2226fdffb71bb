/** What does a null system call cost, and who pays for it? */
import { hutch } from "trapline/guests";
import { experiment, full, inOrder, native } from "trapline/harness";
import { exitsByReason, slowdown, timeline } from "trapline/reports";

export default experiment({
  question: "What does a null system call cost, and who pays for it?",
  guest: hutch.running("null-syscall 10000"),
  techniques: [native, full],
  costs: [inOrder],
  measure: "syscall",
  reports: [slowdown({ baseline: native }), exitsByReason(), timeline({ between: "syscall", laps: 3 })],
});
