/**
 * Chunks being read: rows and their order put together to records again, for the kinds that are wanted and no others.
 *
 * Whatever the bytes hold, reading ends in records that `eventAt` can read, or in a TraceFormatError.
 *
 * @module
 */

import { IS_GUEST, LAYOUTS, type LogBatch, RECORD_WORDS, type RecordLayout, STAMP_WORDS } from "../engine/event/mod.ts";
import { CHUNK_EVENTS } from "./chunk-builder.ts";
import { type Column, decodeColumn } from "./column.ts";
import { Shape, unpack } from "./message.ts";
import { ROW_WORDS } from "./row-table.ts";
import { TraceFormatError } from "./trace-format-error.ts";

const TWO_32 = 0x1_0000_0000;

/** Places where the order of the rows, or a step, is not as foretold; as they were stored. */
interface StoredExceptions {
  readonly count: number;
  readonly gaps: Uint8Array;
  readonly values: Uint8Array;
}

/** A chunk, unpacked; its columns are still as they were stored. */
export interface Chunk {
  /** Its place among the chunks. */
  readonly number: number;
  /** Events before it, of both streams and of the guest stream. */
  readonly first: number;
  readonly firstGuest: number;
  readonly stepBefore: number;
  /** Step of its first event. */
  readonly step: number;
  readonly events: number;
  readonly guestEvents: number;
  readonly names: readonly string[];
  readonly rows: number;
  readonly kinds: Uint8Array;
  readonly harts: Uint8Array;
  readonly fields: readonly { readonly kind: number; readonly columns: readonly Uint8Array[] }[];
  readonly order: StoredExceptions;
  readonly steps: StoredExceptions;
}

/** @throws {TraceFormatError} If the payload is no chunk. */
export function unpackChunk(payload: Uint8Array, number: number): Chunk {
  const shape = new Shape(unpack(payload, `chunk ${number}`), `chunk ${number}`);
  const exceptions = (key: string): StoredExceptions => {
    const [count, gaps, values, ...more] = shape.at(key).items();
    if (count === undefined || gaps === undefined || values === undefined || more.length > 0)
      throw new TraceFormatError(`${key} of chunk ${number} must be a number and two columns`, "it is not");
    return { count: count.whole(CHUNK_EVENTS), gaps: gaps.bytes(), values: values.bytes() };
  };
  return {
    number,
    first: shape.at("first").whole(),
    firstGuest: shape.at("firstGuest").whole(),
    stepBefore: shape.at("stepBefore").whole(),
    step: shape.at("step").whole(),
    events: shape.at("events").whole(CHUNK_EVENTS),
    guestEvents: shape.at("guestEvents").whole(CHUNK_EVENTS),
    names: shape
      .at("names")
      .items()
      .map((name) => name.text()),
    rows: shape.at("rows").whole(CHUNK_EVENTS),
    kinds: shape.at("kinds").bytes(),
    harts: shape.at("harts").bytes(),
    fields: shape
      .at("fields")
      .items()
      .map((row) => {
        const [kind, ...columns] = row.items();
        if (kind === undefined)
          throw new TraceFormatError(`fields of chunk ${number} must name their kind`, "a row is empty");
        return { kind: kind.whole(0xff), columns: columns.map((column) => column.bytes()) };
      }),
    order: exceptions("order"),
    steps: exceptions("steps"),
  };
}

/** Reads chunks, one after the other, into memory that it uses again. */
export class ChunkReader {
  readonly #knownKinds: number;
  /** The rows as records, `ROW_WORDS` apart. Row 0 stands before the first event, and nothing may be foretold from it. */
  #rows = new Uint32Array(0);
  /** By row: its length in words where its kind is wanted, or 0. */
  #lengths = new Uint8Array(0);
  /** By event from 1, as in the builder. */
  #order = new Uint16Array(0);
  #deltas = new Float64Array(0);
  #last = new Uint16Array(0);
  #words = new Uint32Array(0);

  /** @param knownKinds Kinds that the trace's own table of events has. */
  constructor(knownKinds: number) {
    this.#knownKinds = knownKinds;
  }

  /**
   * Reads a chunk's records of the wanted kinds; what is left out is not decoded.
   *
   * @param wanted By kind, 1 where it is wanted.
   * @returns The records. Their words are good until the next chunk is read.
   * @throws {TraceFormatError} If the chunk is not what it must be.
   */
  read(chunk: Chunk, wanted: Uint8Array): LogBatch {
    const blobs: Uint8Array[] = [];
    const longest = this.#readRows(chunk, wanted, blobs);
    const length = longest === 0 ? 0 : this.#readOrder(chunk, longest);
    return { words: this.#words.subarray(0, length), blobs, names: chunk.names };
  }

  /** Fills the rows and their lengths. @returns The length of the longest wanted row. */
  #readRows(chunk: Chunk, wanted: Uint8Array, blobs: Uint8Array[]): number {
    const { number, rows } = chunk;
    const numbers = decodeColumn(chunk.kinds, rows).low;
    const counts = new Uint32Array(LAYOUTS.length);
    for (let row = 0; row < rows; row++) {
      const kind = numbers[row]!;
      if (kind >= this.#knownKinds) {
        throw new TraceFormatError(
          `kinds of chunk ${number} must be below ${this.#knownKinds}`,
          `row ${row} is of kind ${kind}`,
        );
      }
      counts[kind]!++;
    }
    const present = [...counts.keys()].filter((kind) => counts[kind]! > 0 && LAYOUTS[kind]!.fields.length > 0);
    if (present.length !== chunk.fields.length || present.some((kind, i) => chunk.fields[i]!.kind !== kind)) {
      throw new TraceFormatError(
        `chunk ${number} must have the fields of each kind that occurs`,
        `kinds ${present} have fields ${chunk.fields.map((row) => row.kind)}`,
      );
    }
    if (this.#lengths.length <= rows) {
      this.#rows = new Uint32Array((rows + 1) * ROW_WORDS);
      this.#lengths = new Uint8Array(rows + 1);
      this.#last = new Uint16Array(rows + 1);
    }
    const harts = decodeColumn(chunk.harts, rows).low;
    let longest = 0;
    for (let row = 0; row < rows; row++) {
      const kind = numbers[row]!;
      const length = wanted[kind] === 1 ? RECORD_WORDS[kind]! : 0;
      longest = Math.max(longest, length);
      this.#lengths[row + 1] = length;
      this.#rows[(row + 1) * ROW_WORDS] = kind | (harts[row]! << 8);
    }
    for (const { kind, columns } of chunk.fields) {
      if (wanted[kind] !== 1) continue;
      const layout = LAYOUTS[kind]!;
      const read = readFields(layout, columns, counts[kind]!, chunk, blobs);
      for (let i = 0; i < read.length; i++) this.#spread(read[i]!, layout, i, numbers, rows);
    }
    return longest;
  }

  /** Puts a column's values into the rows of its kind. */
  #spread({ low, high }: Column, layout: RecordLayout, field: number, numbers: Uint32Array, rows: number): void {
    const { at, type } = layout.fields[field]!;
    const words = this.#rows;
    let value = 0;
    for (let row = 0; row < rows; row++) {
      if (numbers[row] !== layout.number) continue;
      const place = (row + 1) * ROW_WORDS + at;
      words[place] = low[value]!;
      if (type === "u64") words[place + 1] = high[value]!;
      value++;
    }
  }

  /** Lays the rows out in their order. @returns How many words that took. */
  #readOrder(chunk: Chunk, longest: number): number {
    const { events } = chunk;
    if (this.#order.length <= events) {
      this.#order = new Uint16Array(events + 1);
      this.#deltas = new Float64Array(events + 1);
    }
    if (this.#words.length < events * longest) this.#words = new Uint32Array(events * longest);
    const newRows = exceptionsOf(chunk.order, "order", chunk);
    const newSteps = exceptionsOf(chunk.steps, "steps", chunk);
    const rows = this.#rows;
    const lengths = this.#lengths;
    const order = this.#order;
    const deltas = this.#deltas;
    const last = this.#last;
    const words = this.#words;
    let known = 0;
    let match = 0;
    let nextOrder = 0;
    let orderAt = newRows.count > 0 ? newRows.events[0]! : events;
    let nextStep = 0;
    let stepAt = newSteps.count > 0 ? newSteps.events[0]! : events;
    let step = chunk.stepBefore;
    let guestStep = 0;
    let guests = 0;
    let at = 0;
    for (let event = 0; event < events; event++) {
      let row = order[match]!;
      if (event === orderAt) {
        const back = newRows.low[nextOrder]!;
        if (newRows.high[nextOrder] !== 0 || back > known || (back === 0 && known === chunk.rows)) {
          throw new TraceFormatError(
            `order of chunk ${chunk.number} must stay among its ${chunk.rows} rows`,
            `event ${event} goes back by ${back} of ${known}`,
          );
        }
        if (back === 0) row = ++known;
        else {
          row = known + 1 - back;
          match = last[row]!;
        }
        orderAt = ++nextOrder < newRows.count ? newRows.events[nextOrder]! : events;
      } else if (row === 0) {
        throw new TraceFormatError(`order of chunk ${chunk.number} must begin with a row`, `event ${event} has none`);
      }
      let delta = deltas[match]!;
      if (event === stepAt) {
        delta = (newSteps.high[nextStep]! | 0) * TWO_32 + newSteps.low[nextStep]!;
        stepAt = ++nextStep < newSteps.count ? newSteps.events[nextStep]! : events;
      }
      step += delta;
      match++;
      order[event + 1] = row;
      deltas[event + 1] = delta;
      last[row] = event + 1;
      const place = row * ROW_WORDS;
      const first = rows[place]!;
      if (IS_GUEST[first & 0xff] === 1) {
        if (step < guestStep) refuseStep(chunk, event, step);
        guestStep = step;
        guests++;
      }
      if (step < 0 || step > Number.MAX_SAFE_INTEGER) refuseStep(chunk, event, step);
      const length = lengths[row]!;
      if (length === 0) continue;
      words[at] = first;
      words[at + 1] = step;
      words[at + 2] = step / TWO_32;
      for (let word = STAMP_WORDS; word < length; word++) words[at + word] = rows[place + word]!;
      at += length;
    }
    if (known !== chunk.rows || guests !== chunk.guestEvents) {
      throw new TraceFormatError(
        `chunk ${chunk.number} must count its rows and guest events`,
        `it has ${known} and ${guests} and says ${chunk.rows} and ${chunk.guestEvents}`,
      );
    }
    return at;
  }
}

function refuseStep(chunk: Chunk, event: number, step: number): never {
  throw new TraceFormatError(
    `chunk ${chunk.number} must have steps from 0 to 2^53 - 1, and those of its guest stream never go back`,
    `event ${event} has step ${step}`,
  );
}

/** Exceptions with the event of each. */
interface ReadExceptions {
  readonly count: number;
  readonly events: Uint32Array;
  readonly low: Uint32Array;
  readonly high: Uint32Array;
}

function exceptionsOf({ count, gaps, values }: StoredExceptions, name: string, chunk: Chunk): ReadExceptions {
  const events = decodeColumn(gaps, count);
  let next = 0;
  for (let i = 0; i < count; i++) {
    next += events.high[i]! * TWO_32 + events.low[i]!;
    if (next >= chunk.events) {
      throw new TraceFormatError(
        `${name} of chunk ${chunk.number} must be of its ${chunk.events} events`,
        `it is of event ${next}`,
      );
    }
    events.low[i] = next++;
  }
  const { low, high } = decodeColumn(values, count);
  return { count, events: events.low, low, high };
}

/** The columns of one kind. Those of bytes fields become numbers of blobs, which are added to `blobs`. */
function readFields(
  layout: RecordLayout,
  stored: readonly Uint8Array[],
  count: number,
  chunk: Chunk,
  blobs: Uint8Array[],
): Column[] {
  let next = 0;
  const take = (): Uint8Array => {
    const column = stored[next++];
    if (column !== undefined) return column;
    throw new TraceFormatError(
      `${layout.kind} of chunk ${chunk.number} must have all its columns`,
      `it has ${stored.length}`,
    );
  };
  const columns = layout.fields.map(({ name, type }) => {
    const column = decodeColumn(take(), count);
    if (type === "u64") return column;
    const data = type === "bytes" ? take() : undefined;
    const limit = type === "name" ? chunk.names.length : data === undefined ? TWO_32 : data.length + 1;
    for (let row = 0; row < count; row++) {
      if (column.high[row] !== 0 || column.low[row]! >= limit) {
        throw new TraceFormatError(
          `${layout.kind}.${name} of chunk ${chunk.number} must be below ${limit}`,
          `row ${row} is ${column.high[row]! * TWO_32 + column.low[row]!}`,
        );
      }
    }
    if (data !== undefined) cutBlobs(column, data, blobs, `${layout.kind}.${name} of chunk ${chunk.number}`);
    return column;
  });
  if (next !== stored.length) {
    throw new TraceFormatError(
      `${layout.kind} of chunk ${chunk.number} must have ${next} columns`,
      `it has ${stored.length}`,
    );
  }
  return columns;
}

function cutBlobs(lengths: Column, data: Uint8Array, blobs: Uint8Array[], place: string): void {
  let at = 0;
  for (let row = 0; row < lengths.length; row++) {
    const length = lengths.low[row]!;
    // A copy: the trace's bytes stay the caller's.
    lengths.low[row] = blobs.push(new Uint8Array(data.subarray(at, at + length))) - 1;
    at += length;
  }
  if (at !== data.length)
    throw new TraceFormatError(`${place} must have the bytes that its lengths say`, `${data.length} for ${at}`);
}
