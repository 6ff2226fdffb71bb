/**
 * Why the guest left deprivileged execution, and how often.
 *
 * @module
 */
import { CAUSES, type Comparison, causeOfExit } from "../harness/comparison.ts";
import { ticks } from "./axis.ts";
import { formatAmount, formatCount } from "./format.ts";
import { causeItems, drawLegend, layLegend } from "./legend.ts";
import { labelOf, type Measured, measureRun, nameOf, recordingsOf, unitOf, workloadOf } from "./measure.ts";
import { clipped, textWidth } from "./palette.ts";
import { artifact, type Report } from "./report.ts";
import { drawSvg } from "./svg.ts";
import { number, type Table, text } from "./table.ts";

const WIDTH = 760;
const ROW = 22;
const BAR = 14;
const TITLE = 28;
const RIGHT = 120;
/** Rows beyond these are in the table only. */
const ROW_CAP = 400;

interface Row {
  readonly reason: string;
  readonly count: number;
  readonly perLap: number;
}

interface Group {
  readonly title: string;
  readonly measured: Measured | null;
  readonly rows: readonly Row[];
  readonly note: string;
}

/**
 * Bars of exits by reason, one group for each run.
 *
 * @returns A report; its figure shows one lap of the comparison's measure, or whole runs where it has none.
 */
export function exitsByReason(): Report {
  return {
    name: "exits-by-reason",
    render: async (comparison) => {
      const unit = unitOf(comparison.measure);
      const groups = comparison.runs.map((run): Group => {
        const measured = measureRun(run, comparison.measure);
        const rows = rowsOf(measured);
        const title = nameOf(run, comparison);
        return { title, measured, rows, note: measured === null ? `no ${unit}` : rows.length === 0 ? "no exits" : "" };
      });
      const title = `Exits by reason, in one ${unit}`;
      const caption = `How often the guest left deprivileged execution in one ${unit}, and why; colours are those of the causes.`;
      const svg = await draw(groups, title, describe(groups, unit), unit);
      return artifact({ name: "exits-by-reason", title, caption, svg, table: tableOf(comparison, groups) });
    },
  };
}

function rowsOf(measured: Measured | null): readonly Row[] {
  if (measured === null) return [];
  const { exits, laps } = measured;
  return Object.entries(exits.byReason)
    .map(([reason, count]) => ({ reason, count, perLap: count / laps }))
    .sort((a, b) => b.count - a.count || (a.reason < b.reason ? -1 : 1));
}

function describe(groups: readonly Group[], unit: string): string {
  const said = groups.map(({ title, measured, rows, note }) => {
    const [most] = rows;
    if (measured === null || most === undefined) return `${title}: ${note}.`;
    const all = formatAmount(measured.exits.total / measured.laps);
    return `${title}: ${all}, most for ${most.reason} (${formatAmount(most.perLap)}).`;
  });
  return [`Exits in one ${unit}.`, ...said].join(" ");
}

function draw(all: readonly Group[], title: string, description: string, unit: string): Promise<string> {
  let room = ROW_CAP;
  const groups = all.filter(({ rows }) => {
    room -= rows.length + 1;
    return room >= 0;
  });
  const reasons = groups.flatMap(({ rows }) => rows);
  const left = Math.min(230, Math.max(120, ...reasons.map(({ reason }) => textWidth(clipped(reason, 32)) + 16)));
  const marks = ticks(Math.max(1, ...reasons.map(({ perLap }) => perLap)), 6);
  const x = (count: number) => left + (count / marks.at(-1)!) * (WIDTH - left - RIGHT);
  const heights = groups.map(({ rows }) => TITLE + Math.max(1, rows.length) * ROW);
  const causes = CAUSES.filter((cause) => reasons.some(({ reason }) => causeOfExit(reason) === cause));
  const legend = layLegend(causeItems(causes), WIDTH - 16);
  const top = 8 + legend.height;
  const bottom = top + heights.reduce((sum, height) => sum + height, 0) + 4;
  return drawSvg({ name: "exits-by-reason", title, description, width: WIDTH, height: bottom + 40 }, (svg) => {
    drawLegend(svg, legend.placed, 8, 8, "exits-by-reason-hatch");
    for (const tick of marks) {
      svg.add("text", { class: "middle quiet", x: x(tick), y: bottom + 15 }, formatAmount(tick));
    }
    svg.add(
      "text",
      { class: "middle quiet", x: (left + x(marks.at(-1)!)) / 2, y: bottom + 33 },
      `exits in one ${unit}`,
    );
    if (groups.length < all.length)
      svg.add("text", { class: "quiet", x: 8, y: bottom + 33 }, `${all.length - groups.length} more in the table`);
    let y = top;
    groups.forEach(({ title: name, rows, note }, index) => {
      const [from, to] = [y + TITLE - 4, y + heights[index]! - 2];
      for (const tick of marks) svg.add("line", { class: "rule", x1: x(tick), x2: x(tick), y1: from, y2: to });
      svg.add("text", { class: "strong", x: 8, y: y + 16 }, clipped(name, 100));
      if (note !== "") svg.add("text", { class: "quiet", x: left + 6, y: y + TITLE + ROW / 2 + 2 }, note);
      rows.forEach(({ reason, count, perLap }, row) => {
        const middle = y + TITLE + row * ROW + ROW / 2 - 2;
        const group = svg.add("g");
        group.add("title", {}, `${name}, ${reason}: ${formatCount(count)} exits`);
        group.add("text", { class: "end", x: left - 8, y: middle + 4 }, clipped(reason, 32));
        group.add("rect", {
          class: `fill ${causeOfExit(reason)}`,
          x: left,
          y: middle - BAR / 2,
          width: Math.max(1.5, x(perLap) - left),
          height: BAR,
        });
        group.add("text", { x: x(perLap) + 7, y: middle + 4 }, formatAmount(perLap));
      });
      y += heights[index]!;
    });
  });
}

function tableOf(comparison: Comparison, groups: readonly Group[]): Table {
  return {
    columns: [
      { title: "workload", numeric: false, room: recordingsOf(comparison).length > 1 ? "terminal" : "file" },
      { title: "technique", numeric: false },
      { title: "reason", numeric: false },
      { title: "exits", numeric: true },
      { title: "exits/lap", numeric: true },
      { title: "share", numeric: true, room: "page" },
    ],
    rows: groups.flatMap(({ measured, rows }, index) => {
      const run = comparison.runs[index]!;
      const who = [text(workloadOf(run.recording, comparison)), text(labelOf(run))];
      const all = measured?.exits.total ?? null;
      const perLap = measured === null ? null : measured.exits.total / measured.laps;
      const sum = [
        ...who,
        text("all"),
        number(all, formatCount),
        number(perLap, formatAmount),
        number(all === null || all === 0 ? null : 1, percent),
      ];
      const each = rows.map((row) => {
        const share = number(all === null || all === 0 ? null : row.count / all, percent);
        return [...who, text(row.reason), number(row.count, formatCount), number(row.perLap, formatAmount), share];
      });
      return [sum, ...each];
    }),
  };
}

const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
