/**
 * `trapline recost`: prices stored traces, or all of an experiment's results, under other prices. Nothing is run.
 *
 * @module
 */

import { basename, join, resolve } from "node:path";
import type { Command } from "commander";
import { compare } from "../compare.ts";
import { CAUSES, type RunSummary } from "../comparison.ts";
import { inOrder } from "../costs/in-order.ts";
import type { Overrides } from "../costs/model.ts";
import { isDirectory, writeWhole } from "../files.ts";
import { loadExperiment } from "../load-experiment.ts";
import { named, openTrace } from "../recording.ts";
import { recostResults } from "../recost-results.ts";
import { COMPARISON_FILE, readComparison } from "../run-experiment.ts";
import type { Finish } from "./main.ts";
import { parseSettings } from "./options.ts";
import { EXIT, type Outcome } from "./outcome.ts";
import { comparisonDocument } from "./run.ts";
import { grouped } from "./run-document.ts";
import { writeReports } from "./write-reports.ts";

interface Options {
  readonly set: readonly string[];
  readonly experiment?: string;
  readonly output?: string;
}

export function declare(command: Command, finish: Finish): void {
  command
    .argument("<TRACE...>", "traces to price, or the folder that trapline run left: its reports are then made again")
    .option(
      "--set <PRICE=CYCLES>",
      "a price in place of the cost model's, such as cost.trap.entry=800; may be repeated",
      (value: string, all: readonly string[]) => [...all, value],
      [],
    )
    .option(
      "--experiment <FILE>",
      "take prices and reports of a folder's runs from this experiment; its own where it is left out",
    )
    .option("-o, --output <FOLDER>", "where a folder's new reports go; FOLDER-recost where it is left out")
    .action((paths: readonly string[], options: Options) => finish(run(paths, options)));
}

async function run(paths: readonly string[], options: Options): Promise<Outcome> {
  const overrides = parseSettings(options.set);
  const [folder, another] = paths;
  if (folder !== undefined && isDirectory(folder)) {
    if (another !== undefined)
      throw new RangeError(`Cannot recost ${folder} as results are priced one folder at a time: ${another} follows it`);
    return recostFolder(folder.replace(/\/+$/, ""), options, overrides);
  }
  const stray = options.experiment === undefined ? (options.output === undefined ? undefined : "-o") : "--experiment";
  if (stray !== undefined)
    throw new RangeError(`Cannot use ${stray} as only a folder of results has reports: ${folder} is none`);
  const traces = paths.map((path) => ({ trace: openTrace(path), file: path, identity: null }));
  const { costModel, runs } = named(paths.join(", "), () =>
    compare({ experiment: "recost", question: "", measure: null, model: inOrder, overrides, runs: traces }),
  );
  return {
    exitCode: traces.some(({ trace }) => trace.state === "prefix") ? EXIT.partial : EXIT.ok,
    document: {
      costModel: costModel.name,
      set: overrides,
      runs: runs.map(
        ({ workload, technique, variant, binary, instret, steps, digest, trace, exits, cycles, marks, pricedBy }) => ({
          workload,
          technique,
          variant,
          binary,
          instret,
          steps,
          digest,
          trace,
          exits,
          cycles,
          marks,
          pricedBy, // biome-ignore format: a list
        }),
      ),
    },
    text: runs.map(lines).join("\n\n"),
  };
}

/** The reports of an experiment's results, under other prices. */
async function recostFolder(folder: string, options: Options, overrides: Overrides): Promise<Outcome> {
  const { experiment } = await loadExperiment(options.experiment ?? readComparison(folder).experiment);
  const comparison = recostResults(folder, experiment, overrides);
  const output = options.output ?? `${folder}-recost`;
  if (resolve(output) === resolve(folder)) {
    throw new RangeError(
      `Cannot write to ${output} as other prices must leave the results as they are: they are in that folder; use another with -o`,
    );
  }
  writeWhole(join(output, COMPARISON_FILE), `${JSON.stringify(comparison, null, 2)}\n`);
  const written = await writeReports(output, comparison, experiment.reports);
  return {
    exitCode: EXIT.ok,
    document: { ...comparisonDocument(comparison, folder, written.report), set: overrides },
    text: [comparison.question, ...written.tables, `report   ${written.report}`].join("\n\n"),
  };
}

function lines(run: RunSummary): string {
  const { total, low, high, byCause } = run.cycles;
  const causes = CAUSES.filter((cause) => byCause[cause] > 0).map(
    (cause) => `  ${cause.padEnd(12)}${grouped(byCause[cause]).padStart(18)}`,
  );
  return [
    `${basename(run.trace)}: ${run.workload} under ${run.technique}`,
    `  ${"cycles".padEnd(12)}${grouped(total).padStart(18)}   from ${grouped(low)} to ${grouped(high)}`,
    ...causes,
  ].join("\n");
}
