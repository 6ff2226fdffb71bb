/**
 * Popek and Goldberg's classes by experiment: an instruction is run in every mode under every setting, and the outcomes are compared.
 *
 * - It is executed where it retires or waits. An illegal instruction or a fault in memory is no execution; a trap of another cause, in every
 *   mode alike, is what the instruction is for (ecall, ebreak): it goes to a higher mode, and user mode cannot keep it from doing so.
 * - Control sensitive: somewhere it changes the mode, makes the processor wait, or a probe behind it comes out otherwise (`probes.ts`).
 * - Behaviour sensitive: what user code can see afterwards differs between two modes or two settings, or privileged registers change.
 * - Privileged: it is executed above user mode, and nowhere in it.
 *
 * Nothing here reads of an instruction's row more than it takes to encode it (`forms.ts`): others predict, and this finds out.
 * Source: Popek and Goldberg, "Formal requirements for virtualizable third generation architectures", CACM 17(7), 1974.
 *
 * @module
 */
import type { Profile } from "../../engine/mod.ts";
import type { InstructionClass } from "../comparison.ts";
import { classOf, type Sensitivity, stronger } from "./classes.ts";
import { bitsOf, type Form, formsOf, type Subject } from "./forms.ts";
import { Laboratory, type Outcome, type Station, type Trial } from "./laboratory.ts";
import { probesFor } from "./probes.ts";
import { MODE_NUMBER, type Mode, SITE } from "./station-program.ts";

/** What was seen of one subject. */
export interface Observation {
  readonly observed: InstructionClass;
  /** What user mode executes, if that is sensitive. */
  readonly silent: readonly Form[];
  /** It makes FS Dirty in user mode, which nothing tells the supervisor. */
  readonly dirties: boolean;
  /** Something that is no fault in memory stops it in some user-mode states and not in others, such as FS or a counter that is off. */
  readonly conditional: boolean;
}

const BREAKPOINT = 3;
/** Environment calls from user, supervisor and machine mode. */
const CALLS: readonly number[] = [8, 9, 11];
const ILLEGAL = 2;
const NOP = bitsOf("addi");

interface Run {
  readonly station: Station;
  readonly outcome: Outcome;
}

export class Observer {
  readonly #laboratory: Laboratory;
  readonly #probes: Readonly<Record<Mode, readonly Trial[]>>;
  /** What a probe does behind a no-op, by station and place. */
  readonly #undisturbed = new Map<string, string>();
  /** Whether the privileged state that an instruction left is felt by what follows. */
  readonly #felt = new Map<string, boolean>();

  constructor(profile: Profile) {
    this.#laboratory = new Laboratory(profile);
    const of = (mode: Mode) => probesFor(profile, mode);
    this.#probes = { machine: of("machine"), supervisor: of("supervisor"), user: of("user") };
  }

  /** Runs all forms of some subjects at all stations. @returns One observation for each, in their order. */
  observe(subjects: readonly Subject[]): readonly Observation[] {
    const tried = subjects.map((subject) => ({
      subject,
      forms: formsOf(subject).map((form) => ({ form, runs: [] as Run[] })),
    }));
    for (const station of this.#laboratory.stations) {
      for (const { subject, forms } of tried) {
        for (const { form, runs } of forms)
          runs.push({ station, outcome: this.#laboratory.try(station, form, subject.csr !== null) });
      }
    }
    return tried.map(({ forms }) => this.#judge(forms));
  }

  #judge(forms: readonly { readonly form: Form; readonly runs: readonly Run[] }[]): Observation {
    let executedAbove = false;
    let open: Sensitivity | undefined;
    const silent: Form[] = [];
    let [dirties, conditional] = [false, false];
    for (const { form, runs } of forms) {
      const calls = runs.every(({ outcome }) => isCall(outcome.cause));
      const executed = runs.filter(({ outcome }) => outcome.kind !== "trapped");
      executedAbove ||= calls || executed.some(({ station }) => station.mode !== "user");
      const inUser = executed.filter(({ station }) => station.mode === "user");
      if (inUser.length === 0) continue;
      silent.push(form);
      open = stronger(open ?? "none", this.#sensitivity(form, executed));
      dirties ||= inUser.some(({ station, outcome }) => outcome.dirty && !this.#laboratory.before(station).dirty);
      conditional ||= runs.some(({ station, outcome }) => station.mode === "user" && outcome.cause === ILLEGAL);
    }
    const observed = open !== undefined ? classOf(open) : executedAbove ? "privileged" : "innocuous";
    return { observed, silent: open === undefined || open === "none" ? [] : silent, dirties, conditional };
  }

  #sensitivity(form: Form, executed: readonly Run[]): Sensitivity {
    const changed = executed.filter(
      ({ station, outcome }) => outcome.privileged !== this.#laboratory.before(station).privileged,
    );
    const moved = ({ station, outcome }: Run) =>
      outcome.kind === "waited" || outcome.mode !== MODE_NUMBER[station.mode];
    if (executed.some(moved) || changed.some((run) => this.#isFelt(form, run))) return "control";
    const seen = new Set(executed.map(({ outcome }) => outcome.visible));
    return seen.size > 1 || changed.length > 0 ? "behaviour" : "none";
  }

  /** Whether some probe behind the instruction comes out otherwise than behind a no-op. */
  #isFelt({ words: [word], x = {} }: Form, { station, outcome }: Run): boolean {
    if (outcome.pc !== BigInt(SITE + 4)) return false;
    const given = `${station.name} ${Object.entries(x).join()}`;
    // Two instructions that leave one state behind are followed by the same.
    const state = `${given} ${outcome.privileged}`;
    let felt = this.#felt.get(state);
    felt ??= this.#probes[station.mode].some((probe, index) => {
      const { user, supervisor } = probe;
      const steps = 3 + probe.words.length + (user ?? supervisor ?? []).length;
      const follow = (first: number) =>
        this.#laboratory.follow(station, { ...probe, words: [first, ...probe.words], x }, steps);
      let plain = this.#undisturbed.get(`${given} ${index}`);
      if (plain === undefined) {
        plain = follow(NOP);
        this.#undisturbed.set(`${given} ${index}`, plain);
      }
      return follow(word!) !== plain;
    });
    this.#felt.set(state, felt);
    return felt;
  }
}

function isCall(cause: number): boolean {
  return cause === BREAKPOINT || CALLS.includes(cause);
}
