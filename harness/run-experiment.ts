/**
 * Runs an experiment: records each of its guests once on the bare machine, replays the recording under each technique, verifies, compares.
 *
 * Results lie in one folder: a trace for each run with the guest's images beside, and `comparison.json`. Every file appears whole.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { native, type Technique } from "../engine/mod.ts";
import { auditProfile, beliedBy } from "./audit/audit-profile.ts";
import { type ComparedRun, compare } from "./compare.ts";
import type { Binary, Comparison, Identity, PortEffort, ProfileAudit } from "./comparison.ts";
import type { Overrides } from "./costs/model.ts";
import { effortOf, hasSources, portEfforts } from "./effort.ts";
import { type Subject, subjectsOf, techniqueLabel } from "./experiment.ts";
import { reasonOf, writeWhole } from "./files.ts";
import type { Guest } from "./guests/mod.ts";
import type { LoadedExperiment } from "./load-experiment.ts";
import { countPads } from "./pads.ts";
import type { RecordOptions, Tape } from "./record.ts";
import { recordTo } from "./record-to.ts";
import { openTrace } from "./recording.ts";
import { type ReplayJob, runJob, type TechniqueReference } from "./replay-job.ts";
import type { StoredVerification } from "./replay-task.ts";
import { storeBeside } from "./store.ts";
import { runInWorkers } from "./workers.ts";

export interface RunExperimentOptions {
  /** The folder that gets the results. */
  readonly folder: string;
  /** In place of all of the experiment's own. */
  readonly guest?: Guest;
  /** What is to run in place of each of the experiment's guests. */
  readonly alter?: (guest: Guest) => Guest;
  readonly techniques?: readonly Technique[];
  /** Devices that the VMM leaves to the guests, in place of those that the experiment says. */
  readonly passThrough?: readonly string[];
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
  /** The recorded runs, in the order of the experiment's guests. */
  readonly recorded: readonly (Pick<Tape, "ending" | "steps" | "instret" | "unfinished"> & {
    readonly workload: string;
  })[];
  /** Differences, in the order of the runs; empty where every run is the recorded one. Those that the experiment expects are left out. */
  readonly differences: readonly Identity[];
  /** What is wrong with its audits, in words; empty where all that was observed agrees with what was predicted. */
  readonly belied: readonly string[];
  /** Techniques that the experiment calls unsound, and whose runs are the recorded one all the same. */
  readonly undetected: readonly string[];
}

/** Laps of the measured mark that a comparison keeps for timelines. */
export const SAMPLED_LAPS = 16;

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
  const { alter = (guest: Guest) => guest } = options;
  const passing = options.passThrough === undefined ? {} : { passThrough: options.passThrough };
  const subjects: readonly Subject[] =
    options.guest === undefined
      ? subjectsOf(experiment).map((subject) => ({ ...subject, ...passing, guest: alter(subject.guest) }))
      : [{ ...subjectsOf(experiment)[0]!, ...passing, guest: options.guest }];
  const model = experiment.costs[0]!;
  const settings = {
    ...(experiment.profile === undefined ? {} : { profile: experiment.profile.name }),
    ...options.settings,
  };

  const recorded: ExperimentResult["recorded"][number][] = [];
  for (const { guest } of subjects) {
    const tape = await recordTo(join(folder, traceFile(guest)), guest, {
      ...settings,
      onProgress: (step) => onProgress(`recording ${guest.name}`, step),
    });
    recorded.push({ ...tape, workload: guest.workload });
  }
  const planned = subjects.flatMap((subject, at) => replayJobs(loaded, options, subject, at));
  const jobs = planned.map(({ job }) => job);
  const label = (job: ReplayJob): string => `replaying ${basename(job.output).replace(/\.trace$/, "")}`;
  const verified: StoredVerification[] = [];
  if (workers > 1) {
    verified.push(...(await runInWorkers(jobs, workers, (job, step) => onProgress(label(job), step))));
  } else {
    for (const job of jobs) verified.push(await runJob(job, (step) => onProgress(label(job), step)));
  }

  const runs: ComparedRun[] = [];
  for (const { guest } of subjects) {
    onProgress(`counting pads of ${guest.name}`, 0);
    const pads = await countPads(guest, settings);
    runs.push({
      ...storedRun(join(folder, traceFile(guest)), guest.name, null),
      ...(pads === undefined ? {} : { pads }),
    });
    for (const [at, { identity, trace }] of verified.entries())
      if (planned[at]!.guest === guest) runs.push(storedRun(trace!, guest.name, identity));
  }
  const measure =
    options.measure ?? (subjects.some(({ guest }) => marks(guest, experiment.measure)) ? experiment.measure! : null);
  const audits: ProfileAudit[] = [];
  for (const profile of experiment.audit ?? []) {
    onProgress(`auditing ${profile.name}`, 0);
    audits.push(await auditProfile(profile.name, subjects[0]!.guest));
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
  const effort = effortAmong(compared.binaries);
  const comparison: Comparison = {
    ...compared,
    ...(effort === undefined ? {} : { effort }),
    ...(audits.length === 0 ? {} : { audits }),
  };
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
    undetected: planned.filter((_, at) => identities[at]!.equal && doomed(at)).map((one) => one.label),
  };
}

/** A run that lies in the folder of results, with the kernel beside it. */
export function storedRun(path: string, recording: string, identity: Identity | null): ComparedRun {
  const trace = openTrace(path);
  const kernel = trace.header.images.find(({ role }) => role === "kernel");
  return {
    trace,
    file: basename(path),
    recording,
    identity,
    ...(kernel === undefined ? {} : { kernel: storeBeside(path).get(kernel.sha256) }),
  };
}

/** Where several ports of hutch ran, and its sources are there: what each took. */
function effortAmong(binaries: readonly Binary[]): readonly PortEffort[] | undefined {
  const ports = binaries.filter(({ name }) => /^hutch(-|$)/.test(name));
  return ports.length > 1 && hasSources() ? portEfforts(effortOf()) : undefined;
}

const traceFile = (guest: Guest, label = "native"): string => `${guest.name}.${label}.trace`;

/** Another guest makes other marks: it is compared by them only where it has the one that is asked for. */
function marks(guest: Guest, measure: string | undefined): boolean {
  return (
    measure !== undefined && Object.hasOwn({ ...guest.marks, ...guest.consoleMarks, ...guest.addressMarks }, measure)
  );
}

interface PlannedReplay {
  readonly job: ReplayJob;
  readonly guest: Guest;
  readonly label: string;
}

/** A job for each technique but the recorded one. @param subject The place of the guest in the experiment. */
function replayJobs(
  { experiment, path }: LoadedExperiment,
  { techniques: chosen, unsound = false, folder }: RunExperimentOptions,
  { guest, techniques, passThrough = [] }: Subject,
  subject: number,
): PlannedReplay[] {
  const own = techniques.map(techniqueLabel);
  const references: { technique: Technique; reference: TechniqueReference }[] =
    chosen === undefined
      ? techniques.map((technique, index) => ({ technique, reference: { experiment: path, subject, index } }))
      : chosen
          // Techniques that are asked for reach a further guest only where it runs them anyway.
          .filter((technique) => subject === 0 || own.includes(techniqueLabel(technique)))
          .map((technique) => ({ technique, reference: { name: techniqueLabel(technique).replace(".", ":") } }));
  return references
    .filter(({ technique }) => technique.name !== native.name)
    .map(({ technique, reference }) => ({
      guest,
      label: techniqueLabel(technique),
      job: {
        recording: join(folder, traceFile(guest)),
        technique: reference,
        unsound: chosen === undefined ? (experiment.unsound?.includes(technique) ?? false) : unsound,
        ...(passThrough.length === 0 ? {} : { passThrough }),
        output: join(folder, traceFile(guest, techniqueLabel(technique))),
      },
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
