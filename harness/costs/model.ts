/**
 * What a cost model is: a price list, and the rule that says which prices an event takes.
 *
 * Prices are cycles of the modelled processor. A price is cited, assumed with a low and a high, or derived: so many of so many other
 * prices, which then follow when one of those is set. Only + and × on finite numbers, so every engine computes the same bits.
 *
 * @module
 */
import { EVENTS, type EventKind, type Fold } from "../../engine/event/mod.ts";
import type { Cause, Price, PriceStatus } from "../comparison.ts";

/** What a price is taken for: an event of the log, or a step of the guest. A part is only ever used inside derived prices. */
export type Occasion = EventKind | "step" | "part";

interface PriceRowBase {
  readonly id: string;
  /** What one unit is, in words. */
  readonly unit: string;
  readonly occasions: readonly Occasion[];
  readonly source: string;
}

/** A price that is a number. Where only `cycles` is given, low and high are the same. */
export interface PlainPrice extends PriceRowBase {
  readonly status: "cited" | "assumed";
  readonly cycles: number;
  readonly low?: number;
  readonly high?: number;
}

/** A price that is a sequence: so many of each of other prices, listed earlier. */
export interface DerivedPrice extends PriceRowBase {
  readonly status: "derived";
  readonly of: Readonly<Record<string, number>>;
}

export type PriceRow = PlainPrice | DerivedPrice;

/** What a model is told, and what it may do, while the events of a run go by. */
export interface Meter {
  /** Whether the VMM runs: between a `vmm.exit` and its `vmm.resume`. */
  readonly vmm: boolean;
  /**
   * Takes `count` units of a price.
   *
   * @param price Its id.
   * @param count Units, a whole number >= 0.
   * @param cause Who is to blame where the VMM does not run; while it runs, the reason of its exit is, unless the cause is `certain`.
   */
  charge(price: string, count: number, cause: Cause, certain?: boolean): void;
}

/** A price list with its rule. A value: list it in an experiment, no registry holds it. */
export interface CostModel {
  readonly name: string;
  readonly summary: string;
  readonly prices: readonly PriceRow[];
  /** The price that each retired guest instruction takes. */
  readonly instruction: string;
  /** One function for each kind of event: a model that forgets a kind does not compile. */
  readonly charges: (meter: Meter) => Fold<void>;
}

export type Overrides = Readonly<Record<string, number>>;

const STATUSES: readonly PriceStatus[] = ["cited", "derived", "assumed"];

/**
 * Works out every price of a model.
 *
 * @param model The price list.
 * @param overrides Cycles by price id, in place of the model's own. A price that is set has no band: its low and high are the same.
 * @returns The prices in the model's order.
 * @throws {RangeError} If an override names no price, if a price is not a finite number >= 0 inside its band, or if one is for an event
 *   that no log holds.
 */
export function resolvePrices(model: CostModel, overrides: Overrides = {}): readonly Price[] {
  const ids = model.prices.map((row) => row.id);
  for (const id of Object.keys(overrides)) {
    if (!ids.includes(id)) {
      throw new RangeError(
        `Cannot set cost.${id} as model "${model.name}" has no such price: its prices are ${ids.join(", ")}`,
      );
    }
  }
  const resolved = new Map<string, Price>();
  for (const row of model.prices) {
    if (resolved.has(row.id))
      throw new RangeError(`Cannot use model "${model.name}" as ids must differ: "${row.id}" is priced twice`);
    for (const occasion of row.occasions) {
      if (occasion !== "step" && occasion !== "part" && !Object.hasOwn(EVENTS, occasion)) {
        const message = `Cannot price ${row.id} as a price may use only what the log holds: no event "${occasion as string}" is ever logged`;
        throw new RangeError(`${message}, there are ${Object.keys(EVENTS).join(", ")}`);
      }
    }
    if (!STATUSES.includes(row.status)) {
      const status = String((row as PriceRow).status);
      throw new RangeError(
        `Cannot price ${row.id} as its status must be ${STATUSES.join(", ")}: model "${model.name}" says "${status}"`,
      );
    }
    resolved.set(row.id, resolve(row, overrides[row.id], resolved, model.name));
  }
  const instruction = resolved.get(model.instruction);
  if (instruction === undefined) {
    throw new RangeError(
      `Cannot use model "${model.name}" as guest instructions need a price: it has no "${model.instruction}"`,
    );
  }
  return [...resolved.values()];
}

function resolve(
  row: PriceRow,
  override: number | undefined,
  earlier: ReadonlyMap<string, Price>,
  model: string,
): Price {
  const { id, unit, source } = row;
  if (override !== undefined) {
    checkCycles(id, override, model, "is set to");
    return {
      id,
      unit,
      cycles: override,
      low: override,
      high: override,
      status: "assumed",
      source: `set as cost.${id}`,
      of: null,
    };
  }
  if (row.status === "derived") {
    let [cycles, low, high] = [0, 0, 0];
    for (const [part, count] of Object.entries(row.of)) {
      const price = earlier.get(part);
      if (price === undefined)
        throw new RangeError(`Cannot derive ${id} as its parts must be priced before it: "${part}" is not`);
      if (!Number.isSafeInteger(count) || count < 0) {
        throw new RangeError(
          `Cannot derive ${id} as parts are counted in whole numbers: "${part}" is counted ${count}`,
        );
      }
      cycles += count * price.cycles;
      low += count * price.low;
      high += count * price.high;
    }
    return { id, unit, cycles, low, high, status: row.status, source, of: row.of };
  }
  const { cycles, low = cycles, high = cycles } = row;
  for (const value of [low, cycles, high]) checkCycles(id, value, model, "says");
  if (low > cycles || cycles > high) {
    throw new RangeError(
      `Cannot price ${id} as low <= cycles <= high must hold: model "${model}" says ${low}, ${cycles}, ${high}`,
    );
  }
  return { id, unit, cycles, low, high, status: row.status, source, of: null };
}

function checkCycles(id: string, cycles: number, model: string, says: string): void {
  if (!Number.isFinite(cycles) || cycles < 0) {
    throw new RangeError(
      `Cannot price ${id} as a price must be a finite number >= 0: model "${model}" ${says} ${cycles}`,
    );
  }
}

/**
 * Reads an override as it is typed, such as `cost.trap.entry=800`.
 *
 * @param text `cost.ID=CYCLES`; the cycles in decimal.
 * @returns The price's id and its cycles; whether the model has such a price is for `resolvePrices` to say.
 * @throws {SyntaxError} If the text has another form.
 */
export function parseOverride(text: string): { readonly id: string; readonly cycles: number } {
  const match = /^cost\.([a-z][a-z0-9.-]*)=(\d{1,15}(?:\.\d{1,6})?)$/.exec(text);
  if (match === null) {
    throw new SyntaxError(
      `Cannot set ${JSON.stringify(text)} as a setting is cost.ID=CYCLES, with cycles >= 0 in decimal: try cost.trap.entry=800`,
    );
  }
  return { id: match[1]!, cycles: Number(match[2]) };
}
