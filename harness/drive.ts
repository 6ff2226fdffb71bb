/**
 * Drives a machine from reset to its end: the one loop behind record and replay.
 *
 * Where it stops to checkpoint follows from the run itself and from what the header says, so a replay stops at the same steps without
 * being told: every `checkpointEvery` steps, at a mark where 10^5 steps have passed since the last checkpoint, and at the end.
 * How the rest of the run is cut into slices changes nothing (T21).
 *
 * @module
 */

import type { LogBatch, Machine, MachineStop } from "../engine/mod.ts";
import type { ConsoleInput } from "./console-input.ts";
import { type ConsoleMark, ConsoleMarks } from "./console-marks.ts";

/** Fewest steps between a checkpoint and one that a mark asks for. */
export const MARK_CHECKPOINT_DISTANCE = 100_000;
/** Words of events that are taken at a time: what fits a cache is copied at a tenth of the cost of what does not. */
const LOG_WORDS = 24_000;
/** Longest slice, so that the log stays small between drains. */
const SLICE_STEPS = 2_000_000;

/** How a run ended. */
export interface Ending {
  /** `poweroff`, `reboot`, `panic`, `tohost`, `stopped` as the machine says; `idle-forever`; `budget`: the steps ran out; `left`: who typed left. */
  readonly reason: string;
  /** The guest's own exit code; 0 where it gave none. */
  readonly code: number;
  /** What the guest or the machine said last, where it did. */
  readonly message?: string;
}

/** A change made behind the guest's back, to prove that it is noticed (T22). */
export interface Tamper {
  /** The step before which it is made. */
  readonly atStep: number;
  apply(machine: Machine): void;
}

export interface DriveOptions {
  readonly checkpointEvery: number;
  /** The step budget (T5): the run ends `budget` there. */
  readonly maxSteps: number;
  readonly input: ConsoleInput;
  /** Texts that make marks. */
  readonly consoleMarks: readonly ConsoleMark[];
  /** Takes what was logged since the last call, and keeps none of its words. False ends the drive at once, without an ending. */
  onBatch(batch: LogBatch): boolean;
  /** Told of progress after each slice. */
  readonly onProgress?: (step: number) => void;
  readonly tamper?: Tamper;
}

/**
 * Runs a machine until it ends.
 *
 * @returns How it ended, or undefined where `onBatch` stopped it.
 * @throws {RangeError} If the machine goes beyond the step at which it was told to stop.
 */
export async function drive(machine: Machine, options: DriveOptions): Promise<Ending | undefined> {
  const { checkpointEvery, maxSteps, input, tamper } = options;
  let lastCheckpoint = machine.step;
  let nextCheckpoint = (Math.floor(machine.step / checkpointEvery) + 1) * checkpointEvery;
  let nextInput = machine.step;
  let tampered = tamper === undefined;

  const flush = (): boolean => machine.log.take((batch) => options.onBatch(batch));
  const checkpoint = (): void => {
    machine.checkpoint();
    lastCheckpoint = machine.step;
  };
  /** Gives the guest what there is for it now. Events so far are flushed first: an input's place among them is part of a recording. */
  const give = (waiting: boolean): boolean => {
    let given = false;
    for (;;) {
      const bytes = input.take({ step: machine.step, time: machine.time, waiting });
      if (bytes === undefined) break;
      machine.input(bytes);
      given = true;
      if (!flush()) return given;
    }
    nextInput = input.nextStop(machine.step);
    return given;
  };
  const marks = new ConsoleMarks(options.consoleMarks);
  machine.onConsole = (bytes) => {
    marks.heard(bytes);
    input.heard(bytes);
  };

  machine.logLimit = LOG_WORDS;
  let slicesSincePause = 0;
  for (;;) {
    if (!flush()) return undefined;
    if (machine.step >= nextInput) {
      give(false);
      if (!flush()) return undefined;
    }
    if (!tampered && machine.step === tamper!.atStep) {
      tamper!.apply(machine);
      tampered = true;
    }
    if (machine.step >= maxSteps) return finish({ reason: "budget", code: 0 });
    if (input.left?.(machine.step) === true) return finish({ reason: "left", code: 0 });

    const markDistance = lastCheckpoint + MARK_CHECKPOINT_DISTANCE;
    // A mark that begins one step short of the distance ends at it.
    machine.stopAtMarks = machine.step >= markDistance - 1;
    machine.stopAtConsole = input.listening || marks.watching;
    const stops = [machine.step + SLICE_STEPS, nextCheckpoint, maxSteps, nextInput];
    if (!machine.stopAtMarks) stops.push(markDistance - 1);
    if (!tampered) stops.push(tamper!.atStep);
    const until = Math.min(...stops.filter((step) => step > machine.step));
    const stop: MachineStop = machine.run(until);
    if (machine.step > until) {
      throw new RangeError(`Cannot go on as the machine must stop at step ${until}: it is at step ${machine.step}`);
    }
    options.onProgress?.(machine.step);
    const printed = marks.take();
    for (const code of printed) machine.log.append("mark", machine.step, { code });

    if (machine.step >= nextCheckpoint) {
      nextCheckpoint += checkpointEvery;
      if (stop.kind !== "end") checkpoint();
    } else if ((stop.kind === "mark" || printed.length > 0) && machine.step >= markDistance) {
      checkpoint();
    }
    if (stop.kind === "end") {
      return finish({
        reason: stop.reason,
        code: stop.code,
        ...(stop.message === undefined ? {} : { message: stop.message }),
      });
    }
    if (stop.kind === "console") {
      if (input.listening) nextInput = machine.step;
    } else if (stop.kind === "waiting") {
      if (!flush()) return undefined;
      if (!give(true)) {
        const more = input.more?.();
        if (more === undefined) return finish({ reason: "idle-forever", code: 0 });
        await more;
        if (!give(true) && input.more?.() === undefined) return finish({ reason: "idle-forever", code: 0 });
      }
    } else if (input.more !== undefined || ++slicesSincePause >= 64) {
      // Let timers and the keyboard have their turn.
      slicesSincePause = 0;
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  function finish(ending: Ending): Ending | undefined {
    machine.checkpoint();
    machine.log.append("end", machine.step, { reason: ending.reason, code: ending.code >>> 0 });
    return flush() ? ending : undefined;
  }
}
