/**
 * The answer to an experiment's question, in sentences with numbers; every one is computed from the comparison.
 *
 * @module
 */
import { CAUSES, type Comparison, type RunSummary } from "../harness/comparison.ts";
import { formatAmount, formatCount, formatExits, formatRatio, formatShare } from "./format.ts";
import { type Compared, compareRuns, labelOf, recordingsOf, unitOf, workloadOf } from "./measure.ts";
import { CAUSE_NAMES } from "./palette.ts";

/** The technique that slowdowns are told against where a report names no other: the bare machine, or else the first run's. */
export function defaultBaseline(comparison: Comparison): string {
  const native = comparison.runs.find((run) => run.technique === "native");
  return (native ?? comparison.runs[0])?.technique ?? "native";
}

/** @returns Sentences, one for each run and one on identity. */
export function answer(comparison: Comparison): readonly string[] {
  if (comparison.runs.length === 0) return ["Nothing was run."];
  const baseline = defaultBaseline(comparison);
  const said = recordingsOf(comparison).flatMap((recording) => {
    const workload = workloadOf(recording, comparison);
    const compared = compareRuns(comparison, recording, comparison.measure, baseline);
    return compared.map((entry) => sentence(entry, workload, comparison, baseline));
  });
  const equal = comparison.runs.every((run) => run.identity?.equal ?? true);
  return equal ? [...said, identity(comparison.runs)] : [identity(comparison.runs), ...said];
}

function sentence(
  { run, label, measured, ratio }: Compared,
  workload: string,
  comparison: Comparison,
  baseline: string,
): string {
  const unit = unitOf(comparison.measure);
  if (measured === null) return `Under ${label}, ${workload} made no ${unit}.`;
  const { cycles, laps, exits } = measured;
  const cost = `${formatAmount(cycles.total / laps)} cycles`;
  if (run.technique === baseline || ratio === null) return `Under ${label}, one ${unit} (${workload}) costs ${cost}.`;
  const band = `${formatRatio(ratio.low)} to ${formatRatio(ratio.high)} within the prices' bands`;
  const left = exits.total === 0 ? "with no exit" : `with ${formatExits(exits.total / laps)}`;
  const [largest] = CAUSES.filter((cause) => cause !== "guest" && cycles.byCause[cause] > 0).sort(
    (a, b) => cycles.byCause[b] - cycles.byCause[a],
  );
  const blame =
    largest === undefined
      ? ""
      : `; ${formatShare(cycles.byCause[largest] / cycles.total)} of that is for ${CAUSE_NAMES[largest]}`;
  return `Under ${label} it costs ${cost}, ${formatRatio(ratio.value)} as much (${band}), ${left}${blame}.`;
}

/** @returns What is known of the runs' equality. */
export function identity(runs: readonly RunSummary[]): string {
  const checked = runs.filter((run) => run.identity !== null);
  if (checked.length === 0) return "No run was compared with another one.";
  const differing = checked.filter((run) => !run.identity!.equal);
  if (differing.length > 0) {
    const which = differing.map((run) => `${run.workload} under ${labelOf(run)}`).join(", ");
    return `Not the same execution: ${which} differs from the recorded run, so its numbers answer another question.`;
  }
  const exact = checked.filter((run) => run.identity!.level === "exact").length;
  const observable = checked.length - exact;
  const parts = [
    exact > 0 ? `${counted(exact)} equal to the recorded run instruction by instruction` : "",
    observable > 0 ? `${counted(observable)} equal to it in all that can be observed` : "",
  ].filter((part) => part !== "");
  return `${parts.join("; ")}.`;
}

function counted(runs: number): string {
  return runs === 1 ? "1 replay is" : `${formatCount(runs)} replays are`;
}
