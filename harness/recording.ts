/**
 * Recordings in files: a trace, with its images beside it.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { readTrace, type Trace, TraceFormatError } from "../traces/mod.ts";
import { reasonOf } from "./files.ts";
import type { Recording } from "./replay.ts";
import { storeBeside } from "./store.ts";

/** A recording that was opened from a file. */
export interface OpenRecording extends Recording {
  readonly path: string;
}

/**
 * Opens a trace file.
 *
 * @param options `salvage`: opens a damaged one too, as far as it is good.
 * @throws {RangeError} If the file cannot be read.
 * @throws {TraceFormatError} If it is no trace, or damaged; the message names the file.
 */
export function openTrace(path: string, options: { readonly salvage?: boolean } = {}): Trace {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new RangeError(`Cannot open ${path} as it must be a readable trace: ${reasonOf(error)}`, { cause: error });
  }
  return named(path, () => readTrace(bytes, options));
}

/** Opens a trace file together with the images beside it. @throws As {@link openTrace}. */
export function openRecording(path: string): OpenRecording {
  const trace = openTrace(path);
  return { path, trace: () => trace, store: storeBeside(path) };
}

/** Runs what reads a trace; its complaints name the file. */
export function named<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof TraceFormatError)
      error.message = error.message.replace(/^Cannot read trace as/, `Cannot read trace ${path} as`);
    throw error;
  }
}
