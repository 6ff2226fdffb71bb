/**
 * Renders an experiment's reports and writes them beside its traces.
 *
 * @module
 */

import { join } from "node:path";
import { type Report as RenderableReport, renderReport } from "../../reports/mod.ts";
import type { Comparison } from "../comparison.ts";
import type { Report } from "../experiment.ts";
import { writeWhole } from "../files.ts";

/** What was written, and what a terminal shows of it. */
export interface WrittenReports {
  /** Path of the HTML report. */
  readonly report: string;
  readonly tables: readonly string[];
}

export async function writeReports(
  folder: string,
  comparison: Comparison,
  reports: readonly Report[],
): Promise<WrittenReports> {
  // The harness knows only the part of an artifact that it needs; whoever makes the page needs all of it, and reports make all of it.
  const { files, artifacts } = await renderReport(comparison, reports as readonly RenderableReport[]);
  for (const { path, bytes } of files) writeWhole(join(folder, path), bytes);
  return {
    report: join(folder, "report.html"),
    tables: artifacts.map(({ title, text }) => `${title}\n\n${text.trimEnd()}`),
  };
}
