import { describe, expect, test } from "vitest";
import type { FunctionSpec } from "../wasm.ts";
import { assembleModule, call, I32, I64, i64 } from "../wasm.ts";
import { floatFunctions } from "./lowering.ts";
import type { FloatFunction, FloatOperation } from "./operation.ts";
import { FLOAT_FUNCTIONS, NX, OF, OPERANDS } from "./operation.ts";
import { floatOperation } from "./reference.ts";
import { nameParts, operandFormat, seeded, seededOperands, specialOperands } from "./seeded-operands.ts";

const FFLAGS = 0x40;
const ONE = 0x3ff00000_00000000n;
const INFINITY = 0x7ff00000_00000000n;
const SIGN = 1n << 63n;
const MODES = [0, 1, 2, 3, 4];

type Compiled = (...operands: (bigint | number)[]) => bigint;

/** The functions in a module of their own, `before` others in front. */
function instantiate(before: readonly FunctionSpec[] = []) {
  const { functions, index } = floatFunctions(before.length, FFLAGS);
  const nameOf = new Map(Object.entries(index).map(([name, place]) => [place, name]));
  const all = [...before, ...functions].map((spec, place) => {
    const name = nameOf.get(place);
    return name === undefined ? spec : { ...spec, export: name };
  });
  const memory = new WebAssembly.Memory({ initial: 1 });
  const module = new WebAssembly.Module(assembleModule({ functions: all }));
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  return {
    module,
    index,
    exports: instance.exports as unknown as Record<string, Compiled>,
    fflags: new Uint32Array(memory.buffer, FFLAGS, 1),
  };
}

const { module, exports, fflags } = instantiate();

const hex = (bits: bigint) => `0x${bits.toString(16)}`;

/** Runs one operation in wasm and in the reference; what differs, as text, or nothing. */
function difference(name: FloatFunction, operands: readonly bigint[], rm: number, sticky: number): string | undefined {
  const { operation, format } = nameParts(name);
  const [a = 0n, b = 0n, c = 0n] = operands;
  const expected = floatOperation(operation, format, a, b, c, rm);
  fflags[0] = sticky;
  const taken = operands.slice(0, OPERANDS[operation]);
  const bits = BigInt.asUintN(64, exports[name]!(...taken, rm));
  if (bits === expected.bits && fflags[0] === (sticky | expected.flags)) return undefined;
  return `${name} ${taken.map(hex).join(" ")} rm ${rm} fflags ${sticky}: ${hex(bits)} fflags ${fflags[0]}, not ${hex(expected.bits)} fflags ${sticky | expected.flags}`;
}

describe("F and D arithmetic in wasm", () => {
  test("equals the reference on all pairs and triples of special values in all modes, with NX clear and set", () => {
    const differences: string[] = [];
    let compared = 0;
    for (const name of FLOAT_FUNCTIONS) {
      const format = operandFormat(name);
      if (format === null) continue;
      const specials = specialOperands(format);
      const count = OPERANDS[nameParts(name).operation];
      // Triples of a third of the values: 1,000 instead of 27,000.
      const third = specials.filter((_, place) => place % 3 === 0);
      const cases = count === 3 ? third.flatMap((a) => third.flatMap((b) => third.map((c) => [a, b, c]))) : [];
      if (count === 2) cases.push(...specials.flatMap((a) => specials.map((b) => [a, b])));
      if (count === 1) cases.push(...specials.map((a) => [a]));
      for (const [place, operands] of cases.entries()) {
        const modes = count === 3 ? [MODES[place % 5]!] : MODES;
        for (const rm of modes) {
          compared += 1;
          differences.push(difference(name, operands, rm, compared % 2) ?? "");
        }
      }
    }
    expect(differences.filter((text) => text !== "")).toEqual([]);
    expect(compared).toBeGreaterThan(90_000);
  });

  test("equals the reference on 120,000 seeded operands, half of them rounded to nearest even", () => {
    const random = seeded(2);
    const differences: string[] = [];
    for (let i = 0; i < 120_000; i += 1) {
      const name = FLOAT_FUNCTIONS[i % FLOAT_FUNCTIONS.length]!;
      const operands = seededOperands(random, name);
      const rm = random.below(2) === 0 ? 0 : random.below(5);
      const found = difference(name, operands, rm, random.below(2) === 0 ? 0 : random.below(32));
      if (found !== undefined && differences.length < 20) differences.push(found);
    }
    expect(differences).toEqual([]);
  });

  test("equals the reference where the addend brings a product to a tie, or just beside it", () => {
    const random = seeded(3);
    const compute = (operation: FloatOperation, a: bigint, b: bigint, c: bigint) =>
      floatOperation(operation, "d", a, b, c, 0).bits;
    const differences: string[] = [];
    for (let i = 0; i < 3_000; i += 1) {
      const [x, y] = [0, 0].map(() => ONE | (random.next() >> 12n)) as [bigint, bigint];
      const product = compute("mul", x, y, 0n);
      const error = compute("msub", x, y, product);
      const half = (product & INFINITY) - (53n << 52n);
      for (const tie of [half, half | SIGN]) {
        const distance = compute("sub", tie, error, 0n);
        for (const c of [distance - 1n, distance, distance + 1n]) {
          differences.push(difference("madd.d", [x, y, c], 0, i % 2) ?? "");
          differences.push(difference("nmsub.d", [x, y, c ^ SIGN], 0, i % 2) ?? "");
        }
      }
    }
    expect(differences.filter((text) => text !== "")).toEqual([]);
    expect(differences.length).toBe(36_000);
  });

  test("equals the reference where one factor is subnormal and the other huge", () => {
    const random = seeded(4);
    const differences: string[] = [];
    for (let i = 0; i < 20_000; i += 1) {
      const bit = () => 1n << BigInt(random.below(52));
      const tiny = random.below(2) === 0 ? 1n << BigInt(24 + random.below(4)) : bit() | bit();
      const ones = random.below(2) === 0 ? ONE - BigInt(1 + random.below(3)) : ONE | bit() | bit();
      const huge = ones + (BigInt(64 + random.below(950)) << 52n);
      const product = floatOperation("mul", "d", tiny, huge, 0n, 0).bits;
      const apart = BigInt([random.below(5), 52 + random.below(5), 70][random.below(3)]! - 2);
      const c = (product - (apart << 52n)) ^ (random.below(2) === 0 ? SIGN : 1n);
      const [a, b] = random.below(2) === 0 ? [tiny, huge] : [huge, tiny];
      differences.push(difference("mul.d", [a, b], 0, i % 2) ?? "");
      differences.push(difference("madd.d", [a, b, c], 0, i % 2) ?? "");
    }
    expect(differences.filter((text) => text !== "")).toEqual([]);
    expect(differences.length).toBe(40_000);
  });

  test("overflows where only the error of a product takes the largest number to infinity", () => {
    const operands = [0x5ff56932303a67b9n, 0x5fe7e9bc44902b10n, 0x7c80000000000000n];
    expect(difference("madd.d", operands, 0, NX)).toBeUndefined();
    expect(fflags[0]).toBe(OF | NX);
  });

  test("leaves the other bits of the word that holds fflags alone", () => {
    fflags[0] = 0xffff_ff00;
    exports["div.d"]!(0x3ff0000000000000n, 0x4008000000000000n, 0);
    expect(fflags[0]).toBe(0xffff_ff00 + NX);
  });

  test("calls nothing outside of its module", () => {
    expect(WebAssembly.Module.imports(module)).toEqual([{ module: "env", name: "memory", kind: "memory" }]);
  });

  test("finds its functions wherever in a module they stand", () => {
    const { index } = floatFunctions(2, FFLAGS);
    const zero: FunctionSpec = { params: [], results: [I64], locals: [], body: i64.const(0) };
    const third: FunctionSpec = {
      params: [I64, I64, I32],
      results: [I64],
      locals: [],
      body: call(index["div.d"], [0x20, 0], [0x20, 1], [0x20, 2]),
      export: "third",
    };
    const shifted = instantiate([zero, third]);
    shifted.fflags[0] = 0;
    expect(hex(shifted.exports.third!(0x3ff0000000000000n, 0x4008000000000000n, 3))).toBe("0x3fd5555555555556");
    expect(shifted.fflags[0]).toBe(NX);
  });
});
