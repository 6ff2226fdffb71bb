/**
 * What a reader must know before believing a comparison's numbers: a closed list, each with the test that says when it applies.
 *
 * @module
 */
import type { Comparison, RunSummary } from "../comparison.ts";

interface CaveatRule {
  readonly id: string;
  readonly text: string;
  readonly applies: (facts: Omit<Comparison, "caveats">) => boolean;
}

const some = (test: (run: RunSummary) => boolean) => (facts: Omit<Comparison, "caveats">) => facts.runs.some(test);

export const CAVEATS: readonly CaveatRule[] = [
  {
    id: "not-identical",
    text: "A run differs from the recorded one: its numbers are of another execution and must not be compared.",
    applies: some((run) => run.identity !== null && !run.identity.equal),
  },
  {
    id: "observable-only",
    text: "A run is equal only in what can be observed (system calls, console, disk), not instruction by instruction.",
    applies: some((run) => run.identity?.level === "observable"),
  },
  {
    id: "other-binary",
    text: "Runs of different binaries are compared: a difference may be the guest's, not the technique's.",
    applies: (facts) =>
      new Set(facts.runs.map((run) => `${run.recording}\n${run.binary}`)).size >
      new Set(facts.runs.map((run) => run.recording)).size,
  },
  {
    id: "assumed-prices",
    text: "Prices marked assumed are guesses with a low and a high; hatching shows what rests on them, whiskers how far it can move.",
    applies: (facts) => facts.costModel.prices.some((price) => price.status === "assumed"),
  },
  {
    id: "no-caches",
    text: "Cycles are modelled, not measured. Caches and branch prediction appear only as bands of prices, and TLB misses of the bare machine not at all.",
    applies: () => true,
  },
  {
    id: "open-loop",
    text: "Guest time is open loop: a technique's overhead never delays a timer or a device, and waiting costs nothing.",
    applies: some((run) => (run.eventCounts.interrupt ?? 0) > 0 || (run.eventCounts.idle ?? 0) > 0),
  },
];
