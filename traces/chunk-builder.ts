/**
 * Chunks being written: the distinct records as rows, and the order in which they follow each other.
 *
 * Most records are what followed last time: for those nothing is stored. `format.md` says how the next row and step are foretold;
 * `chunk.ts` foretells them in the same way.
 *
 * A chunk is full after a number of events, or of bytes in bytes fields, whatever batches they came in: so a trace's bytes do
 * not depend on when the log was drained. Each chunk can be read without the others: it has its own names.
 *
 * @module
 */

import {
  type EventOf,
  eventAt,
  IS_GUEST,
  KIND_NUMBER,
  LAYOUTS,
  type LogBatch,
  RECORD_WORDS,
  STAMP_WORDS,
  stepAt,
} from "../engine/event/mod.ts";
import { ByteWriter } from "./byte-writer.ts";
import { Column, encodeColumn } from "./column.ts";
import { type Message, pack } from "./message.ts";
import { ROW_GUEST, ROW_LENGTH, ROW_WORDS, RowTable } from "./row-table.ts";
import type { Checkpoint } from "./trace-index.ts";

/** Events in a chunk, the last one apart. */
export const CHUNK_EVENTS = 1 << 14;
/** A chunk also ends with the event whose bytes field brings it to this many bytes. */
export const CHUNK_BLOB_BYTES = 1 << 20;

const TWO_32 = 0x1_0000_0000;
const CHECKPOINT = KIND_NUMBER.checkpoint;
/** By kind: whether equal words are an equal record. Numbers of blobs are not, and each checkpoint is noted for the index. */
const ALIKE = LAYOUTS.map(
  ({ number, fields }) => number !== CHECKPOINT && fields.every(({ type }) => type !== "bytes"),
);

/** What a finished chunk holds, for the index. */
export interface ChunkSummary {
  /** Step of its first event. */
  readonly step: number;
  readonly events: number;
  readonly guestEvents: number;
}

/** What is not as foretold: how many events before it were, and what there is instead. */
class Exceptions {
  readonly gaps = new Column();
  readonly values = new Column();
  /** The event after the last exception. */
  next = 0;

  push(event: number, low: number, high: number): void {
    this.gaps.push(event - this.next, 0);
    this.values.push(low, high);
    this.next = event + 1;
  }
}

export class ChunkBuilder {
  readonly #capacity: number;
  readonly #rows: RowTable;
  /** Rows and steps since the event before, by event from 1; an event 0 that is like none stands before them. */
  readonly #order: Uint16Array;
  readonly #deltas: Float64Array;
  /** By row, the last event that had it. */
  readonly #last: Uint16Array;
  readonly #orderExceptions = new Exceptions();
  readonly #stepExceptions = new Exceptions();
  readonly #kinds = new Column();
  readonly #harts = new Column();
  readonly #columns: readonly (readonly Column[])[] = LAYOUTS.map(({ fields }) => fields.map(() => new Column()));
  readonly #out = new ByteWriter();
  #blobs: Uint8Array[] = [];
  #blobBytes = 0;

  /** Names by the numbers that records here have, over all chunks. */
  readonly #names: string[] = [];
  #adopted: readonly string[] = [];

  // Before this chunk.
  #eventsBefore = 0;
  #guestsBefore = 0;
  #stepBefore = 0;
  // In this chunk.
  #events = 0;
  #guests = 0;
  /** The event after which the next one is expected to be like the one that followed. */
  #match = 0;
  #step = 0;
  #guestStep = 0;
  #checkpoints: Checkpoint[] = [];

  /** @param capacity Events after which it is full. */
  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#rows = new RowTable(capacity);
    this.#order = new Uint16Array(capacity + 1);
    this.#deltas = new Float64Array(capacity + 1);
    this.#last = new Uint16Array(capacity + 1);
  }

  get length(): number {
    return this.#events;
  }

  /** Events added so far, in this chunk and before it. */
  get events(): number {
    return this.#eventsBefore + this.#events;
  }

  get guestEvents(): number {
    return this.#guestsBefore + this.#guests;
  }

  get full(): boolean {
    return this.#events >= this.#capacity || this.#blobBytes >= CHUNK_BLOB_BYTES;
  }

  /**
   * Takes over the names of a batch that is to be added.
   *
   * @returns The batch; or, where its names have other numbers than those of the batches before, one with the numbers of those.
   * @throws {RangeError} If a record has a name that the batch does not have.
   */
  adopt(batch: LogBatch): LogBatch {
    const { names } = batch;
    const own = this.#names;
    // A log's names keep their numbers and only become more.
    if (names === this.#adopted && names.length === own.length) return batch;
    if (own.length > names.length || own.some((name, number) => name !== names[number])) return this.#renumber(batch);
    for (let number = own.length; number < names.length; number++) own.push(names[number]!);
    this.#adopted = names;
    return batch;
  }

  #renumber(batch: LogBatch): LogBatch {
    const numbers = batch.names.map((name) => {
      const known = this.#names.indexOf(name);
      return known < 0 ? this.#names.push(name) - 1 : known;
    });
    const words = batch.words.slice();
    for (let at = 0; at < words.length; ) {
      const layout = LAYOUTS[words[at]! & 0xff];
      // What is no whole record is found where it is added.
      if (layout === undefined || at + layout.words > words.length) break;
      for (const { type, at: place } of layout.fields) {
        if (type !== "name") continue;
        checkReferences(batch, at);
        words[at + place] = numbers[words[at + place]!]!;
      }
      at += layout.words;
    }
    return { words, blobs: batch.blobs, names: this.#names };
  }

  /**
   * Adds the records from word `at` on, until the batch ends or the chunk is full.
   *
   * @param batch As `adopt` returned it.
   * @returns The word at which it stopped.
   * @throws {RangeError} If a record is not whole or of no known kind, or its step is before that of the guest event before it, or it
   *   names what the batch does not have. What stands before it is added.
   */
  add(batch: LogBatch, at: number): number {
    const { words } = batch;
    const end = words.length;
    const rows = this.#rows.words;
    const order = this.#order;
    const deltas = this.#deltas;
    const last = this.#last;
    let most = this.full ? 0 : this.#capacity;
    let events = this.#events;
    let guests = this.#guests;
    let match = this.#match;
    let step = this.#step;
    let guestStep = this.#guestStep;
    let isBack = false;
    while (at < end && events < most) {
      let row = order[match]!;
      let place = row * ROW_WORDS;
      let length = rows[place + ROW_LENGTH]!;
      let isForetold = words[at] === rows[place] && at + length <= end;
      if (isForetold) {
        let word = STAMP_WORDS;
        while (word < length && words[at + word] === rows[place + word]) word++;
        isForetold = word === length;
      }
      if (!isForetold) {
        this.#events = events;
        this.#guests = guests;
        this.#match = match;
        this.#step = step;
        this.#guestStep = guestStep;
        const known = this.#rows.count;
        row = this.#rowOf(batch, at);
        if (row <= known) match = last[row]!;
        this.#orderExceptions.push(events, this.#rows.count === known ? known + 1 - row : 0, 0);
        place = row * ROW_WORDS;
        length = RECORD_WORDS[words[at]! & 0xff]!;
        if (this.#blobBytes >= CHUNK_BLOB_BYTES) most = 0;
      }
      const now = words[at + 2]! * TWO_32 + words[at + 1]!;
      if (rows[place + ROW_GUEST] === 1) {
        if (now < guestStep) {
          isBack = true;
          break;
        }
        guestStep = now;
        guests++;
      }
      const delta = now - step;
      if (delta !== deltas[match]) this.#stepExceptions.push(events, delta >>> 0, Math.floor(delta / TWO_32));
      step = now;
      events++;
      order[events] = row;
      deltas[events] = delta;
      last[row] = events;
      match++;
      at += length;
    }
    this.#events = events;
    this.#guests = guests;
    this.#match = match;
    this.#step = step;
    this.#guestStep = guestStep;
    if (isBack) this.#refuseBack(words, at);
    return at;
  }

  /** The row of a record that is not as foretold. Everything is checked before anything is kept: a refused record changes nothing. */
  #rowOf(batch: LogBatch, at: number): number {
    const { words } = batch;
    const number = words[at]! & 0xff;
    const length = RECORD_WORDS[number]!;
    if (length === 0 || at + length > words.length) eventAt(batch, at); // Throws, and says what is there.
    const guest = IS_GUEST[number]!;
    if (guest === 1 && stepAt(words, at) < this.#guestStep) this.#refuseBack(words, at);
    if (ALIKE[number]) {
      const row = this.#rows.find(words, at, length);
      if (row > 0) return row;
    }
    checkReferences(batch, at);
    const row = this.#rows.add(words, at, length, guest, ALIKE[number]!);
    if (number === CHECKPOINT) {
      this.#checkpoints.push({ index: this.guestEvents, event: eventAt(batch, at) as EventOf<"checkpoint"> });
    }
    for (const { type, at: place } of LAYOUTS[number]!.fields) {
      if (type !== "bytes") continue;
      // A copy: the batch is only lent.
      const blob = batch.blobs[words[at + place]!]!.slice();
      this.#blobBytes += blob.length;
      this.#rows.words[row * ROW_WORDS + place] = this.#blobs.push(blob) - 1;
    }
    return row;
  }

  #refuseBack(words: Uint32Array, at: number): never {
    throw new RangeError(
      `Cannot write ${LAYOUTS[words[at]! & 0xff]!.kind} as steps of the guest stream never go back: step ${stepAt(words, at)} follows step ${this.#guestStep}`,
    );
  }

  /** Packs the chunk and starts the next. */
  finish(): {
    readonly payload: Uint8Array;
    readonly summary: ChunkSummary;
    readonly checkpoints: readonly Checkpoint[];
  } {
    const checkpoints = this.#checkpoints;
    const summary = {
      step: this.#stepBefore + this.#deltas[1]!,
      events: this.#events,
      guestEvents: this.#guests,
    };
    const names: string[] = [];
    this.#sortRows(names);
    const payload = pack({
      first: this.#eventsBefore,
      firstGuest: this.#guestsBefore,
      stepBefore: this.#stepBefore,
      step: summary.step,
      events: summary.events,
      guestEvents: summary.guestEvents,
      names,
      rows: this.#rows.count,
      kinds: this.#encode(this.#kinds),
      harts: this.#encode(this.#harts),
      fields: this.#fields(),
      order: this.#exceptions(this.#orderExceptions),
      steps: this.#exceptions(this.#stepExceptions),
    });
    this.#eventsBefore += summary.events;
    this.#guestsBefore += summary.guestEvents;
    this.#stepBefore = this.#step;
    this.#events = 0;
    this.#guests = 0;
    this.#match = 0;
    this.#checkpoints = [];
    this.#rows.clear();
    if (this.#blobs.length > 0) this.#blobs = [];
    this.#blobBytes = 0;
    return { payload, summary, checkpoints };
  }

  /** Puts the rows into the columns of their kinds, and their names into `names` by first use. */
  #sortRows(names: string[]): void {
    const { words, count } = this.#rows;
    const own = new Map<string, number>();
    const numberOf = (name: string): number => {
      let number = own.get(name);
      if (number === undefined) {
        number = names.push(name) - 1;
        own.set(name, number);
      }
      return number;
    };
    for (let row = 1; row <= count; row++) {
      const place = row * ROW_WORDS;
      const first = words[place]!;
      const { number, fields } = LAYOUTS[first & 0xff]!;
      this.#kinds.push(number, 0);
      this.#harts.push(first >>> 8, 0);
      const columns = this.#columns[number]!;
      for (let i = 0; i < fields.length; i++) {
        const { type, at } = fields[i]!;
        const word = words[place + at]!;
        if (type === "u32") columns[i]!.push(word, 0);
        else if (type === "u64") columns[i]!.push(word, words[place + at + 1]!);
        else if (type === "name") columns[i]!.push(numberOf(this.#names[word]!), 0);
        else columns[i]!.push(this.#blobs[word]!.length, 0);
      }
    }
  }

  /** For each kind that occurs: its number, then each field's column; behind that of a bytes field, the bytes end to end. */
  #fields(): Message[] {
    const rows: Message[] = [];
    for (const { number, fields } of LAYOUTS) {
      const columns = this.#columns[number]!;
      if (columns.length === 0 || columns[0]!.length === 0) continue;
      const row: Message[] = [number];
      for (let i = 0; i < fields.length; i++) {
        row.push(this.#encode(columns[i]!));
        if (fields[i]!.type === "bytes") row.push(this.#blobsOf(number, fields[i]!.at));
      }
      rows.push(row);
    }
    return rows;
  }

  #blobsOf(number: number, at: number): Uint8Array {
    const { words, count } = this.#rows;
    for (let row = 1; row <= count; row++) {
      if ((words[row * ROW_WORDS]! & 0xff) === number) this.#out.bytes(this.#blobs[words[row * ROW_WORDS + at]!]!);
    }
    return this.#out.take();
  }

  #exceptions(exceptions: Exceptions): Message[] {
    const count = exceptions.gaps.length;
    exceptions.next = 0;
    return [count, this.#encode(exceptions.gaps), this.#encode(exceptions.values)];
  }

  #encode(column: Column): Uint8Array {
    encodeColumn(column, this.#out);
    column.clear();
    return this.#out.take();
  }
}

function checkReferences(batch: LogBatch, at: number): void {
  const layout = LAYOUTS[batch.words[at]! & 0xff]!;
  for (const { name, type, at: place } of layout.fields) {
    if (type !== "name" && type !== "bytes") continue;
    const number = batch.words[at + place]!;
    if (number < (type === "name" ? batch.names : batch.blobs).length) continue;
    throw new RangeError(
      `Cannot write ${layout.kind} as its ${name} must be in the batch: there is no number ${number}`,
    );
  }
}
