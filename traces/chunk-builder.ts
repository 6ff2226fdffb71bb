/**
 * Chunks being written: records sorted into columns, one for each field of each kind.
 *
 * A chunk is full after a number of events, or of bytes in bytes fields, whatever batches they came in: so a trace's bytes do
 * not depend on when the log was drained. Each chunk can be read without the others: it has its own names.
 *
 * @module
 */

import { type FieldPlace, IS_GUEST, LAYOUTS, type LogBatch, type RecordLayout, stepAt } from "../engine/event/mod.ts";
import { ByteWriter } from "./byte-writer.ts";
import { Column, encodeColumn } from "./column.ts";
import { type Message, pack } from "./message.ts";

/** Events in a chunk, the last one apart. */
export const CHUNK_EVENTS = 1 << 14;
/** A chunk also ends with the event whose bytes field brings it to this many bytes. */
export const CHUNK_BLOB_BYTES = 1 << 20;

const TWO_32 = 0x1_0000_0000;

/** The columns of one kind, with the bytes of its bytes fields. */
interface KindColumns {
  readonly layout: RecordLayout;
  /** Fields whose words are numbers of names or blobs of the batch. */
  readonly references: readonly FieldPlace[];
  readonly columns: readonly Column[];
  readonly blobs: readonly Uint8Array[][];
}

/** What a finished chunk holds, for the index. */
export interface ChunkSummary {
  /** Step of its first event. */
  readonly step: number;
  readonly events: number;
  readonly guestEvents: number;
}

export class ChunkBuilder {
  readonly #kinds: readonly KindColumns[] = LAYOUTS.map((layout) => ({
    layout,
    references: layout.fields.filter(({ type }) => type === "name" || type === "bytes"),
    columns: layout.fields.map(() => new Column()),
    blobs: layout.fields.map(() => []),
  }));
  readonly #numbers = new Column(CHUNK_EVENTS);
  readonly #harts = new Column(CHUNK_EVENTS);
  readonly #guestSteps = new Column(CHUNK_EVENTS);
  readonly #machineSteps = new Column(CHUNK_EVENTS);
  readonly #out = new ByteWriter();
  readonly #capacity: number;
  #blobBytes = 0;

  #names: string[] = [];
  #nameNumbers = new Map<string, number>();
  /** Numbers in this chunk of the names of `#translated`, or -1. */
  #translation = new Int32Array(0);
  #translated: readonly string[] = [];

  // Before this chunk, then before the next event.
  #eventsBefore = 0;
  #guestsBefore = 0;
  #stepBefore = 0;
  #guestStepBefore = 0;
  #firstStep = 0;
  #step = 0;
  #guestStep = 0;

  /** @param capacity Events after which it is full. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get length(): number {
    return this.#numbers.length;
  }

  get full(): boolean {
    return this.#numbers.length >= this.#capacity || this.#blobBytes >= CHUNK_BLOB_BYTES;
  }

  /** Step of the last event of the guest stream, in this chunk or before it. */
  get guestStep(): number {
    return this.#guestStep;
  }

  /**
   * Adds the record that starts at word `at`.
   *
   * @throws {RangeError} If its step is before that of the guest event before it, or it names what the batch does not have.
   */
  add(batch: LogBatch, at: number): void {
    const words = batch.words;
    const first = words[at]!;
    const number = first & 0xff;
    const { layout, references, columns, blobs } = this.#kinds[number]!;
    const step = stepAt(words, at);
    // Everything is checked before anything is kept: a refused record leaves the chunk as it was.
    for (const { name, type, at: place } of references) {
      const known = type === "name" ? batch.names.length : batch.blobs.length;
      if (words[at + place]! >= known) {
        throw new RangeError(
          `Cannot write ${layout.kind} as its ${name} must be in the batch: there is no number ${words[at + place]}`,
        );
      }
    }
    if (IS_GUEST[number] === 1) {
      const delta = step - this.#guestStep;
      if (delta < 0) {
        throw new RangeError(
          `Cannot write ${layout.kind} as steps of the guest stream never go back: step ${step} follows step ${this.#guestStep}`,
        );
      }
      this.#guestSteps.push(delta >>> 0, delta / TWO_32);
      this.#guestStep = step;
    } else {
      const delta = step - this.#step;
      this.#machineSteps.push(delta >>> 0, Math.floor(delta / TWO_32));
    }
    if (this.#numbers.length === 0) this.#firstStep = step;
    this.#step = step;
    this.#numbers.push(number, 0);
    this.#harts.push(first >>> 8, 0);
    const fields = layout.fields;
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!;
      const word = words[at + field.at]!;
      if (field.type === "u32") columns[i]!.push(word, 0);
      else if (field.type === "u64") columns[i]!.push(word, words[at + field.at + 1]!);
      else if (field.type === "name") columns[i]!.push(this.#nameNumber(batch.names, word), 0);
      else {
        const blob = batch.blobs[word]!;
        columns[i]!.push(blob.length, 0);
        blobs[i]!.push(blob);
        this.#blobBytes += blob.length;
      }
    }
  }

  /** Packs the chunk and starts the next. */
  finish(): { readonly payload: Uint8Array; readonly summary: ChunkSummary } {
    const summary = {
      step: this.#firstStep,
      events: this.#numbers.length,
      guestEvents: this.#guestSteps.length,
    };
    const payload = pack({
      first: this.#eventsBefore,
      firstGuest: this.#guestsBefore,
      stepBefore: this.#stepBefore,
      guestStepBefore: this.#guestStepBefore,
      step: summary.step,
      events: summary.events,
      guestEvents: summary.guestEvents,
      names: this.#names,
      kinds: this.#encode(this.#numbers),
      harts: this.#encode(this.#harts),
      guestSteps: this.#encode(this.#guestSteps),
      machineSteps: this.#encode(this.#machineSteps),
      fields: this.#fields(),
    });
    this.#eventsBefore += summary.events;
    this.#guestsBefore += summary.guestEvents;
    this.#stepBefore = this.#step;
    this.#guestStepBefore = this.#guestStep;
    this.#blobBytes = 0;
    this.#names = [];
    this.#nameNumbers = new Map();
    this.#translation.fill(-1);
    return { payload, summary };
  }

  /** For each kind that occurs: its number, then each field's column; behind that of a bytes field, the bytes end to end. */
  #fields(): Message[] {
    const rows: Message[] = [];
    for (const { layout, columns, blobs } of this.#kinds) {
      if (columns.length === 0 || columns[0]!.length === 0) continue;
      const row: Message[] = [layout.number];
      columns.forEach((column, i) => {
        row.push(this.#encode(column));
        if (layout.fields[i]!.type !== "bytes") return;
        for (const blob of blobs[i]!) this.#out.bytes(blob);
        row.push(this.#out.take());
        blobs[i]!.length = 0;
      });
      rows.push(row);
    }
    return rows;
  }

  #encode(column: Column): Uint8Array {
    encodeColumn(column, this.#out);
    column.clear();
    return this.#out.take();
  }

  /** A name's number in this chunk: by first use, so that it does not depend on when the log numbered it. */
  #nameNumber(names: readonly string[], number: number): number {
    if (names !== this.#translated) {
      this.#translated = names;
      this.#translation = new Int32Array(names.length).fill(-1);
    }
    const known = this.#translation[number];
    if (known !== undefined && known >= 0) return known;
    const name = names[number]!;
    let own = this.#nameNumbers.get(name);
    if (own === undefined) {
      own = this.#names.push(name) - 1;
      this.#nameNumbers.set(name, own);
    }
    this.#translation[number] = own;
    return own;
  }
}
