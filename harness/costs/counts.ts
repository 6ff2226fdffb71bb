/**
 * How many units of each price a run took, by cause: whole numbers, so that sums do not depend on how the run was cut into pieces.
 *
 * @module
 */
import { type ByCause, CAUSES, type Cause, type Cycles, type Price, type PricedBy } from "../comparison.ts";

const CAUSE_COUNT = CAUSES.length;
const COLUMN = Object.fromEntries(CAUSES.map((cause, column) => [cause, column])) as Readonly<Record<Cause, number>>;

/** Cycles of nothing at all. */
export function noCycles(): Record<Cause, number> {
  return { guest: 0, trap: 0, privileged: 0, paging: 0, interrupt: 0, device: 0, syscall: 0, other: 0 };
}

/** A table of prices × causes. */
export class Counts {
  readonly #prices: readonly Price[];
  readonly #row: ReadonlyMap<string, number>;
  readonly #units: Float64Array;

  constructor(prices: readonly Price[], units = new Float64Array(prices.length * CAUSE_COUNT)) {
    this.#prices = prices;
    this.#row = new Map(prices.map((price, row) => [price.id, row]));
    this.#units = units;
  }

  /** @returns Whether the table has such a price. */
  has(price: string): boolean {
    return this.#row.has(price);
  }

  add(price: string, cause: Cause, count: number): void {
    const at = this.#row.get(price)! * CAUSE_COUNT + COLUMN[cause];
    this.#units[at] = this.#units[at]! + count;
  }

  /** @returns A copy of the units, to be handed to `since`. */
  snapshot(): Float64Array {
    return this.#units.slice();
  }

  /** Adds what was taken between two snapshots. */
  addBetween(from: Float64Array, to: Float64Array): void {
    for (let at = 0; at < this.#units.length; at++) this.#units[at] = this.#units[at]! + to[at]! - from[at]!;
  }

  /** @returns The bill: lines in the order of the prices, then of the causes; lines of nothing are left out. */
  lines(): PricedBy[] {
    return this.#prices.flatMap((price, row) =>
      CAUSES.flatMap((cause, column) => {
        const count = this.#units[row * CAUSE_COUNT + column]!;
        return count === 0 ? [] : [{ price: price.id, cause, count, cycles: count * price.cycles }];
      }),
    );
  }

  /** @returns The bill's sum. */
  cycles(): Cycles {
    return sum(this.lines(), this.#prices);
  }
}

/**
 * Adds up a bill under a price list.
 *
 * @param lines Units by price and cause; their own cycles are not read, so a bill may be added up under other prices than it was made with.
 * @param prices Holds every price that the lines name.
 * @returns Cycles; the total is the sum of the causes in their order.
 * @throws {RangeError} If a line names a price that is not in the list.
 */
export function sum(lines: readonly PricedBy[], prices: readonly Price[]): Cycles {
  const byId = new Map(prices.map((price) => [price.id, price]));
  const [byCause, byCauseLow, byCauseHigh] = [noCycles(), noCycles(), noCycles()];
  for (const { price: id, cause, count } of lines) {
    const price = byId.get(id);
    if (price === undefined)
      throw new RangeError(`Cannot add up a bill as each of its lines needs a price: "${id}" has none`);
    byCause[cause] += count * price.cycles;
    byCauseLow[cause] += count * price.low;
    byCauseHigh[cause] += count * price.high;
  }
  return { total: total(byCause), low: total(byCauseLow), high: total(byCauseHigh), byCause };
}

/** Sums over causes in their fixed order, so that everyone who adds them up gets the same bits. */
export function total(byCause: ByCause): number {
  let cycles = 0;
  for (const cause of CAUSES) cycles += byCause[cause];
  return cycles;
}
