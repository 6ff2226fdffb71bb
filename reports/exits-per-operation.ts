/**
 * How often the guest leaves for one operation: by technique and class, hidden faults apart; and each place at which it does.
 *
 * @module
 */
import type { Comparison, ExitSite, RunSummary } from "../harness/comparison.ts";
import { formatAmount, formatCount } from "./format.ts";
import { labelOf, recordingsOf, talliedOf, workloadOf } from "./measure.ts";
import { artifact, type Report } from "./report.ts";
import { type Cell, number, type Table, text } from "./table.ts";

interface Stretch {
  readonly run: RunSummary;
  readonly mark: string;
  /** Operations, where the experiment says how many are in a lap; laps otherwise. */
  readonly operations: number;
  readonly sites: readonly ExitSite[];
  readonly more: number;
  /** Machine instructions of the guest's and in its place: those that retired, and those that stubs ran beside. */
  readonly instructions: number;
}

/** How many operations one lap of a mark is, for marks whose lap is not one operation. */
export type OperationsPerLap = Readonly<Record<string, number>>;

export interface ExitsPerOperationOptions {
  readonly operations?: OperationsPerLap;
}

function stretchesOf(comparison: Comparison, operations: OperationsPerLap): readonly Stretch[] {
  return recordingsOf(comparison).flatMap((recording) => {
    const runs = comparison.runs.filter((run) => run.recording === recording);
    const marks = [...new Set(runs.flatMap((run) => run.marks.map(({ name }) => name)))];
    return marks.flatMap((mark) =>
      runs.flatMap((run): readonly Stretch[] => {
        const laps = run.marks.find(({ name }) => name === mark)?.laps ?? 0;
        const tallied = talliedOf(run, mark);
        if (laps === 0 || tallied === undefined) return [];
        const each = Object.hasOwn(operations, mark) ? operations[mark]! : 1;
        const { sites, more, counts } = tallied;
        const instructions = tallied.instructions + (counts["work stub"] ?? 0);
        return [{ run, mark, operations: laps * each, sites, more, instructions }];
      }),
    );
  });
}

const sum = (sites: readonly ExitSite[]): number => sites.reduce((all, { count }) => all + count, 0);

/**
 * A table of exits for one operation, by reason, with hidden faults in a column of their own.
 *
 * @param options.operations Operations that one lap of a mark is: one, where a mark is not named.
 * @returns A report on every mark that the guest made.
 */
export function exitsPerOperation({ operations = {} }: ExitsPerOperationOptions = {}): Report {
  return {
    name: "exits-per-operation",
    render: async (comparison) => {
      const stretches = stretchesOf(comparison, operations);
      const reasons = [...new Set(stretches.flatMap(({ sites }) => sites.map(({ reason }) => reason)))].sort();
      const table: Table = {
        columns: [
          ...columnsOf(),
          { title: "exits", numeric: true },
          ...reasons.map((title) => ({ title, numeric: true, room: "page" as const })),
          { title: "hidden faults", numeric: true },
          { title: "machine instructions", numeric: true },
        ],
        rows: stretches.map((stretch) => {
          const [seen, hidden] = [false, true].map((which) => stretch.sites.filter((site) => site.hidden === which));
          const each = (count: number) => number(count / stretch.operations, formatAmount);
          return [
            ...whoOf(stretch, comparison),
            each(sum(seen!)),
            ...reasons.map((reason) => each(sum(seen!.filter((site) => site.reason === reason)))),
            each(sum(hidden!) + stretch.more),
            each(stretch.instructions),
          ];
        }),
      };
      return artifact({
        name: "exits-per-operation",
        title: "Exits for one operation, hidden faults apart",
        caption:
          "How often the guest left for one operation of each mark. A hidden fault is one that only the shadow page table took; it belongs to page tables that were just made or dropped. Machine instructions are the guest's, and what stubs run beside them.",
        svg: null,
        table,
      });
    },
  };
}

/**
 * A table of places at which the guest left, for each mark and technique.
 *
 * @returns A report; a terminal is told only where the table is.
 */
export function exitSites({ operations = {} }: ExitsPerOperationOptions = {}): Report {
  return {
    name: "exit-sites",
    render: async (comparison) => {
      const stretches = stretchesOf(comparison, operations);
      const made = artifact({
        name: "exit-sites",
        title: "Where the guest left",
        caption:
          "Each place at which the guest left within the laps of a mark, and how often in one operation. What is far below 1 happened at the beginning only.",
        svg: null,
        table: sitesTable(stretches, comparison),
      });
      const { length } = made.table.rows;
      return { ...made, text: `${formatCount(length)} places; the page lists them, and tables/exit-sites.csv.\n` };
    },
  };
}

function sitesTable(stretches: readonly Stretch[], comparison: Comparison): Table {
  return {
    columns: [
      ...columnsOf(),
      { title: "reason", numeric: false },
      { title: "place", numeric: false },
      { title: "instruction", numeric: false },
      { title: "pc", numeric: false, room: "file" },
      { title: "exits", numeric: true, room: "page" },
      { title: "each", numeric: true },
    ],
    rows: stretches.flatMap((stretch) =>
      stretch.sites.map((site) => [
        ...whoOf(stretch, comparison),
        text(site.hidden ? `${site.reason}, hidden` : site.reason),
        text(site.place),
        text(site.instruction),
        text(site.pc),
        number(site.count, formatCount),
        number(site.count / stretch.operations, formatAmount),
      ]),
    ),
  };
}

const columnsOf = (): Table["columns"] => [
  { title: "workload", numeric: false },
  { title: "mark", numeric: false },
  { title: "technique", numeric: false },
];
const whoOf = ({ run, mark }: Stretch, comparison: Comparison): readonly Cell[] => [
  text(workloadOf(run.recording, comparison)),
  text(mark),
  text(labelOf(run)),
];
