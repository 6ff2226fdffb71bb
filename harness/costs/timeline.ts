/**
 * Keeps the first laps of one mark, small enough to draw: what cost cycles, at which step, and in which mode the guest was.
 *
 * @module
 */
import type { Event } from "../../engine/event/mod.ts";
import type { Cause, ModeSpan, Price, Timeline, TimelineEntry } from "../comparison.ts";
import { MARK_BEGIN, MARK_END, MARK_LAP, type MarkNames, markName } from "./marks.ts";

/** More than this cannot be told apart on a page. */
export const TIMELINE_CAP = 400;

interface Group {
  readonly step: number;
  readonly label: string;
  cause: Cause | undefined;
  cycles: number;
}

export class TimelineSampler {
  readonly #cycles: ReadonlyMap<string, number>;
  readonly #names: MarkNames;
  readonly #mark: string;
  readonly #wanted: number;
  readonly #laps: number[] = [];
  readonly #entries: TimelineEntry[] = [];
  readonly #modes: ModeSpan[] = [];
  #dropped = 0;
  /** The step at which sampling began; undefined before. */
  #origin: number | undefined;
  #over = false;
  /** The exit in progress: all its work is one entry. */
  #exit: Group | undefined;
  #charged = 0;
  #cause: Cause | undefined;
  #modeSince = 0;
  #mode: number | undefined;

  constructor(prices: readonly Price[], names: MarkNames, mark: string, laps: number) {
    this.#cycles = new Map(prices.map(({ id, cycles }) => [id, cycles]));
    this.#names = names;
    this.#mark = mark;
    this.#wanted = laps;
  }

  /** An exit begins; what is charged until the resume belongs to it. */
  exit(step: number, reason: string): void {
    this.#exit = { step, label: reason, cause: undefined, cycles: 0 };
  }

  charge(price: string, cause: Cause, count: number): void {
    this.#charged += this.#cycles.get(price)! * count;
    this.#cause = cause;
  }

  /** An event went by, and what it costs was charged. */
  event(event: Event): void {
    const group = this.#exit ?? { step: event.step, label: labelOf(event), cause: undefined, cycles: 0 };
    group.cycles += this.#charged;
    group.cause ??= this.#cause;
    if (this.#exit === undefined || event.kind === "vmm.resume") {
      this.#keep(group);
      this.#exit = undefined;
    }
    this.#charged = 0;
    this.#cause = undefined;
    if (event.kind === "guest.trap" || event.kind === "interrupt" || event.kind === "guest.return") {
      this.#enter(event.step, event.from, event.to);
    } else if (event.kind === "mark") {
      this.#cut(event.step, event.code);
    }
  }

  /** @returns The sampled laps; null where the mark never began. */
  timeline(): Timeline | null {
    if (this.#origin === undefined) return null;
    return { mark: this.#mark, laps: this.#laps, entries: this.#entries, modes: this.#modes, dropped: this.#dropped };
  }

  #keep({ step, label, cause, cycles }: Group): void {
    if (this.#origin === undefined || this.#over || cause === undefined || cycles === 0) return;
    if (this.#entries.length === TIMELINE_CAP) this.#dropped += 1;
    else this.#entries.push({ step: step - this.#origin, label, cause, cycles });
  }

  #enter(step: number, from: number, to: number): void {
    this.#mode ??= from;
    if (this.#mode === to) return;
    this.#span(step);
    this.#mode = to;
  }

  #span(step: number): void {
    if (this.#origin === undefined || this.#over) return;
    const at = step - this.#origin;
    if (this.#mode !== undefined && at > this.#modeSince && this.#modes.length < TIMELINE_CAP) {
      this.#modes.push({ from: this.#modeSince, to: at, mode: this.#mode });
    }
    this.#modeSince = at;
  }

  #cut(step: number, code: number): void {
    if (this.#over || markName(code, this.#names) !== this.#mark) return;
    const kind = code >>> 8;
    if (this.#origin === undefined) {
      if (kind === MARK_BEGIN || kind === MARK_LAP) this.#origin = step;
      return;
    }
    if (kind !== MARK_LAP && kind !== MARK_END) return;
    if (kind === MARK_LAP || this.#laps.length === 0) this.#laps.push(step - this.#origin);
    const over = kind === MARK_END || this.#laps.length === this.#wanted;
    if (over) this.#span(step);
    this.#over = over;
  }
}

const EXCEPTIONS: Readonly<Record<number, string>> = {
  0: "instruction address misaligned",
  1: "instruction access fault",
  2: "illegal instruction",
  3: "breakpoint",
  4: "load address misaligned",
  5: "load access fault",
  6: "store address misaligned",
  7: "store access fault",
  8: "ecall from U",
  9: "ecall from S",
  12: "instruction page fault",
  13: "load page fault",
  15: "store page fault",
};

function labelOf(event: Event): string {
  if (event.kind === "guest.trap") return EXCEPTIONS[event.cause] ?? `exception ${event.cause}`;
  if (event.kind === "interrupt") return "interrupt";
  if (event.kind === "guest.return") return "return";
  return event.kind;
}
