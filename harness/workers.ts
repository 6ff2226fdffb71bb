/**
 * Worker threads for replays. A replay is a function of its recording alone, so how many run at once changes no byte of any.
 *
 * @module
 */

import { versions } from "node:process";
import { Worker } from "node:worker_threads";
import { compiled, moduleUrl, packageFile } from "./installation.ts";
import type { ReplayJob } from "./replay-job.ts";
import type { StoredVerification } from "./replay-task.ts";

/** Where a worker's module is, as this runtime can load it in a worker. */
export function workerUrl(path: string): { readonly url: URL; readonly data: object } {
  const url = moduleUrl(path);
  // Node cannot start a worker from a .ts file: a small module that can registers a loader first, then imports the real one.
  if (compiled || versions.deno !== undefined) return { url, data: {} };
  return { url: new URL(`file://${packageFile("harness/worker-bootstrap.mjs")}`), data: { module: url.href } };
}

/** What a worker sends. */
export type WorkerMessage =
  | { readonly kind: "progress"; readonly step: number }
  | { readonly kind: "done"; readonly result: StoredVerification }
  | { readonly kind: "failed"; readonly name: string; readonly message: string };

/**
 * Runs jobs, at most `workers` at once.
 *
 * @returns Results in the order of the jobs.
 * @throws What the first failed job threw, once all workers have stopped.
 */
export async function runInWorkers(
  jobs: readonly ReplayJob[],
  workers: number,
  onProgress: (job: ReplayJob, step: number) => void,
): Promise<readonly StoredVerification[]> {
  const results: StoredVerification[] = [];
  const running = new Set<Worker>();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < jobs.length) {
      const at = next++;
      results[at] = await runInWorker(jobs[at]!, running, (step) => onProgress(jobs[at]!, step));
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(workers, jobs.length) }, lane));
  } finally {
    await Promise.all([...running].map((worker) => worker.terminate()));
  }
  return results;
}

function runInWorker(
  job: ReplayJob,
  running: Set<Worker>,
  onProgress: (step: number) => void,
): Promise<StoredVerification> {
  const { url, data } = workerUrl("harness/replay-worker.ts");
  return new Promise((resolve, reject) => {
    const worker = new Worker(url, { workerData: { ...data, job } });
    running.add(worker);
    let settled = false;
    const settle = (end: () => void): void => {
      settled = true;
      running.delete(worker);
      void worker.terminate();
      end();
    };
    worker.on("message", (message: WorkerMessage) => {
      if (message.kind === "progress") onProgress(message.step);
      else if (message.kind === "done") settle(() => resolve(message.result));
      else settle(() => reject(Object.assign(new Error(message.message), { name: message.name })));
    });
    worker.on("error", (error) => settle(() => reject(error)));
    worker.on("exit", (code) => {
      if (!settled)
        settle(() => reject(new Error(`A worker ended with code ${code} before its replay of ${job.recording} did`)));
    });
  });
}
