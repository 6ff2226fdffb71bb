/**
 * The two formats as wasm sees them: masks of the raw bits, and how bits become an f32 or f64 value and back.
 *
 * Raw bits travel as i64, zero-extended for `s`.
 *
 * @module
 */
import type { Code } from "../wasm.ts";
import { f32, f64, i32, i64 } from "../wasm.ts";
import type { FloatFormat, FormatParameters } from "./operation.ts";
import { FORMATS } from "./operation.ts";
import type { Local, Locals } from "./routine.ts";

/** Everything that differs between the formats. */
export interface Layout extends FormatParameters {
  readonly name: FloatFormat;
  readonly fractionBits: number;
  readonly sign: bigint;
  /** All bits but the sign. */
  readonly magnitude: bigint;
  readonly fraction: bigint;
  /** The fraction's top bit, which tells a quiet NaN from a signaling one. */
  readonly quiet: bigint;
  /** The smallest normal number, which is also the implicit one of the significand. */
  readonly leastNormal: bigint;
  readonly one: bigint;
  /** The wasm instructions of the format. */
  readonly value: typeof f32 | typeof f64;
  /** The value of raw bits. */
  read(bits: Code): Code;
  /** The raw bits of a value. */
  write(value: Code): Code;
  /** A value given by its raw bits. */
  constant(bits: bigint): Code;
  /** A local that holds a value. */
  local(locals: Locals): Local;
}

const littleEndian = (bits: bigint, bytes: number): Code =>
  Array.from({ length: bytes }, (_, i) => Number((bits >> BigInt(8 * i)) & 0xffn));

function masks(name: FloatFormat) {
  const parameters = FORMATS[name];
  const fractionBits = parameters.precision - 1;
  const leastNormal = 1n << BigInt(fractionBits);
  const sign = 1n << BigInt(fractionBits + parameters.exponentBits);
  return {
    ...parameters,
    name,
    fractionBits,
    sign,
    magnitude: sign - 1n,
    fraction: leastNormal - 1n,
    quiet: leastNormal >> 1n,
    leastNormal,
    one: BigInt(parameters.emax) << BigInt(fractionBits),
  };
}

export const LAYOUTS: Record<FloatFormat, Layout> = {
  s: {
    ...masks("s"),
    value: f32,
    read: (bits) => f32.reinterpretI32(i32.wrapI64(bits)),
    write: (value) => i64.extendI32U(i32.reinterpretF32(value)),
    constant: (bits) => [0x43, littleEndian(bits, 4)],
    local: (locals) => locals.f32(),
  },
  d: {
    ...masks("d"),
    value: f64,
    read: (bits) => f64.reinterpretI64(bits),
    write: (value) => i64.reinterpretF64(value),
    constant: (bits) => [0x44, littleEndian(bits, 8)],
    local: (locals) => locals.f64(),
  },
};

/** What the code of one format's functions is written with. */
export interface Context {
  readonly layout: Layout;
  /** Calls another function of the set by name. */
  call(name: string, ...args: Code[]): Code;
  /** ORs flags (an i32) into the sticky word. */
  raise(flags: Code): Code;
  /** Whether NX is set already, so that raising it again changes nothing. */
  readonly inexactSticks: Code;
}

/** The magnitude of raw bits. */
export const magnitude = ({ magnitude: mask }: Layout, bits: Code): Code => i64.and(bits, i64.const(mask));

export const isNan = (layout: Layout, bits: Code): Code => i64.gtU(magnitude(layout, bits), i64.const(layout.infinity));

export const isSignaling = (layout: Layout, bits: Code): Code =>
  i32.and(isNan(layout, bits), i64.eqz(i64.and(bits, i64.const(layout.quiet))));

export const isInfinite = (layout: Layout, bits: Code): Code =>
  i64.eq(magnitude(layout, bits), i64.const(layout.infinity));

export const isZero = (layout: Layout, bits: Code): Code => i64.eqz(magnitude(layout, bits));

/** The sign as 0 or 1. */
export const signOf = ({ sign }: Layout, bits: Code): Code => i64.ne(i64.and(bits, i64.const(sign)), i64.const(0));

/** Inverts the sign of raw bits. */
export const invert = ({ sign }: Layout, bits: Code): Code => i64.xor(bits, i64.const(sign));
