/**
 * Laps that the guest marks itself: what passed between its marks, by name.
 *
 * A mark's code is kind << 8 | id; kind 1 begins, 2 ends, 3 is a lap. The guest chooses the order, so any order is an answer and never an
 * error: a begin inside the same begin, and an end or a lap outside one, change nothing but the lap that opens an interval.
 *
 * @module
 */
import type { EventOf } from "../../engine/event/mod.ts";
import type { MarkSummary, Price } from "../comparison.ts";
import { Counts } from "./counts.ts";
import { Tally } from "./tally.ts";

export const MARK_BEGIN = 1;
export const MARK_END = 2;
export const MARK_LAP = 3;

/** Names of marks by id, from the guest's descriptor. */
export type MarkNames = Readonly<Record<number, string>>;

/** @returns The mark's name, or `mark-ID` where the guest's descriptor has none. */
export function markName(code: number, names: MarkNames): string {
  const id = code & 0xff;
  return (Object.hasOwn(names, id) ? names[id] : undefined) ?? `mark-${id}`;
}

/** Everything that grows while a run goes by, at one point of it. */
export interface Reading {
  readonly step: number;
  readonly units: Float64Array;
  readonly exits: ReadonlyMap<string, number>;
}

interface Open {
  begin: Reading;
  /** Opened by a lap mark outside any interval: without another one it holds no lap. */
  readonly byLap: boolean;
  /** The last lap mark, if there was one. */
  lap: Reading | undefined;
  laps: number;
}

interface Done {
  laps: number;
  steps: number;
  readonly counts: Counts;
  readonly exits: Tally;
}

/** Cuts a run at its marks. */
export class Laps {
  readonly #prices: readonly Price[];
  readonly #names: MarkNames;
  readonly #open = new Map<string, Open>();
  readonly #done = new Map<string, Done>();

  constructor(prices: readonly Price[], names: MarkNames) {
    this.#prices = prices;
    this.#names = names;
  }

  /**
   * Takes a mark.
   *
   * @param event The mark.
   * @param read Gives the state of the run at the mark; called only where it is needed.
   */
  mark(event: EventOf<"mark">, read: () => Reading): void {
    const kind = event.code >>> 8;
    const name = markName(event.code, this.#names);
    const open = this.#open.get(name);
    if (kind === MARK_BEGIN || (kind === MARK_LAP && open === undefined)) {
      if (open === undefined)
        this.#open.set(name, { begin: read(), byLap: kind === MARK_LAP, lap: undefined, laps: 0 });
    } else if (kind === MARK_LAP && open !== undefined) {
      open.lap = read();
      open.laps += 1;
    } else if (kind === MARK_END && open !== undefined) {
      this.#close(name, open, read);
    }
  }

  /** Closes what the run's end left open: up to its last lap, or up to the end. */
  end(read: () => Reading): void {
    for (const [name, open] of this.#open) this.#close(name, open, read);
  }

  #close(name: string, open: Open, read: () => Reading): void {
    this.#open.delete(name);
    // As where a second process makes its last lap mark after the first one's end mark: all that is left of the run would be one lap.
    if (open.byLap && open.lap === undefined) return;
    const until = open.lap ?? read();
    let done = this.#done.get(name);
    if (done === undefined) {
      done = { laps: 0, steps: 0, counts: new Counts(this.#prices), exits: new Tally() };
      this.#done.set(name, done);
    }
    // What lies between the last lap and the end is the loop's way out, no lap.
    done.laps += open.lap === undefined ? 1 : open.laps;
    done.steps += until.step - open.begin.step;
    done.counts.addBetween(open.begin.units, until.units);
    done.exits.addBetween(open.begin.exits, until.exits);
  }

  /** @returns One summary for each name, in the order in which they first ended. */
  summaries(): MarkSummary[] {
    return [...this.#done].map(([name, { laps, steps, counts, exits }]) => ({
      name,
      laps,
      steps,
      exits: { total: exits.total(), byReason: exits.sorted() },
      cycles: counts.cycles(),
      pricedBy: counts.lines(),
    }));
  }
}
