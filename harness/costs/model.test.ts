import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { inOrder } from "./in-order.ts";
import { type CostModel, type PriceRow, parseOverride, resolvePrices } from "./model.ts";

const model = (...prices: PriceRow[]): CostModel => ({ ...inOrder, name: "sample", instruction: "step", prices });
const step: PriceRow = { id: "step", unit: "step", occasions: ["step"], status: "cited", cycles: 1, source: "here" };
const prices = (of: CostModel, overrides = {}) =>
  Object.fromEntries(resolvePrices(of, overrides).map((price) => [price.id, price]));

describe("a price list", () => {
  test("derives prices, with their bands, from the prices before them", () => {
    const load: PriceRow = { ...step, id: "load", status: "assumed", cycles: 2, low: 1, high: 5 };
    const pair: PriceRow = { ...step, id: "pair", status: "derived", of: { load: 2, step: 1 } };
    expect(prices(model(step, load, pair)).pair).toMatchObject({ cycles: 5, low: 3, high: 11, status: "derived" });
  });

  test("lets a derived price follow when a part is set, and takes its band away", () => {
    const before = prices(inOrder)["exit.restore"]!;
    const after = prices(inOrder, { load: 10, csr: 0, alu: 0 })["exit.restore"]!;
    expect(before.cycles).toBe(1 + 33 + 9);
    expect(after).toMatchObject({ cycles: 330, low: 330, high: 330, status: "derived" });
  });

  test("marks a price that was set as assumed, whatever it was before", () => {
    expect(prices(inOrder, { "exit.save": 800 })["exit.save"]).toEqual({
      id: "exit.save",
      unit: expect.any(String),
      cycles: 800,
      low: 800,
      high: 800,
      status: "assumed",
      source: "set as cost.exit.save",
      of: null,
    });
  });

  test("names its prices when an override has none of them", () => {
    expect(() => resolvePrices(inOrder, { "trap.entyr": 1 })).toThrow(
      /^Cannot set cost\.trap\.entyr as model "inOrder" has no such price: its prices are guest\.instruction, .*trap\.entry/,
    );
    expect(() => resolvePrices(inOrder, { toString: 1 })).toThrow(RangeError);
  });

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])("refuses %d cycles", (cycles) => {
    expect(() => resolvePrices(inOrder, { "trap.entry": cycles })).toThrow(
      `Cannot price trap.entry as a price must be a finite number >= 0: model "inOrder" is set to ${cycles}`,
    );
    expect(() => resolvePrices(model({ ...step, cycles } as PriceRow))).toThrow(RangeError);
  });

  test("refuses a price for an event that no log holds, and names it", () => {
    const tally = { ...step, id: "mul", occasions: ["machine.tally"] } as unknown as PriceRow;
    expect(() => resolvePrices(model(step, tally))).toThrow(
      /^Cannot price mul as a price may use only what the log holds: no event "machine\.tally" is ever logged, there are input\.console/,
    );
  });

  test.each<[string, PriceRow[], RegExp]>([
    ["two prices of one id", [step, step], /"step" is priced twice/],
    [
      "a derived price before its parts",
      [{ ...step, id: "pair", status: "derived", of: { step: 2 } }, step],
      /"step" is not/,
    ],
    [
      "a part counted in halves",
      [step, { ...step, id: "pair", status: "derived", of: { step: 0.5 } }],
      /"step" is counted 0.5/,
    ],
    ["a band that does not hold the price", [{ ...step, status: "assumed", low: 2 } as PriceRow], /says 2, 1, 1/],
    ["a status of its own invention", [{ ...step, status: "guessed" } as unknown as PriceRow], /says "guessed"/],
    ["no price for instructions", [{ ...step, id: "other" }], /it has no "step"/],
  ])("refuses %s", (_, rows, message) => {
    expect(() => resolvePrices(model(...rows))).toThrow(message);
  });

  test("stays finite, ordered and free of NaN under any overrides", () => {
    const ids = inOrder.prices.map((row) => row.id);
    const overrides = fc.dictionary(fc.constantFrom(...ids), fc.double({ min: 0, max: 1e9, noNaN: true }), {
      maxKeys: 6,
    });
    fc.assert(
      fc.property(overrides, (set) => {
        for (const price of resolvePrices(inOrder, set)) {
          expect(Number.isFinite(price.cycles)).toBe(true);
          expect(price.low).toBeLessThanOrEqual(price.cycles);
          expect(price.cycles).toBeLessThanOrEqual(price.high);
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe("an override as it is typed", () => {
  test("is cost.ID=CYCLES", () => {
    expect(parseOverride("cost.trap.entry=800")).toEqual({ id: "trap.entry", cycles: 800 });
    expect(parseOverride("cost.work.walk-step=1.5")).toEqual({ id: "work.walk-step", cycles: 1.5 });
  });

  test.each([
    "trap.entry=800",
    "cost.trap.entry",
    "cost.trap.entry=",
    "cost.trap.entry=-1",
    "cost.trap.entry=1e9",
    "cost.=1",
    "cost.x=NaN",
    "",
  ])("is refused as %j", (text) => {
    expect(() => parseOverride(text)).toThrow(SyntaxError);
  });
});
