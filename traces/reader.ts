/**
 * Reading a trace: the bytes of a file in, header and events out.
 *
 * All frames are checked when the trace is opened, chunks are unpacked when their events are asked for.
 *
 * Left out: reading a file piece by piece. A trace is read from bytes in memory.
 *
 * @module
 */

import { inflateSync } from "fflate";
import {
  type Event,
  type EventKind,
  type EventOf,
  eventAt,
  eventsOf,
  type GuestEvent,
  IS_GUEST,
  KIND_NUMBER,
  type LogBatch,
  RECORD_WORDS,
} from "../engine/event/mod.ts";
import { type Chunk, ChunkReader, unpackChunk } from "./chunk.ts";
import { type Frame, readFrames } from "./frame.ts";
import { type TraceHeader, unpackHeader } from "./header.ts";
import { TraceFormatError } from "./trace-format-error.ts";
import { type Checkpoint, type ChunkEntry, type TraceIndex, unpackIndex } from "./trace-index.ts";

/** Bytes that a deflated chunk may have when inflated: more than any chunk that is written, less than could hurt. */
const INFLATED_LIMIT = 1 << 28;
const EVERYTHING = new Uint8Array(256).fill(1);

export interface ReadOptions {
  /** Opens a damaged trace too, as what stands before the damage. Without it, damage is an error. */
  readonly salvage?: boolean;
}

/** An input as a replay needs it. */
export interface TraceInput {
  readonly step: number;
  /** Guest time in steps: the step plus all idle time before it. */
  readonly time: number;
  /** Ordinal of the guest's read that can first see it (T19). */
  readonly request: number;
  readonly data: Uint8Array;
}

/** Which events to read: those of one stream, or of some kinds; and from which step on. */
export interface EventSelection {
  readonly stream?: "guest" | "machine";
  readonly kinds?: readonly EventKind[];
  /** Events before this step are left out. */
  readonly fromStep?: number;
}

/**
 * Opens a trace.
 *
 * @param bytes The whole file, or what there is of it. They must not change while the trace is in use.
 * @returns The trace: `complete`, or the `prefix` of whole chunks where the file was cut short.
 * @throws {TraceFormatError} If it is no trace, of another format version, without a whole header, or damaged.
 */
export function readTrace(bytes: Uint8Array, options: ReadOptions = {}): Trace {
  const { frames, end } = readFrames(bytes);
  if (end.kind === "damage" && !(options.salvage ?? false)) throw end.error;
  const [head, ...rest] = frames;
  if (head?.tag !== "HEAD") {
    if (end.kind === "damage") throw end.error;
    throw new TraceFormatError(
      "its header must be whole",
      end.kind === "cut" ? `${end.found}; record it again` : "it has none",
    );
  }
  const { header, knownKinds } = unpackHeader(head.payload);
  const chunks = rest.filter(({ tag }) => tag === "CHNK" || tag === "CHNZ");
  if (end.kind !== "tail") {
    // The index may have been written before the cut; the chunks say the same.
    return new Trace(header, knownKinds, chunks, undefined, end.kind === "cut" ? end.found : end.error.message);
  }
  const [indexFrame, tail] = rest.slice(chunks.length);
  if (rest.length !== chunks.length + 2 || indexFrame?.tag !== "INDX" || tail?.payload.length !== 8) {
    throw new TraceFormatError(
      "its frames must be one HEAD, chunks, one INDX and one TAIL",
      frames.map(({ tag }) => tag).join(" "),
    );
  }
  const offset = new DataView(tail.payload.buffer, tail.payload.byteOffset).getBigUint64(0, true);
  if (offset !== BigInt(indexFrame.offset)) {
    throw new TraceFormatError(
      "its tail must point to its index",
      `it points to byte ${offset}, the index is at ${indexFrame.offset}`,
    );
  }
  const index = unpackIndex(indexFrame.payload);
  if (index.chunks.length !== chunks.length || index.chunks.some((entry, i) => entry.offset !== chunks[i]!.offset)) {
    throw new TraceFormatError(
      "its index must list its chunks",
      `it lists ${index.chunks.length}, there are ${chunks.length}`,
    );
  }
  return new Trace(header, knownKinds, chunks, index, undefined);
}

/** An opened trace. Made by `readTrace`. */
export class Trace {
  readonly header: TraceHeader;
  /** Whether the file has its end. A prefix holds whole chunks only. */
  readonly state: "complete" | "prefix";
  /** Why it is a prefix. */
  readonly reason: string | undefined;
  readonly #knownKinds: number;
  readonly #frames: readonly Frame[];
  #index: TraceIndex | undefined;

  constructor(
    header: TraceHeader,
    knownKinds: number,
    frames: readonly Frame[],
    index: TraceIndex | undefined,
    reason: string | undefined,
  ) {
    this.header = header;
    this.state = index === undefined ? "prefix" : "complete";
    this.reason = reason;
    this.#knownKinds = knownKinds;
    this.#frames = frames;
    this.#index = index;
  }

  /** As stored; for a prefix, made from its chunks when first asked for. */
  get index(): TraceIndex {
    this.#index ??= this.rebuildIndex();
    return this.#index;
  }

  get checkpoints(): readonly Checkpoint[] {
    return this.index.checkpoints;
  }

  /** How the run ended, if it did and that is in the trace. */
  get end(): EventOf<"end"> | undefined {
    const wanted = wantedKinds({ kinds: ["end"] });
    const reader = new ChunkReader(this.#knownKinds);
    for (let number = this.#frames.length - 1; number >= 0; number--) {
      const last = [...eventsOf(reader.read(this.#chunk(number), wanted))].at(-1);
      if (last !== undefined) return last as EventOf<"end">;
    }
    return undefined;
  }

  /** The index as its chunks tell it. */
  rebuildIndex(): TraceIndex {
    const chunks: ChunkEntry[] = [];
    const checkpoints: Checkpoint[] = [];
    const checkpoint = KIND_NUMBER.checkpoint;
    const reader = new ChunkReader(this.#knownKinds);
    for (const chunk of this.#chunks(0)) {
      const { step, events, guestEvents } = chunk;
      chunks.push({ offset: this.#frames[chunk.number]!.offset, step, events, guestEvents });
      const batch = reader.read(chunk, IS_GUEST);
      let index = chunk.firstGuest;
      for (let at = 0; at < batch.words.length; at += RECORD_WORDS[batch.words[at]! & 0xff]!) {
        if ((batch.words[at]! & 0xff) === checkpoint) {
          checkpoints.push({ index, event: eventAt(batch, at) as EventOf<"checkpoint"> });
        }
        index++;
      }
    }
    const sum = (count: (entry: ChunkEntry) => number) => chunks.reduce((total, entry) => total + count(entry), 0);
    return { events: sum((c) => c.events), guestEvents: sum((c) => c.guestEvents), chunks, checkpoints };
  }

  /** The records of a selection as a log has them, a batch for each chunk. A batch's words are good until the next is taken. */
  *batches(selection: EventSelection = {}): Generator<LogBatch, void, undefined> {
    const wanted = wantedKinds(selection);
    const reader = new ChunkReader(this.#knownKinds);
    for (const chunk of this.#chunks(this.#chunkAtStep(selection.fromStep ?? 0))) yield reader.read(chunk, wanted);
  }

  /** The events of a selection, in order; of everything where none is given. */
  *events(selection: EventSelection = {}): Generator<Event, void, undefined> {
    const fromStep = selection.fromStep ?? 0;
    for (const batch of this.batches(selection)) {
      for (const event of eventsOf(batch)) if (event.step >= fromStep) yield event;
    }
  }

  /** The guest stream. */
  guestEvents(): Generator<GuestEvent, void, undefined> {
    return this.events({ stream: "guest" }) as Generator<GuestEvent, void, undefined>;
  }

  /** The recorded inputs, with the guest time at which each is due (T7). */
  inputs(): TraceInput[] {
    const inputs: TraceInput[] = [];
    let idle = 0;
    for (const event of this.events({ kinds: ["idle", "input.console"] })) {
      if (event.kind === "idle") idle += Number(event.ticks);
      else if (event.kind === "input.console") {
        inputs.push({ step: event.step, time: event.step + idle, request: event.request, data: event.data });
      }
    }
    return inputs;
  }

  /** Chunks from the given one on; each must begin where the one before it ended. */
  *#chunks(from: number): Generator<Chunk, void, undefined> {
    let before: Chunk | undefined;
    for (let number = from; number < this.#frames.length; number++) {
      const chunk = this.#chunk(number);
      const first = before === undefined ? 0 : before.first + before.events;
      const firstGuest = before === undefined ? 0 : before.firstGuest + before.guestEvents;
      if ((number === 0 || before !== undefined) && (chunk.first !== first || chunk.firstGuest !== firstGuest)) {
        throw new TraceFormatError(
          `chunk ${number} must begin where the one before it ends`,
          `it begins with event ${chunk.first}, not ${first}`,
        );
      }
      yield chunk;
      before = chunk;
    }
  }

  #chunk(number: number): Chunk {
    return unpackChunk(inflated(this.#frames[number]!, number), number);
  }

  /** The last chunk that begins before the step, as events of that step may stand at its end. */
  #chunkAtStep(step: number): number {
    if (step === 0) return 0;
    const { chunks } = this.index;
    let low = 0;
    let high = chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (chunks[middle]!.step < step) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

function wantedKinds({ stream, kinds }: EventSelection): Uint8Array {
  if (stream === undefined && kinds === undefined) return EVERYTHING;
  const numbers = kinds?.map((kind) => KIND_NUMBER[kind]);
  return Uint8Array.from({ length: 256 }, (_, number) => {
    const ofStream = stream === undefined || (IS_GUEST[number] === 1) === (stream === "guest");
    return ofStream && (numbers === undefined || numbers.includes(number)) ? 1 : 0;
  });
}

function inflated(frame: Frame, number: number): Uint8Array {
  if (frame.tag === "CHNK") return frame.payload;
  const rule = `chunk ${number} must inflate to the length that it says`;
  const { payload } = frame;
  if (payload.length < 4) throw new TraceFormatError(rule, "it is empty");
  const length = new DataView(payload.buffer, payload.byteOffset).getUint32(0, true);
  if (length === 0 || length > INFLATED_LIMIT) throw new TraceFormatError(rule, `no chunk has ${length} bytes`);
  let bytes: Uint8Array;
  try {
    // Room for one byte more, as what does not fit is dropped without a word.
    bytes = inflateSync(payload.subarray(4), { out: new Uint8Array(length + 1) });
  } catch (error) {
    throw new TraceFormatError(rule, error instanceof Error ? error.message : String(error));
  }
  if (bytes.length !== length) throw new TraceFormatError(rule, `${bytes.length} bytes, not ${length}`);
  return bytes;
}
