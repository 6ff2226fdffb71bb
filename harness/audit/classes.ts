/**
 * Words that prediction and observation have in common, and nothing else: neither knows what the other comes to.
 *
 * @module
 */
import type { InstructionClass } from "../comparison.ts";

/** From least to most. */
export type Sensitivity = "none" | "behaviour" | "control";
const ORDER: readonly Sensitivity[] = ["none", "behaviour", "control"];

/** @returns The stronger of two. */
export function stronger(a: Sensitivity, b: Sensitivity): Sensitivity {
  return ORDER.indexOf(a) < ORDER.indexOf(b) ? b : a;
}

/** @returns The class of what does not always trap in user mode. */
export function classOf(sensitivity: Sensitivity): InstructionClass {
  return sensitivity === "none" ? "innocuous" : `${sensitivity}-sensitive`;
}
