/**
 * Makes the files of a report. It writes none: the caller decides where they go.
 *
 * @module
 */
import type { Comparison } from "../harness/comparison.ts";
import { html } from "./html.ts";
import type { Artifact, Report } from "./report.ts";

export interface ReportFile {
  /** Relative to the result's folder, with `/` between folders. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface RenderedReport {
  /** `report.html`, then a figure and a table for each report, in their order. */
  readonly files: readonly ReportFile[];
  readonly artifacts: readonly Artifact[];
}

/**
 * Renders reports of a comparison.
 *
 * @param comparison What was compared.
 * @param reports What to make of it; two of one name get numbers.
 * @returns `report.html`, `figures/NAME.svg` and `tables/NAME.csv`, the same bytes on every runtime.
 * @throws {RangeError} If the comparison does not hold what a report was asked to show.
 */
export async function renderReport(comparison: Comparison, reports: readonly Report[]): Promise<RenderedReport> {
  const artifacts: Artifact[] = [];
  for (const report of reports) {
    const made = await report.render(comparison);
    const before = artifacts.filter(({ name }) => name === made.name || name.startsWith(`${made.name}-again`)).length;
    artifacts.push(before === 0 ? made : renamed(made, `${made.name}-again${before === 1 ? "" : `-${before}`}`));
  }
  const encoder = new TextEncoder();
  const files: ReportFile[] = [{ path: "report.html", bytes: encoder.encode(html(comparison, artifacts)) }];
  for (const { name, svg, csv } of artifacts) {
    if (svg !== null) files.push({ path: `figures/${name}.svg`, bytes: encoder.encode(svg) });
    files.push({ path: `tables/${name}.csv`, bytes: encoder.encode(csv) });
  }
  return { files, artifacts };
}

/** Ids inside a figure begin with its name, and must differ from those of the other figure in the page. */
function renamed(made: Artifact, name: string): Artifact {
  const svg = made.svg
    ?.replaceAll(`"${made.name}-`, `"${name}-`)
    .replaceAll(` ${made.name}-`, ` ${name}-`)
    .replaceAll(`(#${made.name}-`, `(#${name}-`);
  return { ...made, name, svg: svg ?? null };
}
