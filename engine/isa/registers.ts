/**
 * Register names: numeric, and those of the calling convention.
 *
 * Source: RISC-V ABIs Specification, "Integer Register Convention" and "Floating-point Register Convention".
 *
 * @module
 */
const list = (prefix: string, first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => `${prefix}${first + index}`);

/** ABI names by number. */
export const X_NAMES: readonly string[] = [
  ...["zero", "ra", "sp", "gp", "tp"],
  ...list("t", 0, 2),
  ...list("s", 0, 1),
  ...list("a", 0, 7),
  ...list("s", 2, 11),
  ...list("t", 3, 6),
];
export const F_NAMES: readonly string[] = [
  ...list("ft", 0, 7),
  ...list("fs", 0, 1),
  ...list("fa", 0, 7),
  ...list("fs", 2, 11),
  ...list("ft", 8, 11),
];

const named = (names: readonly string[], prefix: string) =>
  new Map([...names.entries()].flatMap(([number, name]) => [[name, number] as const, [`${prefix}${number}`, number]]));
const xNumbers = named(X_NAMES, "x").set("fp", 8);
const fNumbers = named(F_NAMES, "f");

/** @returns The number of an x or f register, under any of its names, or undefined. */
export function registerNumber(file: "x" | "f", name: string): number | undefined {
  return (file === "x" ? xNumbers : fNumbers).get(name);
}
