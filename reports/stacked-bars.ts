/**
 * Stacked horizontal bars: one for each run, stacked by cause, with a whisker over the band of its ratio.
 *
 * @module
 */
import { CAUSES, type Cause, type Comparison } from "../harness/comparison.ts";
import { ticks } from "./axis.ts";
import { formatAmount, formatRatio, formatRatioNumber, formatShare } from "./format.ts";
import { causeItems, defineHatch, drawLegend, type LegendItem, layLegend } from "./legend.ts";
import { assumedShares, type Compared } from "./measure.ts";
import { CAUSE_NAMES, clipped, textWidth } from "./palette.ts";
import { coordinate, drawSvg, type FigureFrame, type Pen } from "./svg.ts";

/** Bars that belong together, such as one workload's. */
export interface Facet {
  readonly workload: string;
  /** The mark whose laps are compared; null compares whole runs. */
  readonly mark: string | null;
  /** What one bar is the cost of. */
  readonly unit: string;
  readonly bars: readonly Compared[];
}

const WIDTH = 760;
const ROW = 34;
const BAR = 20;
const TITLE = 28;
const RIGHT = 112;
/** Under the bars of a facet that has an axis of its own. */
const AXIS = 18;
/** Bars beyond these are in the table only: a guest that makes many marks must not break the figure. */
const BAR_CAP = 90;
/** More segments than this are not told apart: the smallest causes then count as other. */
const SEGMENT_CAP = 6;

interface Segment {
  readonly cause: Cause;
  readonly ratio: number;
  readonly cycles: number;
  readonly assumed: number;
}

/** @returns What stands over a facet's bars. */
export function titleOf({ workload, unit }: Facet): string {
  return `${workload}: one ${unit}`;
}

/** @returns The causes worth a colour of their own, in the order of stacking. */
export function causesShown(facets: readonly Facet[]): readonly Cause[] {
  const largest = (cause: Cause) =>
    Math.max(
      0,
      ...facets.flatMap(({ bars }) =>
        bars.map(({ measured }) => (measured === null ? 0 : shareOf(measured.cycles, cause))),
      ),
    );
  const present = CAUSES.filter((cause) => largest(cause) > 0);
  if (present.length <= SEGMENT_CAP) return present;
  const ranked = present
    .filter((cause) => cause !== "guest" && cause !== "other")
    .sort((a, b) => largest(b) - largest(a));
  const kept = new Set<Cause>(["guest", "other", ...ranked.slice(0, SEGMENT_CAP - 2)]);
  return CAUSES.filter((cause) => kept.has(cause));
}

function shareOf(
  cycles: { readonly total: number; readonly byCause: Readonly<Record<Cause, number>> },
  cause: Cause,
): number {
  return cycles.total > 0 ? cycles.byCause[cause] / cycles.total : 0;
}

function segmentsOf(
  { measured, ratio }: Compared,
  shown: readonly Cause[],
  comparison: Comparison,
): readonly Segment[] {
  if (measured === null || ratio === null || measured.cycles.total === 0) return [];
  const assumed = assumedShares(measured, comparison);
  const segments = new Map<Cause, { cycles: number; assumed: number }>();
  for (const cause of CAUSES) {
    const cycles = measured.cycles.byCause[cause] / measured.laps;
    const into = shown.includes(cause) ? cause : "other";
    const sum = segments.get(into) ?? { cycles: 0, assumed: 0 };
    segments.set(into, { cycles: sum.cycles + cycles, assumed: sum.assumed + cycles * assumed[cause] });
  }
  const perCycle = ratio.value / (measured.cycles.total / measured.laps);
  return shown.flatMap((cause) => {
    const { cycles, assumed: guessed } = segments.get(cause)!;
    return cycles === 0 ? [] : [{ cause, cycles, ratio: cycles * perCycle, assumed: guessed / cycles }];
  });
}

/**
 * Draws facets of bars.
 *
 * @param frame The figure's name and words, and whether all facets share an axis of ratios or each has its own.
 * @param all What to draw, up to as many bars as fit.
 * @param comparison Whose prices tell what is assumed.
 * @param baseline Name of the technique at 1×.
 * @returns The figure.
 */
export function drawStackedBars(
  { axis, ...frame }: Pick<FigureFrame, "name" | "title" | "description"> & { readonly axis: "shared" | "own" },
  all: readonly Facet[],
  comparison: Comparison,
  baseline: string,
): Promise<string> {
  const facets = fitting(all);
  const shown = causesShown(facets);
  const bars = facets.flatMap((facet) => facet.bars);
  const left = Math.min(190, Math.max(60, ...bars.map(({ label }) => textWidth(clipped(label, 24)) + 14)));
  const plot = WIDTH - left - RIGHT;
  const scaleOf = (shownBars: readonly Compared[]) => {
    const marks = ticks(Math.max(1, ...shownBars.map(({ ratio }) => (ratio === null ? 0 : ratio.high))), 8);
    const end = marks.at(-1)!;
    return { marks, x: (ratio: number) => left + (ratio / end) * plot };
  };
  const shared = scaleOf(bars);
  const items: LegendItem[] = [
    ...causeItems(shown),
    { text: "rests on an assumed price", swatch: "hatch" },
    { text: "every price from its low to its high", swatch: "whisker" },
  ];
  const legend = layLegend(items, WIDTH - 16);
  const top = 8 + legend.height + 6;
  const heights = facets.map((facet) => TITLE + facet.bars.length * ROW + (axis === "own" ? AXIS : 0));
  const bottom = top + heights.reduce((sum, height) => sum + height, 0) + 4;
  const hatch = `${frame.name}-hatch`;
  return drawSvg({ ...frame, width: WIDTH, height: bottom + 40 }, (svg) => {
    defineHatch(svg, hatch);
    drawLegend(svg, legend.placed, 8, 8, hatch);
    const drawTicks = ({ marks, x }: typeof shared, y: number): void => {
      for (const tick of marks) svg.add("text", { class: "middle quiet", x: x(tick), y }, `${String(tick)}\u00d7`);
    };
    if (axis === "shared") drawTicks(shared, bottom + 15);
    svg.add("text", { class: "middle quiet", x: left + plot / 2, y: bottom + 33 }, `cycles, relative to ${baseline}`);
    if (facets.length < all.length) {
      svg.add("text", { class: "quiet", x: 8, y: bottom + 33 }, `${all.length - facets.length} more in the table`);
    }
    let y = top;
    facets.forEach((facet, index) => {
      const scale = axis === "own" ? scaleOf(facet.bars) : shared;
      const { marks, x } = scale;
      const [from, to] = [y + TITLE - 4, y + TITLE + facet.bars.length * ROW - 4];
      if (axis === "own") drawTicks(scale, to + 13);
      for (const tick of marks) svg.add("line", { class: "rule", x1: x(tick), x2: x(tick), y1: from, y2: to });
      svg.add("text", { class: "strong", x: 8, y: y + 16 }, clipped(titleOf(facet), 100));
      facet.bars.forEach((bar, row) => {
        const middle = y + TITLE + row * ROW + ROW / 2 - 4;
        drawBar(svg, bar, segmentsOf(bar, shown, comparison), { middle, left, x, hatch, unit: facet.unit });
      });
      // Over the bars, so that each shows how much of it the guest needs anyway.
      svg.add("line", { class: "dash", x1: x(1), x2: x(1), y1: from, y2: to });
      y += heights[index]!;
    });
  });
}

/** @returns The first facets, as many as have no more than `BAR_CAP` bars together. */
function fitting(facets: readonly Facet[]): readonly Facet[] {
  let bars = 0;
  return facets.filter((facet) => {
    bars += facet.bars.length;
    return bars <= BAR_CAP;
  });
}

interface Place {
  readonly middle: number;
  readonly left: number;
  readonly x: (ratio: number) => number;
  readonly hatch: string;
  readonly unit: string;
}

function drawBar(svg: Pen, { label, measured, ratio }: Compared, segments: readonly Segment[], place: Place): void {
  const { middle, left, x, hatch, unit } = place;
  svg.add("text", { class: "end", x: left - 8, y: middle + 4 }, clipped(label, 24));
  if (measured === null || ratio === null) {
    svg.add(
      "text",
      { class: "quiet", x: left + 6, y: middle + 4 },
      measured === null ? `no ${unit}` : "nothing to compare with",
    );
    return;
  }
  let from = 0;
  for (const segment of segments) {
    const [begin, width] = [x(from), x(from + segment.ratio) - x(from)];
    const group = svg.add("g");
    group.add("title", {}, describe(label, segment, measured.cycles.total / measured.laps, unit));
    const box = { x: begin, y: middle - BAR / 2, width, height: BAR };
    group.add("rect", { class: `fill ${segment.cause}`, ...box });
    const hatched = width * segment.assumed;
    if (hatched >= 0.5)
      group.add("rect", { fill: `url(#${hatch})`, ...box, x: begin + width - hatched, width: hatched });
    from += segment.ratio;
  }
  const { value, low, high } = ratio;
  const banded = x(high) - x(low) >= 1;
  if (banded) {
    const path = `M${coordinate(x(low))} ${coordinate(middle - 5)}v10M${coordinate(x(low))} ${coordinate(middle)}H${coordinate(x(high))}M${coordinate(x(high))} ${coordinate(middle - 5)}v10`;
    svg.add("path", { class: "halo", d: path });
    svg.add("path", { class: "whisker", d: path });
  }
  const after = Math.max(x(value), x(high)) + 8;
  svg.add("text", { class: "strong", x: after, y: banded ? middle : middle + 4 }, formatRatio(value));
  if (banded)
    svg.add(
      "text",
      { class: "quiet", x: after, y: middle + 13 },
      `${formatRatioNumber(low)}\u2013${formatRatioNumber(high)}`,
    );
}

function describe(label: string, { cause, cycles, assumed }: Segment, all: number, unit: string): string {
  const guessed = assumed > 0 ? `, ${formatShare(assumed)} of them on assumed prices` : "";
  return `${label}, ${CAUSE_NAMES[cause]}: ${formatAmount(cycles)} cycles a ${unit} (${formatShare(cycles / all)})${guessed}`;
}
