/**
 * What happened in a run, counted from its events without a price: how often each thing, and where the guest left.
 *
 * It shares nothing with the bill but the events and the guest's marks. A bill charges what a cost model's rule says, event by event; these
 * counts times prices must come to the same, so a rule that forgets something is found out (`reports/decomposition.ts`).
 *
 * @module
 */
import type { Event } from "../../engine/event/mod.ts";
import type { ExitSite, RunTallies, Tallied } from "../comparison.ts";
import { Laps, type MarkNames } from "./marks.ts";
import { Tally } from "./tally.ts";

/** Page faults: of an instruction fetch, a load, a store. */
const PAGE_FAULTS: readonly number[] = [12, 13, 15];
const SITE = "site\n";
const UNRETIRED = "unretired";
/** Places of hidden faults that a stretch keeps, the busiest; all others are kept. */
const HIDDEN_CAP = 16;
const NOTHING = new Float64Array(0);

/** Says where a pc is, and what instruction the bits there are. */
export interface PlaceNames {
  place(pc: bigint): string;
  instruction(bits: number): string;
}

/** Counts that grow event by event. */
export class RunCounter {
  readonly #laps: Laps;
  readonly #counts = new Tally();
  #step = 0;
  /** The guest's mode when it last ran again: while it runs deprivileged, no way leads from its kernel to user code or back without an exit. */
  #mode = 0;
  /** The exit that the VMM works on; undefined while the guest runs. */
  #exit:
    | { readonly reason: string; readonly pc: bigint; readonly bits: number; readonly mode: number; seen: boolean }
    | undefined;

  constructor(marks: MarkNames) {
    this.#laps = new Laps([], marks);
  }

  add(event: Event): void {
    this.#step = event.step;
    const inside = this.#exit !== undefined;
    switch (event.kind) {
      case "guest.trap":
      case "interrupt":
        this.#counts.add(UNRETIRED);
        if (!inside) this.#counts.add(`${event.kind} by the hardware`);
        else if (event.kind === "guest.trap" && PAGE_FAULTS.includes(event.cause)) this.#exit!.seen = true;
        break;
      case "guest.return":
        if (!inside) this.#counts.add("guest.return by the hardware");
        break;
      case "sbi":
        this.#counts.add(UNRETIRED);
        this.#counts.add("sbi");
        if (!inside) this.#counts.add("sbi by the firmware");
        break;
      case "hypercall":
        this.#counts.add(UNRETIRED);
        break;
      case "device.read":
      case "device.write":
        this.#counts.add("device access");
        break;
      case "vmm.exit":
        this.#counts.add("vmm.exit");
        this.#exit = { reason: event.reason, pc: event.pc, bits: event.bits, mode: this.#mode, seen: false };
        break;
      case "vmm.resume":
        this.#counts.add("vmm.resume");
        this.#close();
        this.#mode = event.mode;
        break;
      case "vmm.inject":
        this.#counts.add("vmm.inject");
        break;
      case "vmm.work":
        this.#counts.add(`work ${event.work}`, event.count);
        break;
      case "shadow.drop":
        this.#counts.add("shadow.drop");
        this.#counts.add("shadow entries dropped", event.entries);
        break;
      case "patch":
        this.#counts.add("pages copied");
        this.#counts.add("halfwords patched", event.sites);
        break;
      case "mark":
        this.#laps.mark(event, this.#read);
        break;
      default:
        break;
    }
  }

  /** An exit's place is counted when it is known whether the guest saw a fault of it. */
  #close(): void {
    const exit = this.#exit;
    if (exit === undefined) return;
    this.#exit = undefined;
    const hidden = exit.reason === "page-fault" && !exit.seen;
    this.#counts.add(`${SITE}${exit.reason}\n${hidden ? 1 : 0}\n${exit.pc}\n${exit.bits}\n${exit.mode}`);
  }

  readonly #read = () => ({ step: this.#step, units: NOTHING, exits: this.#counts.snapshot() });

  /**
   * @param steps The run's length.
   * @param names Says what is at a pc; without it, places and instructions are empty.
   */
  finish(steps: number, names?: PlaceNames): RunTallies {
    this.#step = steps;
    this.#close();
    this.#laps.end(this.#read);
    const marks = this.#laps.summaries();
    return {
      whole: tallied(steps, this.#counts.sorted(), names),
      marks: Object.fromEntries(
        marks.map(({ name, steps: within, exits }) => [name, tallied(within, exits.byReason, names)]),
      ),
    };
  }
}

function tallied(steps: number, all: Readonly<Record<string, number>>, names: PlaceNames | undefined): Tallied {
  const entries = Object.entries(all).filter(([, count]) => count > 0);
  const counts = entries.filter(([name]) => !name.startsWith(SITE) && name !== UNRETIRED);
  const sites = entries
    .filter(([name]) => name.startsWith(SITE))
    .map(([name, count]): ExitSite => {
      const [, reason = "", hidden, pc = "0", bits, mode] = name.split("\n");
      const at = BigInt(pc);
      return {
        reason,
        hidden: hidden === "1",
        pc: `0x${at.toString(16)}`,
        place: mode === "0" ? "user" : (names?.place(at) ?? ""),
        instruction: Number(bits) === 0 ? "" : (names?.instruction(Number(bits)) ?? ""),
        count,
      };
    })
    .sort((a, b) => b.count - a.count || (a.pc < b.pc ? -1 : a.pc > b.pc ? 1 : a.reason < b.reason ? -1 : 1));
  const left = sites.filter(({ hidden }) => hidden).slice(HIDDEN_CAP);
  return {
    instructions: steps - (all[UNRETIRED] ?? 0),
    counts: Object.fromEntries(counts),
    sites: sites.filter((site) => !left.includes(site)),
    more: left.reduce((sum, { count }) => sum + count, 0),
  };
}
