/**
 * Records a run: inputs, the guest stream and checkpoints, with all that is needed to run it again.
 *
 * @module
 */

import { type Event, native } from "../engine/mod.ts";
import {
  readTrace,
  type Trace,
  type TraceHeader,
  type TraceInput,
  type TraceSink,
  TraceWriter,
} from "../traces/mod.ts";
import { type ConsoleInput, NO_INPUT, ScriptedInput } from "./console-input.ts";
import { unpackConsoleMarks } from "./console-marks.ts";
import { drive, type Ending } from "./drive.ts";
import type { Guest } from "./guests/mod.ts";
import { parseInputScript } from "./input-script.ts";
import { type RecordingSettings, setUp } from "./setup.ts";
import { type ImageStore, memoryStore } from "./store.ts";

/** What a run came to, whether it was recorded or replayed. */
export interface RunResult {
  /** Digest of the final state (T18), in 32 hexadecimal digits. */
  readonly digest: string;
  readonly instret: number;
  readonly steps: number;
  readonly ending: Ending;
  /** All that the guest wrote to its console. */
  readonly console: Uint8Array;
}

export interface RecordOptions extends RecordingSettings {
  readonly guest: Guest;
  /** What to type; the guest's own script where it has one. */
  readonly input?: ConsoleInput;
  /** Where the trace's bytes go; they stay in memory where it is left out. */
  readonly sink?: TraceSink;
  /** Where the guest's images are kept; in memory where it is left out. */
  readonly store?: ImageStore;
  /** Told the step that the run has reached, now and then. */
  readonly onProgress?: (step: number) => void;
}

/** A recorded run. */
export interface Tape extends RunResult {
  /** What the input script still waited for at the end, where it did. */
  readonly unfinished: string | undefined;
  /** Where the guest's images are. */
  readonly store: ImageStore;
  /** The trace, opened. @throws {RangeError} If its bytes went to a sink of the caller's. */
  trace(): Trace;
  /** The recorded inputs, with the position of each. */
  inputs(): readonly TraceInput[];
  /** All events, of both streams, in order. */
  events(): Iterable<Event>;
}

/** Bytes kept in memory. */
export class MemorySink implements TraceSink {
  readonly #pieces: Uint8Array[] = [];

  write(bytes: Uint8Array): void {
    this.#pieces.push(bytes);
  }

  /** All that was written. */
  bytes(): Uint8Array {
    const whole = new Uint8Array(this.#pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of this.#pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }
}

/**
 * Runs a guest and records it.
 *
 * @param options The guest; and the technique (`native`), the settings that the recording keeps, the input, and where it all goes.
 * @returns The recorded run. A guest that fails is recorded like any other: see its `ending`.
 * @throws {RangeError} If a setting or an image is not what it must be; nothing is written then.
 *
 * @example
 * const tape = await record({ guest: hutch.running("null-syscall 1000") });
 * console.log(tape.steps, tape.digest);
 */
export async function record(options: RecordOptions): Promise<Tape> {
  const { guest } = options;
  const input =
    options.input ??
    (guest.input === undefined
      ? NO_INPUT
      : new ScriptedInput(parseInputScript(guest.input, `the script of ${guest.name}`)));
  const store = options.store ?? memoryStore();
  const { header, machine } = await setUp(guest, { technique: native, ...options }, store);
  const own = new OwnTrace(options.sink, header);
  const ending = await drive(machine, {
    checkpointEvery: header.checkpointEvery,
    maxSteps: header.maxSteps,
    input,
    consoleMarks: unpackConsoleMarks(header.settings.consoleMarks),
    onBatch(batch) {
      own.writer?.append(batch);
      return true;
    },
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
  });
  own.writer?.finish();
  return {
    ...resultOf(machine, ending!),
    unfinished: input.unfinished(),
    store,
    trace: () => own.read(),
    inputs: () => own.read().inputs(),
    events: () => own.read().events(),
  };
}

/** The trace that a run leaves: in memory, unless its bytes go to a sink of the caller's, or nowhere. */
export class OwnTrace {
  /** Undefined where none is kept. */
  readonly writer: TraceWriter | undefined;
  readonly #memory: MemorySink | undefined;

  /** @param sink Null keeps no trace. */
  constructor(sink: TraceSink | null | undefined, header: TraceHeader) {
    this.#memory = sink === undefined ? new MemorySink() : undefined;
    const target = this.#memory ?? sink ?? null;
    this.writer = target === null ? undefined : new TraceWriter(target, header);
  }
  /** @throws {RangeError} If its bytes are not in memory. */
  read(): Trace {
    if (this.#memory !== undefined) return readTrace(this.#memory.bytes());
    throw new RangeError(
      this.writer === undefined
        ? "Cannot read the replay as its trace must be kept: its sink is null; replay it with another, or with none"
        : "Cannot read the run as its bytes must be in memory: they went to a sink; open what that sink wrote",
    );
  }
}

/** What a machine has come to at the end of a drive. */
export function resultOf(
  machine: {
    readonly instret: number;
    readonly step: number;
    readonly console: Uint8Array;
    digest(): { low: bigint; high: bigint };
  },
  ending: Ending,
): RunResult {
  return {
    digest: hexDigest(machine.digest()),
    instret: machine.instret,
    steps: machine.step,
    ending,
    console: machine.console.slice(),
  };
}

/** A digest in 32 hexadecimal digits, the high half first. */
export function hexDigest({ low, high }: { readonly low: bigint; readonly high: bigint }): string {
  return high.toString(16).padStart(16, "0") + low.toString(16).padStart(16, "0");
}
