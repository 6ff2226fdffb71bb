/**
 * The runtime that one planted fault lives in: runs the images that the unspoilt machine was recorded on, and says which first differs.
 *
 * @module
 */
import { parentPort, workerData } from "node:worker_threads";
import { checkAll } from "./expectations.ts";
import { MUTANTS } from "./mutants.ts";
import { differsFrom, type Recorded } from "./recorded.ts";

export interface MutantJob {
  /** Its index in the list. */
  readonly mutant: number;
  readonly images: readonly { readonly recorded: Recorded; readonly bytes: Uint8Array; readonly start: number }[];
}
/** What found the fault, or null. */
export type MutantVerdict = string | null;

function judge({ mutant, images }: MutantJob): MutantVerdict {
  const onMachine = MUTANTS[mutant]!.plant() ?? (() => {});
  try {
    for (const { recorded, bytes, start } of images) {
      const at = differsFrom(recorded, { bytes, start }, "interpreter", onMachine);
      if (at !== undefined) return `image ${recorded.seed}, by step ${at}`;
    }
    const found = checkAll("interpreter", undefined, onMachine);
    return found.length > 0 ? `expectation: ${found[0]}` : null;
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
}

parentPort!.postMessage(judge((workerData as { readonly job: MutantJob }).job));
