/**
 * Writing a trace: batches of a log in, the bytes of a file out.
 *
 * The bytes depend on the header, the events and the options alone, not on how the events were cut into batches.
 *
 * Left out: files. The sink writes where it likes; that it writes beside and renames when `finish` was called is its business.
 *
 * @module
 */

import { deflateSync } from "fflate";
import type { LogBatch } from "../engine/event/mod.ts";
import { CHUNK_EVENTS, ChunkBuilder } from "./chunk-builder.ts";
import { FrameChain, type FrameTag, preamble } from "./frame.ts";
import { packHeader, type TraceHeader } from "./header.ts";
import { type Checkpoint, type ChunkEntry, packIndex } from "./trace-index.ts";

/** Where a trace's bytes go. They come in order, in pieces that the sink may keep. */
export interface TraceSink {
  write(bytes: Uint8Array): void;
}

export interface TraceWriterOptions {
  /** Deflates each chunk, where that makes it shorter: smaller files, several times slower to write. Off by default. */
  readonly deflate?: boolean;
  /** Events in a chunk: fewer lose less where recording is cut off, and take more bytes. From 1 to 16,384, which is the default. */
  readonly chunkEvents?: number;
}

/** What was written. */
export interface TraceSummary {
  /** Of both streams. */
  readonly events: number;
  readonly guestEvents: number;
  readonly chunks: number;
  readonly bytes: number;
}

export class TraceWriter {
  readonly #sink: TraceSink;
  readonly #deflate: boolean;
  readonly #frames: FrameChain;
  readonly #chunk: ChunkBuilder;
  readonly #entries: ChunkEntry[] = [];
  readonly #checkpoints: Checkpoint[] = [];
  #finished = false;

  /**
   * Writes the header.
   *
   * @param sink Where the bytes go.
   * @param header What was recorded, and on what machine.
   * @throws {RangeError} If an option is out of its range.
   */
  constructor(sink: TraceSink, header: TraceHeader, options: TraceWriterOptions = {}) {
    const chunkEvents = options.chunkEvents ?? CHUNK_EVENTS;
    if (!Number.isInteger(chunkEvents) || chunkEvents < 1 || chunkEvents > CHUNK_EVENTS) {
      throw new RangeError(
        `Cannot write a trace as chunkEvents must be a whole number from 1 to ${CHUNK_EVENTS}: it is ${chunkEvents}`,
      );
    }
    this.#sink = sink;
    this.#chunk = new ChunkBuilder(chunkEvents);
    this.#deflate = options.deflate ?? false;
    const start = preamble();
    this.#frames = new FrameChain(start);
    sink.write(start);
    this.#write("HEAD", packHeader(header));
  }

  /** Events appended so far, of both streams. */
  get events(): number {
    return this.#chunk.events;
  }

  /**
   * Appends the events of a batch, in order.
   *
   * @param batch As `Log.take` lends it. Nothing of it is kept.
   * @throws {RangeError} If a record is not whole or of no known kind, or a step of the guest stream goes back.
   */
  append(batch: LogBatch): void {
    if (this.#finished)
      throw new RangeError("Cannot append events as a finished trace takes none: finish() was called before");
    const adopted = this.#chunk.adopt(batch);
    for (let at = 0; at < adopted.words.length; ) {
      at = this.#chunk.add(adopted, at);
      if (this.#chunk.full) this.#writeChunk();
    }
  }

  /** Writes what is left, the index and the tail. Nothing can be appended afterwards. */
  finish(): TraceSummary {
    if (this.#finished) throw new RangeError("Cannot finish a trace as it must be open: finish() was called before");
    this.#finished = true;
    if (this.#chunk.length > 0) this.#writeChunk();
    const offset = this.#frames.offset;
    const { events, guestEvents } = this.#chunk;
    this.#write("INDX", packIndex({ events, guestEvents, chunks: this.#entries, checkpoints: this.#checkpoints }));
    const tail = new Uint8Array(8);
    new DataView(tail.buffer).setBigUint64(0, BigInt(offset), true);
    this.#write("TAIL", tail);
    return { events, guestEvents, chunks: this.#entries.length, bytes: this.#frames.offset };
  }

  #writeChunk(): void {
    const { payload, summary, checkpoints } = this.#chunk.finish();
    this.#entries.push({ offset: this.#frames.offset, ...summary });
    this.#checkpoints.push(...checkpoints);
    if (this.#deflate) {
      const deflated = deflateSync(payload, { level: 6 });
      if (deflated.length + 4 < payload.length) {
        const packed = new Uint8Array(deflated.length + 4);
        new DataView(packed.buffer).setUint32(0, payload.length, true);
        packed.set(deflated, 4);
        this.#write("CHNZ", packed);
        return;
      }
    }
    this.#write("CHNK", payload);
  }

  #write(tag: FrameTag, payload: Uint8Array): void {
    this.#sink.write(this.#frames.frame(tag, payload));
  }
}
