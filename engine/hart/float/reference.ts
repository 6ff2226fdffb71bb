/**
 * RISC-V F and D arithmetic over exact integers: the reference that the wasm lowering must equal, bit for bit and flag
 * for flag. Nothing here uses the host's floating point.
 *
 * Each number is significand * 2^exponent with an unbounded exponent, each operation is done exactly (or far past the
 * precision, with a last bit that says "and something more"), and `pack` rounds once.
 *
 * Left out: speed; NaN boxing; DYN rounding, which the caller resolves from `frm`.
 * Source: RISC-V Unprivileged ISA, chapters "F" and "D"; IEEE 754-2019, sections 4.3, 5.4 to 5.8, 7 and 9.6.
 *
 * @module
 */
import type { FloatFormat, FloatOperation, FormatParameters } from "./operation.ts";
import { DZ, FORMATS, NV, NX, OF, RDN, RMM, RNE, RTZ, RUP, UF } from "./operation.ts";

/** What an operation gives. */
export interface FloatResult {
  /** Raw bits of the result's format (`s`: 32, not NaN-boxed), or the 64-bit x register for integers and compares. */
  readonly bits: bigint;
  /** Exceptions raised, to be ORed into `fflags`. */
  readonly flags: number;
}

/** A number or infinity with its sign, taken apart. Zero has significand 0. */
interface Finite {
  readonly kind: "finite";
  readonly negative: boolean;
  readonly significand: bigint;
  readonly exponent: number;
}
interface Infinite {
  readonly kind: "infinite";
  readonly negative: boolean;
}
interface Nan {
  readonly kind: "nan";
  readonly signaling: boolean;
}
type Value = Finite | Infinite | Nan;

function unpack(bits: bigint, { precision, exponentBits, emin }: FormatParameters): Value {
  const fractionBits = precision - 1;
  const fraction = BigInt.asUintN(fractionBits, bits);
  const field = Number(BigInt.asUintN(exponentBits, bits >> BigInt(fractionBits)));
  const negative = ((bits >> BigInt(fractionBits + exponentBits)) & 1n) === 1n;
  if (field === (1 << exponentBits) - 1) {
    if (fraction === 0n) return { kind: "infinite", negative };
    return { kind: "nan", signaling: fraction >> BigInt(fractionBits - 1) === 0n };
  }
  const hidden = field === 0 ? 0n : 1n << BigInt(fractionBits);
  return {
    kind: "finite",
    negative,
    significand: hidden | fraction,
    exponent: Math.max(field, 1) - 1 + emin - fractionBits,
  };
}

const bitLength = (value: bigint): number => (value === 0n ? 0 : value.toString(2).length);

/** Rounds significand * 2^exponent to a whole number of units of 2^quantum. */
function roundTo(
  quantum: number,
  negative: boolean,
  significand: bigint,
  exponent: number,
  rm: number,
): { units: bigint; inexact: boolean } {
  if (exponent >= quantum) return { units: significand << BigInt(exponent - quantum), inexact: false };
  const unit = 1n << BigInt(quantum - exponent);
  const units = significand / unit;
  const rest = significand % unit;
  if (rest === 0n) return { units, inexact: false };
  const up = {
    [RNE]: 2n * rest > unit || (2n * rest === unit && (units & 1n) === 1n),
    [RTZ]: false,
    [RDN]: negative,
    [RUP]: !negative,
    [RMM]: 2n * rest >= unit,
  }[rm];
  return { units: up ? units + 1n : units, inexact: true };
}

const zero = (negative: boolean): Finite => ({ kind: "finite", negative, significand: 0n, exponent: 0 });

/** Raw bits without a sign, and the sign. */
function signed(format: FormatParameters, negative: boolean, magnitude: bigint, flags = 0): FloatResult {
  return { bits: (negative ? 1n << BigInt(format.precision - 1 + format.exponentBits) : 0n) | magnitude, flags };
}

const infinity = (format: FormatParameters, negative: boolean, flags = 0) =>
  signed(format, negative, format.infinity, flags);

/** The result of an invalid operation, or of a quiet NaN operand (then without the flag). */
const nan = (format: FormatParameters, flags: number): FloatResult => ({ bits: format.canonicalNan, flags });

/** Rounds an exact number into a format. */
function pack(format: FormatParameters, { negative, significand, exponent }: Finite, rm: number): FloatResult {
  if (significand === 0n) return signed(format, negative, 0n);
  const { precision, emin, emax } = format;
  const top = bitLength(significand) - 1 + exponent;
  const atPrecision = roundTo(top - (precision - 1), negative, significand, exponent, rm);
  // Precision alone decides overflow and tininess, as if exponents had no bounds (IEEE 754-2019, 7.4 and 7.5).
  const topRounded = top + (bitLength(atPrecision.units) - precision);
  if (topRounded > emax) {
    const toLargest = rm === RTZ || rm === (negative ? RUP : RDN);
    return signed(format, negative, toLargest ? format.infinity - 1n : format.infinity, OF | NX);
  }
  if (top >= emin) {
    // The significand's leading one adds 1 to the exponent field, and a carry out of the significand adds another.
    const magnitude = (BigInt(top - emin) << BigInt(precision - 1)) + atPrecision.units;
    return signed(format, negative, magnitude, atPrecision.inexact ? NX : 0);
  }
  // Tininess is detected after rounding, and a tiny exact result raises nothing ("F", "Subnormal Arithmetic").
  const { units, inexact } = roundTo(emin - (precision - 1), negative, significand, exponent, rm);
  const tiny = topRounded < emin;
  return signed(format, negative, units, inexact ? NX | (tiny ? UF : 0) : 0);
}

function multiply(a: Finite, b: Finite): Finite {
  return {
    kind: "finite",
    negative: a.negative !== b.negative,
    significand: a.significand * b.significand,
    exponent: a.exponent + b.exponent,
  };
}

/** An exact sum. An exact zero of opposite signs is +0, except that it is -0 rounding down (IEEE 754-2019, 6.3). */
function sum(a: Finite, b: Finite, rm: number): Finite {
  const exponent = Math.min(a.exponent, b.exponent);
  const scale = (x: Finite) => (x.negative ? -x.significand : x.significand) << BigInt(x.exponent - exponent);
  const total = scale(a) + scale(b);
  if (total === 0n) return zero(a.negative === b.negative ? a.negative : rm === RDN);
  return { kind: "finite", negative: total < 0n, significand: total < 0n ? -total : total, exponent };
}

const invert = (value: Value): Value => (value.kind === "nan" ? value : { ...value, negative: !value.negative });

const signalingAmong = (...values: Value[]): boolean => values.some((value) => value.kind === "nan" && value.signaling);

function add(format: FormatParameters, a: Value, b: Value, rm: number): FloatResult {
  if (a.kind === "nan" || b.kind === "nan") return nan(format, signalingAmong(a, b) ? NV : 0);
  if (a.kind === "infinite") {
    if (b.kind === "infinite" && a.negative !== b.negative) return nan(format, NV);
    return infinity(format, a.negative);
  }
  if (b.kind === "infinite") return infinity(format, b.negative);
  return pack(format, sum(a, b, rm), rm);
}

const isZero = (value: Value): boolean => value.kind === "finite" && value.significand === 0n;

/** Infinity times zero has no value. */
const undefinedProduct = (a: Value, b: Value): boolean =>
  (a.kind === "infinite" && isZero(b)) || (isZero(a) && b.kind === "infinite");

function mul(format: FormatParameters, a: Value, b: Value, rm: number): FloatResult {
  if (a.kind === "nan" || b.kind === "nan") return nan(format, signalingAmong(a, b) ? NV : 0);
  if (undefinedProduct(a, b)) return nan(format, NV);
  if (a.kind === "infinite" || b.kind === "infinite") return infinity(format, a.negative !== b.negative);
  return pack(format, multiply(a, b), rm);
}

/** a * b + c, rounded once. */
function fused(format: FormatParameters, a: Value, b: Value, c: Value, rm: number): FloatResult {
  // Invalid even if the addend is a quiet NaN ("F", "Single-Precision Floating-Point Computational Instructions").
  const invalid = signalingAmong(a, b, c) || undefinedProduct(a, b);
  if (invalid) return nan(format, NV);
  if (a.kind === "nan" || b.kind === "nan" || c.kind === "nan") return nan(format, 0);
  if (a.kind === "infinite" || b.kind === "infinite")
    return add(format, { kind: "infinite", negative: a.negative !== b.negative }, c, rm);
  return add(format, multiply(a, b), c, rm);
}

/** Bits computed past the precision, so that one more that says "and something more" never decides a tie wrongly. */
const GUARD = 128n;

function div(format: FormatParameters, a: Value, b: Value, rm: number): FloatResult {
  if (a.kind === "nan" || b.kind === "nan") return nan(format, signalingAmong(a, b) ? NV : 0);
  const negative = a.negative !== b.negative;
  if (a.kind === "infinite") return b.kind === "infinite" ? nan(format, NV) : infinity(format, negative);
  if (b.kind === "infinite") return pack(format, zero(negative), rm);
  if (isZero(b)) return isZero(a) ? nan(format, NV) : infinity(format, negative, DZ);
  const dividend = a.significand << GUARD;
  const quotient = dividend / b.significand;
  const more = dividend % b.significand === 0n ? 0n : 1n;
  const exponent = a.exponent - b.exponent - Number(GUARD) - 1;
  return pack(format, { kind: "finite", negative, significand: (quotient << 1n) | more, exponent }, rm);
}

/** The largest whole number whose square is at most n, one bit at a time from the top. */
function floorSqrt(n: bigint): bigint {
  let root = 0n;
  for (let bit = 1n << BigInt(bitLength(n) >> 1); bit > 0n; bit >>= 1n) if ((root | bit) ** 2n <= n) root |= bit;
  return root;
}

function sqrt(format: FormatParameters, a: Value, rm: number): FloatResult {
  if (a.kind === "nan") return nan(format, a.signaling ? NV : 0);
  if (isZero(a)) return pack(format, a as Finite, rm); // The square root of -0 is -0.
  if (a.negative) return nan(format, NV);
  if (a.kind === "infinite") return infinity(format, false);
  const odd = Math.abs(a.exponent % 2);
  const radicand = a.significand << (2n * GUARD + BigInt(odd));
  const root = floorSqrt(radicand);
  const more = root * root === radicand ? 0n : 1n;
  const exponent = (a.exponent - odd) / 2 - Number(GUARD) - 1;
  return pack(format, { kind: "finite", negative: false, significand: (root << 1n) | more, exponent }, rm);
}

/** Numeric order of two values that are not NaN; -0 equals +0. */
function compare(a: Finite | Infinite, b: Finite | Infinite): number {
  const rank = (x: Finite | Infinite) => (x.kind === "infinite" ? (x.negative ? -1 : 1) : 0);
  if (a.kind === "infinite" || b.kind === "infinite") return rank(a) - rank(b);
  const difference = sum(a, { ...b, negative: !b.negative }, RNE);
  return difference.significand === 0n ? 0 : difference.negative ? -1 : 1;
}

/** minimumNumber and maximumNumber of IEEE 754-2019: a NaN loses against a number, -0 is less than +0. */
function extremum(format: FormatParameters, a: bigint, b: bigint, largest: boolean): FloatResult {
  const left = unpack(a, format);
  const right = unpack(b, format);
  const flags = signalingAmong(left, right) ? NV : 0;
  if (left.kind === "nan") return right.kind === "nan" ? nan(format, flags) : { bits: b, flags };
  if (right.kind === "nan") return { bits: a, flags };
  const order = compare(left, right) || Number(right.negative) - Number(left.negative);
  return { bits: order < 0 === largest ? b : a, flags };
}

function relation(operation: "eq" | "lt" | "le", a: Value, b: Value): FloatResult {
  if (a.kind === "nan" || b.kind === "nan") {
    return { bits: 0n, flags: operation !== "eq" || signalingAmong(a, b) ? NV : 0 };
  }
  const order = compare(a, b);
  const holds = operation === "eq" ? order === 0 : operation === "lt" ? order < 0 : order <= 0;
  return { bits: holds ? 1n : 0n, flags: 0 };
}

/** One bit of ten, as the table of FCLASS numbers them. */
function classify(format: FormatParameters, a: Value): bigint {
  if (a.kind === "nan") return a.signaling ? 1n << 8n : 1n << 9n;
  if (a.kind === "infinite") return a.negative ? 1n << 0n : 1n << 7n;
  if (a.significand === 0n) return a.negative ? 1n << 3n : 1n << 4n;
  if (bitLength(a.significand) < format.precision) return a.negative ? 1n << 2n : 1n << 5n;
  return a.negative ? 1n << 1n : 1n << 6n;
}

/** Width in bits, and whether the integer is signed. */
const INTEGERS = { w: [32, true], wu: [32, false], l: [64, true], lu: [64, false] } as const;
type Integer = keyof typeof INTEGERS;

function toInteger(integer: Integer, a: Value, rm: number): FloatResult {
  const [width, isSigned] = INTEGERS[integer];
  const least = isSigned ? -(1n << BigInt(width - 1)) : 0n;
  const most = least + (1n << BigInt(width)) - 1n;
  // Also W and WU results are sign-extended to XLEN.
  const x = (value: bigint, flags: number) => ({ bits: BigInt.asUintN(64, BigInt.asIntN(width, value)), flags });
  if (a.kind === "nan") return x(most, NV);
  if (a.kind === "infinite") return x(a.negative ? least : most, NV);
  const { units, inexact } = roundTo(0, a.negative, a.significand, a.exponent, rm);
  const value = a.negative ? -units : units;
  // Out of range raises only NV, never NX with it (IEEE 754-2019, 5.8).
  if (value < least) return x(least, NV);
  if (value > most) return x(most, NV);
  return x(value, inexact ? NX : 0);
}

function fromInteger(format: FormatParameters, integer: Integer, a: bigint, rm: number): FloatResult {
  const [width, isSigned] = INTEGERS[integer];
  const value = isSigned ? BigInt.asIntN(width, a) : BigInt.asUintN(width, a);
  const negative = value < 0n;
  return pack(format, { kind: "finite", negative, significand: negative ? -value : value, exponent: 0 }, rm);
}

function convert(from: FormatParameters, to: FormatParameters, a: bigint, rm: number): FloatResult {
  const value = unpack(a, from);
  if (value.kind === "nan") return nan(to, value.signaling ? NV : 0);
  if (value.kind === "infinite") return infinity(to, value.negative);
  return pack(to, value, rm);
}

/**
 * Computes one F or D operation exactly as the manual says.
 *
 * @param operation What to compute. `s-to-d` and `d-to-s` say both formats themselves.
 * @param format The format of the operands, or of the result of a conversion from an integer.
 * @param a First operand: raw bits, or for `from-*` the 64-bit x register, of which W and WU use the low half.
 * @param b Second operand; any value where there is none.
 * @param c Third operand, the addend; any value where there is none.
 * @param rm Rounding mode, 0 to 4: RNE, RTZ, RDN, RUP, RMM.
 * @returns The result and the flags it raises. NaN results are canonical.
 * @throws {RangeError} If `rm` is none of the five modes.
 */
export function floatOperation(
  operation: FloatOperation,
  format: FloatFormat,
  a: bigint,
  b: bigint,
  c: bigint,
  rm: number,
): FloatResult {
  if (!(rm >= RNE && rm <= RMM)) throw new RangeError(`Cannot round as rm must be 0 to 4: ${rm}`);
  const parameters = FORMATS[format];
  const value = (bits: bigint) => unpack(bits, parameters);
  switch (operation) {
    case "add":
      return add(parameters, value(a), value(b), rm);
    case "sub":
      return add(parameters, value(a), invert(value(b)), rm);
    case "mul":
      return mul(parameters, value(a), value(b), rm);
    case "div":
      return div(parameters, value(a), value(b), rm);
    case "sqrt":
      return sqrt(parameters, value(a), rm);
    case "madd":
      return fused(parameters, value(a), value(b), value(c), rm);
    case "msub":
      return fused(parameters, value(a), value(b), invert(value(c)), rm);
    // The negated product, then the addend: not the negated sum, whose zero would have the other sign.
    case "nmsub":
      return fused(parameters, invert(value(a)), value(b), value(c), rm);
    case "nmadd":
      return fused(parameters, invert(value(a)), value(b), invert(value(c)), rm);
    case "min":
      return extremum(parameters, a, b, false);
    case "max":
      return extremum(parameters, a, b, true);
    case "eq":
    case "lt":
    case "le":
      return relation(operation, value(a), value(b));
    case "class":
      return { bits: classify(parameters, value(a)), flags: 0 };
    case "to-w":
    case "to-wu":
    case "to-l":
    case "to-lu":
      return toInteger(operation.slice(3) as Integer, value(a), rm);
    case "from-w":
    case "from-wu":
    case "from-l":
    case "from-lu":
      return fromInteger(parameters, operation.slice(5) as Integer, a, rm);
    case "s-to-d":
      return convert(FORMATS.s, FORMATS.d, a, rm);
    case "d-to-s":
      return convert(FORMATS.d, FORMATS.s, a, rm);
  }
}
