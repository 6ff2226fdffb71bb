/**
 * What the kernels are, and what it takes to run them: image growth, sites by class, pads, patching at load, effort of ports.
 *
 * @module
 */
import type { Comparison, RunSummary } from "../harness/comparison.ts";
import { formatAmount, formatCount, formatShare } from "./format.ts";
import { labelOf, recordingsOf, workloadOf } from "./measure.ts";
import { artifact, type Report } from "./report.ts";
import { type Cell, number, text } from "./table.ts";

const count = (value: number | null): Cell => number(value, formatCount);
const share = (value: number | null): Cell => number(value, (one) => `${(one * 100).toFixed(2)} %`);
const sumOf = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0);

/**
 * A table of kernels with their bytes, and how much each is larger than the first.
 *
 * @returns A report.
 */
export function imageGrowth(): Report {
  return {
    name: "image-growth",
    render: async ({ binaries }) =>
      artifact({
        name: "image-growth",
        title: "Kernels as files",
        caption: `Bytes of each kernel, and how much it has grown beside ${binaries[0]?.name ?? "the first"}; pads are part of the text.`,
        svg: null,
        table: {
          columns: [
            { title: "binary", numeric: false },
            { title: "text", numeric: true },
            { title: "text growth", numeric: true },
            { title: "file", numeric: true },
            { title: "file growth", numeric: true },
            { title: "pads", numeric: true },
            { title: "sensitive instructions", numeric: true },
            { title: "annotated", numeric: true },
          ],
          rows: binaries.map(({ name, textBytes, fileBytes, padBytes, sensitive, annotated }) => [
            text(name),
            count(textBytes),
            share(textBytes / binaries[0]!.textBytes - 1),
            count(fileBytes),
            share(fileBytes / binaries[0]!.fileBytes - 1),
            count(padBytes),
            count(sumOf(sensitive)),
            count(sumOf(annotated)),
          ]),
        },
      }),
  };
}

/**
 * A table of sensitive instructions by class, for each kernel: those in its text, and those that an afterburner annotated.
 *
 * @returns A report.
 */
export function sitesByClass(): Report {
  return {
    name: "sites-by-class",
    render: async ({ binaries }) => {
      const classes = [
        ...new Set(
          binaries.flatMap(({ sensitive, annotated }) => [...Object.keys(sensitive), ...Object.keys(annotated)]),
        ),
      ];
      return artifact({
        name: "sites-by-class",
        title: "Sensitive instructions by class",
        caption:
          "In each kernel's text, as the afterburner classes them; where a kernel was afterburned, those it annotated stand beside. Loads and stores that a run under protection named are of class memory.",
        svg: null,
        table: {
          columns: [
            { title: "class", numeric: false },
            ...binaries.flatMap(({ name, annotated }) => [
              { title: name, numeric: true },
              ...(sumOf(annotated) === 0 ? [] : [{ title: `${name}, annotated`, numeric: true }]),
            ]),
          ],
          rows: classes.map((name) => [
            text(name),
            ...binaries.flatMap(({ sensitive, annotated }) => [
              count(sensitive[name] ?? 0),
              ...(sumOf(annotated) === 0 ? [] : [count(annotated[name] ?? 0)]),
            ]),
          ]),
        },
      });
    },
  };
}

/** Prices of what is done to code before it runs, and of the hart's own work in the wedge. */
const PATCHING = ["work.scan", "work.patch", "work.wedge"] as const;

/**
 * A table of what scanning and patching the kernel's code took, in modelled cycles.
 *
 * @returns A report on whole runs.
 */
export function patching(): Report {
  return {
    name: "patching",
    render: async (comparison) =>
      artifact({
        name: "patching",
        title: "Scanning and patching, in cycles",
        caption:
          "Over the whole run: pages of code that run as copies, halfwords that were replaced in them, and the modelled cycles of looking for sites, of replacing them, and of the wedge.",
        svg: null,
        table: {
          columns: [
            { title: "workload", numeric: false },
            { title: "technique", numeric: false },
            { title: "pages copied", numeric: true },
            { title: "halfwords patched", numeric: true },
            ...PATCHING.map((id) => ({ title: id.slice("work.".length), numeric: true })),
            { title: "share of the run", numeric: true },
          ],
          rows: comparison.runs
            .filter((run) => PATCHING.some((id) => cyclesOf(run, id) > 0))
            .map((run) => {
              const each = PATCHING.map((id) => cyclesOf(run, id));
              const { counts } = run.tallies.whole;
              return [
                text(workloadOf(run.recording, comparison)),
                text(labelOf(run)),
                count(counts["pages copied"] ?? 0),
                count(counts["halfwords patched"] ?? 0),
                ...each.map((cycles) => number(cycles, formatAmount)),
                number(each.reduce((a, b) => a + b, 0) / run.cycles.total, formatShare),
              ];
            }),
        },
      }),
  };
}

function cyclesOf({ pricedBy }: RunSummary, price: string): number {
  return pricedBy.reduce((sum, line) => sum + (line.price === price ? line.cycles : 0), 0);
}

/**
 * A table of pads that afterburned kernels run on the bare machine, beside the instructions of the same workload.
 *
 * @returns A report on whole runs and on the laps of each mark.
 */
export function padding(): Report {
  return {
    name: "padding",
    render: async (comparison) => {
      const padded = recordingsOf(comparison).flatMap(
        (recording) =>
          comparison.runs.find((run) => run.recording === recording && run.tallies.whole.pads !== undefined) ?? [],
      );
      return artifact({
        name: "padding",
        title: "Pads on the bare machine",
        caption:
          "Machine instructions that an afterburned kernel executes beside those that count as steps; at one instruction's price they are the excess. No bill holds them.",
        svg: null,
        table: {
          columns: [
            { title: "workload", numeric: false },
            { title: "measure", numeric: false },
            { title: "instructions", numeric: true },
            { title: "pads", numeric: true },
            { title: "excess", numeric: true },
          ],
          rows: padded.flatMap((run) =>
            [["run", run.tallies.whole] as const, ...Object.entries(run.tallies.marks)].map(([measure, tallied]) => [
              text(workloadOf(run.recording, comparison)),
              text(measure),
              count(tallied.instructions),
              count(tallied.pads ?? 0),
              share((tallied.pads ?? 0) / tallied.instructions),
            ]),
          ),
        },
      });
    },
  };
}

/**
 * A table of what each port of the kernel took, in files and lines.
 *
 * @returns A report; its table is empty where the sources were not there.
 */
export function portEffort(): Report {
  return {
    name: "effort",
    render: async ({ effort = [] }: Comparison) =>
      artifact({
        name: "effort",
        title: "Effort of each port",
        caption:
          "Files of each port's own, with their lines; the afterburned kernel has none, as it is the bare one through another assembler.",
        svg: null,
        table: {
          columns: [
            { title: "port", numeric: false },
            { title: "files", numeric: true },
            { title: "lines", numeric: true },
            { title: "lines of code", numeric: true },
          ],
          rows: effort.map(({ port, files, lines, code }) => [text(port), count(files), count(lines), count(code)]),
        },
      }),
  };
}
