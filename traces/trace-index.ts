/**
 * The index at a trace's end: where its chunks are and where its checkpoints stand.
 *
 * It holds nothing that the chunks do not: a trace that was cut short has none, and it is made again from them.
 *
 * @module
 */

import type { EventOf } from "../engine/event/mod.ts";
import { pack, Shape, unpack } from "./message.ts";
import { TraceFormatError } from "./trace-format-error.ts";

/** Where a chunk is and what it holds. */
export interface ChunkEntry {
  /** Of its frame, in bytes from the start of the file. */
  readonly offset: number;
  /** Step of its first event. */
  readonly step: number;
  readonly events: number;
  readonly guestEvents: number;
}

/** A checkpoint's event, with its place in the guest stream. */
export interface Checkpoint {
  /** Guest events before it. */
  readonly index: number;
  readonly event: EventOf<"checkpoint">;
}

export interface TraceIndex {
  /** Of both streams. */
  readonly events: number;
  readonly guestEvents: number;
  readonly chunks: readonly ChunkEntry[];
  readonly checkpoints: readonly Checkpoint[];
}

/** A 64-bit number as the index keeps it. */
function hex(value: bigint): string {
  return value.toString(16).padStart(16, "0");
}

function unhex(shape: Shape): bigint {
  const text = shape.text();
  if (!/^[0-9a-f]{16}$/.test(text))
    throw new TraceFormatError("the index must have its u64 in 16 hexadecimal digits", `it is "${text}"`);
  return BigInt(`0x${text}`);
}

export function packIndex(index: TraceIndex): Uint8Array {
  return pack({
    events: index.events,
    guestEvents: index.guestEvents,
    chunks: index.chunks.map(({ offset, step, events, guestEvents }) => [offset, step, events, guestEvents]),
    checkpoints: index.checkpoints.map(({ index: place, event }) => [
      place,
      event.step,
      event.hart,
      hex(event.digestLow),
      hex(event.digestHigh),
      hex(event.instret),
      hex(event.time),
    ]),
  });
}

/** @throws {TraceFormatError} If the payload is no index. */
export function unpackIndex(payload: Uint8Array): TraceIndex {
  const shape = new Shape(unpack(payload, "the index"), "the index");
  return {
    events: shape.at("events").whole(),
    guestEvents: shape.at("guestEvents").whole(),
    chunks: shape
      .at("chunks")
      .items()
      .map((row) => {
        const [offset, step, events, guestEvents] = cells(row, 4).map((cell) => cell.whole());
        return { offset: offset!, step: step!, events: events!, guestEvents: guestEvents! };
      }),
    checkpoints: shape
      .at("checkpoints")
      .items()
      .map((row) => {
        const [place, step, hart, digestLow, digestHigh, instret, time] = cells(row, 7);
        return {
          index: place!.whole(),
          event: {
            kind: "checkpoint",
            step: step!.whole(),
            hart: hart!.whole(),
            digestLow: unhex(digestLow!),
            digestHigh: unhex(digestHigh!),
            instret: unhex(instret!),
            time: unhex(time!),
          },
        };
      }),
  };
}

function cells(row: Shape, count: number): Shape[] {
  const items = row.items();
  if (items.length !== count)
    throw new TraceFormatError(`a row of the index must have ${count} cells`, `it has ${items.length}`);
  return items;
}
