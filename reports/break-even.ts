/**
 * Where techniques meet: what some prices must come to for two techniques to cost the same, or for one to cost so many times the baseline.
 *
 * A run's cycles are a sum of counts times prices, so each answer is one division, over the bill that the comparison holds.
 *
 * @module
 */
import type { Comparison } from "../harness/comparison.ts";
import { formatAmount, formatRatio } from "./format.ts";
import { markdown } from "./markdown.ts";
import { type Baseline, baselineName, labelOf, type Measured, measureRun, nameOf, unitOf } from "./measure.ts";
import { artifact, type Report } from "./report.ts";
import { type Cell, fitted, number, type Table, text } from "./table.ts";

const NAME = "break-even";

export interface BreakEvenOptions {
  /** The technique that the others are measured by. */
  readonly baseline: Baseline;
  /** Ids of the prices that are solved for, all changed by one factor; `trap.entry` where it is left out. */
  readonly prices?: readonly string[];
  /** How many times the baseline a technique may cost; 1.5 where it is left out. */
  readonly ratio?: number;
  /** Solves for the laps of each mark too; a terminal shows the comparison's measure alone. */
  readonly everyMark?: boolean;
}

/** A run's cycles as a straight line over what one unit of each of the prices comes to. */
interface Line {
  readonly rest: number;
  readonly slope: number;
}
interface Run extends Line {
  readonly name: string;
  readonly recording: string;
  readonly mark: string | null;
  readonly isBaseline: boolean;
}

/**
 * A table of where techniques meet.
 *
 * @returns A report, of the comparison's measure, or of whole runs where it has none.
 * @throws {RangeError} When it is rendered, if the cost model lacks one of the prices.
 */
export function breakEven({
  baseline,
  prices = ["trap.entry"],
  ratio = 1.5,
  everyMark = false,
}: BreakEvenOptions): Report {
  return {
    name: NAME,
    render: async (comparison) => {
      const now = prices.reduce((sum, id) => sum + priceOf(comparison, id), 0);
      const what = prices.join(" + ");
      const runsAt = (mark: string | null): readonly Run[] =>
        comparison.runs.flatMap((run): readonly Run[] => {
          const measured = measureRun(run, mark);
          if (measured === null) return [];
          const isBaseline = labelOf(run) === baselineName(baseline);
          const name = nameOf(run, comparison);
          return [{ ...lineOf(measured, prices, now), name, recording: run.recording, mark, isBaseline }];
        });
      const runs = runsAt(comparison.measure);
      const marks = [...new Set(comparison.runs.flatMap((run) => run.marks.map(({ name }) => name)))];
      const others = everyMark ? marks.filter((mark) => mark !== comparison.measure).flatMap(runsAt) : [];
      const unit = unitOf(comparison.measure);
      const title = `Break-even: the ${what} at which techniques meet`;
      const caption = `What one unit of ${what} comes to, in cycles, where one ${unit} costs the same under both and everything else keeps its price; the model says ${formatAmount(now)}. Without a number, they meet at none.`;
      const made = artifact({
        name: NAME,
        title,
        caption,
        svg: null,
        table: tableOf([...runs, ...others], now, ratio),
      });
      return { ...made, text: markdown(fitted(tableOf(runs, now, ratio), "terminal")) };
    },
  };
}

function priceOf({ costModel }: Comparison, id: string): number {
  const price = costModel.prices.find((one) => one.id === id);
  if (price !== undefined) return price.cycles;
  const known = costModel.prices.map((one) => one.id).join(", ");
  throw new RangeError(`Cannot solve for ${id} as it must be a price of the model: it has ${known}`);
}

function lineOf({ cycles, pricedBy, laps }: Measured, ids: readonly string[], now: number): Line {
  const moving = pricedBy.reduce((sum, line) => sum + (ids.includes(line.price) ? line.cycles : 0), 0);
  return { rest: (cycles.total - moving) / laps, slope: moving / now / laps };
}

/** Where two lines meet, to the right of 0. */
function meeting(a: Line, b: Line): number | null {
  if (a.slope === b.slope) return null;
  const at = (b.rest - a.rest) / (a.slope - b.slope);
  return at >= 0 ? at : null;
}

function tableOf(runs: readonly Run[], now: number, ratio: number): Table {
  const rows: (readonly Cell[])[] = [];
  const cost = ({ rest, slope }: Line) => rest + slope * now;
  for (const [i, one] of runs.entries()) {
    const base = runs.find((run) => run.isBaseline && run.recording === one.recording && run.mark === one.mark);
    if (base !== undefined && base !== one) {
      const bound = { rest: ratio * base.rest, slope: ratio * base.slope };
      const limit = `${formatRatio(ratio)} ${base.name}`;
      rows.push([
        text(one.mark ?? "run"),
        text(one.name),
        text(limit),
        number(meeting(one, bound), formatAmount),
        text(""),
      ]);
    }
    for (const other of runs.slice(i + 1)) {
      if (other.recording !== one.recording || other.mark !== one.mark || one.isBaseline || other.isBaseline) continue;
      const cheaper = cost(one) <= cost(other) ? one : other;
      rows.push([
        text(one.mark ?? "run"),
        text(one.name),
        text(other.name),
        number(meeting(one, other), formatAmount),
        text(cheaper.name),
      ]);
    }
  }
  return {
    columns: [
      { title: "measure", numeric: false, room: new Set(runs.map(({ mark }) => mark)).size > 1 ? "terminal" : "file" },
      { title: "technique", numeric: false },
      { title: "meets", numeric: false },
      { title: "at cycles", numeric: true },
      { title: "cheaper now", numeric: false },
    ],
    rows,
  };
}
