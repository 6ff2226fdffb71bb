/**
 * Puts a priced run and what the harness knows of it together, as a report wants it.
 *
 * @module
 */
import type { Comparison, PricedModel, RunSummary } from "../comparison.ts";
import { CAVEATS } from "./caveats.ts";
import { type CostModel, type Overrides, resolvePrices } from "./model.ts";
import type { PricedRun } from "./price-run.ts";

/** What the harness knows of a run without pricing it. */
export type RunFacts = Pick<
  RunSummary,
  | "workload"
  | "technique"
  | "variant"
  | "binary"
  | "instret"
  | "steps"
  | "digest"
  | "trace"
  | "recording"
  | "identity"
  | "tallies"
>;

/**
 * @param facts The run, as it was recorded or replayed.
 * @param priced Its bill.
 * @returns One run of a comparison, with its fields in the documented order.
 */
export function summarizeRun(facts: RunFacts, priced: PricedRun): RunSummary {
  const { workload, technique, variant, binary, instret, steps, digest, trace, recording, identity, tallies } = facts;
  const { total, low, high, byCause, exits, byMark, eventCounts, pricedBy, timeline } = priced;
  return {
    workload,
    technique,
    variant,
    binary,
    instret,
    steps,
    digest,
    trace,
    recording,
    exits,
    cycles: { total, low, high, byCause },
    identity,
    marks: byMark,
    eventCounts,
    pricedBy,
    tallies,
    timeline,
  };
}

/**
 * @param model A price list.
 * @param overrides What was set in place of its prices.
 * @returns The model as a comparison carries it.
 * @throws {RangeError} As `resolvePrices`.
 */
export function pricedModel(model: CostModel, overrides: Overrides = {}): PricedModel {
  return { name: model.name, summary: model.summary, prices: resolvePrices(model, overrides) };
}

/** What a comparison is made of, before its caveats are known. */
export type ComparisonFacts = Omit<Comparison, "caveats">;

/** @returns The comparison with every caveat that applies to it, in the order of `CAVEATS`. */
export function withCaveats(facts: ComparisonFacts): Comparison {
  const caveats = CAVEATS.filter(({ applies }) => applies(facts)).map(({ id, text }) => ({ id, text }));
  return { ...facts, caveats };
}
