/**
 * Prices a run from its events.
 *
 * Guest instructions are not logged one by one: a run's retired instructions are its steps minus guest-visible traps, interrupts and SBI
 * calls (T1), counted from the stamps. An instruction that the VMM emulated retired once like any other (T2), so the `guest` cause is
 * equal under every technique that runs the same binary. Each checkpoint carries the hart's own `instret`, which must agree.
 *
 * Whoever runs between a `vmm.exit` and its `vmm.resume` does so for the exit's reason: all that is charged there has that reason's cause.
 *
 * Left out: idle time (time is open loop: what waits costs nothing), caches and branch prediction beyond the prices' bands.
 *
 * @module
 */
import { type Event, type EventKind, type Fold, fold, KINDS } from "../../engine/event/mod.ts";
import type { Cause, Cycles, Exits, MarkSummary, Price, PricedBy, Timeline } from "../comparison.ts";
import { causeOfExit } from "./causes.ts";
import { Counts } from "./counts.ts";
import { Laps, type MarkNames, type Reading } from "./marks.ts";
import { type CostModel, type Meter, type Overrides, resolvePrices } from "./model.ts";
import { Tally } from "./tally.ts";
import { TimelineSampler } from "./timeline.ts";

export interface PricingOptions {
  /** Prices to use in place of the model's, by id. */
  readonly overrides?: Overrides;
  /** Names of the guest's marks, by id. */
  readonly marks?: MarkNames;
  /** Which laps to keep for a timeline. */
  readonly sample?: { readonly mark: string; readonly laps: number };
  /** The kinds of event that the log records; every kind by default. */
  readonly kinds?: readonly EventKind[];
}

export interface PricedRun extends Cycles {
  readonly byMark: readonly MarkSummary[];
  readonly pricedBy: readonly PricedBy[];
  readonly exits: Exits;
  /** Events by kind; kinds that never occurred are absent. */
  readonly eventCounts: Readonly<Record<string, number>>;
  /** Retired guest instructions that were priced. */
  readonly instructions: number;
  readonly timeline: Timeline | null;
}

/** A bill that grows event by event; `add` may be called between slices of a run. */
export class Pricing {
  readonly prices: readonly Price[];
  readonly #model: CostModel;
  readonly #counts: Counts;
  readonly #charges: Fold<void>;
  readonly #laps: Laps;
  readonly #sampler: TimelineSampler | undefined;
  readonly #kinds = new Tally();
  readonly #exits = new Tally();
  #step = 0;
  /** Steps before `#step` that retired nothing: traps, interrupts, SBI calls. */
  #unretired = 0;
  #instructions = 0;
  /** The reason of the exit that the VMM works on; undefined while the guest runs. */
  #reason: string | undefined;
  #exitStep = 0;
  #exitCause: Cause = "other";
  #finished = false;

  /**
   * @param model The price list.
   * @param options Overrides, names of marks, and what to sample.
   * @throws {RangeError} If the model or an override is wrong (see `resolvePrices`), or if the model prices a kind of event that this log
   *   does not record.
   */
  constructor(model: CostModel, options: PricingOptions = {}) {
    const { overrides = {}, marks = {}, sample, kinds = KINDS } = options;
    this.prices = resolvePrices(model, overrides);
    for (const row of model.prices) {
      for (const occasion of row.occasions) {
        if (occasion !== "step" && occasion !== "part" && !kinds.includes(occasion)) {
          throw new RangeError(
            `Cannot charge ${row.id} as a price may use only what the log holds: this log records no ${occasion}`,
          );
        }
      }
    }
    this.#model = model;
    this.#counts = new Counts(this.prices);
    this.#laps = new Laps(this.prices, marks);
    this.#sampler =
      sample === undefined ? undefined : new TimelineSampler(this.prices, marks, sample.mark, sample.laps);
    const pricing = this;
    const meter: Meter = {
      get vmm() {
        return pricing.#reason !== undefined;
      },
      charge: (price, count, cause, certain = false) => this.#charge(price, count, cause, certain),
    };
    this.#charges = model.charges(meter);
  }

  /**
   * Prices one event.
   *
   * @param event The next event of the log.
   * @throws {RangeError} If the log's order is broken: a step before the last one, an exit inside an exit, a resume with no exit, or a
   *   checkpoint whose instret is not what the steps say; or if the model has no price for what the event counts.
   */
  add(event: Event): void {
    if (this.#finished)
      throw new TypeError("Cannot price an event as the run was finished: make a new Pricing for another run");
    if (event.step < this.#step) {
      throw new RangeError(
        `Cannot price ${event.kind} at step ${event.step} as steps never fall: the event before it was at ${this.#step}`,
      );
    }
    this.#step = event.step;
    this.#kinds.add(event.kind);
    const inside = this.#reason;
    if (event.kind === "vmm.exit") {
      if (inside !== undefined) {
        throw new RangeError(
          `Cannot price vmm.exit at step ${event.step} as the VMM must resume first: it still works on ${inside} since step ${this.#exitStep}`,
        );
      }
      this.#reason = event.reason;
      this.#exitStep = event.step;
      this.#exitCause = causeOfExit(event.reason);
      this.#exits.add(event.reason);
      this.#sampler?.exit(event.step, event.reason);
    } else if (event.kind === "vmm.resume" && inside === undefined && this.#exits.total() > 0) {
      // The first resume of all starts the guest.
      throw new RangeError(
        `Cannot price vmm.resume at step ${event.step} as a resume follows an exit: the guest was running`,
      );
    } else if (
      event.kind === "guest.trap" ||
      event.kind === "interrupt" ||
      event.kind === "sbi" ||
      event.kind === "hypercall"
    ) {
      this.#unretired += 1;
    } else if (event.kind === "checkpoint" && event.instret !== BigInt(event.step - this.#unretired)) {
      const counted = `${event.step} steps hold ${this.#unretired} traps, interrupts and SBI calls`;
      throw new RangeError(
        `Cannot price the run as instret must be steps minus traps and SBI calls: ${counted}, the hart says instret ${event.instret}`,
      );
    }
    fold(event, this.#charges);
    if (event.kind === "vmm.resume") this.#reason = undefined;
    this.#sampler?.event(event);
    if (event.kind === "mark") this.#laps.mark(event, this.#read);
  }

  /**
   * Closes the bill.
   *
   * @param steps The run's length in steps; that of the last event by default.
   * @returns Cycles with all that explains them.
   * @throws {RangeError} If the run is shorter than its events.
   */
  finish(steps = this.#step): PricedRun {
    if (steps < this.#step) {
      throw new RangeError(
        `Cannot price a run of ${steps} steps as its events must lie within it: one is at step ${this.#step}`,
      );
    }
    this.#step = steps;
    this.#finished = true;
    this.#laps.end(this.#read);
    this.#read();
    return {
      ...this.#counts.cycles(),
      byMark: this.#laps.summaries(),
      pricedBy: this.#counts.lines(),
      exits: { total: this.#exits.total(), byReason: this.#exits.sorted() },
      eventCounts: this.#kinds.sorted(),
      instructions: this.#instructions,
      timeline: this.#sampler?.timeline() ?? null,
    };
  }

  readonly #read = (): Reading => {
    // Instructions are charged lazily, whenever somebody looks.
    const instructions = this.#step - this.#unretired;
    this.#counts.add(this.#model.instruction, "guest", instructions - this.#instructions);
    this.#instructions = instructions;
    return { step: this.#step, units: this.#counts.snapshot(), exits: this.#exits.snapshot() };
  };

  #charge(price: string, count: number, cause: Cause, certain: boolean): void {
    if (!this.#counts.has(price)) {
      const known = this.prices.map(({ id }) => id).join(", ");
      throw new RangeError(
        `Cannot charge ${price} at step ${this.#step} as model "${this.#model.name}" has no such price: it has ${known}`,
      );
    }
    if (!Number.isSafeInteger(count) || count < 0) {
      throw new RangeError(
        `Cannot charge ${price} at step ${this.#step} as units are whole numbers >= 0: model "${this.#model.name}" says ${count}`,
      );
    }
    const blamed = certain || this.#reason === undefined ? cause : this.#exitCause;
    this.#counts.add(price, blamed, count);
    this.#sampler?.charge(price, blamed, count);
  }
}

/**
 * Adds up what a run costs under a model.
 *
 * @param events The run's log, both streams, from reset. Only read once, in order, so a stream will do.
 * @param model Prices in cycles of the modelled processor, not of the host.
 * @param options Overrides, names of marks, what to sample, and `steps`, the run's length where its last event is not its end.
 * @returns Cycles by cause and by mark. At 2^53 cycles the sums stop being exact.
 * @throws {RangeError} If the model, an override or the log is wrong: see `resolvePrices` and `Pricing`.
 *
 * @example Price one trap at 1,000 cycles
 * ```ts
 * priceRun(run.events(), inOrder, { overrides: { "trap.entry": 1000 } }).total
 * ```
 */
export function priceRun(
  events: Iterable<Event>,
  model: CostModel,
  options: PricingOptions & { readonly steps?: number } = {},
): PricedRun {
  const pricing = new Pricing(model, options);
  for (const event of events) pricing.add(event);
  return pricing.finish(options.steps);
}
