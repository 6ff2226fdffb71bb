import { describe, expect, test } from "vitest";
import type { FloatFormat, FloatOperation } from "./operation.ts";
import { DZ, NV, NX, OF, RDN, RMM, RNE, RTZ, RUP, UF } from "./operation.ts";
import { floatOperation } from "./reference.ts";
import { seeded, seededOperands, specialOperands } from "./seeded-operands.ts";

const view = new DataView(new ArrayBuffer(8));
/** Raw bits of a double, and of a single. */
const d = (value: number) => {
  view.setFloat64(0, value);
  return view.getBigUint64(0);
};
const s = (value: number) => {
  view.setFloat32(0, value);
  return BigInt(view.getUint32(0));
};
const fromD = (bits: bigint) => {
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
};
const fromS = (bits: bigint) => {
  view.setUint32(0, Number(bits));
  return view.getFloat32(0);
};
/** A 64-bit x register. */
const x = (value: bigint) => BigInt.asUintN(64, value);

const NAN = 0x7ff8000000000000n;
const SNAN = 0x7ff0000000000001n;
const NAN_S = 0x7fc00000n;
const SNAN_S = 0xff800001n;
const LARGEST = 0x7fefffff_ffffffffn;
const LEAST_NORMAL = 0x00100000_00000000n;
const ULP = 2 ** -52;

type Row = [FloatOperation, FloatFormat, bigint[], number, bigint, number];

/** Operation, format, operands, mode, result and flags, from the manual's rules. */
const VECTORS: Record<string, Row[]> = {
  "rounds ties and near ties in each mode": [
    ["add", "d", [d(1), d(2 ** -53)], RNE, d(1), NX],
    ["add", "d", [d(1 + ULP), d(2 ** -53)], RNE, d(1 + 2 * ULP), NX],
    ["add", "d", [d(1), d(2 ** -53)], RTZ, d(1), NX],
    ["add", "d", [d(1), d(2 ** -53)], RDN, d(1), NX],
    ["add", "d", [d(1), d(2 ** -53)], RUP, d(1 + ULP), NX],
    ["add", "d", [d(1), d(2 ** -53)], RMM, d(1 + ULP), NX],
    ["sub", "d", [d(-1), d(2 ** -53)], RMM, d(-1 - ULP), NX],
    ["sub", "d", [d(-1), d(2 ** -53)], RDN, d(-1 - ULP), NX],
    ["sub", "d", [d(-1), d(2 ** -53)], RUP, d(-1), NX],
    ["add", "s", [s(1), s(2 ** -24)], RNE, s(1), NX],
    ["add", "s", [s(1), s(2 ** -24)], RMM, s(1 + 2 ** -23), NX],
    ["div", "d", [d(1), d(3)], RNE, 0x3fd5555555555555n, NX],
    ["div", "d", [d(1), d(3)], RUP, 0x3fd5555555555556n, NX],
    ["div", "s", [s(-1), s(3)], RNE, 0xbeaaaaabn, NX],
    ["div", "s", [s(-1), s(3)], RTZ, 0xbeaaaaaan, NX],
    ["sqrt", "d", [d(2)], RNE, 0x3ff6a09e667f3bcdn, NX],
    ["sqrt", "d", [d(2)], RTZ, 0x3ff6a09e667f3bccn, NX],
    ["sqrt", "d", [d(6.25)], RUP, d(2.5), 0],
    ["sqrt", "s", [1n], RNE, 0x1a3504f3n, NX], // 2^-149 = 2 * 2^-150
  ],
  "overflows to infinity or to the largest number, as the mode says": [
    ["add", "d", [LARGEST, LARGEST], RNE, d(Infinity), OF | NX],
    ["add", "d", [LARGEST, LARGEST], RMM, d(Infinity), OF | NX],
    ["add", "d", [LARGEST, LARGEST], RTZ, LARGEST, OF | NX],
    ["add", "d", [LARGEST, LARGEST], RDN, LARGEST, OF | NX],
    ["add", "d", [LARGEST, LARGEST], RUP, d(Infinity), OF | NX],
    ["mul", "d", [LARGEST, d(-2)], RUP, d(-Number.MAX_VALUE), OF | NX],
    ["mul", "d", [LARGEST, d(-2)], RDN, d(-Infinity), OF | NX],
    ["add", "d", [LARGEST, d(1)], RTZ, LARGEST, NX], // The unbounded result is not above the largest number.
    ["add", "d", [LARGEST, d(2 ** 970)], RNE, d(Infinity), OF | NX], // Half a unit more is a tie, and ties go up here.
    ["d-to-s", "s", [d(2 ** 128)], RNE, s(Infinity), OF | NX],
    ["d-to-s", "s", [d(2 ** 128)], RTZ, 0x7f7fffffn, OF | NX],
  ],
  "detects tininess after rounding": [
    // (1 - 2^-53) * 2^-1022 fits the precision, so it stays tiny although it ends as the least normal number.
    ["mul", "d", [d(1 - 2 ** -53), LEAST_NORMAL], RNE, LEAST_NORMAL, UF | NX],
    // (1 + 2^-52) * (1 - 2^-52) = 1 - 2^-104 rounds to 1 at unbounded exponent, so this is not tiny.
    ["mul", "d", [d((1 + ULP) * 2 ** -600), d((1 - ULP) * 2 ** -422)], RNE, LEAST_NORMAL, NX],
    ["mul", "d", [d((1 + ULP) * 2 ** -600), d((1 - ULP) * 2 ** -422)], RDN, LEAST_NORMAL - 1n, UF | NX],
    ["mul", "d", [d(2 ** -600), d(2 ** -450)], RNE, 0x1000000n, 0], // Subnormal and exact: no flag.
    ["mul", "d", [1n, d(0.5)], RNE, 0n, UF | NX],
    ["mul", "d", [1n, d(0.5)], RMM, 1n, UF | NX],
    ["mul", "d", [1n, d(-0.25)], RDN, x(-(1n << 63n) + 1n), UF | NX],
    ["d-to-s", "s", [d(2 ** -150)], RNE, 0n, UF | NX],
    ["d-to-s", "s", [d(2 ** -150)], RUP, 1n, UF | NX],
    ["d-to-s", "s", [d(2 ** -149)], RUP, 1n, 0],
  ],
  "gives zeros their signs": [
    ["add", "d", [d(1), d(-1)], RNE, d(0), 0],
    ["add", "d", [d(1), d(-1)], RDN, d(-0), 0],
    ["add", "d", [d(-0), d(-0)], RUP, d(-0), 0],
    ["sub", "d", [d(-0), d(0)], RNE, d(-0), 0],
    ["sub", "d", [d(0), d(0)], RDN, d(-0), 0],
    ["mul", "s", [s(-3), s(0)], RNE, s(-0), 0],
    ["div", "d", [d(-0), d(5)], RNE, d(-0), 0],
    ["div", "d", [d(5), d(-Infinity)], RNE, d(-0), 0],
    ["sqrt", "d", [d(-0)], RDN, d(-0), 0],
    ["nmadd", "d", [d(1), d(0), d(0)], RNE, d(-0), 0],
    ["nmsub", "d", [d(1), d(1), d(1)], RNE, d(0), 0],
    ["nmadd", "d", [d(1), d(1), d(-1)], RNE, d(0), 0],
    ["nmadd", "d", [d(1), d(1), d(-1)], RDN, d(-0), 0],
  ],
  "raises NV and DZ, and answers with the canonical NaN": [
    ["add", "d", [d(Infinity), d(-Infinity)], RNE, NAN, NV],
    ["sub", "d", [d(Infinity), d(Infinity)], RNE, NAN, NV],
    ["add", "d", [0xfff8000000000123n, d(1)], RNE, NAN, 0],
    ["add", "d", [d(1), SNAN], RNE, NAN, NV],
    ["mul", "d", [d(Infinity), d(0)], RNE, NAN, NV],
    ["mul", "s", [SNAN_S, s(0)], RNE, NAN_S, NV],
    ["div", "d", [d(0), d(-0)], RNE, NAN, NV],
    ["div", "d", [d(Infinity), d(Infinity)], RNE, NAN, NV],
    ["div", "d", [d(1), d(-0)], RNE, d(-Infinity), DZ],
    ["div", "d", [d(Infinity), d(0)], RNE, d(Infinity), 0],
    ["sqrt", "d", [d(-1)], RNE, NAN, NV],
    ["sqrt", "d", [d(-Infinity)], RNE, NAN, NV],
    ["s-to-d", "d", [SNAN_S], RNE, NAN, NV],
    ["d-to-s", "s", [0xfff8000000000123n], RNE, NAN_S, 0],
    ["madd", "d", [d(Infinity), d(0), NAN], RNE, NAN, NV],
    ["madd", "d", [d(2), d(0), NAN], RNE, NAN, 0],
    ["madd", "d", [d(Infinity), d(2), d(-Infinity)], RNE, NAN, NV],
    ["msub", "d", [d(Infinity), d(2), d(-Infinity)], RNE, d(Infinity), 0],
  ],
  "rounds a fused multiply-add once": [
    ["madd", "d", [d(1 + ULP), d(1 + ULP), d(-1 - 2 * ULP)], RNE, d(2 ** -104), 0],
    ["msub", "d", [d(1 + ULP), d(1 + ULP), d(1 + 2 * ULP)], RNE, d(2 ** -104), 0],
    ["nmsub", "d", [d(1 + ULP), d(1 + ULP), d(1 + 2 * ULP)], RNE, d(-(2 ** -104)), 0],
    ["nmadd", "d", [d(3), d(5), d(7)], RNE, d(-22), 0],
    // Twice half a unit is a tie, and 2^-60 of the product breaks it.
    ["madd", "s", [s(1 + 2 ** -12), s(1 + 2 ** -12), s(2 ** -30)], RNE, s(1 + 2 ** -11 + 2 ** -23), NX],
    ["madd", "d", [LARGEST, d(2), d(-Number.MAX_VALUE)], RNE, LARGEST, 0],
  ],
  "orders -0 below +0 and prefers numbers to NaN in min and max": [
    ["min", "d", [d(0), d(-0)], RNE, d(-0), 0],
    ["max", "d", [d(-0), d(0)], RNE, d(0), 0],
    ["min", "d", [NAN, d(3)], RNE, d(3), 0],
    ["max", "d", [d(3), NAN], RNE, d(3), 0],
    ["max", "d", [d(3), SNAN], RNE, d(3), NV],
    ["min", "s", [0xffc00001n, NAN_S], RNE, NAN_S, 0],
    ["min", "s", [s(-Infinity), s(1)], RNE, s(-Infinity), 0],
  ],
  compares: [
    ["eq", "d", [d(0), d(-0)], RNE, 1n, 0],
    ["eq", "d", [NAN, NAN], RNE, 0n, 0],
    ["eq", "d", [SNAN, d(0)], RNE, 0n, NV],
    ["lt", "d", [d(-0), d(0)], RNE, 0n, 0],
    ["le", "d", [d(0), d(-0)], RNE, 1n, 0],
    ["lt", "d", [d(1), NAN], RNE, 0n, NV],
    ["le", "d", [NAN, NAN], RNE, 0n, NV],
    ["lt", "s", [s(-2), 1n], RNE, 1n, 0],
  ],
  classifies: [
    ["class", "d", [d(-Infinity)], RNE, 0x001n, 0],
    ["class", "d", [d(-1)], RNE, 0x002n, 0],
    ["class", "s", [0x80000001n], RNE, 0x004n, 0],
    ["class", "d", [d(-0)], RNE, 0x008n, 0],
    ["class", "d", [d(0)], RNE, 0x010n, 0],
    ["class", "d", [LEAST_NORMAL - 1n], RNE, 0x020n, 0],
    ["class", "d", [LEAST_NORMAL], RNE, 0x040n, 0],
    ["class", "s", [s(Infinity)], RNE, 0x080n, 0],
    ["class", "s", [SNAN_S], RNE, 0x100n, 0],
    ["class", "d", [NAN], RNE, 0x200n, 0],
  ],
  "converts to integers, saturating with NV alone": [
    ["to-w", "d", [d(2.5)], RNE, 2n, NX],
    ["to-w", "d", [d(2.5)], RMM, 3n, NX],
    ["to-w", "d", [d(-2.5)], RMM, x(-3n), NX],
    ["to-w", "d", [d(-2.5)], RDN, x(-3n), NX],
    ["to-w", "d", [d(-2.5)], RUP, x(-2n), NX],
    ["to-w", "d", [d(2 ** 31 - 0.5)], RTZ, 0x7fffffffn, NX],
    ["to-w", "d", [d(2 ** 31 - 0.5)], RNE, 0x7fffffffn, NV],
    ["to-w", "d", [d(-(2 ** 31) - 0.5)], RNE, x(-(2n ** 31n)), NX],
    ["to-w", "d", [d(-(2 ** 31) - 1)], RNE, x(-(2n ** 31n)), NV],
    ["to-w", "d", [NAN], RNE, 0x7fffffffn, NV],
    ["to-wu", "d", [d(2 ** 32 - 1)], RNE, x(-1n), 0],
    ["to-wu", "d", [d(2 ** 32)], RNE, x(-1n), NV],
    ["to-wu", "d", [d(-0.5)], RTZ, 0n, NX],
    ["to-wu", "d", [d(-0.5)], RDN, 0n, NV],
    ["to-wu", "d", [d(-1)], RTZ, 0n, NV],
    ["to-wu", "s", [NAN_S], RTZ, x(-1n), NV],
    ["to-l", "d", [d(2 ** 63)], RTZ, 2n ** 63n - 1n, NV],
    ["to-l", "d", [d(-(2 ** 63))], RTZ, 2n ** 63n, 0],
    ["to-l", "s", [s(-Infinity)], RTZ, 2n ** 63n, NV],
    ["to-lu", "d", [d(2 ** 63)], RTZ, 2n ** 63n, 0],
    ["to-lu", "d", [d(2 ** 64)], RTZ, x(-1n), NV],
    ["to-lu", "s", [s(0.75)], RUP, 1n, NX],
  ],
  "converts from integers": [
    ["from-w", "d", [0x12345678_80000000n], RNE, d(-(2 ** 31)), 0],
    ["from-wu", "d", [x(-1n)], RNE, d(2 ** 32 - 1), 0],
    ["from-w", "s", [x(-(2n ** 24n) - 1n)], RNE, s(-(2 ** 24)), NX],
    ["from-w", "s", [x(-(2n ** 24n) - 1n)], RDN, s(-(2 ** 24) - 2), NX],
    ["from-l", "d", [2n ** 53n + 1n], RNE, d(2 ** 53), NX],
    ["from-l", "d", [2n ** 53n + 1n], RMM, d(2 ** 53 + 2), NX],
    ["from-lu", "s", [x(-1n)], RNE, s(2 ** 64), NX],
    ["from-lu", "s", [x(-1n)], RTZ, 0x5f7fffffn, NX],
    ["from-l", "d", [0n], RDN, d(0), 0],
    ["s-to-d", "d", [1n], RNE, d(2 ** -149), 0],
    ["d-to-s", "s", [d(1 + 2 ** -24)], RNE, s(1), NX],
  ],
};

describe("the floating-point reference", () => {
  for (const [name, rows] of Object.entries(VECTORS)) {
    test(name, () => {
      const text = (bits: bigint, flags: number) => `0x${bits.toString(16)} fflags ${flags}`;
      for (const [operation, format, [a = 0n, b = 0n, c = 0n], rm, bits, flags] of rows) {
        const result = floatOperation(operation, format, a, b, c, rm);
        const label = `${operation}.${format} ${[a, b, c].map((operand) => `0x${operand.toString(16)}`)} rm ${rm}`;
        expect(`${label}: ${text(result.bits, result.flags)}`).toBe(`${label}: ${text(bits, flags)}`);
      }
    });
  }

  test("refuses a mode that is none", () => {
    expect(() => floatOperation("add", "d", 0n, 0n, 0n, 7)).toThrow("Cannot round as rm must be 0 to 4: 7");
  });

  // ECMAScript numbers are binary64 rounded to nearest even. Through them binary32 is rounded twice, which is innocuous
  // for these operations, as 53 >= 2 * 24 + 2.
  const ORACLE = {
    add: (a: number, b: number) => a + b,
    sub: (a: number, b: number) => a - b,
    mul: (a: number, b: number) => a * b,
    div: (a: number, b: number) => a / b,
    sqrt: (a: number) => Math.sqrt(a),
  };

  test("agrees with ECMAScript arithmetic, rounded to nearest even, on special pairs and 100,000 seeded operands", () => {
    const random = seeded(1);
    let compared = 0;
    for (const format of ["s", "d"] as const) {
      const [from, to, nan] = format === "d" ? [fromD, d, NAN] : [fromS, s, NAN_S];
      const specials = specialOperands(format);
      for (const [operation, compute] of Object.entries(ORACLE)) {
        const pairs = specials.flatMap((a) => specials.map((b) => [a, b] as const));
        for (let i = 0; i < 10_000; i += 1) {
          const [a, b] = seededOperands(random, `${operation as keyof typeof ORACLE}.${format}`);
          pairs.push([a, b]);
        }
        for (const [a, b] of pairs) {
          const value = compute(from(a), from(b));
          const expected = Number.isNaN(value) ? nan : to(value);
          const { bits } = floatOperation(operation as keyof typeof ORACLE, format, a, b, 0n, RNE);
          if (bits !== expected) throw new Error(`${operation}.${format} ${a} ${b}: ${bits}, not ${expected}`);
          compared += 1;
        }
      }
    }
    expect(compared).toBe(2 * 5 * (10_000 + 30 * 30));
  });
});
