/**
 * Where a run's console input comes from: a script, a person, a recording, or nowhere.
 *
 * Whatever the source, bytes reach the guest only between two steps (T7), and the machine logs the step. A replay needs the
 * log alone: it gives the same bytes at the same step.
 *
 * @module
 */

import { quote, type Statement } from "./input-script.ts";

/** When a source is asked. */
export interface Moment {
  readonly step: number;
  /** Guest time: steps plus idle. */
  readonly time: number;
  /** The guest waits for an interrupt, and only input can bring one. */
  readonly waiting: boolean;
}

/** A source of console input. The run asks it at slice ends. */
export interface ConsoleInput {
  /** The next step at which the run must stop and ask again, however far that is; Infinity for never. Always beyond `step`. */
  nextStop(step: number): number;
  /** Whether to ask again behind each instruction that prints. */
  readonly listening: boolean;
  /** Tells what the guest has written since the last call. */
  heard(bytes: Uint8Array): void;
  /** Bytes to give to the guest now, or undefined. Asked again until undefined. */
  take(at: Moment): Uint8Array | undefined;
  /** Resolves when more may have come from outside; undefined where nothing more can come by waiting. */
  more?(): Promise<void> | undefined;
  /** Whether the run is to end here, as who gives the input has left. */
  left?(step: number): boolean;
  /** What is left undone, for a message; undefined when all was done. Asked at the run's end. */
  unfinished(): string | undefined;
}

/** No input. */
export const NO_INPUT: ConsoleInput = {
  nextStop: () => Number.POSITIVE_INFINITY,
  listening: false,
  heard: () => undefined,
  take: () => undefined,
  unfinished: () => undefined,
};

/** Plays a script. `expect` looks at what was written since the last text that was found, behind each instruction that prints. */
export class ScriptedInput implements ConsoleInput {
  readonly #statements: readonly Statement[];
  #at = 0;
  /** Step at which the current `wait` ends; undefined before it has begun. */
  #waitEnd: number | undefined;
  #unread: number[] = [];

  constructor(statements: readonly Statement[]) {
    this.#statements = statements;
  }

  get listening(): boolean {
    return this.#statements[this.#at]?.kind === "expect";
  }

  nextStop(step: number): number {
    // Asked after `take`, so a wait at hand has begun.
    return this.#waitEnd !== undefined && this.#waitEnd > step ? this.#waitEnd : Number.POSITIVE_INFINITY;
  }

  heard(bytes: Uint8Array): void {
    if (this.#at >= this.#statements.length) return;
    for (const byte of bytes) this.#unread.push(byte);
  }

  take({ step, waiting }: Moment): Uint8Array | undefined {
    for (;;) {
      const statement = this.#statements[this.#at];
      if (statement === undefined) return undefined;
      if (statement.kind === "send") {
        this.#at++;
        return statement.text;
      }
      if (statement.kind === "wait") {
        this.#waitEnd ??= step + statement.steps;
        // A guest that waits for input makes no steps, so the rest of the wait would never go by.
        if (step < this.#waitEnd && !waiting) return undefined;
        this.#waitEnd = undefined;
      } else {
        const end = endOf(this.#unread, statement.text);
        if (end < 0) return undefined;
        this.#unread = this.#unread.slice(end);
      }
      this.#at++;
    }
  }

  unfinished(): string | undefined {
    const statement = this.#statements[this.#at];
    if (statement === undefined) return undefined;
    const text = statement.kind === "wait" ? String(statement.steps) : quote(statement.text);
    return `line ${statement.line}, ${statement.kind} ${text}`;
  }
}

/** Where the first `text` in `bytes` ends, or -1. */
function endOf(bytes: readonly number[], text: Uint8Array): number {
  for (let at = 0; at + text.length <= bytes.length; at++) {
    let same = 0;
    while (same < text.length && bytes[at + same] === text[same]) same++;
    if (same === text.length) return at + same;
  }
  return -1;
}

/** How far a run goes before it looks at the keyboard again. */
const LIVE_EVERY = 1_000_000;

/** A person at the console. The bytes come in from outside, whenever; the step they land at is recorded. */
export class LiveInput implements ConsoleInput {
  readonly listening = false;
  readonly #pending: Uint8Array[] = [];
  readonly #show: (bytes: Uint8Array) => void;
  #wake: (() => void) | undefined;
  #closed = false;
  #left = false;

  /** @param show Called with what the guest writes. */
  constructor(show: (bytes: Uint8Array) => void) {
    this.#show = show;
  }

  /** Bytes were typed. */
  typed(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#pending.push(bytes.slice());
    this.#wake?.();
  }

  /** Ends the run at the next chance. */
  leave(): void {
    this.#left = true;
    this.close();
  }

  left(): boolean {
    return this.#left;
  }

  /** Nobody types any more. */
  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  nextStop(step: number): number {
    return step + LIVE_EVERY;
  }

  heard(bytes: Uint8Array): void {
    this.#show(bytes);
  }

  take(): Uint8Array | undefined {
    return this.#pending.shift();
  }

  more(): Promise<void> | undefined {
    if (this.#pending.length > 0) return Promise.resolve();
    if (this.#closed) return undefined;
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  unfinished(): undefined {
    return undefined;
  }
}

/** One recorded input: the bytes, and when they came. Idle time passes at one step, so both are needed. */
export interface RecordedBytes {
  readonly step: number;
  readonly time: number;
  readonly data: Uint8Array;
}

/** Gives a recording's bytes at their recorded steps, in order. */
export class RecordedInput implements ConsoleInput {
  readonly listening = false;
  readonly #inputs: readonly RecordedBytes[];
  readonly #leaveAt: number | undefined;
  #at = 0;

  /** @param leaveAt The step at which whoever typed left, which ended the run. */
  constructor(inputs: readonly RecordedBytes[], leaveAt?: number) {
    this.#inputs = inputs;
    this.#leaveAt = leaveAt;
  }

  nextStop(step: number): number {
    const steps = [this.#inputs[this.#at]?.step, this.#leaveAt].filter(
      (at) => at !== undefined && at > step,
    ) as number[];
    return Math.min(Number.POSITIVE_INFINITY, ...steps);
  }

  left(step: number): boolean {
    return step === this.#leaveAt && this.#at === this.#inputs.length;
  }

  heard(): void {
    // A recording does not listen.
  }

  take({ step, time }: Moment): Uint8Array | undefined {
    const next = this.#inputs[this.#at];
    if (next === undefined || next.step !== step || next.time !== time) return undefined;
    this.#at++;
    return next.data;
  }

  unfinished(): string | undefined {
    const next = this.#inputs[this.#at];
    if (next === undefined) return undefined;
    return `input ${this.#at + 1} of ${this.#inputs.length}, ${quote(next.data)} at step ${next.step}`;
  }
}
