/**
 * Operands for the tests, seeded: most random bit patterns never meet a tie, a cancellation or the edge of a range, so
 * exponents and fractions are drawn apart, each with a liking for edges and for what the other operands make of them.
 *
 * @module
 */
import type { FloatFormat, FloatFunction, FloatOperation } from "./operation.ts";
import { FORMATS } from "./operation.ts";

/** A stream of 64-bit numbers: the same seed gives the same stream on any host. */
export interface Seeded {
  next(): bigint;
  /** A whole number from 0 to below `bound`, at most 2^32. */
  below(bound: number): number;
}

/** Xorshift (Marsaglia 2003, "Xorshift RNGs", triple 13, 7, 17). */
export function seeded(seed: number): Seeded {
  let state = 0x9e3779b97f4a7c15n ^ BigInt(seed);
  const next = () => {
    state = BigInt.asUintN(64, state ^ (state << 13n));
    state ^= state >> 7n;
    state = BigInt.asUintN(64, state ^ (state << 17n));
    return state;
  };
  return { next, below: (bound) => Number(((next() >> 20n) * BigInt(bound)) >> 44n) };
}

/** Raw bits of the values whose rules differ: zeros, infinities, NaNs of both kinds, and both ends of each range. */
export function specialOperands(format: FloatFormat): readonly bigint[] {
  const { precision, exponentBits, emax, infinity, canonicalNan } = FORMATS[format];
  const fractionBits = BigInt(precision - 1);
  const sign = 1n << (fractionBits + BigInt(exponentBits));
  const leastNormal = 1n << fractionBits;
  const one = BigInt(emax) << fractionBits;
  const positive = [
    ...[0n, 1n, leastNormal - 1n, leastNormal, leastNormal + 1n],
    ...[one - 1n, one, one + 1n, one + leastNormal, infinity - 1n, infinity],
    ...[infinity + 1n, canonicalNan - 1n, canonicalNan, canonicalNan + 5n],
  ];
  return positive.flatMap((bits) => [bits, sign | bits]);
}

/** The exponent field of raw bits. */
function exponentField(format: FloatFormat, bits: bigint): number {
  const { precision, exponentBits } = FORMATS[format];
  return Number(BigInt.asUintN(exponentBits, bits >> BigInt(precision - 1)));
}

/** One operand. `others` are those drawn before it, in the order of the instruction. */
function operand(random: Seeded, format: FloatFormat, others: readonly bigint[]): bigint {
  const { precision, exponentBits, emin, emax } = FORMATS[format];
  const fractionBits = precision - 1;
  const top = (1 << exponentBits) - 1;
  const pick = <T>(choices: readonly (() => T)[]): T => choices[random.below(choices.length)]!();
  const any = (from: number, to: number) => from + random.below(to - from + 1);
  if (random.below(24) === 0) return others[0] ?? 0n;
  const unbiased = others.map((bits) => exponentField(format, bits) - emax);
  const last = unbiased.at(-1) ?? 0;
  const product = unbiased.reduce((all, one) => all + one, 0);
  // Where a rule changes: underflow to zero and to subnormals, overflow, and the range of an exact error term.
  const edge = pick([() => emin - precision, () => emin, () => emax, () => (format === "d" ? -960 : 0)]);
  const exponent = pick([
    () => any(-emax, emax + 1),
    () => any(-40, 40),
    () => any(-1, 1),
    () => pick([() => -emax, () => emin, () => emin + 1, () => emax - 1, () => emax, () => emax + 1]),
    () => any(emin - 1, emin + 2 * precision),
    // Near the others, a precision apart from them, or so that product or quotient meet an edge.
    () => product + any(-2, 2),
    () => product + pick([() => precision, () => -precision]) + any(-2, 2),
    () => edge - last + any(-2, 2),
    () => last - edge + any(-2, 2),
  ]);
  const bit = () => 1n << BigInt(random.below(fractionBits));
  const fraction = pick([
    () => random.next(),
    () => random.next() & -bit(),
    () => random.next() & (bit() - 1n),
    () => 0n,
    () => -1n,
    () => -bit(),
    () => bit(),
    () => bit() | bit() | 1n,
  ]);
  const field = Math.max(0, Math.min(top, exponent + emax));
  const sign = BigInt(random.below(2)) << BigInt(fractionBits + exponentBits);
  return sign | (BigInt(field) << BigInt(fractionBits)) | BigInt.asUintN(fractionBits, fraction);
}

/** Takes a function's name apart. */
export function nameParts(name: FloatFunction): { operation: FloatOperation; format: FloatFormat } {
  const dot = name.lastIndexOf(".");
  return { operation: name.slice(0, dot) as FloatOperation, format: name.slice(dot + 1) as FloatFormat };
}

/** The format of the operands; null if they are x registers. */
export function operandFormat(name: FloatFunction): FloatFormat | null {
  const { operation, format } = nameParts(name);
  if (operation.startsWith("from-")) return null;
  return operation === "s-to-d" ? "s" : operation === "d-to-s" ? "d" : format;
}

/** Three operands for a function, whether it takes them all or not. */
export function seededOperands(random: Seeded, name: FloatFunction): [bigint, bigint, bigint] {
  const format = operandFormat(name);
  if (format === null) {
    const bit = () => 1n << BigInt(random.below(64));
    const size = [
      () => random.next() >> BigInt(random.below(64)),
      () => random.next() & (random.next() << BigInt(random.below(64))),
      () => bit() | bit() | BigInt(random.below(2)),
      () => bit() - bit(),
    ][random.below(4)]!();
    return [BigInt.asUintN(64, random.below(2) === 0 ? size : -size), 0n, 0n];
  }
  const a = operand(random, format, []);
  const b = operand(random, format, [a]);
  return [a, b, operand(random, format, [a, b])];
}
