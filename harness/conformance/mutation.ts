/**
 * Plants every fault, each in a runtime of its own, and lists those that the programs do not find.
 *
 * @module
 */
import { Worker } from "node:worker_threads";
import { workerUrl } from "../workers.ts";
import { makeImage } from "./image.ts";
import type { MutantJob, MutantVerdict } from "./mutant-worker.ts";
import { MUTANTS } from "./mutants.ts";
import { recordOwn } from "./recorded.ts";

export interface MutationResult {
  readonly name: string;
  readonly area: string;
  readonly found: MutantVerdict;
}

/**
 * @param seeds Of the images to run. @param chosen Indices of faults. @param workers How many at once.
 * @returns In the order of `chosen`.
 */
export async function plantAll(
  seeds: readonly number[],
  chosen: readonly number[],
  workers: number,
  onResult: (result: MutationResult) => void = () => {},
): Promise<readonly MutationResult[]> {
  const images = seeds.map((seed) => {
    const { bytes, start } = makeImage(seed);
    return { recorded: recordOwn(seed, { bytes, start }, "interpreter"), bytes, start };
  });
  const results: MutationResult[] = [];
  let next = 0;
  const lane = async () => {
    while (next < chosen.length) {
      const at = next++;
      const mutant = chosen[at]!;
      const { name, area } = MUTANTS[mutant]!;
      results[at] = { name, area, found: await run({ mutant, images }) };
      onResult(results[at]);
    }
  };
  await Promise.all(Array.from({ length: workers }, lane));
  return results;
}

function run(job: MutantJob): Promise<MutantVerdict> {
  const { url, data } = workerUrl("harness/conformance/mutant-worker.ts");
  return new Promise((resolve, reject) => {
    const worker = new Worker(url, { workerData: { ...data, job } });
    worker.once("message", (verdict: MutantVerdict) => {
      resolve(verdict);
      void worker.terminate();
    });
    worker.once("error", reject);
  });
}
