/**
 * The one error of an unreadable trace.
 *
 * @module
 */

/** Bytes that are no trace of this format, or no longer. Its message is `Cannot read trace as <rule>: <what was found>`. */
export class TraceFormatError extends Error {
  override readonly name = "TraceFormatError";

  /**
   * @param rule What must hold, as "a chunk must match its checksum".
   * @param found What was found instead, with its place.
   */
  constructor(rule: string, found: string) {
    super(`Cannot read trace as ${rule}: ${found}`);
  }
}
