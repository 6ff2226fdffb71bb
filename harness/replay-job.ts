/**
 * A replay as plain data, so that a worker thread can be asked for it.
 *
 * A technique is a value with functions in it, which no thread can be sent: a job says where to find it instead.
 *
 * @module
 */

import { basename } from "node:path";
import type { Technique } from "../engine/mod.ts";
import { subjectsOf } from "./experiment.ts";
import { loadExperiment } from "./load-experiment.ts";
import { techniqueNamed } from "./names.ts";
import { openRecording } from "./recording.ts";
import { replayTo, type StoredVerification } from "./replay-task.ts";

/** Where a technique is: one of ours, by name; or at a place in an experiment's list. */
export type TechniqueReference =
  | { readonly name: string }
  | { readonly experiment: string; readonly subject: number; readonly index: number };

/** What a worker is asked to do. */
export interface ReplayJob {
  /** File of the recording. */
  readonly recording: string;
  readonly technique: TechniqueReference;
  /** Whether it runs even where the profile lacks what it requires. */
  readonly unsound?: boolean;
  /** Devices that the technique's VMM leaves to the guest. */
  readonly passThrough?: readonly string[];
  /** File for the replay's own trace. */
  readonly output: string;
}

/** Does a job in this thread. @throws As `replayTo`. */
export async function runJob(job: ReplayJob, onProgress: (step: number) => void): Promise<StoredVerification> {
  return replayTo(openRecording(job.recording), {
    technique: await find(job.technique),
    unsound: job.unsound ?? false,
    ...(job.passThrough === undefined ? {} : { passThrough: job.passThrough }),
    output: job.output,
    files: { recorded: basename(job.recording), replayed: basename(job.output) },
    onProgress,
  });
}

async function find(reference: TechniqueReference): Promise<Technique> {
  if ("name" in reference) return techniqueNamed(reference.name);
  const { experiment } = await loadExperiment(reference.experiment);
  return subjectsOf(experiment)[reference.subject]!.techniques[reference.index]!;
}
