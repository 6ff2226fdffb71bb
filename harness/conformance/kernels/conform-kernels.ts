/**
 * Many generated kernels, compared; what fails is made small.
 *
 * Source: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002).
 *
 * @module
 */
import { compareKernel, describeFailure, type KernelOptions, type KernelResult } from "./compare-kernel.ts";
import { type Kernel, kernelOf } from "./generate.ts";

export interface KernelsResult {
  readonly kernels: number;
  readonly steps: number;
  /** Events of the guest stream that were equal. */
  readonly events: number;
  /** What is wrong, each as text; empty where all agrees. */
  readonly failures: readonly string[];
}

/**
 * Compares the kernels of `count` seeds from the first on.
 *
 * @returns What was compared; a kernel that fails is reported with its seed, made small.
 */
export function conformKernels(first: number, count: number, options: KernelOptions = {}): KernelsResult {
  const failures: string[] = [];
  let [steps, events] = [0, 0];
  for (let seed = first; seed < first + count; seed++) {
    const kernel = kernelOf(seed);
    const result = compareKernel(kernel, options);
    steps += result.steps;
    events += result.events;
    if (result.failure !== undefined) failures.push(`generated kernel ${seed} differs ${report(kernel, options)}`);
  }
  return { kernels: count, steps, events, failures };
}

/** Leaves out passes, and items in runs each half as long as the last, as long as what is left fails under the same technique. */
function report(kernel: Kernel, options: KernelOptions): string {
  const failureOf = (some: Kernel) => compareKernel(some, options).failure;
  let small = kernel;
  let failure: KernelResult["failure"] = failureOf(kernel);
  const holds = (some: Kernel): boolean => {
    const found = failureOf(some);
    if (found === undefined || found.technique !== failure?.technique) return false;
    [small, failure] = [some, found];
    return true;
  };
  for (let passes = 1; passes < kernel.passes; passes++) if (holds({ ...kernel, passes })) break;
  for (
    let length = Math.ceil(kernel.items.length / 2);
    length >= 1;
    length = length === 1 ? 0 : Math.ceil(length / 2)
  ) {
    for (let at = 0; at < small.items.length; ) {
      if (!holds({ ...small, items: small.items.toSpliced(at, length) })) at += length;
    }
  }
  holds({ ...small, tier: "interpreter" });
  holds({ ...small, firmware: null });
  return failure === undefined ? "once, and not again" : describeFailure(small, failure);
}
