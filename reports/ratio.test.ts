import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Price, PricedBy } from "../harness/comparison.ts";
import { partsOf, ratioOf } from "./ratio.ts";

const price = (id: string, cycles: number, low: number, high: number, of: Price["of"] = null): Price => {
  return { id, unit: id, cycles, low, high, status: "assumed", source: "", of };
};
const PRICES = [
  price("a", 2, 1, 4),
  price("b", 5, 5, 5),
  price("c", 10, 0, 30),
  price("pair", 9, 7, 13, { a: 2, b: 1 }),
];
const lines = (counts: Readonly<Record<string, number>>): PricedBy[] =>
  Object.entries(counts).map(([id, count]) => ({ price: id, cause: "guest", count, cycles: 0 }));

describe("a ratio of two bills", () => {
  test("of a bill to itself is one, whatever its prices", () => {
    expect(ratioOf(lines({ a: 3, c: 7 }), lines({ a: 3, c: 7 }), 1, PRICES)).toEqual({ value: 1, low: 1, high: 1 });
  });

  test("moves only with what is not in both bills", () => {
    // (a + c) / a: c from 0 to 30, and a at its low or high.
    expect(ratioOf(lines({ a: 1, c: 1 }), lines({ a: 1 }), 1, PRICES)).toEqual({ value: 6, low: 1, high: 31 });
  });

  test("takes derived prices apart, so that a part is one price on both sides", () => {
    expect(partsOf(lines({ pair: 3, a: 1 }), PRICES)).toEqual(
      new Map([
        ["a", 7],
        ["b", 3],
      ]),
    );
    expect(ratioOf(lines({ pair: 1 }), lines({ a: 2, b: 1 }), 1, PRICES)).toEqual({ value: 1, low: 1, high: 1 });
  });

  test("is null where the bill below comes to nothing", () => {
    expect(ratioOf(lines({ a: 1 }), [], 1, PRICES)).toBeNull();
  });

  test("refuses a line with no price", () => {
    expect(() => ratioOf(lines({ z: 1 }), lines({ a: 1 }), 1, PRICES)).toThrow(/"z" has none/);
  });

  test("is bounded exactly by the corners of the prices' bands", () => {
    const counts = fc.record({ a: fc.nat(9), b: fc.nat(9), c: fc.nat(9), pair: fc.nat(9) });
    const leaves = PRICES.filter(({ of }) => of === null);
    fc.assert(
      fc.property(counts, counts, fc.constantFrom(1, 0.5, 3), (over, under, scale) => {
        fc.pre(under.a + under.b + under.pair > 0);
        const { value, low, high } = ratioOf(lines(over), lines(under), scale, PRICES)!;
        const [above, below] = [partsOf(lines(over), PRICES), partsOf(lines(under), PRICES)];
        const corners = Array.from({ length: 2 ** leaves.length }, (_, corner) => {
          const sum = (parts: ReadonlyMap<string, number>) =>
            leaves.reduce(
              (all, leaf, bit) => all + (parts.get(leaf.id) ?? 0) * ((corner >> bit) & 1 ? leaf.high : leaf.low),
              0,
            );
          return (sum(above) * scale) / sum(below);
        });
        expect(low).toBeCloseTo(Math.min(...corners), 9);
        expect(high).toBeCloseTo(Math.max(...corners), 9);
        expect(low).toBeLessThanOrEqual(value);
        expect(value).toBeLessThanOrEqual(high);
      }),
      { numRuns: 300 },
    );
  });
});
