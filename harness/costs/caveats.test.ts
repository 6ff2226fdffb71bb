import { describe, expect, test } from "vitest";
import type { Comparison, RunSummary } from "../comparison.ts";
import { CAVEATS } from "./caveats.ts";
import { inOrder } from "./in-order.ts";
import { priceRun } from "./price-run.ts";
import { pricedModel, type RunFacts, summarizeRun, withCaveats } from "./summary.ts";

const facts: RunFacts = {
  workload: "w",
  technique: "native",
  variant: "",
  binary: "hutch",
  instret: 0,
  steps: 0,
  digest: "",
  trace: "w.native.trace",
  recording: "w",
  identity: null,
  tallies: { whole: { instructions: 0, counts: {}, sites: [], more: 0 }, marks: {} },
};
const run = (more: Partial<RunSummary> = {}): RunSummary => ({
  ...summarizeRun(facts, priceRun([], inOrder)),
  ...more,
});
const caveatsOf = (...runs: RunSummary[]) => {
  const comparison: Omit<Comparison, "caveats"> = {
    experiment: "e",
    question: "q",
    guest: { name: "g", images: [] },
    measure: null,
    costModel: pricedModel(inOrder),
    runs,
    binaries: [],
  };
  return withCaveats(comparison).caveats.map(({ id }) => id);
};
const always = ["assumed-prices", "no-caches"];

describe("caveats", () => {
  test("always say that cycles are modelled, and which prices are guesses", () => {
    expect(caveatsOf(run())).toEqual(always);
  });

  test.each<[string, RunSummary]>([
    ["not-identical", run({ identity: { level: "exact", equal: false, firstDifference: null } })],
    ["observable-only", run({ identity: { level: "observable", equal: true, firstDifference: null } })],
    ["other-binary", run({ binary: "hutch-para" })],
    ["open-loop", run({ eventCounts: { idle: 1 } })],
    ["open-loop", run({ eventCounts: { interrupt: 1 } })],
  ])("say %s where it holds, and only there", (id, other) => {
    expect(caveatsOf(run(), other).filter((one) => !always.includes(one))).toEqual([id]);
  });

  test("have ids of their own and end as sentences do", () => {
    expect(new Set(CAVEATS.map(({ id }) => id)).size).toBe(CAVEATS.length);
    for (const { text } of CAVEATS) expect(text).toMatch(/^[A-Z].*\.$/);
  });
});

describe("a run's summary", () => {
  test("has the documented fields in the documented order", () => {
    expect(Object.keys(run()).slice(0, 12)).toEqual(
      [
        "workload",
        "technique",
        "variant",
        "binary",
        "instret",
        "steps",
        "digest",
        "trace",
        "recording",
        "exits",
        "cycles",
        "identity",
      ], // as docs/cli.md
    );
  });
});
