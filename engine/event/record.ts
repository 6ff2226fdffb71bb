/**
 * How an event lies in the log: u32 words, laid out by the events table alone.
 *
 * A record is `kind | hart << 8`, the step's low word, its high word, then the fields in table order: a u32 in one word, a
 * u64 in two (low, high), a name as its number in the batch's names, bytes as their number in the batch's blobs.
 * Nothing else says how long a record is, so words without the table mean nothing.
 *
 * @module
 */

import { EVENTS, type Event, type EventKind, type FieldType, KINDS, type Stream } from "./event.ts";

/** One field of a record: which word it starts at, counted from the record's first word. */
export interface FieldPlace {
  readonly name: string;
  readonly type: FieldType;
  readonly at: number;
}

/** One kind's record. */
export interface RecordLayout {
  readonly kind: EventKind;
  readonly number: number;
  readonly stream: Stream;
  readonly fields: readonly FieldPlace[];
  /** Length in words, stamp included. */
  readonly words: number;
}

/** Words before the first field: kind and hart, step low, step high. */
export const STAMP_WORDS = 3;

/** A record's layout by its kind's number. */
export const LAYOUTS: readonly RecordLayout[] = KINDS.map((kind, number) => {
  let at = STAMP_WORDS;
  const fields = Object.entries<FieldType>(EVENTS[kind].fields).map(([name, type]) => {
    const place = { name, type, at };
    at += type === "u64" ? 2 : 1;
    return place;
  });
  return { kind, number, stream: EVENTS[kind].stream, fields, words: at };
});

/** Length in words of a record, by its kind's number; 0 where there is no such kind. */
export const RECORD_WORDS: Uint8Array = new Uint8Array(256);
/** 1 where the kind belongs to the guest stream, by its number. */
export const IS_GUEST: Uint8Array = new Uint8Array(256);
for (const { number, words, stream } of LAYOUTS) {
  RECORD_WORDS[number] = words;
  IS_GUEST[number] = stream === "guest" ? 1 : 0;
}

/** A kind's number: its row in the events table. */
export const KIND_NUMBER: Readonly<Record<EventKind, number>> = Object.fromEntries(
  KINDS.map((kind, number) => [kind, number]),
) as Record<EventKind, number>;

/** What was appended between two drains. Names are the log's whole table at that time. */
export interface LogBatch {
  readonly words: Uint32Array;
  readonly blobs: readonly Uint8Array[];
  readonly names: readonly string[];
}

/** The step of the record that starts at `at`. Exact, as steps stay below 2^53. */
export function stepAt(words: Uint32Array, at: number): number {
  return words[at + 2]! * 0x1_0000_0000 + words[at + 1]!;
}

/**
 * Reads the record that starts at word `at`.
 *
 * @throws {RangeError} If no kind has that number, or the batch ends inside the record, or a name or blob is not in the batch.
 */
export function eventAt(batch: LogBatch, at: number): Event {
  const { words, names, blobs } = batch;
  const first = words[at] ?? 0xff;
  const layout = LAYOUTS[first & 0xff];
  if (layout === undefined || at + layout.words > words.length) {
    throw new RangeError(
      `Cannot read a record as it must be whole and of a known kind: word ${at} of ${words.length} is 0x${first.toString(16)}`,
    );
  }
  const event: Record<string, unknown> = { kind: layout.kind, step: stepAt(words, at), hart: first >>> 8 };
  for (const field of layout.fields) {
    const word = words[at + field.at]!;
    switch (field.type) {
      case "u32":
        event[field.name] = word;
        break;
      case "u64":
        event[field.name] = (BigInt(words[at + field.at + 1]!) << 32n) | BigInt(word);
        break;
      case "name":
        event[field.name] = known(names[word], layout.kind, field.name, word);
        break;
      case "bytes":
        event[field.name] = known(blobs[word], layout.kind, field.name, word);
        break;
    }
  }
  return event as unknown as Event;
}

function known<T>(value: T | undefined, kind: string, field: string, number: number): T {
  if (value !== undefined) return value;
  throw new RangeError(`Cannot read ${kind} as ${field} must be in the batch: there is no number ${number}`);
}

/** The events of a batch, in order. */
export function* eventsOf(batch: LogBatch): Generator<Event, void, undefined> {
  let at = 0;
  while (at < batch.words.length) {
    yield eventAt(batch, at);
    at += RECORD_WORDS[batch.words[at]! & 0xff]!;
  }
}
