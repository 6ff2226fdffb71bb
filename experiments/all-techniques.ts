/**
 * What does each technique cost on one kernel, and why?
 *
 * One binary for all: hutch through the afterburner, which runs on the bare machine as well. Each program makes laps of its own, so one run tells
 * them apart, and what differs between two techniques is the technique alone.
 */
import { hutchPre } from "trapline/guests";
import { experiment, full, inOrder, native, pre, rewritingInline, rewritingTrap } from "trapline/harness";
import { costPerExit, costPerMark, exitsByReason, slowdown } from "trapline/reports";

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
  question: "What does each technique cost on one kernel, and why?",
  guest: {
    ...hutchPre.running("sh"),
    name: "workloads-pre",
    workload: "ten workloads of hutch-pre",
    input: `expect "hutch$ "\nsend "${WORKLOADS.join("; ")}; exit\\n"\n`,
  },
  techniques: [native, full, rewritingTrap, rewritingInline, pre],
  costs: [inOrder],
  reports: [costPerMark({ baseline: native }), slowdown({ baseline: native }), exitsByReason(), costPerExit()],
});
