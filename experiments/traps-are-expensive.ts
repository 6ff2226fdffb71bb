/** Is trap-and-emulate very expensive, as each privileged instruction traps? On which workload, for which reason, and what does an exit cost? */
import { hutch } from "trapline/guests";
import { experiment, full, inOrder, native } from "trapline/harness";
import { costPerExit, costPerMark, exitsByReason, slowdown } from "trapline/reports";

/** Each makes laps of its own, so one run tells them apart. */
const WORKLOADS = [
  "compute 2",
  "null-syscall 500",
  "irq-toggle 500",
  "context-switch 100",
  "page-fault 100",
  "fork-exec 3",
  "pipe 100",
  "signal 50",
  "disk-read 10",
  "timer-tick 3",
];

export default experiment({
  question: "Is trap-and-emulate very expensive, as each privileged instruction traps?",
  guest: {
    ...hutch.running("sh"),
    name: "workloads",
    workload: "ten workloads of hutch",
    input: `expect "hutch$ "\nsend "${WORKLOADS.join("; ")}; exit\\n"\n`,
  },
  techniques: [native, full],
  costs: [inOrder],
  reports: [costPerMark({ baseline: native }), slowdown({ baseline: native }), exitsByReason(), costPerExit()],
});
