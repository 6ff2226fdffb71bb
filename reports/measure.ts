/**
 * Picks out of each run what is compared: one lap of the measured mark, or the whole run.
 *
 * @module
 */
import {
  CAUSES,
  type Cause,
  type Comparison,
  type Cycles,
  type Exits,
  type PricedBy,
  type RunSummary,
  type Tallied,
} from "../harness/comparison.ts";
import { partsOf, type Ratio, ratioOf } from "./ratio.ts";

/** What is compared of one run. Everything is over all laps; divide by `laps`. */
export interface Measured {
  readonly run: RunSummary;
  readonly label: string;
  readonly laps: number;
  readonly steps: number;
  readonly exits: Exits;
  readonly cycles: Cycles;
  readonly pricedBy: readonly PricedBy[];
}

/** @returns A run's technique with its variant, as in figures. */
export function labelOf(run: RunSummary): string {
  return run.variant === "" ? run.technique : `${run.technique} ${run.variant}`;
}

/**
 * @param run A run.
 * @param mark A mark's name; null for the whole run.
 * @returns What is compared of it; null where it never made the mark.
 */
export function measureRun(run: RunSummary, mark: string | null): Measured | null {
  const label = labelOf(run);
  if (mark === null) {
    const { steps, exits, cycles, pricedBy } = run;
    return { run, label, laps: 1, steps, exits, cycles, pricedBy };
  }
  const found = run.marks.find(({ name, laps }) => name === mark && laps > 0);
  if (found === undefined) return null;
  const { laps, steps, exits, cycles, pricedBy } = found;
  return { run, label, laps, steps, exits, cycles, pricedBy };
}

/**
 * @param mark A mark's name, as a guest chooses it; null for the whole run.
 * @returns What was counted of it; undefined where the run never made the mark.
 */
export function talliedOf({ tallies }: RunSummary, mark: string | null): Tallied | undefined {
  if (mark === null) return tallies.whole;
  return Object.hasOwn(tallies.marks, mark) ? tallies.marks[mark] : undefined;
}

/** @returns "lap of syscall", or "run". */
export function unitOf(mark: string | null): string {
  return mark === null ? "run" : `lap of ${mark}`;
}

/** @returns Names of the comparison's recordings, in the order of their first runs: a recording and its replays are compared with each other. */
export function recordingsOf(comparison: Comparison): readonly string[] {
  return [...new Set(comparison.runs.map((run) => run.recording))];
}

/** @returns The workload of a recording; with the recorded binary where another one has the same workload, or its name where that is the same too. */
export function workloadOf(recording: string, comparison: Comparison): string {
  const { workload, binary } = comparison.runs.find((run) => run.recording === recording)!;
  const others = comparison.runs.filter(
    (run) => run.workload === workload && run.recording !== recording && run.identity === null,
  );
  if (others.length === 0) return workload;
  return others.some((run) => run.binary === binary) ? `${workload} as ${recording}` : `${workload} of ${binary}`;
}

/** @returns A run's technique, with its workload where the comparison has several recordings. */
export function nameOf(run: RunSummary, comparison: Comparison): string {
  return recordingsOf(comparison).length > 1
    ? `${workloadOf(run.recording, comparison)}, ${labelOf(run)}`
    : labelOf(run);
}

/** A technique, or its name, to compare with. */
export type Baseline = string | { readonly name: string };

export function baselineName(baseline: Baseline): string {
  return typeof baseline === "string" ? baseline : baseline.name;
}

/** One run beside the baseline of its recording. */
export interface Compared {
  readonly run: RunSummary;
  readonly label: string;
  /** Null where the run never made the mark. */
  readonly measured: Measured | null;
  /** Null where there is nothing to divide by. */
  readonly ratio: Ratio | null;
}

/**
 * Compares the runs of one recording with its baseline.
 *
 * @param comparison Where the runs are.
 * @param recording Which of them.
 * @param mark A mark's name; null for whole runs.
 * @param baseline The technique to divide by.
 * @returns One entry for each run, in the comparison's order.
 */
export function compareRuns(
  comparison: Comparison,
  recording: string,
  mark: string | null,
  baseline: Baseline,
): readonly Compared[] {
  const runs = comparison.runs.filter((run) => run.recording === recording);
  const base = runs.find((run) => run.technique === baselineName(baseline));
  const under = base === undefined ? null : measureRun(base, mark);
  return runs.map((run) => {
    const measured = measureRun(run, mark);
    const scale = measured === null || under === null ? 0 : under.laps / measured.laps;
    const ratio =
      measured === null || under === null
        ? null
        : ratioOf(measured.pricedBy, under.pricedBy, scale, comparison.costModel.prices);
    return { run, label: labelOf(run), measured, ratio };
  });
}

/** @returns Which share of each cause's cycles rests on assumed prices, between 0 and 1. */
export function assumedShares(measured: Measured, comparison: Comparison): Readonly<Record<Cause, number>> {
  const prices = comparison.costModel.prices;
  const byId = new Map(prices.map((price) => [price.id, price]));
  const share = (cause: Cause): number => {
    let [all, assumed] = [0, 0];
    for (const [id, count] of partsOf(
      measured.pricedBy.filter((line) => line.cause === cause),
      prices,
    )) {
      const price = byId.get(id)!;
      all += count * price.cycles;
      if (price.status === "assumed") assumed += count * price.cycles;
    }
    return all > 0 ? assumed / all : 0;
  };
  return Object.fromEntries(CAUSES.map((cause) => [cause, share(cause)])) as Record<Cause, number>;
}
