/**
 * How much slower than a baseline each technique is, and who is to blame.
 *
 * @module
 */
import { CAUSES, type Cause, type Comparison } from "../harness/comparison.ts";
import { formatAmount, formatCount, formatRatio, formatShare } from "./format.ts";
import {
  type Baseline,
  baselineName,
  type Compared,
  compareRuns,
  type Measured,
  recordingsOf,
  unitOf,
  workloadOf,
} from "./measure.ts";
import { CAUSE_NAMES } from "./palette.ts";
import { artifact, type Report } from "./report.ts";
import { drawStackedBars, type Facet, titleOf } from "./stacked-bars.ts";
import { number, type Table, text } from "./table.ts";

/**
 * Stacked bars of slowdown by cause, with bands.
 *
 * @param options.baseline The technique that counts as 1×, or its name.
 * @returns A report; its figure shows one lap of the comparison's measure, or whole runs where it has none.
 */
export function slowdown({ baseline }: { readonly baseline: Baseline }): Report {
  const name = baselineName(baseline);
  return {
    name: "slowdown",
    render: async (comparison) => {
      const unit = unitOf(comparison.measure);
      const facets = recordingsOf(comparison).map((recording): Facet => {
        const mark = comparison.measure;
        const workload = workloadOf(recording, comparison);
        return { workload, mark, unit, bars: compareRuns(comparison, recording, mark, baseline) };
      });
      const title = `Slowdown relative to ${name}, by cause`;
      const description = describe(facets, name);
      const caption = `Modelled cycles of one ${unit}, relative to ${name}. Hatched parts rest on assumed prices; a whisker shows how far the ratio moves while every price stays within its band.`;
      const svg = await drawStackedBars(
        { name: "slowdown", title, description, axis: "shared" },
        facets,
        comparison,
        name,
      );
      return artifact({ name: "slowdown", title, caption, svg, table: tableOf(facets) });
    },
  };
}

/**
 * The same bars for every mark that the guest made, not only the measured one.
 *
 * @param options.baseline The technique that counts as 1×, or its name.
 * @returns A report.
 */
export function costPerMark({ baseline }: { readonly baseline: Baseline }): Report {
  const name = baselineName(baseline);
  return {
    name: "cost-per-mark",
    render: async (comparison) => {
      const facets = recordingsOf(comparison).flatMap((recording) =>
        marksOf(comparison, recording).map((mark): Facet => {
          const bars = compareRuns(comparison, recording, mark, baseline);
          return { workload: workloadOf(recording, comparison), mark, unit: unitOf(mark), bars };
        }),
      );
      const title = `Cost of one lap of each mark, relative to ${name}`;
      const description = facets.length === 0 ? "The guest made no marks." : describe(facets, name);
      const frame = { name: "cost-per-mark", title, description, axis: "own" } as const;
      const svg = await drawStackedBars(frame, facets, comparison, name);
      const caption =
        "Every stretch that the guest marks itself, each on an axis of its own, as some are slowed down far more than others.";
      return artifact({ name: "cost-per-mark", title, caption, svg, table: tableOf(facets) });
    },
  };
}

function marksOf(comparison: Comparison, recording: string): readonly string[] {
  const runs = comparison.runs.filter((run) => run.recording === recording);
  return [...new Set(runs.flatMap((run) => run.marks.map((mark) => mark.name)))];
}

function describe(facets: readonly Facet[], baseline: string): string {
  return facets
    .map((facet) => {
      const { bars } = facet;
      const title = titleOf(facet);
      const said = bars.filter(({ run }) => run.technique !== baseline).map(sentence);
      return said.length === 0 ? `${title}: only ${baseline} was run.` : `${title}: ${said.join("; ")}.`;
    })
    .join(" ");
}

function sentence({ label, measured, ratio }: Compared): string {
  if (measured === null) return `${label} made no such mark`;
  if (ratio === null) return `${label} has nothing to be compared with`;
  const { total, byCause } = measured.cycles;
  const [largest] = CAUSES.filter((cause) => cause !== "guest" && byCause[cause] > 0).sort(
    (a, b) => byCause[b] - byCause[a],
  );
  const blame =
    largest === undefined ? "" : `, ${formatShare(byCause[largest] / total)} of its cycles for ${CAUSE_NAMES[largest]}`;
  return `${label} takes ${formatRatio(ratio.value)}${blame}`;
}

function tableOf(facets: readonly Facet[]): Table {
  const somewhere = (cause: Cause) =>
    facets.some(({ bars }) => bars.some(({ measured }) => (measured?.cycles.byCause[cause] ?? 0) > 0));
  return {
    columns: [
      {
        title: "workload",
        numeric: false,
        room: new Set(facets.map(({ workload }) => workload)).size > 1 ? "terminal" : "file",
      },
      {
        title: "measure",
        numeric: false,
        room: new Set(facets.map(({ mark }) => mark)).size > 1 ? "terminal" : "file",
      },
      { title: "technique", numeric: false },
      { title: "laps", numeric: true },
      { title: "steps/lap", numeric: true, room: "file" },
      { title: "exits/lap", numeric: true },
      { title: "cycles/lap", numeric: true },
      { title: "cycles low", numeric: true, room: "file" },
      { title: "cycles high", numeric: true, room: "file" },
      { title: "slowdown", numeric: true },
      { title: "low", numeric: true },
      { title: "high", numeric: true },
      ...CAUSES.map((cause) => ({
        title: cause,
        numeric: true,
        room: somewhere(cause) ? ("page" as const) : ("file" as const),
      })),
    ],
    rows: facets.flatMap(({ workload, mark, bars }) =>
      bars.map(({ label, measured, ratio }) => {
        const perLap = (pick: (measured: Measured) => number) =>
          number(measured === null ? null : pick(measured) / measured.laps, formatAmount);
        return [
          text(workload),
          text(mark ?? "run"),
          text(label),
          number(measured?.laps ?? null, formatCount),
          perLap(({ steps }) => steps),
          perLap(({ exits }) => exits.total),
          perLap(({ cycles }) => cycles.total),
          perLap(({ cycles }) => cycles.low),
          perLap(({ cycles }) => cycles.high),
          number(ratio?.value ?? null, formatRatio),
          number(ratio?.low ?? null, formatRatio),
          number(ratio?.high ?? null, formatRatio),
          ...CAUSES.map((cause) => perLap(({ cycles }) => cycles.byCause[cause])),
        ];
      }),
    ),
  };
}
