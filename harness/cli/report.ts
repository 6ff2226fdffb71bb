/**
 * `trapline report`: writes the reports of stored results again, from `comparison.json` alone.
 *
 * @module
 */

import { join } from "node:path";
import type { Command } from "commander";
import { isDirectory } from "../files.ts";
import { loadExperiment } from "../load-experiment.ts";
import { readComparison } from "../run-experiment.ts";
import type { Finish } from "./main.ts";
import { EXIT, type Outcome } from "./outcome.ts";
import { comparisonDocument } from "./run.ts";
import { writeReports } from "./write-reports.ts";

interface Options {
  readonly experiment?: string;
}

export function declare(command: Command, finish: Finish): void {
  command
    .argument("<RESULTS>", "a folder that trapline run left, or an experiment's name")
    .option("--experiment <FILE>", "take the list of reports from this experiment; its own where it is left out")
    .action((results: string, options: Options) => finish(run(results, options)));
}

async function run(results: string, options: Options): Promise<Outcome> {
  const folder = isDirectory(results) ? results : join("results", results);
  const comparison = readComparison(folder);
  const { experiment } = await loadExperiment(options.experiment ?? comparison.experiment);
  const written = await writeReports(folder, comparison, experiment.reports);
  return {
    exitCode: EXIT.ok,
    document: comparisonDocument(comparison, folder, written.report),
    text: [comparison.question, ...written.tables, `report   ${written.report}`].join("\n\n"),
  };
}
