/**
 * Floating point from integers, in wasm: every rounding mode, subnormal, special value and flag. The fast paths come
 * here whenever hardware's result or flags might differ.
 *
 * A finite operand is taken apart into a significand with its leading one at bit 62 and the exponent of that one, so
 * both formats share all arithmetic; `round` puts the result together. Addition is `a * 1 + b`, multiplication
 * `a * b + 0` with the product's sign on the zero: then one fused routine serves them all, and its rules for signed
 * zeros are the right ones.
 *
 * Source: IEEE 754-2019, sections 4.3, 6 and 7; RISC-V Unprivileged ISA, chapters "F" and "D".
 *
 * @module
 */
import type { Code, FunctionSpec } from "../wasm.ts";
import { brIf, I32, I64, i32, i64, leave, loop, select, when } from "../wasm.ts";
import type { Context, Layout } from "./layout.ts";
import { isInfinite, isNan, isSignaling, isZero, magnitude, signOf } from "./layout.ts";
import { DZ, NV, NX, OF, RDN, RNE, RUP } from "./operation.ts";
import type { Local, Locals } from "./routine.ts";
import { routine } from "./routine.ts";

/** The names of this file's functions, without the format. */
export const SOFT = ["round", "nonfinite", "fused", "quotient", "root"] as const;

/** Bits of a significand taken apart, below the leading one. */
const POINT = 62;

/** Shifts right and keeps whether ones were lost as the last bit. `count` is 0 to 63. */
const shiftRightJam = (value: Local, count: Code): Code =>
  i64.or(
    i64.shrU(value.get, count),
    i64.extendI32U(i64.ne(i64.and(value.get, i64.xor(i64.shl(i64.const(-1), count), i64.const(-1))), i64.const(0))),
  );

/** The same for 128 bits in two locals and any count of at least 0, which is used up. The high half is below 2^62. */
const shiftRightJam128 = (high: Local, low: Local, count: Local): Code => [
  when(i32.geU(count.get, i32.const(64)), [
    low.set(i64.or(high.get, i64.extendI32U(i64.ne(low.get, i64.const(0))))),
    high.set(i64.const(0)),
    count.set(select(i32.sub(count.get, i32.const(64)), i32.const(63), i32.leU(count.get, i32.const(127)))),
  ]),
  low.set(
    i64.or(
      // In two steps, as wasm takes shift counts modulo 64.
      i64.shl(i64.shl(high.get, i64.const(1)), i64.extendI32U(i32.sub(i32.const(63), count.get))),
      shiftRightJam(low, i64.extendI32U(count.get)),
    ),
  ),
  high.set(i64.shrU(high.get, i64.extendI32U(count.get))),
];

/** A finite operand taken apart. */
export interface Parts {
  readonly significand: Local;
  readonly exponent: Local;
}

export const parts = (locals: Locals): Parts => ({ significand: locals.i64(), exponent: locals.i32() });

const exponentField = (layout: Layout, bits: Code): Code =>
  i32.wrapI64(i64.shrU(magnitude(layout, bits), i64.const(layout.fractionBits)));

/** Takes a finite operand apart. The exponent of zero means nothing. */
export function takeApart(layout: Layout, bits: Code, { significand, exponent }: Parts): Code {
  const { fractionBits, emin, fraction, leastNormal } = layout;
  return [
    exponent.set(exponentField(layout, bits)),
    significand.set(
      i64.or(i64.and(bits, i64.const(fraction)), select(i64.const(0), i64.const(leastNormal), i32.eqz(exponent.get))),
    ),
    // Field 0 has the exponent of field 1. The exponent of bit 0 plus the position of the leading one.
    exponent.set(
      i32.sub(
        i32.add(i32.add(exponent.get, i32.eqz(exponent.get)), i32.const(emin - 1 - fractionBits + 63)),
        i32.wrapI64(i64.clz(significand.get)),
      ),
    ),
    significand.set(i64.shl(significand.get, i64.sub(i64.clz(significand.get), i64.const(63 - POINT)))),
  ];
}

/** Whether any of the operands is infinite or NaN. */
const anyNonfinite = (layout: Layout, ...operands: Local[]): Code =>
  operands
    .map((bits) => i64.geU(magnitude(layout, bits.get), i64.const(layout.infinity)))
    .reduce((all, one) => i32.or(all, one));

const signed = (layout: Layout, negative: Code, bits: Code): Code =>
  i64.or(i64.shl(i64.extendI32U(negative), i64.const(layout.fractionBits + layout.exponentBits)), bits);

const invalid = ({ layout, raise }: Context): Code => [raise(i32.const(NV)), leave(i64.const(layout.canonicalNan))];

/**
 * (negative, exponent, significand, rm): rounds significand * 2^(exponent - 62) into the format. The significand has
 * its leading one at bit 62, and whatever was lost below bit 0 shows as a one in bit 0.
 */
function round({ layout, raise }: Context): FunctionSpec {
  const { precision, emin, fractionBits, infinity } = layout;
  const below = POINT + 1 - precision;
  const mask = (1n << BigInt(below)) - 1n;
  const half = 1n << BigInt(below - 1);
  return routine([I32, I32, I64, I32], [I64], (locals, negative, exponent, significand, rm) => {
    const increment = locals.i64();
    const rest = locals.i64();
    const units = locals.i64();
    const tiny = locals.i32();
    const count = locals.i64();
    const nearest = i32.eqz(i32.and(rm.get, i32.const(3))); // RNE or RMM
    const awayFromZero = i32.eq(rm.get, i32.sub(i32.const(RUP), negative.get)); // RDN if negative, else RUP
    return [
      increment.set(select(i64.const(half), select(i64.const(mask), i64.const(0), awayFromZero), nearest)),
      when(i32.ltS(exponent.get, i32.const(emin)), [
        // Tiny after rounding: unless rounding with unbounded exponents carries into 2^emin.
        tiny.set(
          i32.or(
            i32.ltS(exponent.get, i32.const(emin - 1)),
            i64.geS(i64.add(significand.get, increment.get), i64.const(0)),
          ),
        ),
        count.set(i64.extendI32U(i32.sub(i32.const(emin), exponent.get))),
        count.set(select(count.get, i64.const(63), i64.ltU(count.get, i64.const(63)))),
        significand.set(shiftRightJam(significand, count.get)),
        exponent.set(i32.const(emin)),
      ]),
      rest.set(i64.and(significand.get, i64.const(mask))),
      units.set(i64.shrU(i64.add(significand.get, increment.get), i64.const(below))),
      // A tie went up; to even, it has to come back if that made it odd.
      when(i32.and(i32.eq(rm.get, i32.const(RNE)), i64.eq(rest.get, i64.const(half))), [
        units.set(i64.and(units.get, i64.const(-2))),
      ]),
      // The leading one adds 1 to the exponent field; a carry out of the significand adds another.
      units.set(
        i64.add(units.get, i64.shl(i64.extendI32U(i32.sub(exponent.get, i32.const(emin))), i64.const(fractionBits))),
      ),
      when(i64.geU(units.get, i64.const(infinity)), [
        raise(i32.const(OF | NX)),
        units.set(select(i64.const(infinity), i64.const(infinity - 1n), i32.or(nearest, awayFromZero))),
        leave(signed(layout, negative.get, units.get)),
      ]),
      when(i64.ne(rest.get, i64.const(0)), [raise(i32.or(i32.const(NX), i32.shl(tiny.get, i32.const(1))))]),
      signed(layout, negative.get, units.get),
    ];
  });
}

/** (a, b, c): a * b + c where at least one of them is infinite or NaN. */
function nonfinite(context: Context): FunctionSpec {
  const { layout } = context;
  return routine([I64, I64, I64], [I64], (_, a, b, c) => {
    const infinityTimesZero = (x: Local, y: Local) => i32.and(isInfinite(layout, x.get), isZero(layout, y.get));
    const anyOf = (test: (layout: Layout, bits: Code) => Code, ...operands: Local[]) =>
      operands.map((bits) => test(layout, bits.get)).reduce((all, one) => i32.or(all, one));
    return [
      // Invalid even if the addend is a quiet NaN.
      when(
        i32.or(anyOf(isSignaling, a, b, c), i32.or(infinityTimesZero(a, b), infinityTimesZero(b, a))),
        invalid(context),
      ),
      when(anyOf(isNan, a, b, c), leave(i64.const(layout.canonicalNan))),
      when(anyOf(isInfinite, a, b), [
        a.set(i64.or(i64.and(i64.xor(a.get, b.get), i64.const(layout.sign)), i64.const(layout.infinity))),
        when(i32.and(isInfinite(layout, c.get), i64.ne(a.get, c.get)), invalid(context)),
        leave(a.get),
      ]),
      c.get,
    ];
  });
}

/** (a, b, c, rm): a * b + c, rounded once. */
function fused({ layout, call }: Context): FunctionSpec {
  return routine([I64, I64, I64, I32], [I64], (locals, a, b, c, rm) => {
    const left = parts(locals);
    const right = parts(locals);
    const addend = parts(locals);
    const high = locals.i64();
    const low = locals.i64();
    const other = locals.i64(); // the addend's low half
    const middle = locals.i64();
    const negative = locals.i32();
    const subtract = locals.i32();
    const unit = locals.i32(); // exponent of bit 0 of high:low
    const count = locals.i32();
    const shift = locals.i64();
    const c0 = addend.significand;
    return [
      when(anyNonfinite(layout, a, b, c), leave(call("nonfinite", a.get, b.get, c.get))),
      negative.set(signOf(layout, i64.xor(a.get, b.get))),
      when(i32.or(isZero(layout, a.get), isZero(layout, b.get)), [
        when(i32.eqz(isZero(layout, c.get)), leave(c.get)),
        // Zeros of one sign keep it; of two signs, they are +0, but -0 rounding down.
        leave(
          signed(
            layout,
            select(negative.get, i32.eq(rm.get, i32.const(RDN)), i32.eq(negative.get, signOf(layout, c.get))),
            i64.const(0),
          ),
        ),
      ]),
      takeApart(layout, a.get, left),
      takeApart(layout, b.get, right),
      multiplyHigh(left.significand, right.significand, middle, high, low),
      // Both leading ones were at bit 62, so the product's is at 124 or 125 of 128.
      unit.set(i32.sub(i32.add(left.exponent.get, right.exponent.get), i32.const(2 * POINT))),
      when(i32.eqz(isZero(layout, c.get)), [
        takeApart(layout, c.get, addend),
        // As the high half, with its leading one at bit 125; nothing is lost, its low bits are zeros.
        c0.set(i64.shrU(c0.get, i64.const(1))),
        count.set(i32.sub(unit.get, i32.sub(addend.exponent.get, i32.const(125)))),
        // If ones are lost here, the other operand is over 2^20 times as large, so that no cancellation reaches them.
        when(i32.geS(count.get, i32.const(0)), shiftRightJam128(c0, other, count), [
          unit.set(i32.sub(unit.get, count.get)),
          count.set(i32.sub(i32.const(0), count.get)),
          shiftRightJam128(high, low, count),
        ]),
        subtract.set(i32.ne(negative.get, signOf(layout, c.get))),
        when(
          subtract.get,
          [
            middle.set(i64.extendI32U(i64.ltU(low.get, other.get))),
            low.set(i64.sub(low.get, other.get)),
            high.set(i64.sub(i64.sub(high.get, c0.get), middle.get)),
            when(i64.ltS(high.get, i64.const(0)), [
              negative.set(i32.eqz(negative.get)),
              high.set(i64.sub(i64.sub(i64.const(0), high.get), i64.extendI32U(i64.ne(low.get, i64.const(0))))),
              low.set(i64.sub(i64.const(0), low.get)),
            ]),
            when(
              i64.eqz(i64.or(high.get, low.get)),
              leave(signed(layout, i32.eq(rm.get, i32.const(RDN)), i64.const(0))),
            ),
          ],
          [
            low.set(i64.add(low.get, other.get)),
            high.set(i64.add(i64.add(high.get, c0.get), i64.extendI32U(i64.ltU(low.get, other.get)))),
          ],
        ),
      ]),
      when(i64.eqz(high.get), [
        high.set(i64.shrU(low.get, i64.const(1))),
        low.set(i64.shl(low.get, i64.const(63))),
        unit.set(i32.sub(unit.get, i32.const(63))),
      ]),
      shift.set(i64.sub(i64.clz(high.get), i64.const(63 - POINT))),
      high.set(
        i64.or(
          i64.shl(high.get, shift.get),
          i64.shrU(i64.shrU(low.get, i64.const(1)), i64.sub(i64.const(63), shift.get)),
        ),
      ),
      high.set(i64.or(high.get, i64.extendI32U(i64.ne(i64.shl(low.get, shift.get), i64.const(0))))),
      call(
        "round",
        negative.get,
        i32.sub(i32.add(unit.get, i32.const(64 + POINT)), i32.wrapI64(shift.get)),
        high.get,
        rm.get,
      ),
    ];
  });
}

/** The 128-bit product of two locals below 2^63, by halves of 32 bits. */
function multiplyHigh(a: Local, b: Local, middle: Local, high: Local, low: Local): Code {
  const lowHalf = (x: Local) => i64.and(x.get, i64.const(0xffffffff));
  const highHalf = (x: Code) => i64.shrU(x, i64.const(32));
  return [
    low.set(i64.mul(lowHalf(a), lowHalf(b))),
    middle.set(i64.add(i64.mul(highHalf(a.get), lowHalf(b)), highHalf(low.get))),
    high.set(highHalf(middle.get)),
    middle.set(i64.add(i64.mul(lowHalf(a), highHalf(b.get)), lowHalf(middle))),
    high.set(i64.add(i64.add(i64.mul(highHalf(a.get), highHalf(b.get)), high.get), highHalf(middle.get))),
    low.set(i64.or(i64.shl(middle.get, i64.const(32)), lowHalf(low))),
  ];
}

/** (a, b, rm): a / b. */
function quotient(context: Context): FunctionSpec {
  const { layout, call, raise } = context;
  return routine([I64, I64, I32], [I64], (locals, a, b, rm) => {
    const dividend = parts(locals);
    const divisor = parts(locals);
    const digits = locals.i64();
    const rest = locals.i64();
    const digit = locals.i64();
    const step = locals.i32();
    const shift = locals.i64();
    const negative = locals.i32();
    const infinite = leave(signed(layout, negative.get, i64.const(layout.infinity)));
    return [
      negative.set(signOf(layout, i64.xor(a.get, b.get))),
      when(anyNonfinite(layout, a, b), [
        when(i32.or(isNan(layout, a.get), isNan(layout, b.get)), [
          when(i32.or(isSignaling(layout, a.get), isSignaling(layout, b.get)), invalid(context)),
          leave(i64.const(layout.canonicalNan)),
        ]),
        when(isInfinite(layout, a.get), [when(isInfinite(layout, b.get), invalid(context)), infinite]),
        leave(signed(layout, negative.get, i64.const(0))),
      ]),
      when(isZero(layout, b.get), [when(isZero(layout, a.get), invalid(context)), raise(i32.const(DZ)), infinite]),
      when(isZero(layout, a.get), leave(signed(layout, negative.get, i64.const(0)))),
      takeApart(layout, a.get, dividend),
      takeApart(layout, b.get, divisor),
      // 53 bits leave room for eleven quotient bits a step: one bit, then five steps, makes 55 or 56 that count.
      rest.set(i64.shrU(dividend.significand.get, i64.const(10))),
      divisor.significand.set(i64.shrU(divisor.significand.get, i64.const(10))),
      digits.set(i64.extendI32U(i64.geU(rest.get, divisor.significand.get))),
      rest.set(i64.sub(rest.get, select(divisor.significand.get, i64.const(0), i32.wrapI64(digits.get)))),
      step.set(i32.const(5)),
      loop([
        rest.set(i64.shl(rest.get, i64.const(11))),
        digit.set(i64.divU(rest.get, divisor.significand.get)),
        rest.set(i64.sub(rest.get, i64.mul(digit.get, divisor.significand.get))),
        digits.set(i64.or(i64.shl(digits.get, i64.const(11)), digit.get)),
        brIf(0, step.tee(i32.sub(step.get, i32.const(1)))),
      ]),
      shift.set(i64.sub(i64.clz(digits.get), i64.const(63 - POINT))),
      digits.set(i64.or(i64.shl(digits.get, shift.get), i64.extendI32U(i64.ne(rest.get, i64.const(0))))),
      call(
        "round",
        negative.get,
        i32.sub(
          i32.add(i32.sub(dividend.exponent.get, divisor.exponent.get), i32.const(POINT - 55)),
          i32.wrapI64(shift.get),
        ),
        digits.get,
        rm.get,
      ),
    ];
  });
}

/** (a, rm): the square root. */
function root(context: Context): FunctionSpec {
  const { layout, call } = context;
  return routine([I64, I32], [I64], (locals, a, rm) => {
    const radicand = parts(locals);
    const digits = locals.i64();
    const rest = locals.i64();
    const trial = locals.i64();
    const step = locals.i32();
    const word = radicand.significand;
    return [
      when(isZero(layout, a.get), leave(a.get)),
      when(isNan(layout, a.get), [
        when(isSignaling(layout, a.get), invalid(context)),
        leave(i64.const(layout.canonicalNan)),
      ]),
      when(signOf(layout, a.get), invalid(context)),
      when(isInfinite(layout, a.get), leave(a.get)),
      takeApart(layout, a.get, radicand),
      // An even exponent halves; an odd one gives a factor of two to the significand, which is then in [1, 4).
      word.set(i64.shl(word.get, i64.extendI32U(i32.and(radicand.exponent.get, i32.const(1))))),
      // By hand, two bits of the radicand and one of the root a step; 56 bits of root leave room for the remainder.
      step.set(i32.const(56)),
      loop([
        rest.set(i64.or(i64.shl(rest.get, i64.const(2)), i64.shrU(word.get, i64.const(62)))),
        word.set(i64.shl(word.get, i64.const(2))),
        trial.set(i64.or(i64.shl(digits.get, i64.const(2)), i64.const(1))),
        digits.set(i64.shl(digits.get, i64.const(1))),
        when(i64.geU(rest.get, trial.get), [
          rest.set(i64.sub(rest.get, trial.get)),
          digits.set(i64.or(digits.get, i64.const(1))),
        ]),
        brIf(0, step.tee(i32.sub(step.get, i32.const(1)))),
      ]),
      call(
        "round",
        i32.const(0),
        i32.shrS(radicand.exponent.get, i32.const(1)),
        i64.or(i64.shl(digits.get, i64.const(POINT - 55)), i64.extendI32U(i64.ne(rest.get, i64.const(0)))),
        rm.get,
      ),
    ];
  });
}

/** The soft functions of one format, in the order of `SOFT`. */
export function softFunctions(context: Context): Record<(typeof SOFT)[number], FunctionSpec> {
  return {
    round: round(context),
    nonfinite: nonfinite(context),
    fused: fused(context),
    quotient: quotient(context),
    root: root(context),
  };
}

/** Rounds a 64-bit magnitude that is not zero: an integer, or any number whose bit 0 stands for 2^unit. */
export function roundMagnitude(context: Context, negative: Code, value: Local, rm: Code, scratch: Local): Code {
  return [
    scratch.set(i64.clz(value.get)),
    value.set(i64.shl(value.get, scratch.get)),
    context.call(
      "round",
      negative,
      i32.sub(i32.const(63), i32.wrapI64(scratch.get)),
      // Down from bit 63 to bit 62, keeping the bit that falls off.
      i64.or(i64.shrU(value.get, i64.const(1)), i64.and(value.get, i64.const(1))),
      rm,
    ),
  ];
}
