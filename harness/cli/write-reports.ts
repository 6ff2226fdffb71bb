/**
 * Renders an experiment's reports and writes them: `report.html`, and a figure and a table for each report.
 *
 * @module
 */

import { join } from "node:path";
import { type Artifact, htmlReport } from "../../reports/mod.ts";
import type { Comparison } from "../comparison.ts";
import type { Report } from "../experiment.ts";
import { writeWhole } from "../files.ts";

/** What was written, and what a terminal shows of it. */
export interface WrittenReports {
  /** Path of the HTML report. */
  readonly report: string;
  readonly tables: readonly string[];
}

export async function writeReports(folder: string, comparison: Comparison, reports: readonly Report[]): Promise<WrittenReports> {
  const artifacts: Artifact[] = [];
  // Reports come from trapline/reports; the harness knows only the part of an artifact that it writes itself.
  for (const report of reports) artifacts.push((await report.render(comparison)) as Artifact);
  for (const { name, svg, csv } of artifacts) {
    if (svg !== null) writeWhole(join(folder, `${name}.svg`), svg);
    writeWhole(join(folder, `${name}.csv`), csv);
  }
  const report = join(folder, "report.html");
  writeWhole(report, await htmlReport(comparison, artifacts));
  return { report, tables: artifacts.map(({ title, text }) => `${title}\n\n${text.trimEnd()}`) };
}
