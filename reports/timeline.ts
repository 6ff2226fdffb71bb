/**
 * The first laps of a mark, run by run, aligned on the guest's own steps: where each technique spends its cycles.
 *
 * Steps are the guest's, so the same instruction stands at the same place in every lane; what a technique adds takes no width, and is drawn
 * as a stem whose height is its cycles.
 *
 * @module
 */
import { CAUSES, type Cause, type RunSummary, type Timeline } from "../harness/comparison.ts";
import { ticks } from "./axis.ts";
import { formatAmount, formatCount } from "./format.ts";
import { causeItems, drawLegend, type LegendItem, layLegend } from "./legend.ts";
import { labelOf, nameOf } from "./measure.ts";
import { CAUSE_NAMES, clipped, textWidth } from "./palette.ts";
import { artifact, type Report } from "./report.ts";
import { coordinate, drawSvg, type Pen } from "./svg.ts";
import { number, type Table, text } from "./table.ts";

const WIDTH = 760;
const STEM = 72;
const STRIP = 9;
const LANE = STEM + STRIP + 34;
const RIGHT = 16;
/** Narrowest stem: entries nearer than this stand in one. */
const STEM_WIDTH = 3;
/** Runs beyond these are in the table only. */
const LANE_CAP = 24;
/** Elements that stems may take; where lanes are many, more entries stand in one stem. */
const STEM_ELEMENTS = 2200;

interface Lane {
  readonly run: RunSummary;
  readonly label: string;
  /** The label, with its workload where there are several. */
  readonly name: string;
  /** Null where the run has no sample of this mark. */
  readonly timeline: Timeline | null;
  readonly stems: readonly Stem[];
}

interface Stem {
  readonly step: number;
  readonly byCause: ReadonlyMap<Cause, number>;
  readonly cycles: number;
  readonly entries: readonly string[];
}

/**
 * Lanes of the first laps of a mark.
 *
 * @param options.between The mark whose laps are shown; the comparison must have been sampled for it.
 * @param options.laps How many laps, from the first.
 * @returns A report.
 */
export function timeline({ between, laps }: { readonly between: string; readonly laps: number }): Report {
  if (!Number.isSafeInteger(laps) || laps < 1)
    throw new RangeError(`Cannot draw a timeline as it needs a whole number of laps >= 1: ${laps}`);
  return {
    name: "timeline",
    render: async (comparison) => {
      const sampled = comparison.runs.map((run) => ({ run, timeline: cut(run.timeline, between, laps) }));
      const length = Math.max(1, ...sampled.map((lane) => lane.timeline?.laps.at(-1) ?? 0));
      const left = Math.min(
        170,
        Math.max(96, ...comparison.runs.map((run) => textWidth(clipped(labelOf(run), 24)) + 16)),
      );
      let perStem = (STEM_WIDTH * length) / (WIDTH - left - RIGHT);
      const layOut = () =>
        sampled.map((lane): Lane => {
          return {
            ...lane,
            label: labelOf(lane.run),
            name: nameOf(lane.run, comparison),
            stems: stemsOf(lane.timeline, perStem),
          };
        });
      let lanes = layOut();
      while (elementsOf(lanes) > STEM_ELEMENTS) {
        perStem *= 2;
        lanes = layOut();
      }
      const shown = Math.max(0, ...lanes.map((lane) => lane.timeline?.laps.length ?? 0));
      const title = `The first ${shown === 1 ? "lap" : `${shown} laps`} of ${between}, aligned on guest steps`;
      const svg = await draw({
        lanes: lanes.slice(0, LANE_CAP),
        length,
        left,
        title,
        description: describe(lanes, between),
      });
      const dropped = lanes.reduce((sum, lane) => sum + (lane.timeline?.dropped ?? 0), 0);
      const caption =
        dropped === 0 ? SENSE : `${SENSE} ${formatCount(dropped)} events beyond the first of each run were not kept.`;
      return artifact({ name: "timeline", title, caption, svg, table: tableOf(lanes) });
    },
  };
}

/** @returns The sample's first laps, and what lies in them. */
function cut(sample: Timeline | null, mark: string, laps: number): Timeline | null {
  if (sample === null || sample.mark !== mark || sample.laps.length === 0) return null;
  const kept = sample.laps.slice(0, laps);
  const end = kept.at(-1)!;
  return {
    ...sample,
    laps: kept,
    entries: sample.entries.filter(({ step }) => step <= end),
    modes: sample.modes.filter(({ from }) => from < end).map((span) => ({ ...span, to: Math.min(span.to, end) })),
  };
}

function stemsOf(sample: Timeline | null, perStem: number): readonly Stem[] {
  const stems = new Map<number, Stem & { byCause: Map<Cause, number>; cycles: number; entries: string[] }>();
  for (const { step, label, cause, cycles } of sample?.entries ?? []) {
    const place = Math.floor(step / perStem);
    const none = {
      step: (place + 0.5) * perStem,
      byCause: new Map<Cause, number>(),
      cycles: 0,
      entries: [] as string[],
    };
    const stem = stems.get(place) ?? none;
    stem.byCause.set(cause, (stem.byCause.get(cause) ?? 0) + cycles);
    stem.cycles += cycles;
    stem.entries.push(`step ${formatCount(step)}: ${label}, ${formatAmount(cycles)} cycles`);
    stems.set(place, stem);
  }
  return [...stems.values()];
}

const SENSE =
  "The same guest instruction stands at the same place in every lane; a stem is what happened there, as high as the cycles it cost.";

/** @returns How many elements the stems of the lanes that are drawn would take. */
function elementsOf(lanes: readonly Lane[]): number {
  return lanes
    .slice(0, LANE_CAP)
    .flatMap(({ stems }) => stems)
    .reduce((sum, { byCause }) => sum + 2 + byCause.size, 0);
}

const spent = (sample: Timeline) => sample.entries.reduce((sum, { cycles }) => sum + cycles, 0);

function describe(lanes: readonly Lane[], mark: string): string {
  const said = lanes.map(({ name, timeline: sample }) => {
    if (sample === null) return `${name}: no laps of ${mark} were sampled.`;
    const more = sample.dropped > 0 ? ` (${formatCount(sample.dropped)} more events were not kept)` : "";
    const stems = sample.entries.length === 1 ? "1 event" : `${formatCount(sample.entries.length)} events`;
    return `${name}: ${stems}, ${formatAmount(spent(sample))} cycles in ${formatCount(sample.laps.at(-1)!)} guest steps${more}.`;
  });
  return [SENSE, ...said].join(" ");
}

interface Plan {
  readonly lanes: readonly Lane[];
  readonly length: number;
  readonly left: number;
  readonly title: string;
  readonly description: string;
}

function draw({ lanes, length, left, title, description }: Plan): Promise<string> {
  const x = (step: number) => left + (step / length) * (WIDTH - left - RIGHT);
  const causes = CAUSES.filter((cause) => lanes.some(({ stems }) => stems.some(({ byCause }) => byCause.has(cause))));
  const items: LegendItem[] = [
    ...causeItems(causes),
    { text: "guest in user mode", swatch: "user" },
    { text: "guest in supervisor or machine mode", swatch: "kernel" },
  ];
  const legend = layLegend(items, WIDTH - 16);
  const top = 8 + legend.height + 26;
  const bottom = top + lanes.length * LANE;
  const highest = ticks(Math.max(1, ...lanes.flatMap(({ stems }) => stems.map(({ cycles }) => cycles))), 3);
  return drawSvg({ name: "timeline", title, description, width: WIDTH, height: bottom + 42 }, (svg) => {
    drawLegend(svg, legend.placed, 8, 8, "timeline-hatch");
    const laps = lanes.find((lane) => lane.timeline !== null)?.timeline?.laps ?? [];
    laps.forEach((end, index) => {
      const begin = laps[index - 1] ?? 0;
      svg.add("text", { class: "middle quiet", x: x((begin + end) / 2), y: top - 8 }, `lap ${index + 1}`);
    });
    for (const edge of [0, ...laps])
      svg.add("line", { class: "dash", x1: x(edge), x2: x(edge), y1: top - 18, y2: bottom });
    lanes.forEach((lane, index) => {
      drawLane(svg, lane, { x, left, top: top + index * LANE, highest });
    });
    // Ticks beyond the last step would stand outside of the figure.
    for (const tick of ticks(length, 8).filter((step) => step <= length)) {
      svg.add("line", { class: "line", x1: x(tick), x2: x(tick), y1: bottom, y2: bottom + 4 });
      svg.add("text", { class: "middle quiet", x: x(tick), y: bottom + 17 }, formatAmount(tick));
    }
    svg.add("line", { class: "line", x1: left, x2: x(length), y1: bottom, y2: bottom });
    svg.add(
      "text",
      { class: "middle quiet", x: (left + x(length)) / 2, y: bottom + 35 },
      "guest steps since the first lap began",
    );
  });
}

interface Place {
  readonly x: (step: number) => number;
  readonly left: number;
  readonly top: number;
  readonly highest: readonly number[];
}

function drawLane(svg: Pen, { label, name, timeline: sample, stems }: Lane, { x, left, top, highest }: Place): void {
  const base = top + STEM + 14;
  svg.add("text", { class: "strong end", x: left - 10, y: base + STRIP }, clipped(label, 24));
  if (sample === null) {
    svg.add("text", { class: "quiet", x: left + 8, y: base - 8 }, "no laps were sampled");
    return;
  }
  const most = highest.at(-1)!;
  const y = (cycles: number) => base - 2 - (cycles / most) * STEM;
  for (const tick of highest) {
    svg.add("line", { class: "rule", x1: left, x2: x(sample.laps.at(-1)!), y1: y(tick), y2: y(tick) });
    svg.add(
      "text",
      { class: "end quiet", x: left - 10, y: y(tick) + (tick === 0 ? 0 : 4) },
      tick === most ? `${formatAmount(tick)} cycles` : tick === 0 ? "" : formatAmount(tick),
    );
  }
  for (const kind of ["user", "kernel"]) {
    const spans = sample.modes.filter(({ mode }) => (mode === 0) === (kind === "user"));
    const box = (from: number, to: number) =>
      `M${coordinate(x(from))} ${coordinate(base)}H${coordinate(x(to))}v${STRIP}H${coordinate(x(from))}z`;
    if (spans.length > 0) svg.add("path", { class: kind, d: spans.map(({ from, to }) => box(from, to)).join("") });
  }
  for (const stem of stems) {
    const group = svg.add("g");
    group.add(
      "title",
      {},
      [name, ...stem.entries.slice(0, 12), ...(stem.entries.length > 12 ? ["\u2026"] : [])].join("; "),
    );
    let from = 0;
    for (const cause of CAUSES) {
      const cycles = stem.byCause.get(cause);
      if (cycles === undefined) continue;
      // Two pixels at least: what is there must be seen.
      const height = Math.max(2, y(from) - y(from + cycles));
      group.add("rect", {
        class: cause,
        x: x(stem.step) - STEM_WIDTH / 2,
        y: y(from) - height,
        width: STEM_WIDTH,
        height,
      });
      from += cycles;
    }
  }
}

function several(lanes: readonly Lane[]): boolean {
  return new Set(lanes.map(({ run }) => run.recording)).size > 1;
}

function tableOf(lanes: readonly Lane[]): Table {
  const rows = lanes.flatMap(({ run, label, timeline: sample }) => {
    const sums = new Map<string, { cause: Cause; label: string; count: number; cycles: number }>();
    for (const { label: what, cause, cycles } of sample?.entries ?? []) {
      const sum = sums.get(`${cause}\n${what}`) ?? { cause, label: what, count: 0, cycles: 0 };
      sums.set(`${cause}\n${what}`, { ...sum, count: sum.count + 1, cycles: sum.cycles + cycles });
    }
    return [...sums.values()].map((sum) => [
      text(run.workload),
      text(label),
      text(sum.label),
      text(CAUSE_NAMES[sum.cause]),
      number(sum.count, formatCount),
      number(sum.cycles, formatAmount),
    ]);
  });
  return {
    columns: [
      { title: "workload", numeric: false, room: several(lanes) ? "terminal" : "file" },
      { title: "technique", numeric: false },
      { title: "event", numeric: false },
      { title: "cause", numeric: false, room: "page" },
      { title: "count", numeric: true },
      { title: "cycles", numeric: true },
    ],
    rows,
  };
}
