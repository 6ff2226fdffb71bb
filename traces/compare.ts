/**
 * Comparison of two guest streams: what identity of two runs means, event by event, and where they first differ.
 *
 * Records are compared as words; events are made only for a difference that is reported. Everything in a guest record counts:
 * kind, step, hart and all fields. The machine stream is the technique's own: it is skipped, and shown beside a difference.
 *
 * Left out: observable identity (T19), where streams may differ in order and number.
 *
 * @module
 */

import {
  type Event,
  type EventOf,
  eventAt,
  IS_GUEST,
  KIND_NUMBER,
  LAYOUTS,
  type LogBatch,
  RECORD_WORDS,
} from "../engine/event/mod.ts";

/** Equal events shown before a difference, and machine events shown beside it. */
const SHOWN_BEFORE = 20;
const SHOWN_BESIDE = 8;
const CHECKPOINT = KIND_NUMBER.checkpoint;

/** The first place at which two guest streams are not equal. */
export interface Difference {
  readonly equal: false;
  /** Guest events before it; they are equal. */
  readonly index: number;
  /** The event of each side; undefined where that side has ended. Both are undefined where nothing was compared at all. */
  readonly left: Event | undefined;
  readonly right: Event | undefined;
  /** Up to 20 equal events before it, the last one last. */
  readonly before: readonly Event[];
  /** Up to 8 machine events of each side since the guest event before, where that side has any. */
  readonly leftMachine: readonly Event[];
  readonly rightMachine: readonly Event[];
  /** The last checkpoint that both sides agree on. */
  readonly checkpoint: EventOf<"checkpoint"> | undefined;
}

/** Two guest streams that are equal throughout, and how many events that was. At least one. */
export interface Equality {
  readonly equal: true;
  readonly events: number;
}

/**
 * The last few records seen. Of those in the present batch only the places are kept: most are never looked at, and events are
 * made of the last ones before the batch goes.
 */
class Recent {
  /** A power of two, so that a place's slot is cheap to find. */
  readonly #places = new Uint32Array(32);
  readonly #most: number;
  /** Records of the present batch. */
  #count = 0;
  #before: Event[] = [];

  /** @param most How many are of interest, at most 32. */
  constructor(most: number) {
    this.#most = most;
  }

  push(at: number): void {
    this.#places[this.#count++ & 31] = at;
  }

  clear(): void {
    this.#count = 0;
    if (this.#before.length > 0) this.#before = [];
  }

  /** Makes events of what is to be kept, as the batch is about to change. */
  leave(batch: LogBatch): void {
    if (this.#count === 0) return;
    this.#before = this.events(batch);
    this.#count = 0;
  }

  /** @param batch The present one. */
  events(batch: LogBatch): Event[] {
    const events: Event[] = [];
    for (let n = Math.max(0, this.#count - this.#most); n < this.#count; n++) {
      events.push(eventAt(batch, this.#places[n & 31]!));
    }
    return [...this.#before, ...events].slice(-this.#most);
  }
}

const NOTHING: LogBatch = { words: new Uint32Array(0), blobs: [], names: [] };

/** Where one side stands: at a guest record, or at the end of what it has. */
class Cursor {
  batch: LogBatch = NOTHING;
  at = 0;
  /** Machine records since the last guest record. */
  readonly machine = new Recent(SHOWN_BESIDE);

  /** The batch before may be gone afterwards. */
  load(batch: LogBatch): void {
    this.machine.leave(this.batch);
    this.batch = batch;
    this.at = 0;
  }

  /** Moves past machine records. False at the end of the batch. */
  settle(): boolean {
    const words = this.batch.words;
    while (this.at < words.length) {
      const number = words[this.at]! & 0xff;
      if (IS_GUEST[number] === 1) return true;
      const length = RECORD_WORDS[number]!;
      if (length === 0) eventAt(this.batch, this.at); // Throws: no kind has that number, so nothing behind it can be read.
      this.machine.push(this.at);
      this.at += length;
    }
    return false;
  }

  /** Moves past the guest record that it stands at. */
  advance(): void {
    this.machine.clear();
    this.at += RECORD_WORDS[this.batch.words[this.at]! & 0xff]!;
  }

  event(): Event {
    return eventAt(this.batch, this.at);
  }
}

/**
 * Compares a recorded guest stream with one that comes in batches, and holds no more of either than a few events need.
 *
 * @example
 * const comparer = new GuestStreamComparer(trace.batches({ stream: "guest" }));
 * while (running) machine.log.take((batch) => comparer.feed(batch));
 * const result = comparer.finish();
 */
export class GuestStreamComparer {
  readonly #recorded: Iterator<LogBatch>;
  readonly #left = new Cursor();
  readonly #right = new Cursor();
  readonly #before = new Recent(SHOWN_BEFORE);
  #checkpoint: EventOf<"checkpoint"> | undefined;
  #events = 0;
  #difference: Difference | undefined;

  /** @param recorded The left side, read as far as the right side has come. */
  constructor(recorded: Iterable<LogBatch>) {
    this.#recorded = recorded[Symbol.iterator]();
  }

  /** Guest events that were found equal so far. */
  get events(): number {
    return this.#events;
  }

  /** The first difference, once there is one. */
  get difference(): Difference | undefined {
    return this.#difference;
  }

  /**
   * Compares the events of the next batch of the right side, which is not kept. After a difference, batches are ignored.
   *
   * @returns The first difference, as soon as there is one.
   */
  feed(batch: LogBatch): Difference | undefined {
    if (this.#difference !== undefined) return this.#difference;
    const [left, right] = [this.#left, this.#right];
    right.load(batch);
    for (;;) {
      this.#skipEqual();
      if (!right.settle()) break;
      if (!this.#settleLeft() || !equalRecords(left.batch, left.at, right.batch, right.at)) return this.#differ();
      if ((left.batch.words[left.at]! & 0xff) === CHECKPOINT) this.#checkpoint = left.event() as EventOf<"checkpoint">;
      this.#before.push(left.at);
      left.advance();
      right.advance();
      this.#events++;
    }
    right.load(NOTHING);
    return undefined;
  }

  /** Moves both sides past events that are equal word by word: all but few are. */
  #skipEqual(): void {
    const [left, right, before] = [this.#left, this.#right, this.#before];
    const a = left.batch.words;
    const b = right.batch.words;
    let leftAt = left.at;
    let rightAt = right.at;
    let events = this.#events;
    while (leftAt < a.length && rightAt < b.length) {
      const first = b[rightAt]!;
      const number = first & 0xff;
      const length = RECORD_WORDS[number]!;
      if (IS_MACHINE[number] === 1) {
        right.machine.push(rightAt);
        rightAt += length;
        continue;
      }
      if (a[leftAt] !== first || IS_PLAIN[number] === 0) break;
      let word = 1;
      while (word < length && a[leftAt + word] === b[rightAt + word]) word++;
      if (word !== length) break;
      before.push(leftAt);
      left.machine.clear();
      right.machine.clear();
      leftAt += length;
      rightAt += length;
      events++;
    }
    left.at = leftAt;
    right.at = rightAt;
    this.#events = events;
  }

  /** Says that the right side has ended. What the left side still has is a difference, and so is nothing on both. */
  finish(): Equality | Difference {
    if (this.#difference !== undefined) return this.#difference;
    if (this.#settleLeft() || this.#events === 0) return this.#differ();
    return { equal: true, events: this.#events };
  }

  #settleLeft(): boolean {
    while (!this.#left.settle()) {
      // The next batch may lie where this one does.
      this.#before.leave(this.#left.batch);
      this.#left.load(NOTHING);
      const next = this.#recorded.next();
      if (next.done === true) return false;
      this.#left.load(next.value);
    }
    return true;
  }

  #differ(): Difference {
    const [left, right] = [this.#left, this.#right];
    this.#difference = {
      equal: false,
      index: this.#events,
      left: left.settle() ? left.event() : undefined,
      right: right.settle() ? right.event() : undefined,
      before: this.#before.events(left.batch),
      leftMachine: left.machine.events(left.batch),
      rightMachine: right.machine.events(right.batch),
      checkpoint: this.#checkpoint,
    };
    return this.#difference;
  }
}

/**
 * Compares two guest streams.
 *
 * @param left The side that is taken as given, in batches: a trace's `batches()`, or what a log was drained into.
 * @param right The other side.
 * @returns That they are equal, or their first difference.
 */
export function compareGuestStreams(left: Iterable<LogBatch>, right: Iterable<LogBatch>): Equality | Difference {
  const comparer = new GuestStreamComparer(left);
  for (const batch of right) if (comparer.feed(batch) !== undefined) break;
  return comparer.finish();
}

function equalRecords(left: LogBatch, leftAt: number, right: LogBatch, rightAt: number): boolean {
  const [a, b] = [left.words, right.words];
  if (a[leftAt] !== b[rightAt]) return false;
  const layout = LAYOUTS[a[leftAt]! & 0xff]!;
  if (!HAS_REFERENCES[layout.number]) {
    for (let i = 1; i < layout.words; i++) if (a[leftAt + i] !== b[rightAt + i]) return false;
    return true;
  }
  if (a[leftAt + 1] !== b[rightAt + 1] || a[leftAt + 2] !== b[rightAt + 2]) return false;
  for (const { type, at } of layout.fields) {
    const word = a[leftAt + at]!;
    const other = b[rightAt + at]!;
    if (type === "name") {
      if (left.names[word] !== right.names[other]) return false;
    } else if (type === "bytes") {
      if (!equalBytes(left.blobs[word]!, right.blobs[other]!)) return false;
    } else if (word !== other) return false;
    else if (type === "u64" && a[leftAt + at + 1] !== b[rightAt + at + 1]) return false;
  }
  return true;
}

/** By kind: whether a record's words are numbers of names or blobs, which differ from batch to batch. */
const HAS_REFERENCES = LAYOUTS.map(({ fields }) => fields.some(({ type }) => type === "name" || type === "bytes"));
/** By kind: 1 where it is a guest kind whose equality is that of its words, and nothing else is to be done about it. */
const IS_PLAIN = new Uint8Array(256);
const IS_MACHINE = new Uint8Array(256);
for (const { number, stream } of LAYOUTS) {
  IS_MACHINE[number] = stream === "machine" ? 1 : 0;
  IS_PLAIN[number] = stream === "guest" && number !== CHECKPOINT && !HAS_REFERENCES[number] ? 1 : 0;
}

function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, i) => byte === right[i]);
}
