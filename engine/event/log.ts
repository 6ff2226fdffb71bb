/**
 * The log of a running machine: an append-only buffer of u32 words, emptied by whoever keeps the events.
 *
 * The engine appends at fixed points; the harness takes what there is between slices. What it is given depends on when it was called,
 * the concatenation of all batches does not. The buffer grows, as a slice may hold any number of events and none may be lost.
 *
 * Left out: more than one hart at a time (`hart` stamps what is appended next), and dropping or sampling of events.
 *
 * @module
 */

import type { EVENTS, EventKind, FieldType } from "./event.ts";
import { KIND_NUMBER, LAYOUTS, type LogBatch, RECORD_WORDS } from "./record.ts";

interface AcceptedValues {
  readonly u32: number;
  /** A number where it is exact, so at most 2^53 - 1; a bigint is taken modulo 2^64. */
  readonly u64: number | bigint;
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The fields that `append` takes for a kind: as in its event, but a u64 may be a plain number. */
export type FieldsOf<K extends EventKind> = {
  readonly [F in keyof (typeof EVENTS)[K]["fields"]]: (typeof EVENTS)[K]["fields"][F] extends FieldType
    ? AcceptedValues[(typeof EVENTS)[K]["fields"][F]]
    : never;
};

const TWO_32 = 0x1_0000_0000;
const FIRST_WORDS = 1 << 14;
/** No record is longer, so one check of the room left serves a whole record. */
const MOST_WORDS = 16;

export class Log {
  /** Where false, appending does nothing; names are still numbered, so that numbers kept by the engine stay valid. */
  readonly enabled: boolean;
  /** The hart of what is appended next. */
  hart = 0;
  /** Records appended since the log was made, taken or not. */
  count = 0;

  #words: Uint32Array;
  #length = 0;
  #blobs: Uint8Array[] = [];
  readonly #names: string[] = [];
  readonly #numbers = new Map<string, number>();
  #drainedNames: readonly string[] = [];

  /** @param options `enabled: false` makes a log that stays empty. */
  constructor(options: { readonly enabled: boolean }) {
    this.enabled = options.enabled;
    this.#words = new Uint32Array(options.enabled ? FIRST_WORDS : 0);
  }

  /** Words that the next `take` lends. */
  get length(): number {
    return this.#length;
  }

  /** Names by number, in the order in which they were first asked for. */
  get names(): readonly string[] {
    return this.#names;
  }

  /** The number of a name, for `appendWords`. Ask once and keep it where events are hot. */
  name(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const number = this.#names.push(text) - 1;
    this.#numbers.set(text, number);
    return number;
  }

  /**
   * Appends one event, its fields by name.
   *
   * @param step Steps since reset at which it happened (T1).
   * @param fields As the events table lists them; bytes are copied.
   * @throws {RangeError} If a number is negative, not whole or too large for its field.
   *
   * @example log.append("device.read", step, { device: "uart", offset: 5, size: 1, value: 0x60 });
   */
  append<K extends EventKind>(kind: K, step: number, fields: FieldsOf<K>): void {
    if (!this.enabled) return;
    const layout = LAYOUTS[KIND_NUMBER[kind]]!;
    const values = fields as Readonly<Record<string, number | bigint | string | Uint8Array>>;
    const start = this.#start(layout.number, step);
    const words = this.#words;
    const blobs = this.#blobs.length;
    for (const { name, type, at } of layout.fields) {
      const value = values[name]!;
      if (type === "name") words[start + at] = this.name(value as string);
      else if (type === "bytes") words[start + at] = this.#blobs.push((value as Uint8Array).slice()) - 1;
      else if (typeof value === "bigint" && type === "u64") {
        words[start + at] = Number(BigInt.asUintN(32, value));
        words[start + at + 1] = Number(BigInt.asUintN(32, value >> 32n));
      } else {
        const limit = type === "u32" ? TWO_32 - 1 : Number.MAX_SAFE_INTEGER;
        if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > limit) {
          this.#blobs.length = blobs;
          throw new RangeError(
            `Cannot append ${kind} at step ${step} as ${name} must be a whole number from 0 to ${limit}: it is ${String(value)}`,
          );
        }
        words[start + at] = value;
        if (type === "u64") words[start + at + 1] = value / TWO_32;
      }
    }
    this.#length = start + layout.words;
    this.count++;
  }

  /**
   * Appends one event as raw words, without allocating: the path of the hot events.
   *
   * @param kind The kind's number, `KIND_NUMBER["guest.trap"]`; words beyond that kind's length are ignored.
   * @param step Steps since reset at which it happened (T1).
   * @param w0 The first field's word; the rest follow in table order, a u64 as its low then its high word, a name as `name()` gave it. Taken modulo 2^32.
   */
  appendWords(
    kind: number,
    step: number,
    w0 = 0,
    w1 = 0,
    w2 = 0,
    w3 = 0,
    w4 = 0,
    w5 = 0,
    w6 = 0,
    w7 = 0,
    w8 = 0,
    w9 = 0,
    w10 = 0,
    w11 = 0,
  ): void {
    if (!this.enabled) return;
    const at = this.#start(kind, step);
    const words = this.#words;
    words[at + 3] = w0;
    words[at + 4] = w1;
    words[at + 5] = w2;
    words[at + 6] = w3;
    const length = RECORD_WORDS[kind]!;
    if (length > 7) {
      words[at + 7] = w4;
      words[at + 8] = w5;
      words[at + 9] = w6;
      if (length > 10) {
        words[at + 10] = w7;
        words[at + 11] = w8;
        words[at + 12] = w9;
        words[at + 13] = w10;
        words[at + 14] = w11;
      }
    }
    this.#length = at + length;
    this.count++;
  }

  /**
   * Lends what was appended since the last time, without a copy, and leaves the log empty.
   *
   * @param consume Gets the batch. Its words and names are the log's own, and good until `consume` returns; its blobs may be kept.
   * @returns What `consume` returns.
   */
  take<T>(consume: (batch: LogBatch) => T): T {
    const taken = this.#length;
    const batch = { words: this.#words.subarray(0, taken), blobs: this.#blobs, names: this.#names };
    if (this.#blobs.length > 0) this.#blobs = [];
    try {
      return consume(batch);
    } finally {
      // None may be lost, not even one that was appended in the meantime.
      if (this.#length > taken) this.#words.copyWithin(0, taken, this.#length);
      this.#length -= taken;
    }
  }

  /** As {@link take}, but gives a batch that is the caller's to keep. */
  drain(): LogBatch {
    return this.take(({ words, blobs, names }) => {
      if (this.#drainedNames.length !== names.length) this.#drainedNames = names.slice();
      return { words: words.slice(), blobs, names: this.#drainedNames };
    });
  }

  /** Makes room for a record and writes its stamp; the caller moves the length. */
  #start(kind: number, step: number): number {
    const at = this.#length;
    if (at + MOST_WORDS > this.#words.length) {
      const larger = new Uint32Array(this.#words.length * 2);
      larger.set(this.#words.subarray(0, at));
      this.#words = larger;
    }
    this.#words[at] = kind | (this.hart << 8);
    this.#words[at + 1] = step;
    this.#words[at + 2] = step / TWO_32;
    return at;
  }
}
