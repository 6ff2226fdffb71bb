/**
 * A worker thread that does one replay and says how it went.
 *
 * @module
 */

import { parentPort, workerData } from "node:worker_threads";
import { type ReplayJob, runJob } from "./replay-job.ts";
import type { WorkerMessage } from "./workers.ts";

const post = (message: WorkerMessage): void => parentPort?.postMessage(message);
const { job } = workerData as { readonly job: ReplayJob };
/** Slices between two messages: a slice takes some milliseconds. */
const SLICES = 32;
let slices = 0;

runJob(job, (step) => {
  if (++slices % SLICES === 0) post({ kind: "progress", step });
}).then(
  (result) => post({ kind: "done", result }),
  (error: unknown) => {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    post({ kind: "failed", name, message });
  },
);
