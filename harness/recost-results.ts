/**
 * Prices the runs of a stored comparison again, under other prices. Nothing is run: the traces hold all that is priced.
 *
 * @module
 */

import { join } from "node:path";
import { compare } from "./compare.ts";
import type { Comparison, Tallied } from "./comparison.ts";
import type { Overrides } from "./costs/model.ts";
import type { Experiment } from "./experiment.ts";
import type { PadCounts } from "./pads.ts";
import { readComparison, SAMPLED_LAPS, storedRun } from "./run-experiment.ts";

/**
 * @param folder What `trapline run` left.
 * @param experiment Whose cost model is asked.
 * @param overrides Prices in place of the model's.
 * @returns The comparison as it would have been; identity, effort and audits are those that were found.
 * @throws {RangeError} If the folder has no comparison, lacks a trace or a kernel, or there is no such price.
 */
export function recostResults(folder: string, experiment: Experiment, overrides: Overrides): Comparison {
  const stored = readComparison(folder);
  const { measure, effort, audits } = stored;
  const compared = compare({
    experiment: stored.experiment,
    question: stored.question,
    measure,
    model: experiment.costs[0]!,
    overrides,
    ...(measure === null ? {} : { sample: { mark: measure, laps: SAMPLED_LAPS } }),
    runs: stored.runs.map(({ trace, recording, identity, tallies }) => {
      const pads = padsOf(tallies.whole, tallies.marks);
      return { ...storedRun(join(folder, trace), recording, identity), ...(pads === undefined ? {} : { pads }) };
    }),
  });
  return {
    ...compared,
    ...(effort === undefined ? {} : { effort }),
    ...(audits === undefined ? {} : { audits }),
  };
}

/** Pads are in no trace: they were counted when the experiment ran. */
function padsOf(whole: Tallied, marks: Readonly<Record<string, Tallied>>): PadCounts | undefined {
  if (whole.pads === undefined) return undefined;
  return {
    whole: whole.pads,
    marks: Object.fromEntries(Object.entries(marks).map(([name, { pads = 0 }]) => [name, pads])),
  };
}
