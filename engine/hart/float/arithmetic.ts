/**
 * add, sub, mul, div, sqrt and the fused multiply-adds: hardware first, integers where hardware may differ.
 *
 * Wasm rounds to nearest even and reports nothing, so its result counts only if the mode is RNE and the flags are known:
 * nothing raised because the result is proved exact; or NX alone because the result is strictly inside the normal range
 * and either proved inexact or NX is set already. Everything else goes to `soft.ts`, which after the first inexact
 * operation is rare.
 *
 * Source: Muller et al., Handbook of Floating-Point Arithmetic, 2nd edition, chapters 4 and 5 (2Sum, Dekker's product,
 * the fused multiply-add); Figueroa 1995, "When is double rounding innocuous?"; Ziv 1991, "Fast evaluation of elementary
 * mathematical functions with correctly rounded last bit".
 *
 * @module
 */
import type { Code, FunctionSpec } from "../wasm.ts";
import { block, brIf, f32, f64, I32, I64, i32, i64, leave, when } from "../wasm.ts";
import type { Context, Layout } from "./layout.ts";
import { invert, LAYOUTS } from "./layout.ts";
import { NX, RNE } from "./operation.ts";
import type { Local, Locals } from "./routine.ts";
import { routine } from "./routine.ts";

/** Leaves the innermost block unless the mode is to nearest even. */
export const needNearestEven = (rm: Local): Code => brIf(0, i32.ne(rm.get, i32.const(RNE)));

/** Leaves the innermost block, an `if` too, unless the condition holds. */
const need = (condition: Code): Code => brIf(0, i32.eqz(condition));

/** Not infinite, nor NaN. */
const finite = ({ value, constant, infinity }: Layout, x: Code): Code => value.lt(value.abs(x), constant(infinity));

/**
 * Strictly inside the normal range, where inexact raises NX and nothing else. The least normal number itself is left
 * out: what rounds to it may be tiny.
 */
const isNormal = (layout: Layout, x: Local): Code =>
  i32.and(layout.value.gt(layout.value.abs(x.get), layout.constant(layout.leastNormal)), finite(layout, x.get));

/** Raises NX, without a store if it sticks already. */
export const noteInexact = ({ raise, inexactSticks }: Context): Code =>
  when(i32.eqz(inexactSticks), raise(i32.const(NX)));

/** For a result known to be inexact: NX alone if it is strictly normal; else leaves the block at `depth`. */
export const acceptInexact = (context: Context, layout: Layout, result: Local, depth = 0): Code => [
  brIf(depth, i32.eqz(isNormal(layout, result))),
  noteInexact(context),
];

/** The exact error of the rounded sum of two values (Knuth's 2Sum). NaN, not zero, if a step overflows. */
function sumError(value: typeof f32 | typeof f64, x: Code, y: Code, total: Local, share: Local): Code {
  return [
    share.set(value.sub(total.get, x)),
    value.add(value.sub(x, value.sub(total.get, share.get)), value.sub(y, share.get)),
  ];
}

/** add and sub. A sum in the subnormal range is always exact, so a finite one raises NX or nothing. */
function sum(context: Context, negate: boolean): FunctionSpec {
  const { layout, call, inexactSticks } = context;
  const { value, read, write, constant } = layout;
  return routine([I64, I64, I32], [I64], (locals, a, b, rm) => {
    const x = layout.local(locals);
    const y = layout.local(locals);
    const total = layout.local(locals);
    const share = layout.local(locals);
    return [
      negate ? b.set(invert(layout, b.get)) : [],
      block([
        needNearestEven(rm),
        total.set(value.add(x.tee(read(a.get)), y.tee(read(b.get)))),
        need(finite(layout, total.get)),
        when(i32.eqz(inexactSticks), brIf(1, value.ne(sumError(value, x.get, y.get, total, share), constant(0n)))),
        leave(write(total.get)),
      ]),
      call("fused", a.get, i64.const(layout.one), b.get, rm.get),
    ];
  });
}

const { s: single, d: double } = LAYOUTS;

/**
 * Whether `productError` is exact: no part of it is below the least subnormal if the product is at least 2^-960, and its
 * halves are as short as it needs if the factors are normal, which the halves of a subnormal one are not.
 */
const errorIsExact = (x: Local, y: Local, product: Local): Code => {
  const atLeast = (value: Local, bits: bigint) => f64.ge(f64.abs(value.get), double.constant(bits));
  const normal = i32.and(atLeast(x, double.leastNormal), atLeast(y, double.leastNormal));
  return i32.and(atLeast(product, BigInt(1023 - 960) << 52n), normal);
};

/**
 * The exact error of the rounded product of two f64 values (Dekker), whose factors are split in halves of 26 bits by
 * rounding their raw bits. Infinite or NaN, not zero, if a half overflows.
 */
function productError(locals: Locals, a: Local, b: Local, x: Local, y: Local, product: Local): Code {
  const [xHigh, xLow, yHigh, yLow] = [locals.f64(), locals.f64(), locals.f64(), locals.f64()];
  const upper = (bits: Local) => double.read(i64.and(i64.add(bits.get, i64.const(1n << 26n)), i64.const(-(1n << 27n))));
  return [
    xLow.set(f64.sub(x.get, xHigh.tee(upper(a)))),
    yLow.set(f64.sub(y.get, yHigh.tee(upper(b)))),
    f64.add(
      f64.add(
        f64.add(f64.sub(f64.mul(xHigh.get, yHigh.get), product.get), f64.mul(xHigh.get, yLow.get)),
        f64.mul(xLow.get, yHigh.get),
      ),
      f64.mul(xLow.get, yLow.get),
    ),
  ];
}

/** a * b as a * b + 0, the zero with the product's sign so that it keeps a zero product's. */
const softProduct = ({ layout, call }: Context, a: Local, b: Local, rm: Local): Code =>
  call("fused", a.get, b.get, i64.and(i64.xor(a.get, b.get), i64.const(layout.sign)), rm.get);

function productDouble(context: Context): FunctionSpec {
  const { layout } = context;
  const { read, write, constant } = layout;
  return routine([I64, I64, I32], [I64], (locals, a, b, rm) => {
    const x = locals.f64();
    const y = locals.f64();
    const product = locals.f64();
    return [
      block([
        needNearestEven(rm),
        product.set(f64.mul(x.tee(read(a.get)), y.tee(read(b.get)))),
        block([
          need(isNormal(layout, product)),
          when(i32.eqz(context.inexactSticks), [
            brIf(1, i32.eqz(errorIsExact(x, y, product))),
            brIf(1, f64.ne(productError(locals, a, b, x, y, product), constant(0n))),
          ]),
          leave(write(product.get)),
        ]),
        // Zero times a finite number is exact; a zero product of anything else has underflowed.
        need(f64.eq(product.get, constant(0n))),
        need(i32.or(f64.eq(x.get, constant(0n)), f64.eq(y.get, constant(0n)))),
        leave(write(product.get)),
      ]),
      softProduct(context, a, b, rm),
    ];
  });
}

function quotientDouble({ layout, call, inexactSticks }: Context): FunctionSpec {
  const { read, write } = layout;
  return routine([I64, I64, I32], [I64], (locals, a, b, rm) => {
    const result = locals.f64();
    return [
      block([
        needNearestEven(rm),
        need(inexactSticks),
        result.set(f64.div(read(a.get), read(b.get))),
        need(isNormal(layout, result)),
        leave(write(result.get)),
      ]),
      call("quotient", a.get, b.get, rm.get),
    ];
  });
}

function rootDouble({ layout, call, inexactSticks }: Context): FunctionSpec {
  const { read, write, constant } = layout;
  return routine([I64, I32], [I64], (locals, a, rm) => {
    const x = locals.f64();
    return [
      block([
        needNearestEven(rm),
        need(inexactSticks),
        // Roots neither overflow nor come near the subnormal range; -0 and infinity are their own roots.
        need(f64.ge(x.tee(read(a.get)), constant(0n))),
        leave(write(f64.sqrt(x.get))),
      ]),
      call("root", a.get, rm.get),
    ];
  });
}

const widen = (bits: Code): Code => f64.promoteF32(single.read(bits));

/** A single-precision result, given the test that proves it exact. Exact results raise nothing, whatever their range. */
const acceptSingle = (context: Context, result: Local, exact: Code): Code => [
  when(i32.eqz(exact), acceptInexact(context, single, result, 1)),
  leave(single.write(result.get)),
];

/** Products of 24-bit significands fit 53 bits, and their exponents fit too, so the f64 product is exact. */
function productSingle(context: Context): FunctionSpec {
  return routine([I64, I64, I32], [I64], (locals, a, b, rm) => {
    const product = locals.f64();
    const result = locals.f32();
    return [
      block([
        needNearestEven(rm),
        product.set(f64.mul(widen(a.get), widen(b.get))),
        result.set(f32.demoteF64(product.get)),
        acceptSingle(context, result, f64.eq(f64.promoteF32(result.get), product.get)),
      ]),
      softProduct(context, a, b, rm),
    ];
  });
}

/** Exact if and only if the result times the divisor, which f64 holds exactly, is the dividend. */
function quotientSingle(context: Context): FunctionSpec {
  return routine([I64, I64, I32], [I64], (locals, a, b, rm) => {
    const result = locals.f32();
    return [
      block([
        needNearestEven(rm),
        result.set(f32.div(single.read(a.get), single.read(b.get))),
        acceptSingle(context, result, f64.eq(f64.mul(f64.promoteF32(result.get), widen(b.get)), widen(a.get))),
      ]),
      context.call("quotient", a.get, b.get, rm.get),
    ];
  });
}

function rootSingle(context: Context): FunctionSpec {
  return routine([I64, I32], [I64], (locals, a, rm) => {
    const result = locals.f32();
    const wide = () => f64.promoteF32(result.get);
    return [
      block([
        needNearestEven(rm),
        result.set(f32.sqrt(single.read(a.get))),
        acceptSingle(context, result, f64.eq(f64.mul(wide(), wide()), widen(a.get))),
      ]),
      context.call("root", a.get, rm.get),
    ];
  });
}

/** Which operands' signs turn a fused operation into a * b + c. */
const SIGNS = {
  madd: { product: false, addend: false },
  msub: { product: false, addend: true },
  nmsub: { product: true, addend: false },
  nmadd: { product: true, addend: true },
};

const applySigns = (layout: Layout, { product, addend }: { product: boolean; addend: boolean }, a: Local, c: Local) => [
  product ? a.set(invert(layout, a.get)) : [],
  addend ? c.set(invert(layout, c.get)) : [],
];

/** The low bits of an f64 that f32 drops, and their value halfway between two f32 values. */
const DROPPED = (1n << 29n) - 1n;
const HALFWAY = 1n << 28n;

/**
 * The product is exact in f64, the sum is rounded there, then again to f32. That is wrong only if the first rounding
 * lands halfway between two f32 values without being exact: then integers decide.
 */
function fusedSingle(context: Context, signs: (typeof SIGNS)["madd"]): FunctionSpec {
  return routine([I64, I64, I64, I32], [I64], (locals, a, b, c, rm) => {
    const product = locals.f64();
    const addend = locals.f64();
    const total = locals.f64();
    const share = locals.f64();
    const error = locals.f64();
    const result = locals.f32();
    const zero = double.constant(0n);
    const halfway = i64.eq(i64.and(double.write(total.get), i64.const(DROPPED)), i64.const(HALFWAY));
    return [
      applySigns(single, signs, a, c),
      block([
        needNearestEven(rm),
        product.set(f64.mul(widen(a.get), widen(b.get))),
        total.set(f64.add(product.get, addend.tee(widen(c.get)))),
        result.set(f32.demoteF64(total.get)),
        error.set(sumError(f64, product.get, addend.get, total, share)),
        brIf(0, i32.and(f64.ne(error.get, zero), halfway)),
        acceptSingle(context, result, i32.and(f64.eq(error.get, zero), f64.eq(f64.promoteF32(result.get), total.get))),
      ]),
      context.call("fused", a.get, b.get, c.get, rm.get),
    ];
  });
}

const RATHER_MORE = double.one + 4n; // 1 + 2^-50
const RATHER_LESS = double.one - 8n; // 1 - 2^-50

/**
 * Exactly, the result is product + productRest + addend = total + (productRest + sumRest), of which only the sum in
 * parentheses is rounded, by at most 2^-53 of it. If the result is the same with 2^-50 more and with 2^-50 less of that
 * sum, the error does not matter (Ziv's test). Ties fail it, and integers decide.
 *
 * All terms are multiples of the least subnormal, so a result below the normal range is exact.
 */
function fusedDouble(context: Context, signs: (typeof SIGNS)["madd"]): FunctionSpec {
  const { read, write, constant } = double;
  return routine([I64, I64, I64, I32], [I64], (locals, a, b, c, rm) => {
    const x = locals.f64();
    const y = locals.f64();
    const addend = locals.f64();
    const product = locals.f64();
    const productRest = locals.f64();
    const total = locals.f64();
    const sumRest = locals.f64();
    const share = locals.f64();
    const rest = locals.f64();
    const result = locals.f64();
    const zero = constant(0n);
    const stays = (factor: bigint) => f64.eq(result.get, f64.add(total.get, f64.mul(rest.get, constant(factor))));
    return [
      applySigns(double, signs, a, c),
      block([
        needNearestEven(rm),
        product.set(f64.mul(x.tee(read(a.get)), y.tee(read(b.get)))),
        need(errorIsExact(x, y, product)),
        productRest.set(productError(locals, a, b, x, y, product)),
        total.set(f64.add(product.get, addend.tee(read(c.get)))),
        sumRest.set(sumError(f64, product.get, addend.get, total, share)),
        result.set(f64.add(total.get, rest.tee(f64.add(productRest.get, sumRest.get)))),
        need(finite(double, result.get)),
        need(i32.and(stays(RATHER_MORE), stays(RATHER_LESS))),
        when(i32.eqz(context.inexactSticks), [
          brIf(1, f64.ne(productRest.get, zero)),
          brIf(1, f64.ne(sumRest.get, zero)),
        ]),
        leave(write(result.get)),
      ]),
      context.call("fused", a.get, b.get, c.get, rm.get),
    ];
  });
}

/** The arithmetic functions of one format, by operation. */
export function arithmetic(context: Context): Record<string, FunctionSpec> {
  const isSingle = context.layout.name === "s";
  const fused = (operation: keyof typeof SIGNS) => (isSingle ? fusedSingle : fusedDouble)(context, SIGNS[operation]);
  return {
    add: sum(context, false),
    sub: sum(context, true),
    mul: (isSingle ? productSingle : productDouble)(context),
    div: (isSingle ? quotientSingle : quotientDouble)(context),
    sqrt: (isSingle ? rootSingle : rootDouble)(context),
    madd: fused("madd"),
    msub: fused("msub"),
    nmsub: fused("nmsub"),
    nmadd: fused("nmadd"),
  };
}
