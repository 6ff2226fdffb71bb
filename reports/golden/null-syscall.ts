/**
 * A small comparison with fixed numbers, for goldens: nothing here follows the engine or the default prices.
 *
 * @module
 */
import {
  CAUSES,
  type Cause,
  type Comparison,
  type Cycles,
  type Price,
  type PricedBy,
  type RunSummary,
  type TechniqueName,
  type Timeline,
} from "../../harness/comparison.ts";

const plain = (id: string, status: Price["status"], cycles: number, low: number, high: number): Price => {
  return { id, unit: `one ${id}`, cycles, low, high, status, source: `made up for ${id}`, of: null };
};
export const PRICES: readonly Price[] = [
  plain("guest.instruction", "cited", 1, 1, 2),
  plain("alu", "cited", 1, 1, 1),
  plain("load", "cited", 1, 1, 3),
  plain("trap.entry", "assumed", 5, 3, 20),
  plain("tlb.refill", "assumed", 48, 0, 288),
  plain("device.access", "assumed", 40, 10, 400),
  { ...plain("exit", "derived", 80, 80, 200), of: { alu: 20, load: 60 } },
  { ...plain("work.emulate", "derived", 35, 35, 45), of: { alu: 30, load: 5 } },
];

const priceOf = (id: string) => PRICES.find((price) => price.id === id)!;

/** Units of a price, by cause, for one lap. */
type Units = readonly (readonly [price: string, cause: Cause, count: number])[];

function bill(units: Units, laps: number): { readonly cycles: Cycles; readonly pricedBy: readonly PricedBy[] } {
  const pricedBy = units.map(([price, cause, count]) => {
    return { price, cause, count: count * laps, cycles: count * laps * priceOf(price).cycles };
  });
  const byCause = Object.fromEntries(CAUSES.map((cause) => [cause, 0])) as Record<Cause, number>;
  for (const { cause, cycles } of pricedBy) byCause[cause] += cycles;
  const at = (band: "cycles" | "low" | "high") =>
    pricedBy.reduce((all, { price, count }) => all + count * priceOf(price)[band], 0);
  return { cycles: { total: at("cycles"), low: at("low"), high: at("high"), byCause }, pricedBy };
}

const LAPS = 40;
const STEPS = 80;

function timelineOf(
  exits: readonly (readonly [step: number, label: string, cause: Cause, cycles: number])[],
): Timeline {
  const laps = [0, 1, 2];
  return {
    mark: "syscall",
    laps: laps.map((lap) => (lap + 1) * STEPS),
    entries: laps.flatMap((lap) =>
      exits.map(([step, label, cause, cycles]) => ({ step: lap * STEPS + step, label, cause, cycles })),
    ),
    modes: laps.flatMap((lap) => [
      { from: lap * STEPS, to: lap * STEPS + 9, mode: 0 },
      { from: lap * STEPS + 9, to: lap * STEPS + 72, mode: 1 },
      { from: lap * STEPS + 72, to: (lap + 1) * STEPS, mode: 0 },
    ]),
    dropped: 0,
  };
}

function run(
  technique: TechniqueName,
  units: Units,
  byReason: Readonly<Record<string, number>>,
  timeline: Timeline | null,
): RunSummary {
  const perLap = Object.values(byReason).reduce((all, count) => all + count, 0);
  const exits = {
    total: perLap * LAPS,
    byReason: Object.fromEntries(Object.entries(byReason).map(([reason, count]) => [reason, count * LAPS])),
  };
  const lap = bill(units, LAPS);
  return {
    workload: "null-syscall",
    technique,
    variant: technique === "rewriting" ? "inline" : "",
    binary: "hutch",
    instret: 7_100,
    steps: 7_212,
    digest: "3f1c0a9be47d52860b91c6e8d2a4f703",
    trace: `null-syscall.${technique}.trace`,
    recording: "null-syscall",
    exits,
    ...bill([...units, ["device.access", "device", 1], ["guest.instruction", "guest", 100]], LAPS),
    identity: technique === "native" ? null : { level: "exact", equal: true, firstDifference: null },
    marks: [
      { name: "syscall", laps: LAPS, steps: STEPS * LAPS, exits, ...lap },
      {
        name: "compute",
        laps: 1,
        steps: 4_000,
        exits: { total: 0, byReason: {} },
        ...bill([["guest.instruction", "guest", 4_000]], 1),
      },
    ],
    eventCounts: { "guest.trap": LAPS, "guest.return": LAPS },
    tallies: {
      whole: { instructions: 7_100, counts: {}, sites: [], more: 0 },
      marks: { syscall: { instructions: 78 * LAPS, counts: {}, sites: [], more: 0 } },
    },
    timeline,
  };
}

const GUEST: Units = [["guest.instruction", "guest", 78]];
const SITES = [11, 12, 14, 15, 16, 17, 19, 40, 55, 59, 61, 63, 64, 71];

export const COMPARISON: Comparison = {
  experiment: "null-syscall",
  question: "What does a null system call cost, and who pays for it?",
  guest: {
    name: "hutch running null-syscall 40",
    images: [{ name: "hutch.elf", sha256: "5d41402abc4b2a76b9719d911017c592ae1f3c2b7e6d5a4938271605f4e3d2c1" }],
  },
  measure: "syscall",
  costModel: { name: "sample", summary: "Prices made up for goldens", prices: PRICES },
  runs: [
    run(
      "native",
      [...GUEST, ["trap.entry", "trap", 2]],
      {},
      timelineOf([
        [9, "ecall from U", "trap", 5],
        [72, "return", "trap", 5],
      ]),
    ),
    run(
      "full",
      [
        ...GUEST,
        ["exit", "privileged", 14],
        ["work.emulate", "privileged", 14],
        ["trap.entry", "privileged", 28],
        ["tlb.refill", "privileged", 1],
        ["exit", "syscall", 1],
        ["trap.entry", "syscall", 2],
        ["tlb.refill", "syscall", 1],
        ["exit", "paging", 1],
      ],
      { "privileged-instruction": 14, "environment-call": 1, "page-fault": 1 },
      timelineOf([
        [9, "environment-call", "syscall", 138],
        [30, "page-fault", "paging", 80],
        ...SITES.map((step) => [step, "privileged-instruction", "privileged", 125] as const),
      ]),
    ),
    run(
      "rewriting",
      [
        ...GUEST,
        ["exit", "privileged", 1],
        ["tlb.refill", "privileged", 1],
        ["exit", "syscall", 1],
        ["tlb.refill", "syscall", 1],
        ["trap.entry", "syscall", 2],
      ],
      { "rewritten-site": 1, "environment-call": 1 },
      null,
    ),
  ],
  caveats: [{ id: "made-up", text: "All numbers are made up." }],
  binaries: [],
};
