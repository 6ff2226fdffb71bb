/**
 * Says whether runs are identical, as data: what `replay` throws becomes an answer.
 *
 * @module
 */

import { compareGuestStreams, type Trace } from "../traces/mod.ts";
import type { Identity } from "./comparison.ts";
import { DivergenceError } from "./divergence.ts";
import type { RunResult } from "./record.ts";
import { differenceOf, namesOf, type Recording, type ReplayOptions, replay } from "./replay.ts";

/** An answer, as plain data, with what the replayed run came to; where it differs, that is where it was stopped. */
export interface Verification {
  readonly identity: Identity;
  readonly run: RunResult;
  /** False where the recording was cut short. */
  readonly complete: boolean;
}

/**
 * Replays a recording and says whether the run is the recorded one.
 *
 * @throws {RangeError} As `replay` does, for whatever is no difference.
 */
export async function verify(recording: Recording, options: ReplayOptions = {}): Promise<Verification> {
  try {
    const { identity, complete, digest, instret, steps, ending, console } = await replay(recording, options);
    return { identity, run: { digest, instret, steps, ending, console }, complete };
  } catch (error) {
    if (!(error instanceof DivergenceError)) throw error;
    return {
      identity: { level: error.level, equal: false, firstDifference: error.difference },
      run: error.reached,
      complete: true,
    };
  }
}

/**
 * Compares two stored runs by their guest streams, digests at checkpoints included.
 *
 * @param files Their file names, for the command in a message.
 */
export function verifyTraces(left: Trace, right: Trace, files?: ReplayOptions["files"]): Identity {
  const compared = compareGuestStreams(left.batches({ stream: "guest" }), right.batches({ stream: "guest" }));
  if (compared.equal) return { level: "exact", equal: true, firstDifference: null };
  const names = namesOf(left, right.header.technique, files);
  return { level: "exact", equal: false, firstDifference: differenceOf(compared, names) };
}
