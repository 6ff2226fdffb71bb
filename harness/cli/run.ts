/**
 * `trapline run`: an experiment from its guest to its report.
 *
 * @module
 */

import { join } from "node:path";
import type { Command } from "commander";
import { Option } from "commander";
import type { Comparison } from "../comparison.ts";
import { techniqueLabel } from "../experiment.ts";
import { hurried } from "../guests/catalogue.ts";
import { loadExperiment } from "../load-experiment.ts";
import { techniqueNamed } from "../names.ts";
import { runExperiment } from "../run-experiment.ts";
import { chooseGuest } from "./guest-choice.ts";
import type { Finish } from "./main.ts";
import {
  addGuestOptions,
  addPassThrough,
  addRecordingOptions,
  type GuestOptions,
  parseSettings,
  type RecordingOptions,
  wholeNumber,
} from "./options.ts";
import { EXIT, type Outcome } from "./outcome.ts";
import { Progress } from "./progress.ts";
import { recordingSettings } from "./record.ts";
import { exitCodeOf, failureRemark } from "./run-document.ts";
import { writeReports } from "./write-reports.ts";

interface Options extends GuestOptions, RecordingOptions {
  readonly technique?: string;
  readonly unsound?: boolean;
  readonly passThrough?: readonly string[];
  readonly measure?: string;
  readonly set: readonly string[];
  readonly workers: number;
  readonly quick?: boolean;
  readonly output?: string;
}

export function declare(command: Command, finish: Finish): void {
  addPassThrough(
    addRecordingOptions(
      addGuestOptions(command.argument("<EXPERIMENT>", "a name that comes with trapline, or a file")),
    ),
  )
    .option("--quick", "a guest by name does less")
    .option("--measure <MARK>", "the mark whose laps are compared, in place of the experiment's")
    .option("--technique <LIST>", "techniques in place of the experiment's, such as native,full")
    .option("--unsound", "run those techniques even where the profile lacks what they require, to watch them fail")
    .option(
      "--set <PRICE=CYCLES>",
      "a price in place of the cost model's, such as cost.trap.entry=800; may be repeated",
      (value: string, all: readonly string[]) => [...all, value],
      [],
    )
    .addOption(new Option("--workers <N>", "replays at once").argParser(wholeNumber(1)).default(1))
    .option("-o, --output <FOLDER>", "where results go; results/EXPERIMENT where it is left out")
    .action((name: string, options: Options) => finish(run(name, options)));
}

async function run(nameOrPath: string, options: Options): Promise<Outcome> {
  const overrides = parseSettings(options.set);
  const techniques = options.technique?.split(",").map((name) => techniqueNamed(name.trim()));
  const loaded = await loadExperiment(nameOrPath);
  const folder = options.output ?? join("results", loaded.name);
  const named = options.guest !== undefined || options.kernel !== undefined;
  if (!named && options.run !== undefined)
    throw new RangeError(`Cannot run "${options.run}" as only hutch takes a command: say --guest hutch too`);
  const guest = named ? chooseGuest(options) : undefined;
  const progress = new Progress(loaded.name);
  if (options.unsound === true && techniques === undefined)
    throw new RangeError(
      `Cannot run ${loaded.name} unsound as its own techniques say themselves what they are: name some with --technique`,
    );
  const { comparison, recorded, differences, undetected, belied } = await runExperiment(loaded, {
    folder,
    overrides,
    workers: options.workers,
    settings: recordingSettings(options),
    ...(guest === undefined ? {} : { guest }),
    ...(named || options.quick !== true ? {} : { alter: hurried }),
    ...(options.measure === undefined ? {} : { measure: options.measure }),
    ...(techniques === undefined ? {} : { techniques }),
    ...(options.unsound === undefined ? {} : { unsound: options.unsound }),
    ...(options.passThrough === undefined ? {} : { passThrough: options.passThrough }),
    onProgress: (what, step) => progress.at(step, what),
  }).finally(() => progress.end());
  const written = await writeReports(folder, comparison, loaded.experiment.reports);
  // The first guest that failed answers for the experiment.
  const failing = recorded.find((one) => exitCodeOf(one.ending) !== EXIT.ok || one.unfinished !== undefined);
  const subject = failing ?? recorded[0]!;
  const guestCode = exitCodeOf(subject.ending);
  const unfinished =
    subject.unfinished === undefined
      ? undefined
      : `${subject.workload} ended before its input script did: it stands at ${subject.unfinished}`;
  const failed = differences.length + undetected.length + belied.length > 0;
  const exitCode = failed ? EXIT.verification : unfinished !== undefined ? EXIT.guest : guestCode;
  const equal =
    undetected.length === 0
      ? undefined
      : `${undetected.join(", ")} ran unsound, and the difference that the experiment is about was not seen`;
  const remark =
    differences[0]?.firstDifference?.message ??
    equal ??
    belied[0] ??
    unfinished ??
    failureRemark(subject.workload, subject);
  return {
    exitCode,
    document: comparisonDocument(comparison, folder, written.report),
    text: [comparison.question, ...written.tables, identityLine(comparison), `report   ${written.report}`].join("\n\n"),
    ...(remark === undefined ? {} : { remark }),
  };
}

/** The document of `run`, `report` and `recost`. */
export function comparisonDocument(comparison: Comparison, folder: string, report: string | null): object {
  return {
    experiment: comparison.experiment,
    report,
    runs: comparison.runs.map((run) => ({
      workload: run.workload,
      technique: run.technique,
      variant: run.variant,
      binary: run.binary,
      instret: run.instret,
      steps: run.steps,
      digest: run.digest,
      trace: join(folder, run.trace),
      exits: run.exits,
      cycles: { total: run.cycles.total, byCause: run.cycles.byCause },
      identity: run.identity,
    })),
    ...(comparison.audits === undefined ? {} : { audits: comparison.audits }),
  };
}

/** One line for each recording. */
function identityLine({ runs }: Comparison): string {
  const recordings = [...new Set(runs.map(({ recording }) => recording))];
  return recordings
    .map((recording) => identityOf(runs.filter((run) => run.recording === recording), recordings.length > 1)) // biome-ignore format: a list
    .join("\n");
}

function identityOf(runs: Comparison["runs"], named: boolean): string {
  const replayed = runs.filter(({ identity }) => identity !== null);
  const unequal = replayed.filter(({ identity }) => identity?.equal === false);
  if (replayed.length === 0) return "identity nothing was replayed, so nothing was compared";
  if (unequal.length > 0)
    return `identity NOT equal: ${unequal.map((run) => techniqueLabel({ name: run.technique, variant: run.variant })).join(", ")}`;
  const observable = runs.filter(({ identity }) => identity?.level === "observable");
  const exact = runs.filter((run) => !observable.includes(run));
  const names = (some: typeof runs) =>
    some.map((run) => techniqueLabel({ name: run.technique, variant: run.variant })).join(", ");
  const whose = named ? ` of ${runs[0]!.binary}` : "";
  const seen = `observable: users of ${names(observable)} see the recorded run${whose}`;
  if (exact.length === 1) return `identity ${seen}`;
  const same = `identity exact: ${names(exact)} are the same run${whose}, digest ${runs[0]!.digest}`;
  return observable.length === 0 ? same : `${same}; ${seen}`;
}
