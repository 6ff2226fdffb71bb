/**
 * What a difference between two techniques is made of: the counts of what happened in both runs, times their prices, cause by cause.
 *
 * The causes are counted from the events by themselves (`Tallied`), the totals are those of the bill, which a cost model charged event by event.
 * What the causes do not add up to is shown as unexplained.
 *
 * Left out: a cost model with other prices than the ones named here is explained only as far as it has them.
 *
 * @module
 */
import type { Comparison, RunSummary } from "../harness/comparison.ts";
import { formatAmount, formatCount } from "./format.ts";
import { markdown } from "./markdown.ts";
import { labelOf, measureRun, recordingsOf, talliedOf, workloadOf } from "./measure.ts";
import { artifact, type Report } from "./report.ts";
import { fitted, number, type Table, text } from "./table.ts";

const NAME = "decomposition";

/** A cause: what was counted, and the prices that each of it takes. */
interface CountedCause {
  readonly name: string;
  readonly terms: readonly (readonly [count: string, prices: readonly string[]])[];
}

const INSTRUCTIONS = "instructions";
const TRAP = ["trap.entry"];
const RETURN = ["trap.return"];
const WAY_IN = ["trap.entry", "exit.save"];
const WAY_OUT = ["exit.restore", "trap.return"];

/** In the order of the table's columns. */
export const COUNTED_CAUSES: readonly CountedCause[] = [
  { name: "guest instructions", terms: [[INSTRUCTIONS, ["guest.instruction"]]] },
  {
    name: "traps by the hardware",
    terms: [
      ["guest.trap by the hardware", TRAP],
      ["interrupt by the hardware", TRAP],
      ["guest.return by the hardware", RETURN],
    ],
  },
  {
    name: "firmware calls",
    terms: [
      ["sbi by the firmware", [...WAY_IN, ...WAY_OUT]],
      ["sbi", ["sbi.call"]],
    ],
  },
  {
    name: "ways into the VMM and out",
    terms: [
      ["vmm.exit", WAY_IN],
      ["vmm.resume", WAY_OUT],
    ],
  },
  { name: "decoding", terms: [["work decode", ["work.decode"]]] },
  { name: "emulation", terms: [["work emulate", ["work.emulate"]]] },
  { name: "injected traps", terms: [["vmm.inject", ["inject"]]] },
  {
    name: "shadow fills",
    terms: [
      ["work walk-step", ["work.walk-step"]],
      ["work shadow-fill", ["work.shadow-fill"]],
    ],
  },
  {
    name: "shadow drops",
    terms: [
      ["shadow.drop", ["sfence"]],
      ["shadow entries dropped", ["shadow.drop"]],
    ],
  },
  { name: "root switches", terms: [["work root-switch", ["work.root-switch"]]] },
  { name: "TLB refills", terms: [["work root-switch", ["tlb.refill"]]] },
  { name: "stub instructions", terms: [["work stub", ["work.stub"]]] },
  { name: "hypercalls", terms: [["work call", ["work.call"]]] },
  { name: "device accesses", terms: [["device access", ["device.access"]]] },
  { name: "device models", terms: [["work device", ["work.device"]]] },
  {
    name: "scan and patch",
    terms: [
      ["work scan", ["work.scan"]],
      ["work patch", ["work.patch"]],
      ["work wedge", ["work.wedge"]],
    ],
  },
];
/** Kinds of work that have no cause of their own above. */
const OTHER = "other work of the VMM";
const WORK = "work ";

/** Two runs of one recording, over one lap of one mark, or as a whole. */
export interface Difference {
  readonly recording: string;
  /** Null for whole runs. */
  readonly mark: string | null;
  readonly left: RunSummary;
  readonly right: RunSummary;
  /** Cycles that the right run takes more than the left one, by its bill. */
  readonly cycles: number;
  /** The same by cause, counted; in the order of the causes, with `other work of the VMM` at the end. */
  readonly byCause: readonly { readonly name: string; readonly cycles: number }[];
  /** What the causes do not add up to. */
  readonly unexplained: number;
}

/** @returns The unexplained part as a share of the difference; 0 where there is neither. */
export function unexplainedShare({ cycles, unexplained }: Pick<Difference, "cycles" | "unexplained">): number {
  return unexplained === 0 ? 0 : Math.abs(unexplained) / Math.abs(cycles);
}

/**
 * @param comparison Where the runs are.
 * @param causes What is counted; all of it where it is left out.
 * @returns Every pair of runs of each recording, over the whole run first, then for each mark that both made.
 */
export function differences(
  comparison: Comparison,
  causes: readonly CountedCause[] = COUNTED_CAUSES,
): readonly Difference[] {
  const prices = new Map(comparison.costModel.prices.map(({ id, cycles }) => [id, cycles]));
  return recordingsOf(comparison).flatMap((recording) => {
    const runs = comparison.runs.filter((run) => run.recording === recording);
    const names = [...new Set(runs.flatMap(({ marks }) => marks.map(({ name }) => name)))];
    return [null, ...names].flatMap((mark) =>
      runs.flatMap((left, at) =>
        runs.slice(at + 1).flatMap((right): readonly Difference[] => {
          const [before, after] = [left, right].map((run) => stretchOf(run, mark, causes, prices));
          if (before == null || after == null) return [];
          const cycles = after.total - before.total;
          const byCause = after.byCause.map(({ name, cycles: more }, cause) => ({
            name,
            cycles: more - before.byCause[cause]!.cycles,
          }));
          const explained = byCause.reduce((sum, cause) => sum + cause.cycles, 0);
          return [{ recording, mark, left, right, cycles, byCause, unexplained: settled(cycles - explained) }];
        }),
      ),
    );
  });
}

/** Sums of fractions differ in their last bits. */
const settled = (cycles: number): number => (Math.abs(cycles) < 1e-6 ? 0 : cycles);

interface Stretch {
  readonly total: number;
  readonly byCause: readonly { readonly name: string; readonly cycles: number }[];
}

/** What one lap came to by the bill, and by what was counted; null where the run never made the mark. */
function stretchOf(
  run: RunSummary,
  mark: string | null,
  causes: readonly CountedCause[],
  prices: ReadonlyMap<string, number>,
): Stretch | null {
  const measured = measureRun(run, mark);
  const counted = talliedOf(run, mark);
  if (measured === null || counted === undefined) return null;
  const each = (ids: readonly string[]): number => ids.reduce((sum, id) => sum + (prices.get(id) ?? 0), 0);
  const countOf = (name: string): number =>
    name === INSTRUCTIONS ? counted.instructions : (counted.counts[name] ?? 0);
  const byCause = causes.map(({ name, terms }) => ({
    name,
    cycles: terms.reduce((sum, [count, ids]) => sum + countOf(count) * each(ids), 0) / measured.laps,
  }));
  const named = new Set(COUNTED_CAUSES.flatMap(({ terms }) => terms.map(([count]) => count)));
  const others = Object.entries(counted.counts)
    .filter(([name]) => name.startsWith(WORK) && !named.has(name))
    .reduce((sum, [name, count]) => sum + count * each([`work.${name.slice(WORK.length)}`]), 0);
  return {
    total: measured.cycles.total / measured.laps,
    byCause: [...byCause, { name: OTHER, cycles: others / measured.laps }],
  };
}

/**
 * A table of every difference between two techniques, by cause.
 *
 * @returns A report over whole runs and over the laps of each mark; a terminal shows the whole runs.
 */
export function decomposition(): Report {
  return {
    name: NAME,
    render: async (comparison) => {
      const found = differences(comparison);
      const worst = found.reduce((most, one) => Math.max(most, unexplainedShare(one)), 0);
      const made = artifact({
        name: NAME,
        title: "Differences between techniques, by cause",
        caption: `Cycles that the second technique takes more than the first, in a whole run and in one lap of each mark: counts of events times prices, beside the difference of the two bills. At most ${(worst * 100).toFixed(2)} % of a difference is unexplained.`,
        svg: null,
        table: tableOf(comparison, found),
      });
      const whole = tableOf(comparison, found.filter(({ mark }) => mark === null)); // biome-ignore format: one table
      return { ...made, text: markdown(fitted(whole, "terminal")) };
    },
  };
}

function tableOf(comparison: Comparison, found: readonly Difference[]): Table {
  const amount = (value: number) => number(value, formatSigned);
  const names = [...COUNTED_CAUSES.map(({ name }) => name), OTHER];
  const shown = names.filter((name) =>
    found.some(({ byCause }) => byCause.some((cause) => cause.name === name && cause.cycles !== 0)),
  );
  return {
    columns: [
      { title: "workload", numeric: false },
      { title: "measure", numeric: false, room: "page" },
      { title: "from", numeric: false },
      { title: "to", numeric: false },
      { title: "cycles more", numeric: true },
      { title: "most of it", numeric: false, room: "terminal" },
      ...shown.map((title) => ({ title, numeric: true, room: "page" as const })),
      { title: "unexplained", numeric: true },
      { title: "share", numeric: true, room: "page" },
    ],
    rows: found.map((one) => [
      text(workloadOf(one.recording, comparison)),
      text(one.mark ?? "run"),
      text(labelOf(one.left)),
      text(labelOf(one.right)),
      amount(one.cycles),
      text(mostOf(one)),
      ...shown.map((name) => amount(one.byCause.find((cause) => cause.name === name)!.cycles)),
      amount(one.unexplained),
      number(unexplainedShare(one), (share) => `${(share * 100).toFixed(2)} %`),
    ]),
  };
}

/** The three causes that move most, with what they move. */
function mostOf({ byCause }: Difference): string {
  return byCause
    .filter(({ cycles }) => cycles !== 0)
    .sort((a, b) => Math.abs(b.cycles) - Math.abs(a.cycles))
    .slice(0, 3)
    .map(({ name, cycles }) => `${name} ${formatSigned(cycles)}`)
    .join(", ");
}

function formatSigned(cycles: number): string {
  const size = Math.abs(cycles);
  const said = Number.isInteger(size) ? formatCount(size) : formatAmount(size);
  return cycles < 0 ? `\u2212${said}` : said;
}
