/**
 * What one exit costs, by what it is for: the bill of a run, cut up by cause and divided by the exits of that cause.
 *
 * @module
 */
import {
  CAUSES,
  type Cause,
  type Comparison,
  causeOfExit,
  type Price,
  type RunSummary,
} from "../harness/comparison.ts";
import { ticks } from "./axis.ts";
import { formatAmount, formatCount } from "./format.ts";
import { labelOf, measureRun, nameOf, recordingsOf, unitOf, workloadOf } from "./measure.ts";
import { CAUSE_NAMES, clipped, textWidth } from "./palette.ts";
import { artifact, type Report } from "./report.ts";
import { coordinate, drawSvg, type Pen } from "./svg.ts";
import { number, type Table, text } from "./table.ts";

const NAME = "cost-per-exit";
const WIDTH = 760;
const ROW = 24;
const BAR = 14;
const TITLE = 28;
const RIGHT = 130;
/** Runs beyond these are in the table only. */
const RUN_CAP = 40;

/** Cycles of one exit, with what they come to where every price is at its low or at its high. */
interface ExitClass {
  readonly cause: Cause;
  readonly exits: number;
  readonly each: number;
  readonly low: number;
  readonly high: number;
  readonly share: number;
}

interface Group {
  readonly run: RunSummary;
  readonly title: string;
  readonly classes: readonly ExitClass[];
}

/**
 * Bars of cycles for one exit of each cause, with bands: all that the hardware and the VMM do for it.
 *
 * @returns A report, of the comparison's measure, or of whole runs where it has none.
 */
export function costPerExit(): Report {
  return {
    name: NAME,
    render: async (comparison) => {
      const unit = unitOf(comparison.measure);
      const groups = comparison.runs
        .map((run) => ({ run, title: nameOf(run, comparison), classes: classesOf(run, comparison) }))
        .filter(({ classes }) => classes.length > 0);
      const title = "Cost of one exit, by cause";
      const caption = `Modelled cycles of one exit on the average of a ${unit}: trap, way in, work, way out. A whisker shows what it comes to while every price is at its low, or at its high.`;
      const svg = await draw(groups, title);
      return artifact({ name: NAME, title, caption, svg, table: tableOf(comparison, groups) });
    },
  };
}

function classesOf(run: RunSummary, comparison: Comparison): readonly ExitClass[] {
  const measured = measureRun(run, comparison.measure);
  if (measured === null || measured.exits.total === 0) return [];
  const prices = new Map(comparison.costModel.prices.map((price) => [price.id, price]));
  const exitsOf = (cause: Cause) =>
    Object.entries(measured.exits.byReason).reduce(
      (sum, [reason, count]) => sum + (causeOfExit(reason) === cause ? count : 0),
      0,
    );
  return CAUSES.flatMap((cause): readonly ExitClass[] => {
    const exits = exitsOf(cause);
    if (exits === 0) return [];
    const lines = measured.pricedBy.filter((line) => line.cause === cause);
    const sum = (pick: (price: Price) => number) =>
      lines.reduce((all, { price, count }) => all + count * pick(prices.get(price)!), 0) / exits;
    const each = sum(({ cycles }) => cycles);
    const share = measured.cycles.total === 0 ? 0 : (each * exits) / measured.cycles.total;
    return [{ cause, exits, each, low: sum(({ low }) => low), high: sum(({ high }) => high), share }];
  });
}

function draw(all: readonly Group[], title: string): Promise<string> {
  const groups = all.slice(0, RUN_CAP);
  const classes = groups.flatMap((group) => group.classes);
  const left = Math.max(140, ...classes.map(({ cause }) => textWidth(CAUSE_NAMES[cause]) + 16));
  const marks = ticks(Math.max(1, ...classes.map(({ high }) => high)), 6);
  const x = (cycles: number) => left + (cycles / marks.at(-1)!) * (WIDTH - left - RIGHT);
  const heights = groups.map((group) => TITLE + group.classes.length * ROW);
  const bottom = 8 + heights.reduce((sum, height) => sum + height, 0);
  const said = groups.map(({ title: name, classes: of }) => {
    const list = of.map(({ cause, each }) => `${CAUSE_NAMES[cause]} ${formatAmount(each)} cycles`);
    return `${name}: ${list.join(", ")}.`;
  });
  const description = said.length === 0 ? "No run has exits." : said.join(" ");
  return drawSvg({ name: NAME, title, description, width: WIDTH, height: bottom + 40 }, (svg) => {
    for (const tick of marks) {
      svg.add("line", { class: "rule", x1: x(tick), x2: x(tick), y1: 8, y2: bottom });
      svg.add("text", { class: "middle quiet", x: x(tick), y: bottom + 15 }, formatAmount(tick));
    }
    svg.add("text", { class: "middle quiet", x: (left + x(marks.at(-1)!)) / 2, y: bottom + 33 }, "cycles for one exit");
    let y = 8;
    for (const [index, group] of groups.entries()) {
      svg.add("text", { class: "strong", x: 8, y: y + 16 }, clipped(group.title, 100));
      for (const [row, one] of group.classes.entries())
        drawRow(svg, one, { left, x, middle: y + TITLE + row * ROW + 8 });
      y += heights[index]!;
    }
  });
}

function drawRow(
  svg: Pen,
  { cause, exits, each, low, high }: ExitClass,
  { left, x, middle }: { readonly left: number; readonly x: (cycles: number) => number; readonly middle: number },
): void {
  const group = svg.add("g");
  const band = `${formatAmount(low)} to ${formatAmount(high)}`;
  group.add(
    "title",
    {},
    `${CAUSE_NAMES[cause]}: ${formatCount(exits)} exits of ${formatAmount(each)} cycles (${band})`,
  );
  group.add("text", { class: "end", x: left - 8, y: middle + 4 }, CAUSE_NAMES[cause]);
  group.add("rect", {
    class: `fill ${cause}`,
    x: left,
    y: middle - BAR / 2,
    width: Math.max(1.5, x(each) - left),
    height: BAR,
  });
  const [from, to] = [coordinate(x(low)), coordinate(x(high))];
  const whisker = `M${from} ${middle - 4}v8M${from} ${middle}H${to}M${to} ${middle - 4}v8`;
  for (const style of ["halo", "whisker"]) group.add("path", { class: style, d: whisker });
  group.add("text", { x: x(high) + 7, y: middle + 4 }, `${formatAmount(each)} (${band})`);
}

function tableOf(comparison: Comparison, groups: readonly Group[]): Table {
  const amount = (value: number) => number(value, formatAmount);
  return {
    columns: [
      { title: "workload", numeric: false, room: recordingsOf(comparison).length > 1 ? "terminal" : "file" },
      { title: "technique", numeric: false },
      { title: "cause", numeric: false },
      { title: "exits", numeric: true },
      { title: "cycles/exit", numeric: true },
      { title: "low", numeric: true },
      { title: "high", numeric: true },
      { title: "share of the run", numeric: true },
    ],
    rows: groups.flatMap(({ run, classes }) =>
      classes.map(({ cause, exits, each, low, high, share }) => [
        text(workloadOf(run.recording, comparison)),
        text(labelOf(run)),
        text(CAUSE_NAMES[cause]),
        number(exits, formatCount),
        amount(each),
        amount(low),
        amount(high),
        number(share, (value) => `${(value * 100).toFixed(1)} %`),
      ]),
    ),
  };
}
