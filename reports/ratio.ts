/**
 * How far a ratio of two bills can move while every price stays inside its band.
 *
 * Both bills are paid in the same prices, so dividing a high by a low would say too much: a price that is high is high in both. The exact
 * bounds of a linear-fractional function over a box are found by Dinkelbach's method, which needs + − × ÷ and comparisons only.
 * Source: W. Dinkelbach, "On Nonlinear Fractional Programming", Management Science 13 (1967).
 *
 * @module
 */
import type { Price, PricedBy } from "../harness/comparison.ts";

export interface Ratio {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** Units of the prices that stand for themselves, derived ones taken apart. */
export function partsOf(
  lines: readonly Pick<PricedBy, "price" | "count">[],
  prices: readonly Price[],
): ReadonlyMap<string, number> {
  const byId = new Map(prices.map((price) => [price.id, price]));
  const parts = new Map<string, number>();
  const take = (id: string, count: number): void => {
    const price = byId.get(id);
    if (price === undefined)
      throw new RangeError(`Cannot take a bill apart as each of its lines needs a price: "${id}" has none`);
    if (price.of === null) parts.set(id, (parts.get(id) ?? 0) + count);
    else for (const [part, of] of Object.entries(price.of)) take(part, of * count);
  };
  for (const { price, count } of lines) take(price, count);
  return parts;
}

/**
 * Divides one bill by another.
 *
 * @param over The bill above the line.
 * @param under The bill below it.
 * @param scale Number that the result is multiplied by, such as a quotient of laps.
 * @param prices Holds every price that either names.
 * @returns The ratio at the prices as they are, and its bounds; null where the bill below comes to nothing.
 */
export function ratioOf(
  over: readonly PricedBy[],
  under: readonly PricedBy[],
  scale: number,
  prices: readonly Price[],
): Ratio | null {
  const [above, below] = [partsOf(over, prices), partsOf(under, prices)];
  const terms = prices
    .filter((price) => above.has(price.id) || below.has(price.id))
    .map((price) => ({ price, a: (above.get(price.id) ?? 0) * scale, b: below.get(price.id) ?? 0 }));
  const at = (cyclesOf: (term: (typeof terms)[number]) => number): number | null => {
    let [numerator, denominator] = [0, 0];
    for (const term of terms) {
      const cycles = cyclesOf(term);
      numerator += term.a * cycles;
      denominator += term.b * cycles;
    }
    return denominator > 0 ? numerator / denominator : null;
  };
  const value = at(({ price }) => price.cycles);
  if (value === null) return null;
  const bound = (upwards: boolean): number => {
    let best = value;
    for (;;) {
      const from = best;
      const next = at(({ price, a, b }) => (a - from * b > 0 === upwards ? price.high : price.low));
      // A bill that can come to nothing has no bound worth drawing.
      if (next === null || !(upwards ? next > best : next < best)) return best;
      best = next;
    }
  };
  return { value, low: bound(false), high: bound(true) };
}
