/**
 * What a device costs by the way that the guest reaches it: exits, modelled cycles, and how many bytes each exit moves.
 *
 * @module
 */
import { CAUSES, type Comparison, type RunSummary } from "../harness/comparison.ts";
import { ticks } from "./axis.ts";
import { formatAmount, formatCount, formatExits, formatRatio } from "./format.ts";
import { causeItems, drawLegend, layLegend } from "./legend.ts";
import { labelOf, type Measured, measureRun, unitOf } from "./measure.ts";
import { CAUSE_NAMES, clipped, textWidth } from "./palette.ts";
import { artifact, type Report } from "./report.ts";
import { drawSvg } from "./svg.ts";
import { number, type Table, text } from "./table.ts";

const NAME = "device-paths";
const WIDTH = 760;
const ROW = 30;
const BAR = 18;
const RIGHT = 180;
/** Runs beyond these are in the table only. */
const RUN_CAP = 40;

interface Path {
  readonly run: RunSummary;
  readonly title: string;
  readonly measured: Measured | null;
}

/**
 * Bars of modelled cycles for one lap of each run, stacked by cause, with its exits and the bytes that each of them moves.
 *
 * @param options.bytes What one lap of the comparison's measure moves, in bytes.
 * @returns A report; each run is named by its recording and its technique.
 * @throws {RangeError} If that is no whole number of bytes.
 */
export function devicePaths({ bytes }: { readonly bytes: number }): Report {
  if (!Number.isSafeInteger(bytes) || bytes < 1)
    throw new RangeError(`Cannot report device paths as a lap moves a whole number of bytes: ${bytes}`);
  return {
    name: NAME,
    render: async (comparison) => {
      const unit = unitOf(comparison.measure);
      const paths = comparison.runs.map((run): Path => {
        const title = `${run.recording}, ${labelOf(run)}`;
        return { run, title, measured: measureRun(run, comparison.measure) };
      });
      const title = `Cost of ${formatCount(bytes)} bytes, by the way to the device`;
      const ported = comparison.runs.some(({ technique }) => technique === "para");
      const byCall = ported ? " A kernel under para asks its VMM by hypercalls, whatever the device is." : "";
      const caption = `Modelled cycles of one ${unit}, which moves ${formatCount(bytes)} bytes, by cause; behind each bar its exits, and the bytes that each of them moves.${byCall}`;
      const svg = await draw(paths, title, bytes);
      return artifact({ name: NAME, title, caption, svg, table: tableOf(paths, comparison, bytes) });
    },
  };
}

/** Bytes for each exit; null where there was none. */
function bytesPerExit({ exits, laps }: Measured, bytes: number): number | null {
  return exits.total === 0 ? null : (bytes * laps) / exits.total;
}

function said(measured: Measured, bytes: number): string {
  const each = bytesPerExit(measured, bytes);
  const exits = formatExits(measured.exits.total / measured.laps);
  return each === null ? "no exits" : `${exits} of ${formatAmount(each)} bytes`;
}

function draw(all: readonly Path[], title: string, bytes: number): Promise<string> {
  const paths = all.slice(0, RUN_CAP);
  const perLap = ({ cycles, laps }: Measured) => cycles.total / laps;
  const measured = paths.flatMap((path) => path.measured ?? []);
  const left = Math.min(260, Math.max(120, ...paths.map((path) => textWidth(clipped(path.title, 36)) + 16)));
  const marks = ticks(Math.max(1, ...measured.map(perLap)), 5);
  const x = (cycles: number) => left + (cycles / marks.at(-1)!) * (WIDTH - left - RIGHT);
  const causes = CAUSES.filter((cause) => measured.some(({ cycles }) => cycles.byCause[cause] > 0));
  const legend = layLegend(causeItems(causes), WIDTH - 16);
  const top = 12 + legend.height;
  const bottom = top + paths.length * ROW;
  const description = paths
    .map((path) => {
      if (path.measured === null) return `${path.title}: not measured.`;
      return `${path.title}: ${formatAmount(perLap(path.measured))} cycles, ${said(path.measured, bytes)}.`;
    })
    .join(" ");
  return drawSvg({ name: NAME, title, description, width: WIDTH, height: bottom + 40 }, (svg) => {
    drawLegend(svg, legend.placed, 8, 8, `${NAME}-hatch`);
    for (const tick of marks) {
      svg.add("line", { class: "rule", x1: x(tick), x2: x(tick), y1: top, y2: bottom });
      svg.add("text", { class: "middle quiet", x: x(tick), y: bottom + 15 }, formatAmount(tick));
    }
    svg.add("text", { class: "middle quiet", x: (left + x(marks.at(-1)!)) / 2, y: bottom + 33 }, "cycles");
    for (const [row, path] of paths.entries()) {
      const middle = top + row * ROW + ROW / 2;
      svg.add("text", { class: "end", x: left - 8, y: middle + 4 }, clipped(path.title, 36));
      if (path.measured === null) {
        svg.add("text", { class: "quiet", x: left + 6, y: middle + 4 }, "not measured");
        continue;
      }
      let from = 0;
      for (const cause of causes) {
        const cycles = path.measured.cycles.byCause[cause] / path.measured.laps;
        if (cycles === 0) continue;
        const group = svg.add("g");
        group.add("title", {}, `${path.title}, ${CAUSE_NAMES[cause]}: ${formatAmount(cycles)} cycles`);
        const box = { x: x(from), y: middle - BAR / 2, width: x(from + cycles) - x(from), height: BAR };
        group.add("rect", { class: `fill ${cause}`, ...box });
        from += cycles;
      }
      svg.add("text", { x: x(from) + 7, y: middle + 4 }, said(path.measured, bytes));
    }
  });
}

function tableOf(paths: readonly Path[], { runs }: Comparison, bytes: number): Table {
  const bare = (recording: string): Measured | undefined => {
    const path = paths.find(({ run }) => run.recording === recording && run.identity === null);
    return path?.measured ?? undefined;
  };
  const several = new Set(runs.map(({ workload }) => workload)).size > 1;
  return {
    columns: [
      { title: "workload", numeric: false, room: several ? "terminal" : "file" },
      { title: "disk", numeric: false },
      { title: "technique", numeric: false },
      { title: "identity", numeric: false },
      { title: "laps", numeric: true, room: "page" },
      { title: "exits/lap", numeric: true },
      { title: "device exits/lap", numeric: true },
      { title: "cycles/lap", numeric: true },
      { title: "low", numeric: true, room: "page" },
      { title: "high", numeric: true, room: "page" },
      { title: "bytes/exit", numeric: true },
      { title: "slowdown", numeric: true },
    ],
    rows: paths.map(({ run, measured }) => {
      const perLap = (pick: (of: Measured) => number) =>
        number(measured === null ? null : pick(measured) / measured.laps, formatAmount);
      const base = bare(run.recording);
      const ratio =
        measured === null || base === undefined
          ? null
          : measured.cycles.total / measured.laps / (base.cycles.total / base.laps);
      const { identity } = run;
      return [
        text(run.workload),
        text(run.recording),
        text(labelOf(run)),
        text(identity === null ? "recorded" : identity.equal ? identity.level : "different"),
        number(measured?.laps ?? null, formatCount),
        perLap(({ exits }) => exits.total),
        perLap(({ exits }) => exits.byReason["device-access"] ?? 0),
        perLap(({ cycles }) => cycles.total),
        perLap(({ cycles }) => cycles.low),
        perLap(({ cycles }) => cycles.high),
        number(measured === null ? null : bytesPerExit(measured, bytes), formatAmount),
        number(ratio, formatRatio),
      ];
    }),
  };
}
