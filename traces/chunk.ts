/**
 * Chunks being read: columns put together to records again, for the kinds that are wanted and no others.
 *
 * Whatever the bytes hold, reading ends in records that `eventAt` can read, or in a TraceFormatError.
 *
 * @module
 */

import { IS_GUEST, LAYOUTS, type LogBatch, type RecordLayout } from "../engine/event/mod.ts";
import { CHUNK_EVENTS } from "./chunk-builder.ts";
import { type Column, decodeColumn } from "./column.ts";
import { Shape, unpack } from "./message.ts";
import { TraceFormatError } from "./trace-format-error.ts";

const TWO_32 = 0x1_0000_0000;

/** A chunk, unpacked; its columns are still as they were stored. */
export interface Chunk {
  /** Its place among the chunks. */
  readonly number: number;
  /** Events before it, of both streams and of the guest stream. */
  readonly first: number;
  readonly firstGuest: number;
  readonly stepBefore: number;
  readonly guestStepBefore: number;
  /** Step of its first event. */
  readonly step: number;
  readonly events: number;
  readonly guestEvents: number;
  readonly names: readonly string[];
  readonly kinds: Uint8Array;
  readonly harts: Uint8Array;
  readonly guestSteps: Uint8Array;
  readonly machineSteps: Uint8Array;
  readonly fields: readonly { readonly kind: number; readonly columns: readonly Uint8Array[] }[];
}

/** @throws {TraceFormatError} If the payload is no chunk. */
export function unpackChunk(payload: Uint8Array, number: number): Chunk {
  const shape = new Shape(unpack(payload, `chunk ${number}`), `chunk ${number}`);
  return {
    number,
    first: shape.at("first").whole(),
    firstGuest: shape.at("firstGuest").whole(),
    stepBefore: shape.at("stepBefore").whole(),
    guestStepBefore: shape.at("guestStepBefore").whole(),
    step: shape.at("step").whole(),
    events: shape.at("events").whole(CHUNK_EVENTS),
    guestEvents: shape.at("guestEvents").whole(CHUNK_EVENTS),
    names: shape
      .at("names")
      .items()
      .map((name) => name.text()),
    kinds: shape.at("kinds").bytes(),
    harts: shape.at("harts").bytes(),
    guestSteps: shape.at("guestSteps").bytes(),
    machineSteps: shape.at("machineSteps").bytes(),
    fields: shape
      .at("fields")
      .items()
      .map((row) => {
        const [kind, ...columns] = row.items();
        if (kind === undefined)
          throw new TraceFormatError(`fields of chunk ${number} must name their kind`, "a row is empty");
        return { kind: kind.whole(0xff), columns: columns.map((column) => column.bytes()) };
      }),
  };
}

/** Everything but the columns that `wanted` leaves out; what is left out is not decoded. */
export function readRecords(chunk: Chunk, wanted: Uint8Array, knownKinds: number): LogBatch {
  const fail = (rule: string, found: string): never => {
    throw new TraceFormatError(`chunk ${chunk.number} ${rule}`, found);
  };
  const numbers = decodeColumn(chunk.kinds, chunk.events).low;
  const counts = countKinds(numbers, chunk, knownKinds);
  const harts = decodeColumn(chunk.harts, chunk.events).low;
  const guestSteps = decodeColumn(chunk.guestSteps, chunk.guestEvents);
  const machineSteps = decodeColumn(chunk.machineSteps, chunk.events - chunk.guestEvents);

  const present = [...counts.keys()].filter((kind) => counts[kind]! > 0 && LAYOUTS[kind]!.fields.length > 0);
  if (present.length !== chunk.fields.length || present.some((kind, i) => chunk.fields[i]!.kind !== kind)) {
    fail(
      "must have the fields of each kind that occurs",
      `kinds ${present} have fields ${chunk.fields.map((row) => row.kind)}`,
    );
  }
  const blobs: Uint8Array[] = [];
  const columns: (readonly Column[])[] = [];
  let length = 0;
  for (const layout of LAYOUTS) {
    const count = counts[layout.number]!;
    if (wanted[layout.number] !== 1 || count === 0) continue;
    length += layout.words * count;
    const stored = chunk.fields.find((row) => row.kind === layout.number)?.columns ?? [];
    columns[layout.number] = readFields(layout, stored, count, chunk, blobs);
  }

  const words = new Uint32Array(length);
  const rows = new Uint32Array(LAYOUTS.length);
  let at = 0;
  let step = chunk.stepBefore;
  let guestStep = chunk.guestStepBefore;
  let guest = 0;
  let machine = 0;
  for (let event = 0; event < chunk.events; event++) {
    const number = numbers[event]!;
    if (IS_GUEST[number] === 1) {
      guestStep += guestSteps.high[guest]! * TWO_32 + guestSteps.low[guest++]!;
      step = guestStep;
    } else {
      step += (machineSteps.high[machine]! | 0) * TWO_32 + machineSteps.low[machine++]!;
    }
    if (step < 0 || step > Number.MAX_SAFE_INTEGER)
      fail("must have steps from 0 to 2^53 - 1", `event ${event} has step ${step}`);
    if (wanted[number] !== 1) continue;
    const row = rows[number]!++;
    words[at] = number | (harts[event]! << 8);
    words[at + 1] = step;
    words[at + 2] = step / TWO_32;
    const layout = LAYOUTS[number]!;
    const fields = columns[number]!;
    for (let i = 0; i < fields.length; i++) {
      const place = layout.fields[i]!;
      words[at + place.at] = fields[i]!.low[row]!;
      if (place.type === "u64") words[at + place.at + 1] = fields[i]!.high[row]!;
    }
    at += layout.words;
  }
  return { words, blobs, names: chunk.names };
}

function countKinds(numbers: Uint32Array, chunk: Chunk, knownKinds: number): Uint32Array {
  const counts = new Uint32Array(LAYOUTS.length);
  let guests = 0;
  for (let event = 0; event < chunk.events; event++) {
    const number = numbers[event]!;
    if (number >= knownKinds) {
      throw new TraceFormatError(
        `kinds of chunk ${chunk.number} must be below ${knownKinds}`,
        `event ${event} is of kind ${number}`,
      );
    }
    counts[number]!++;
    guests += IS_GUEST[number]!;
  }
  if (guests !== chunk.guestEvents) {
    throw new TraceFormatError(
      `chunk ${chunk.number} must count its guest events`,
      `it has ${guests} and says ${chunk.guestEvents}`,
    );
  }
  return counts;
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
