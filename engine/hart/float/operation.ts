/**
 * What the F and D extensions compute: the operations by name, the two formats, the rounding modes and the flags.
 *
 * Left out: sign injection and moves, which only copy bits; NaN boxing, which belongs to the register file.
 * Source: RISC-V Unprivileged ISA, chapters "F" and "D".
 *
 * @module
 */

/** Binary32 (`.s`) or binary64 (`.d`), in the spelling of the mnemonics. */
export type FloatFormat = "s" | "d";

/**
 * Every operation, and how many operands it takes. A conversion to or from an integer belongs to the format of its
 * floating-point side, `s-to-d` and `d-to-s` to the format of their result, as in the `fmt` field.
 */
// biome-ignore format: grouped as in the manual
export const OPERANDS = {
  add: 2, sub: 2, mul: 2, div: 2, sqrt: 1,
  madd: 3, msub: 3, nmadd: 3, nmsub: 3,
  min: 2, max: 2, eq: 2, lt: 2, le: 2, class: 1,
  "to-w": 1, "to-wu": 1, "to-l": 1, "to-lu": 1,
  "from-w": 1, "from-wu": 1, "from-l": 1, "from-lu": 1,
  "s-to-d": 1, "d-to-s": 1,
} as const satisfies Record<string, 1 | 2 | 3>;
export type FloatOperation = keyof typeof OPERANDS;

/** An operation in a format, such as `madd.d` or `to-w.s`. */
export type FloatFunction = `${FloatOperation}.${FloatFormat}`;

export const FORMAT_NAMES: readonly FloatFormat[] = ["s", "d"];

/** The formats an operation exists in. */
function formatsOf(operation: FloatOperation): readonly FloatFormat[] {
  return operation === "s-to-d" ? ["d"] : operation === "d-to-s" ? ["s"] : FORMAT_NAMES;
}

/** Every operation in every format it exists in, in a fixed order. */
export const FLOAT_FUNCTIONS: readonly FloatFunction[] = FORMAT_NAMES.flatMap((format) =>
  (Object.keys(OPERANDS) as FloatOperation[])
    .filter((operation) => formatsOf(operation).includes(format))
    .map((operation): FloatFunction => `${operation}.${format}`),
);

/** Rounding modes as `frm` and the `rm` field encode them. 7 (DYN) is resolved before it gets here. */
export const RNE = 0;
export const RTZ = 1;
export const RDN = 2;
export const RUP = 3;
export const RMM = 4;

/** Accrued exceptions as `fflags` encodes them. */
export const NV = 16;
export const DZ = 8;
export const OF = 4;
export const UF = 2;
export const NX = 1;

/** The parameters of an IEEE 754 binary interchange format. */
export interface FormatParameters {
  /** Bits of the significand with the implicit one. */
  readonly precision: number;
  /** The exponent field, in bits. */
  readonly exponentBits: number;
  /** Exponent of the smallest normal number, 2^emin. */
  readonly emin: number;
  /** Exponent of the largest binade. */
  readonly emax: number;
  /** Raw bits of +infinity. */
  readonly infinity: bigint;
  /** Raw bits of the canonical NaN: positive, quiet, no payload. */
  readonly canonicalNan: bigint;
}

export const FORMATS: Record<FloatFormat, FormatParameters> = {
  s: { precision: 24, exponentBits: 8, emin: -126, emax: 127, infinity: 0x7f800000n, canonicalNan: 0x7fc00000n },
  d: {
    precision: 53,
    exponentBits: 11,
    emin: -1022,
    emax: 1023,
    infinity: 0x7ff00000_00000000n,
    canonicalNan: 0x7ff80000_00000000n,
  },
};
