/**
 * Comparisons, min and max, classification, and conversions between the formats and from and to integers.
 *
 * Source: RISC-V Unprivileged ISA, "F", sections on conversion, compare and classify; IEEE 754-2019, 5.8 and 9.6.
 *
 * @module
 */
import type { Code, FunctionSpec } from "../wasm.ts";
import { block, brIf, f32, f64, I32, I64, i32, i64, leave, select, when } from "../wasm.ts";
import { acceptInexact, needNearestEven, noteInexact } from "./arithmetic.ts";
import type { Context, Layout } from "./layout.ts";
import { isNan, isSignaling, LAYOUTS, magnitude, signOf } from "./layout.ts";
import { NV, RDN, RNE, RTZ, RUP } from "./operation.ts";
import type { Local } from "./routine.ts";
import { routine } from "./routine.ts";
import { parts, roundMagnitude, takeApart } from "./soft.ts";

const { s: single, d: double } = LAYOUTS;

const either = (test: (layout: Layout, bits: Code) => Code, layout: Layout, a: Local, b: Local): Code =>
  i32.or(test(layout, a.get), test(layout, b.get));

/** Whether neither is NaN. */
const ordered = ({ value }: Layout, x: Local, y: Local): Code =>
  i32.and(value.eq(x.get, x.get), value.eq(y.get, y.get));

function relation({ layout, raise }: Context, operation: "eq" | "lt" | "le"): FunctionSpec {
  const { value, read, local } = layout;
  return routine([I64, I64, I32], [I64], (locals, a, b) => {
    const x = local(locals);
    const y = local(locals);
    const invalid = raise(i32.const(NV));
    return [
      x.set(read(a.get)),
      y.set(read(b.get)),
      when(
        i32.eqz(ordered(layout, x, y)),
        operation === "eq" ? when(either(isSignaling, layout, a, b), invalid) : invalid,
      ),
      i64.extendI32U(value[operation](x.get, y.get)),
    ];
  });
}

/** Wasm's min and max order -0 below +0 too, but answer NaN for NaN. */
function extremum({ layout, raise }: Context, operation: "min" | "max"): FunctionSpec {
  const { value, read, write, local } = layout;
  return routine([I64, I64, I32], [I64], (locals, a, b) => {
    const x = local(locals);
    const y = local(locals);
    return [
      x.set(read(a.get)),
      y.set(read(b.get)),
      when(ordered(layout, x, y), leave(write(value[operation](x.get, y.get)))),
      when(either(isSignaling, layout, a, b), raise(i32.const(NV))),
      select(select(i64.const(layout.canonicalNan), b.get, isNan(layout, b.get)), a.get, isNan(layout, a.get)),
    ];
  });
}

/** One bit of ten, as the table of FCLASS numbers them: -inf 0 to -0 3, +0 4 to +inf 7, signaling 8, quiet 9. */
function classify({ layout }: Context): FunctionSpec {
  const { infinity, leastNormal, quiet } = layout;
  return routine([I64, I32], [I64], (locals, a) => {
    const size = locals.i64();
    const place = locals.i32();
    return [
      size.set(magnitude(layout, a.get)),
      when(
        i64.gtU(size.get, i64.const(infinity)),
        leave(select(i64.const(1 << 9), i64.const(1 << 8), i64.ne(i64.and(a.get, i64.const(quiet)), i64.const(0)))),
      ),
      // Infinite 0, normal 1, subnormal 2, zero 3: the negative half of the table; the positive half mirrors it.
      place.set(
        i32.add(
          i32.add(i64.ltU(size.get, i64.const(infinity)), i64.ltU(size.get, i64.const(leastNormal))),
          i64.eqz(size.get),
        ),
      ),
      i64.shl(i64.const(1), i64.extendI32U(select(place.get, i32.sub(i32.const(7), place.get), signOf(layout, a.get)))),
    ];
  });
}

/** 2^exponent, and -(2^exponent). */
const power = (exponent: number): Code => double.constant(BigInt(1023 + exponent) << 52n);
const minus = (exponent: number): Code => double.constant((1n << 63n) | (BigInt(1023 + exponent) << 52n));
/** What each integer type holds: least to below `above`. `most` and `bottom` are the x registers it saturates to. */
const TO = {
  w: { least: minus(31), above: power(31), most: 0x7fffffffn, bottom: -0x80000000n },
  wu: { least: double.constant(0n), above: power(32), most: -1n, bottom: 0n },
  l: { least: minus(63), above: power(63), most: 0x7fffffff_ffffffffn, bottom: -0x80000000_00000000n },
  lu: { least: double.constant(0n), above: power(64), most: -1n, bottom: 0n },
};
type Integer = keyof typeof TO;
const INTEGERS = Object.keys(TO) as readonly Integer[];

/** Rounds an f64 to an integer in any of the five modes, exactly. */
function roundToInteger(x: Local, whole: Local, rm: Local): Code {
  const mode = (number: number) => i32.eq(rm.get, i32.const(number));
  const half = power(-1);
  const away = f64.copysign(power(0), x.get);
  return when(
    mode(RTZ),
    whole.set(f64.trunc(x.get)),
    when(
      mode(RNE),
      whole.set(f64.nearest(x.get)),
      when(
        mode(RDN),
        whole.set(f64.floor(x.get)),
        when(mode(RUP), whole.set(f64.ceil(x.get)), [
          whole.set(f64.trunc(x.get)),
          // The fraction cut off is exact, and so is the step away from zero: whole numbers that have one are small.
          when(f64.ge(f64.abs(f64.sub(x.get, whole.get)), half), whole.set(f64.add(whole.get, away))),
        ]),
      ),
    ),
  );
}

function toInteger(context: Context, integer: Integer): FunctionSpec {
  const { layout, raise } = context;
  const { least, above, most, bottom } = TO[integer];
  return routine([I64, I32], [I64], (locals, a, rm) => {
    const x = locals.f64();
    const whole = locals.f64();
    const result = locals.i64();
    return [
      x.set(layout.name === "s" ? f64.promoteF32(single.read(a.get)) : double.read(a.get)),
      roundToInteger(x, whole, rm),
      when(i32.and(f64.ge(whole.get, least), f64.lt(whole.get, above)), [
        result.set(integer === "lu" ? i64.truncSatF64U(whole.get) : i64.truncSatF64S(whole.get)),
        when(f64.ne(whole.get, x.get), noteInexact(context)),
        // W and WU results are both sign-extended.
        leave(integer === "w" || integer === "wu" ? i64.extend32S(result.get) : result.get),
      ]),
      raise(i32.const(NV)),
      // NaN goes where +infinity goes.
      select(i64.const(bottom), i64.const(most), f64.lt(whole.get, least)),
    ];
  });
}

function fromInteger(context: Context, integer: Integer): FunctionSpec {
  const { layout } = context;
  const { value, write, local } = layout;
  const isUnsigned = integer === "wu" || integer === "lu";
  const most = isUnsigned ? -1n : 0x7fffffff_ffffffffn;
  const back = layout.name === "s" ? [i64.truncSatF32S, i64.truncSatF32U] : [i64.truncSatF64S, i64.truncSatF64U];
  return routine([I64, I32], [I64], (locals, a, rm) => {
    const result = local(locals);
    const negative = locals.i32();
    const scratch = locals.i64();
    const extended = {
      w: a.set(i64.extend32S(a.get)),
      wu: a.set(i64.and(a.get, i64.const(0xffffffff))),
      l: [],
      lu: [],
    }[integer];
    const convert = isUnsigned ? value.convertI64U : value.convertI64S;
    const restored = (isUnsigned ? back[1] : back[0])!(result.get);
    return [
      extended,
      result.set(convert(a.get)),
      block([
        // Exact if it comes back, unless it came back by saturation.
        brIf(0, i32.and(i64.eq(restored, a.get), i64.ne(a.get, i64.const(most)))),
        when(i32.ne(rm.get, i32.const(RNE)), [
          isUnsigned
            ? []
            : [negative.set(i64.ltS(a.get, i64.const(0))), when(negative.get, a.set(i64.sub(i64.const(0), a.get)))],
          leave(roundMagnitude(context, negative.get, a, rm.get, scratch)),
        ]),
        noteInexact(context),
      ]),
      write(result.get),
    ];
  });
}

/** s-to-d is always exact. */
function widen({ raise }: Context): FunctionSpec {
  return routine([I64, I32], [I64], (locals, a) => {
    const x = locals.f32();
    return [
      x.set(single.read(a.get)),
      when(f32.eq(x.get, x.get), leave(double.write(f64.promoteF32(x.get)))),
      when(isSignaling(single, a.get), raise(i32.const(NV))),
      i64.const(double.canonicalNan),
    ];
  });
}

/** d-to-s: exact if it widens to what it was. */
function narrow(context: Context): FunctionSpec {
  const { call, raise } = context;
  return routine([I64, I32], [I64], (locals, a, rm) => {
    const x = locals.f64();
    const result = locals.f32();
    const taken = parts(locals);
    return [
      result.set(f32.demoteF64(x.tee(double.read(a.get)))),
      // In any mode, and with zeros and infinities.
      when(f64.eq(f64.promoteF32(result.get), x.get), leave(single.write(result.get))),
      block([needNearestEven(rm), acceptInexact(context, single, result), leave(single.write(result.get))]),
      when(isNan(double, a.get), [
        when(isSignaling(double, a.get), raise(i32.const(NV))),
        leave(i64.const(single.canonicalNan)),
      ]),
      takeApart(double, a.get, taken),
      call("round", signOf(double, a.get), taken.exponent.get, taken.significand.get, rm.get),
    ];
  });
}

/** Compare, classify and convert functions of one format, by operation. */
export function conversions(context: Context): Record<string, FunctionSpec> {
  return {
    eq: relation(context, "eq"),
    lt: relation(context, "lt"),
    le: relation(context, "le"),
    min: extremum(context, "min"),
    max: extremum(context, "max"),
    class: classify(context),
    ...Object.fromEntries(INTEGERS.map((integer) => [`to-${integer}`, toInteger(context, integer)])),
    ...Object.fromEntries(INTEGERS.map((integer) => [`from-${integer}`, fromInteger(context, integer)])),
    ...(context.layout.name === "d" ? { "s-to-d": widen(context) } : { "d-to-s": narrow(context) }),
  };
}
