/**
 * How many machine instructions one lap of each mark takes, and whose: the guest's own, those of stubs in its kernel, and the VMM's.
 *
 * The guest's and the stubs' were counted as they ran; the VMM's are those of the listings that the price list is derived from, `mret` aside.
 *
 * @module
 */
import type { Comparison } from "../harness/comparison.ts";
import { formatAmount, formatCount } from "./format.ts";
import { labelOf, measureRun, recordingsOf, workloadOf } from "./measure.ts";
import { partsOf } from "./ratio.ts";
import { artifact, type Report } from "./report.ts";
import { type Cell, number, type Table, text } from "./table.ts";

const NAME = "machine-instructions";
const OWN = "guest.instruction";
const STUBS = "work.stub";
/** Prices of which each unit is one instruction of the VMM's. */
const VMM = ["alu", "load", "load.used", "store", "branch", "jump.table", "csr", "sfence"];

/**
 * A table of machine instructions, exits and cycles of one lap, for each mark that the guests made.
 *
 * @returns A report; low and high are what a lap costs while every price is at its low, or at its high.
 */
export function machineInstructions(): Report {
  return {
    name: NAME,
    render: async (comparison) =>
      artifact({
        name: NAME,
        title: "Machine instructions of one lap",
        caption:
          "Of one lap of each mark: exits, instructions that the hart ran for the guest and in stubs, those of the VMM as its listings have them, and modelled cycles with their band.",
        svg: null,
        table: tableOf(comparison),
      }),
  };
}

function tableOf(comparison: Comparison): Table {
  const { prices } = comparison.costModel;
  const rows = recordingsOf(comparison).flatMap((recording) => {
    const runs = comparison.runs.filter((run) => run.recording === recording);
    const marks = [...new Set(runs.flatMap((run) => run.marks.map(({ name }) => name)))];
    return marks.flatMap((mark) =>
      runs.flatMap((run): readonly (readonly Cell[])[] => {
        const measured = measureRun(run, mark);
        if (measured === null) return [];
        const { laps, exits, cycles, pricedBy } = measured;
        const unitsOf = (id: string) =>
          pricedBy.reduce((sum, { price, count }) => sum + (price === id ? count : 0), 0) / laps;
        const parts = partsOf(pricedBy, prices);
        const theirs = VMM.reduce((sum, id) => sum + (parts.get(id) ?? 0), 0) / laps;
        const [own, stubs] = [unitsOf(OWN), unitsOf(STUBS)];
        const each = (value: number) => number(value, formatAmount);
        return [
          [
            text(workloadOf(recording, comparison)),
            text(mark),
            text(labelOf(run)),
            number(laps, formatCount),
            each(exits.total / laps),
            each(own),
            each(stubs),
            each(theirs),
            each(cycles.total / laps),
            each(cycles.low / laps),
            each(cycles.high / laps),
          ],
        ];
      }),
    );
  });
  return {
    columns: [
      { title: "workload", numeric: false },
      { title: "measure", numeric: false },
      { title: "technique", numeric: false },
      { title: "laps", numeric: true, room: "file" },
      { title: "exits", numeric: true },
      { title: "guest", numeric: true },
      { title: "stubs", numeric: true },
      { title: "VMM", numeric: true },
      { title: "cycles", numeric: true },
      { title: "low", numeric: true },
      { title: "high", numeric: true },
    ],
    rows,
  };
}
