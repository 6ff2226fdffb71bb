/**
 * What a stored trace says of its run, without running it.
 *
 * @module
 */

import type { Trace } from "../../traces/mod.ts";
import { hexDigest, type RunResult } from "../record.ts";

/** A run's result as its trace holds it. The console is empty: what the guest wrote is in many kinds of event, and not all of it in any. */
export function storedRun(trace: Trace): RunResult {
  const last = trace.checkpoints.at(-1)?.event;
  const end = trace.end;
  return {
    digest: last === undefined ? "" : hexDigest({ low: last.digestLow, high: last.digestHigh }),
    instret: last === undefined ? 0 : Number(last.instret),
    steps: end?.step ?? last?.step ?? 0,
    ending: { reason: end?.reason ?? "cut", code: end?.code ?? 0 },
    console: new Uint8Array(),
  };
}
