/**
 * Runs an experiment: records its guest once on the bare machine, replays it under each technique, verifies, compares.
 *
 * Results lie in one folder: a trace for each run with the guest's images beside, and `comparison.json`. Every file appears whole.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { native, type Technique } from "../engine/mod.ts";
import { auditProfile, beliedBy } from "./audit/audit-profile.ts";
import { type ComparedRun, compare } from "./compare.ts";
import type { Comparison, Identity, ProfileAudit } from "./comparison.ts";
import type { Overrides } from "./costs/model.ts";
import { techniqueLabel } from "./experiment.ts";
import { reasonOf, writeWhole } from "./files.ts";
import type { Guest } from "./guests/mod.ts";
import type { LoadedExperiment } from "./load-experiment.ts";
import type { RecordOptions, Tape } from "./record.ts";
import { recordTo } from "./record-to.ts";
import { openTrace } from "./recording.ts";
import { type ReplayJob, runJob, type TechniqueReference } from "./replay-job.ts";
import type { StoredVerification } from "./replay-task.ts";
import { runInWorkers } from "./workers.ts";

export interface RunExperimentOptions {
  /** The folder that gets the results. */
  readonly folder: string;
  /** In place of the experiment's own. */
  readonly guest?: Guest;
  readonly techniques?: readonly Technique[];
  /** Runs `techniques` even where the profile lacks what they require. The experiment's own list says itself which do. */
  readonly unsound?: boolean;
  /** The mark whose laps are compared, in place of the experiment's own. */
  readonly measure?: string;
  /** Prices to use in place of the model's. */
  readonly overrides?: Overrides;
  /** Replays at once; 1 runs them in this thread, one after the other. */
  readonly workers?: number;
  readonly settings?: Pick<RecordOptions, "rtcSeconds" | "checkpointEvery" | "maxSteps" | "profile">;
  /** Told of each part: what it is, and the step that it has come to. */
  readonly onProgress?: (what: string, step: number) => void;
}

/** What an experiment found. */
export interface ExperimentResult {
  readonly comparison: Comparison;
  readonly recorded: Pick<Tape, "ending" | "steps" | "instret" | "unfinished">;
  /** Differences, in the order of the runs; empty where every run is the recorded one. Those that the experiment expects are left out. */
  readonly differences: readonly Identity[];
  /** What is wrong with its audits, in words; empty where all that was observed agrees with what was predicted. */
  readonly belied: readonly string[];
  /** Techniques that the experiment calls unsound, and whose runs are the recorded one all the same. */
  readonly undetected: readonly string[];
}

/** Laps of the measured mark that a comparison keeps for timelines. */
const SAMPLED_LAPS = 16;

/** Name of the file that holds the comparison. */
export const COMPARISON_FILE = "comparison.json";

/**
 * Runs an experiment.
 *
 * @throws {RangeError} If the guest, a technique, a mark or a price is not what it must be.
 */
export async function runExperiment(
  loaded: LoadedExperiment,
  options: RunExperimentOptions,
): Promise<ExperimentResult> {
  const { experiment, name } = loaded;
  const { folder, workers = 1, onProgress = () => undefined } = options;
  const guest = options.guest ?? experiment.guest;
  const traceFile = (label: string): string => `${guest.name}.${label}.trace`;
  const model = experiment.costs[0]!;

  const recorded = await recordTo(join(folder, traceFile("native")), guest, {
    ...(experiment.profile === undefined ? {} : { profile: experiment.profile.name }),
    ...options.settings,
    onProgress: (step) => onProgress("recording", step),
  });
  const jobs = replayJobs(loaded, options, join(folder, traceFile("native")), (label) =>
    join(folder, traceFile(label)),
  );
  const label = (job: ReplayJob): string =>
    `replaying ${/([^.]+(?:\.(?:trap|inline))?)\.trace$/.exec(job.output)?.[1] ?? job.output}`;
  const verified: StoredVerification[] = [];
  if (workers > 1) {
    verified.push(...(await runInWorkers(jobs, workers, (job, step) => onProgress(label(job), step))));
  } else {
    for (const job of jobs) verified.push(await runJob(job, (step) => onProgress(label(job), step)));
  }

  const runs: ComparedRun[] = [
    { trace: openTrace(join(folder, traceFile("native"))), file: traceFile("native"), identity: null },
    ...verified.map(({ identity, trace }) => ({
      trace: openTrace(trace!),
      file: trace!.slice(folder.length + 1),
      identity,
    })),
  ];
  const measure = options.measure ?? measureFor(guest, experiment.measure);
  const audits: ProfileAudit[] = [];
  for (const profile of experiment.audit ?? []) {
    onProgress(`auditing ${profile.name}`, 0);
    audits.push(await auditProfile(profile.name, guest));
  }
  const compared = compare({
    experiment: name,
    question: experiment.question,
    measure,
    model,
    runs,
    ...(options.overrides === undefined ? {} : { overrides: options.overrides }),
    ...(measure === null ? {} : { sample: { mark: measure, laps: SAMPLED_LAPS } }),
  });
  const comparison: Comparison = audits.length === 0 ? compared : { ...compared, audits };
  writeWhole(join(folder, COMPARISON_FILE), `${JSON.stringify(comparison, null, 2)}\n`);
  // What the experiment says of its own techniques holds for its own profile.
  const doomed = (at: number) =>
    options.techniques === undefined && options.settings?.profile === undefined && jobs[at]!.unsound === true;
  const identities = verified.map(({ identity }) => identity);
  return {
    comparison,
    recorded,
    belied: audits.flatMap(beliedBy),
    differences: identities.filter(({ equal }, at) => !equal && !doomed(at)),
    undetected: jobs.filter((_, at) => identities[at]!.equal && doomed(at)).map((job) => job.label),
  };
}

/** Another guest makes other marks: it is compared by them only where it has the one that is asked for. */
function measureFor(guest: Guest, measure: string | undefined): string | null {
  return measure !== undefined &&
    Object.hasOwn({ ...guest.marks, ...guest.consoleMarks, ...guest.addressMarks }, measure)
    ? measure
    : null;
}

/** A job for each technique but the recorded one. */
function replayJobs(
  { experiment, path }: LoadedExperiment,
  { techniques: chosen, unsound = false }: RunExperimentOptions,
  recording: string,
  output: (label: string) => string,
): (ReplayJob & { readonly label: string })[] {
  const references: { technique: Technique; reference: TechniqueReference }[] =
    chosen === undefined
      ? experiment.techniques.map((technique, index) => ({ technique, reference: { experiment: path, index } }))
      : chosen.map((technique) => ({ technique, reference: { name: techniqueLabel(technique).replace(".", ":") } }));
  return references
    .filter(({ technique }) => technique.name !== native.name)
    .map(({ technique, reference }) => ({
      recording,
      technique: reference,
      unsound: chosen === undefined ? (experiment.unsound?.includes(technique) ?? false) : unsound,
      output: output(techniqueLabel(technique)),
      label: techniqueLabel(technique),
    }));
}

/**
 * Reads a comparison that an experiment left.
 *
 * @throws {RangeError} If the folder has none, or it is not one.
 */
export function readComparison(folder: string): Comparison {
  const path = join(folder, COMPARISON_FILE);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new RangeError(
      `Cannot read ${path} as results have a comparison: ${reasonOf(error)}; make one with trapline run`,
      { cause: error },
    );
  }
  let comparison: Partial<Comparison> | null;
  try {
    comparison = JSON.parse(text) as Partial<Comparison> | null;
  } catch (error) {
    throw new RangeError(`Cannot read ${path} as it must be JSON: ${(error as Error).message}`, { cause: error });
  }
  if (!Array.isArray(comparison?.runs) || comparison.costModel === undefined) {
    throw new RangeError(`Cannot read ${path} as it must be a comparison: it has no runs or no cost model`);
  }
  return comparison as Comparison;
}
