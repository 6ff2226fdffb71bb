/**
 * Traces: recorded runs as files, and what can be said of two of them.
 *
 * Reading order: `format.md` (the format), `header.ts`, `writer.ts` over `chunk-builder.ts` and `column.ts`, `reader.ts` over
 * `chunk.ts` and `frame.ts`, then `compare.ts`, `format-event.ts` and `export.ts`.
 *
 * @module
 */

export {
  compareGuestStreams,
  type Difference,
  type Equality,
  GuestStreamComparer,
} from "./compare.ts";
export { exportCsv, exportJsonLines } from "./export.ts";
export { causeName, formatDifference, formatEvent } from "./format-event.ts";
export { FORMAT_VERSION } from "./frame.ts";
export type { ImageRole, MarkName, TraceHeader, TraceImage } from "./header.ts";
export { type EventSelection, type ReadOptions, readTrace, type Trace, type TraceInput } from "./reader.ts";
export { TraceFormatError } from "./trace-format-error.ts";
export type { Checkpoint, ChunkEntry, TraceIndex } from "./trace-index.ts";
export { type TraceSink, type TraceSummary, TraceWriter, type TraceWriterOptions } from "./writer.ts";
