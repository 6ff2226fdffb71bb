/**
 * The answer to an exit that a technique's guests cannot cause.
 *
 * @module
 */
import type { Exit } from "../vmm/exit.ts";

/** @throws {Error} Always: the exit's reason says that the technique or the VMM is wrong. */
export function unexpected(exit: Exit): never {
  throw new Error(`Cannot handle an exit as this technique's guests do not cause it: ${exit.reason}`);
}
