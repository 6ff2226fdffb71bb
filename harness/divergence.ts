/**
 * The error of two runs that should be one and are not.
 *
 * @module
 */

import type { FirstDifference, Identity } from "./comparison.ts";
import type { RunResult } from "./record.ts";

/** A run is not the recorded run. Its message shows both sides and what to type next. */
export class DivergenceError extends Error {
  override readonly name = "DivergenceError";
  readonly difference: FirstDifference;
  /** Where the replayed run had come to when it was stopped. */
  readonly reached: RunResult;

  /** What was promised. */
  readonly level: Identity["level"];

  /** @param difference What differs first; its message is the error's. */
  constructor(difference: FirstDifference, reached: RunResult, level: Identity["level"] = "exact") {
    super(difference.message);
    this.difference = difference;
    this.reached = reached;
    this.level = level;
  }
}
