/**
 * An experiment: a question, and what answers it, as its user writes it.
 *
 * @module
 */

import type { Profile, Technique } from "../engine/mod.ts";
import type { Comparison } from "./comparison.ts";
import type { CostModel } from "./costs/model.ts";
import type { Guest } from "./guests/mod.ts";

/** One finding, in every form it is wanted in. */
export interface Artifact {
  /** Lower-case words joined by dashes: the name of its files. */
  readonly name: string;
  readonly title: string;
  readonly caption: string;
  /** A figure; null where the table says it all. */
  readonly svg: string | null;
  readonly csv: string;
  /** The table for a terminal. */
  readonly text: string;
}

/** A name, and a pure function from a comparison to an artifact. `trapline/reports` has them. */
export interface Report {
  readonly name: string;
  render(comparison: Comparison): Promise<Artifact>;
}

/** A guest to record on the bare machine, and what to replay the recording under. */
export interface Subject {
  /** Its name tells its files from those of the experiment's other guests. */
  readonly guest: Guest;
  /** Each recording is one of `native` whether that is listed or not. */
  readonly techniques: readonly Technique[];
  /** Devices that the techniques' VMM leaves to the guest: `disk`, or names of devices. */
  readonly passThrough?: readonly string[];
}

export interface ExperimentOptions extends Subject {
  /** In one sentence, as the report prints it. */
  readonly question: string;
  /** Further guests, each recorded by itself and compared with its own recording; under the experiment's techniques where they name none. */
  readonly also?: readonly (Pick<Subject, "guest"> & Partial<Subject>)[];
  /**
   * Those of the techniques that run though the profile lacks what they require. Each must be seen to differ from the recording: an experiment
   * that finds one equal has failed.
   */
  readonly unsound?: readonly Technique[];
  /** The machine's profile; `strict` where it is left out. */
  readonly profile?: Profile;
  /**
   * Profiles to audit besides, each with its litmus guests and the experiment's own guest under `full`. A row of another class than predicted,
   * a litmus that sees nothing, or a verdict that the guest's run belies fails the experiment.
   */
  readonly audit?: readonly Profile[];
  /** The first model prices the reports. */
  readonly costs: readonly CostModel[];
  /** Name of the mark whose laps are compared; whole runs where it is left out. */
  readonly measure?: string;
  readonly reports: readonly Report[];
}

/** Known across copies of this module: an experiment may be made by one and run by another. */
const KIND = Symbol.for("trapline.experiment");

/** A checked experiment. */
export type Experiment = ExperimentOptions & { readonly [KIND]: true };

/**
 * Declares an experiment. Export it by default.
 *
 * @throws {RangeError} If it lists no technique, one twice, two guests of one name, or no cost model; or calls a technique unsound that it
 *   does not list.
 *
 * @example
 * export default experiment({
 *   question: "What does a null system call cost, and who pays for it?",
 *   guest: hutch.running("null-syscall 10000"),
 *   techniques: [native, full],
 *   costs: [inOrder],
 *   measure: "syscall",
 *   reports: [slowdown({ baseline: native }), exitsByReason()],
 * });
 */
export function experiment(options: ExperimentOptions): Experiment {
  const subjects = subjectsOf(options);
  for (const { techniques } of subjects) {
    if (techniques.length === 0)
      throw new RangeError("Cannot declare an experiment as it needs techniques: it lists none");
    const twice = repeated(techniques.map(techniqueLabel));
    if (twice !== undefined)
      throw new RangeError(`Cannot declare an experiment as each technique runs once: ${twice} is listed twice`);
  }
  const same = repeated(subjects.map(({ guest }) => guest.name));
  if (same !== undefined)
    throw new RangeError(
      `Cannot declare an experiment as names tell its guests apart: two are called ${same}; write { ...guest, name: "another" }`,
    );
  const stranger = options.unsound?.find((technique) =>
    subjects.every(({ techniques }) => !techniques.includes(technique)),
  );
  if (stranger !== undefined)
    throw new RangeError(
      `Cannot declare an experiment as what is unsound must be one of its techniques: ${techniqueLabel(stranger)} is not`,
    );
  if (options.costs.length === 0)
    throw new RangeError("Cannot declare an experiment as it needs a cost model: it lists none; say costs: [inOrder]");
  return { ...options, [KIND]: true };
}

/** The experiment's own guest, then the further ones. */
export function subjectsOf({
  guest,
  techniques,
  passThrough = [],
  also = [],
}: Pick<ExperimentOptions, "guest" | "techniques" | "passThrough" | "also">): readonly Subject[] {
  return [{ guest, techniques, passThrough }, ...also.map((further) => ({ techniques, ...further }))];
}

const repeated = (names: readonly string[]): string | undefined => names.find((name, at) => names.indexOf(name) !== at);

/** Whether a value is what `experiment` returned. */
export function isExperiment(value: unknown): value is Experiment {
  return typeof value === "object" && value !== null && (value as { [KIND]?: unknown })[KIND] === true;
}

/** A technique with its variant, as files and messages name it: `full`, `rewriting.trap`. */
export function techniqueLabel({ name, variant = "" }: Pick<Technique, "name" | "variant">): string {
  return variant === "" ? name : `${name}.${variant}`;
}
