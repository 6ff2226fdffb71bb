/**
 * What shadow paging comes to: the faults of a run by kind, what was done for them, and what the run cost.
 *
 * A page fault is *true* where the guest's own handler took it, and *hidden* where only the shadow lacked an entry. Those that were for want of A or D
 * are counted besides, whichever they were. A traced write is a store to a page table that the VMM shows read-only; a device access is one that no
 * entry will ever be made for.
 *
 * @module
 */
import type { Comparison, RunSummary } from "../harness/comparison.ts";
import { formatAmount, formatCount } from "./format.ts";
import { labelOf, nameOf, recordingsOf, workloadOf } from "./measure.ts";
import { artifact, type Report } from "./report.ts";
import { number, type Table, text } from "./table.ts";

const NAME = "shadow-faults";

interface Faults {
  readonly run: RunSummary;
  readonly true: number;
  readonly hidden: number;
  readonly accessed: number;
  readonly traced: number;
  readonly device: number;
  readonly prefetched: number;
  /** Entries that fences, changes of tables and switches between views took out. */
  readonly dropped: number;
  /** Uses of leaves whose entries had changed without a fence, as far as tables were traced. */
  readonly stale: number;
}

/** @returns A report of a table, over whole runs; the bare machine has no shadows, and no row. */
export function shadowFaults(): Report {
  return {
    name: NAME,
    render: async (comparison) => {
      const all = comparison.runs.filter(({ technique }) => technique !== "native").map(faultsOf);
      const title = "Faults of shadow paging, by kind";
      const caption = `Over whole runs. ${sentences(comparison, all).join(" ")}`;
      return artifact({ name: NAME, title, caption, svg: null, table: tableOf(comparison, all) });
    },
  };
}

function faultsOf(run: RunSummary): Faults {
  const { exits, eventCounts, pricedBy, tallies } = run;
  const faults = exits.byReason["page-fault"] ?? 0;
  const { sites, more } = tallies.whole;
  const hidden = sites.reduce((sum, site) => sum + (site.hidden ? site.count : 0), more);
  const units = (price: string) => pricedBy.reduce((sum, line) => sum + (line.price === price ? line.count : 0), 0);
  return {
    run,
    true: faults - hidden,
    hidden,
    accessed: eventCounts["shadow.accessed"] ?? 0,
    traced: exits.byReason["table-write"] ?? 0,
    device: exits.byReason["device-access"] ?? 0,
    prefetched: units("work.prefetch-fill"),
    dropped: units("shadow.drop"),
    stale: eventCounts["stale-translation"] ?? 0,
  };
}

/** Which way costs least, and which leaves least to the VMM's fault path, by recording. */
function sentences(comparison: Comparison, all: readonly Faults[]): readonly string[] {
  return recordingsOf(comparison).flatMap((recording) => {
    const runs = all.filter(({ run }) => run.recording === recording);
    const [first] = runs;
    if (first === undefined || runs.length < 2) return [];
    const least = (amount: (faults: Faults) => number) => runs.reduce((a, b) => (amount(b) < amount(a) ? b : a));
    const cheapest = least(({ run }) => run.cycles.total);
    const fewest = least(({ hidden, traced }) => hidden + traced);
    const { total, low, high } = cheapest.run.cycles;
    const cost = `${formatAmount(total)} cycles (${formatAmount(low)} to ${formatAmount(high)})`;
    const beside = `${labelOf(first.run)} costs ${formatAmount(first.run.cycles.total)}`;
    return [
      `${workloadOf(recording, comparison)}: ${labelOf(cheapest.run)} costs least, ${cost}; ${beside}.`,
      `Fewest hidden faults and traced writes: ${labelOf(fewest.run)}, ${formatCount(fewest.hidden + fewest.traced)}; ${labelOf(first.run)} has ${formatCount(first.hidden + first.traced)}.`,
    ];
  });
}

function tableOf(comparison: Comparison, all: readonly Faults[]): Table {
  const count = (value: number) => number(value, formatCount);
  const amount = (value: number) => number(value, formatAmount);
  const several = recordingsOf(comparison).length > 1;
  return {
    columns: [
      { title: several ? "run" : "technique", numeric: false },
      { title: "true", numeric: true },
      { title: "hidden", numeric: true },
      { title: "A or D", numeric: true },
      { title: "traced writes", numeric: true },
      { title: "device", numeric: true, room: "page" },
      { title: "prefetched", numeric: true, room: "page" },
      { title: "tables or entries dropped", numeric: true },
      { title: "stale uses", numeric: true, room: "page" },
      { title: "cycles", numeric: true },
      { title: "low", numeric: true },
      { title: "high", numeric: true },
    ],
    rows: all.map((faults) => [
      text(nameOf(faults.run, comparison)),
      count(faults.true),
      count(faults.hidden),
      count(faults.accessed),
      count(faults.traced),
      count(faults.device),
      count(faults.prefetched),
      count(faults.dropped),
      count(faults.stale),
      amount(faults.run.cycles.total),
      amount(faults.run.cycles.low),
      amount(faults.run.cycles.high),
    ]),
  };
}
