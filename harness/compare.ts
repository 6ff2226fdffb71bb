/**
 * Builds a comparison: each run's trace through a cost model, side by side.
 *
 * @module
 */

import type { Trace } from "../traces/mod.ts";
import { describeBinary } from "./binaries.ts";
import type { Binary, Comparison, Identity, RunSummary, RunTallies, TechniqueName, VariantName } from "./comparison.ts";
import type { CostModel, Overrides } from "./costs/model.ts";
import { Pricing } from "./costs/price-run.ts";
import { RunCounter } from "./costs/run-tallies.ts";
import { pricedModel, summarizeRun, withCaveats } from "./costs/summary.ts";
import type { PadCounts } from "./pads.ts";
import { placeNamesOf } from "./place-names.ts";
import { hexDigest } from "./record.ts";

/** A run to compare. */
export interface ComparedRun {
  readonly trace: Trace;
  /** The trace's file name. */
  readonly file: string;
  /** The recorded guest's name; where it is left out, that of the trace's own guest. */
  readonly recording?: string;
  /** Null for the recorded run. */
  readonly identity: Identity | null;
  /** The kernel that ran, for names of places. */
  readonly kernel?: Uint8Array;
  /** The pads that it ran, where they were counted. */
  readonly pads?: PadCounts;
}

export interface CompareOptions {
  readonly experiment: string;
  readonly question: string;
  /** A mark's name, or null to compare whole runs. */
  readonly measure: string | null;
  readonly model: CostModel;
  readonly overrides?: Overrides;
  /** Laps to keep for a timeline. */
  readonly sample?: { readonly mark: string; readonly laps: number };
  readonly runs: readonly ComparedRun[];
}

/**
 * Prices runs and puts them side by side.
 *
 * @throws {RangeError} If there is no run, the measure is no mark of the guest, or a price or an override is wrong.
 */
export function compare(options: CompareOptions): Comparison {
  const { experiment, question, measure, model, runs } = options;
  const first = runs[0]?.trace.header;
  if (first === undefined) throw new RangeError(`Cannot compare ${experiment} as there must be runs: there are none`);
  const summaries = runs.map((run) => summarize(run, options));
  if (measure !== null && summaries.every(({ marks }) => marks.every(({ name }) => name !== measure))) {
    const names = [...new Set(summaries.flatMap(({ marks }) => marks.map(({ name }) => name)))];
    const found = names.length === 0 ? "the guest made no marks" : `it made ${names.join(", ")}`;
    throw new RangeError(`Cannot measure "${measure}" in ${experiment} as the guest must mark it: ${found}`);
  }
  return withCaveats({
    experiment,
    question,
    guest: {
      name: String(first.settings.name ?? first.guest),
      images: first.images.map(({ role, sha256 }) => ({ name: role, sha256 })),
    },
    measure,
    costModel: pricedModel(model, options.overrides ?? {}),
    runs: summaries,
    binaries: binariesOf(runs),
  });
}

/** Each kernel once, in the order of the runs. */
function binariesOf(runs: readonly ComparedRun[]): readonly Binary[] {
  const kernels = new Map(
    runs.flatMap(({ trace, kernel }) => (kernel === undefined ? [] : [[trace.header.guest, kernel] as const])),
  );
  return [...kernels].flatMap(([name, kernel]) => describeBinary(name, kernel) ?? []);
}

function summarize(run: ComparedRun, options: CompareOptions): RunSummary {
  const { trace, file, identity } = run;
  const { header } = trace;
  const last = trace.checkpoints.at(-1)?.event;
  const steps = trace.end?.step ?? last?.step ?? 0;
  const marks = Object.fromEntries(header.marks.map(({ id, name }) => [id, name]));
  const pricing = new Pricing(options.model, {
    marks,
    ...(options.overrides === undefined ? {} : { overrides: options.overrides }),
    ...(options.sample === undefined ? {} : { sample: options.sample }),
  });
  const counter = new RunCounter(marks);
  for (const event of trace.events()) {
    pricing.add(event);
    counter.add(event);
  }
  const priced = pricing.finish(steps);
  return summarizeRun(
    {
      workload: header.workload,
      technique: header.technique as TechniqueName,
      variant: header.variant as VariantName,
      binary: header.guest,
      instret: last === undefined ? 0 : Number(last.instret),
      steps,
      digest: last === undefined ? "" : hexDigest({ low: last.digestLow, high: last.digestHigh }),
      trace: file,
      recording: run.recording ?? String(header.settings.name ?? header.guest),
      identity,
      tallies: withPads(
        counter.finish(steps, run.kernel === undefined ? undefined : placeNamesOf(run.kernel)),
        run.pads,
      ),
    },
    priced,
  );
}

function withPads({ whole, marks }: RunTallies, pads: PadCounts | undefined): RunTallies {
  if (pads === undefined) return { whole, marks };
  const counted = new Map(Object.entries(pads.marks));
  const each = Object.entries(marks).map(([name, one]) => [name, { ...one, pads: counted.get(name) ?? 0 }] as const);
  return { whole: { ...whole, pads: pads.whole }, marks: Object.fromEntries(each) };
}
