/**
 * Runs a recording again, under any technique, and compares the two guest streams event by event as they go. A technique that needs a port
 * of the guest runs that, and is compared by what users observe (`ported.ts`).
 *
 * The recording gives the machine, the inputs and the budget; where to checkpoint follows from the run itself (`drive.ts`). Nothing
 * else of the recording reaches the replayed machine, so that equal streams are two computations that agree (T22).
 *
 * @module
 */

import { type Event, leakNames, native, type Technique } from "../engine/mod.ts";
import { type Difference, formatDifference, GuestStreamComparer, type Trace, type TraceSink } from "../traces/mod.ts";
import type { FirstDifference, Identity } from "./comparison.ts";
import { RecordedInput } from "./console-input.ts";
import { unpackConsoleMarks } from "./console-marks.ts";
import { DivergenceError } from "./divergence.ts";
import { drive, type Tamper } from "./drive.ts";
import type { Guest } from "./guests/mod.ts";
import { profileNamed } from "./names.ts";
import type { Observation } from "./observable.ts";
import { portFor, replayPorted } from "./ported.ts";
import { OwnTrace, type RunResult, resultOf } from "./record.ts";
import { setUpAgain, storeOfGuest } from "./setup.ts";
import { SilenceWatch, withSilence } from "./silence.ts";
import type { ImageStore } from "./store.ts";

/** A recorded run with the images that it started from. A `Tape` is one. */
export interface Recording {
  trace(): Trace;
  readonly store: ImageStore;
}

export interface ReplayOptions {
  /** `native` where it is left out. */
  readonly technique?: Technique;
  /** Runs the technique even where the recording's profile lacks what it requires, to watch it fail. */
  readonly unsound?: boolean;
  /** Devices that the technique's VMM leaves to the guest: `disk`, or names of devices. */
  readonly passThrough?: readonly string[];
  /** Where the images come from, in place of the recording's store. They must be the recorded ones. */
  readonly guest?: Guest;
  /** Where the replay's own trace goes; in memory where it is left out. Null keeps none, which is faster. */
  readonly sink?: TraceSink | null;
  /** File names of the recording and of the replay's trace, for the command in a message. */
  readonly files?: { readonly recorded: string; readonly replayed: string };
  readonly onProgress?: (step: number) => void;
  /** For tests: a change behind the guest's back, which must be noticed. */
  readonly tamper?: Tamper;
  /** Watches what the guest's users observe. */
  readonly observation?: Observation;
}

/** A replayed run that is equal to its recording. */
export interface Replay extends RunResult {
  readonly identity: Identity;
  /** False where the recording was cut short: the replay is equal as far as that goes, and stopped there. */
  readonly complete: boolean;
  /** The replay's own trace. @throws {RangeError} If its bytes went to a sink of the caller's, or were not kept. */
  trace(): Trace;
  events(): Iterable<Event>;
}

/**
 * Replays a recording.
 *
 * @param recording What `record` returned, or `openRecording` opened.
 * @returns The replayed run.
 * @throws {DivergenceError} At the first difference, with both sides. An input that is left over or missing is one, and is said so.
 * @throws {RangeError} If an image is missing or another one than recorded.
 *
 * @example
 * const tape = await record({ guest });
 * const run = await replay(tape, { technique: full });
 */
export async function replay(recording: Recording, options: ReplayOptions = {}): Promise<Replay> {
  const technique = options.technique ?? native;
  const recorded = recording.trace();
  const port = portFor(recorded.header, technique);
  if (port !== undefined) return replayPorted(recording, port, technique, options);
  const store = options.guest === undefined ? recording.store : await storeOfGuest(options.guest);
  const { header, machine } = setUpAgain(recorded.header, store, technique, options);
  options.observation?.attach(machine);
  const names = namesOf(recorded, technique.name, options.files);
  const own = new OwnTrace(options.sink, header);
  const inputs = recorded.inputs();
  const end = recorded.end;
  // A person's leave ends a run as freely as a person's typing goes on with it: both are inputs.
  const input = new RecordedInput(inputs, end?.reason === "left" ? end.step : undefined);
  const comparer = new GuestStreamComparer(recorded.batches({ stream: "guest" }));
  const watch = leakNames(profileNamed(recorded.header.profile)).length > 0 ? new SilenceWatch() : undefined;
  const guestEvents = recorded.state === "prefix" ? recorded.index.guestEvents : Number.POSITIVE_INFINITY;

  const ending = await drive(machine, {
    checkpointEvery: header.checkpointEvery,
    maxSteps: header.maxSteps,
    input,
    consoleMarks: unpackConsoleMarks(header.settings.consoleMarks),
    onBatch(batch) {
      own.writer?.append(batch);
      watch?.feed(batch);
      options.observation?.feed(batch);
      // Behind the end of a recording that was cut short, one more event is no difference: the rest is not known.
      return comparer.feed(batch) === undefined && comparer.events < guestEvents;
    },
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
    ...(options.tamper === undefined ? {} : { tamper: options.tamper }),
  });
  own.writer?.finish();

  const cut = comparer.events >= guestEvents;
  const compared = comparer.finish();
  const result = resultOf(machine, ending ?? { reason: cut ? "cut" : "diverged", code: 0 });
  if (!compared.equal && !cut)
    throw new DivergenceError(
      withSilence(differenceOf(compared, names, inputProblem(inputs.length, compared)), watch?.found),
      result,
    );
  return {
    ...result,
    identity: { level: "exact", equal: true, firstDifference: null },
    complete: !cut,
    trace: () => own.read(),
    events: () => own.read().events(),
  };
}

interface DifferenceNames {
  readonly workload: string;
  readonly left: string;
  readonly right: string;
  /** The command that shows both sides, but for the event's number. */
  readonly diff: string | undefined;
}

/** What a difference's message calls its sides. Two runs under one technique need telling apart. */
export function namesOf(recorded: Trace, technique: string, files?: ReplayOptions["files"]): DifferenceNames {
  const { workload } = recorded.header;
  const left = recorded.header.technique;
  const same = left === technique;
  return {
    workload: workload === "" ? "the guest" : workload,
    left: same ? "recorded" : left,
    right: same ? "replayed" : technique,
    diff: files === undefined ? undefined : `trapline diff ${files.recorded} ${files.replayed}`,
  };
}

/** A difference of two streams as reports carry it. */
export function differenceOf(difference: Difference, names: DifferenceNames, remark = ""): FirstDifference {
  const next = names.diff === undefined ? {} : { next: `${names.diff} --around ${difference.index}` };
  const step = Math.min(...[difference.left, difference.right].map((event) => event?.step ?? Number.POSITIVE_INFINITY));
  return {
    event: difference.index,
    step: Number.isFinite(step) ? step : null,
    message:
      formatDifference(difference, { workload: names.workload, left: names.left, right: names.right, ...next }) +
      remark,
  };
}

/** What to add where a difference is about an input. */
function inputProblem(inputs: number, { left, right }: Difference): string {
  if (left?.kind === "input.console" && right?.kind !== "input.console") {
    return `\nThe recorded input at step ${left.step} was not consumed there (the recording has ${inputs}).`;
  }
  return "";
}
