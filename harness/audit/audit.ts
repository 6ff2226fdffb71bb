/**
 * The audit: is a machine of this profile virtualizable, by Popek and Goldberg's theorem 1? Every instruction and CSR access is predicted from
 * the ISA's table and the profile, and observed on a machine; the two are put side by side.
 *
 * @module
 */
import type { Profile } from "../../engine/mod.ts";
import { INSTRUCTION_CLASSES, type InstructionClass } from "../comparison.ts";
import { type Subject, subjectsOf } from "./forms.ts";
import { type Observation, Observer } from "./observe.ts";
import { predict } from "./predict.ts";

/** One instruction, or one access to one CSR. */
export interface AuditedInstruction {
  readonly mnemonic: string;
  /** Null where it is no CSR access. */
  readonly csr: string | null;
  /** As the profile predicts. */
  readonly class: InstructionClass;
  /** By experiment. */
  readonly observed: InstructionClass;
  readonly agrees: boolean;
  /** What was seen to run in user mode though it is sensitive, as an assembler writes it; empty where nothing was. */
  readonly silent: readonly string[];
  /** It makes FS Dirty without a trap. */
  readonly dirties: boolean;
  /** Privileged state decides whether user mode may execute it, and it traps where it may not. */
  readonly conditional: boolean;
}

export interface Audit {
  readonly profile: string;
  /** By what was observed: whether no sensitive instruction runs in user mode without a trap. */
  readonly verdict: "virtualizable" | "not-virtualizable";
  /** As an assembler has them: `csrrs sstatus`, `sfence.vma`. */
  readonly violators: readonly string[];
  /** How many instructions were observed to be of each class. */
  readonly classes: Readonly<Record<InstructionClass, number>>;
  readonly instructions: readonly AuditedInstruction[];
}

const BATCH = 128;

/** A row's name. */
export function nameOf({ mnemonic, csr }: Pick<AuditedInstruction, "mnemonic" | "csr">): string {
  return csr === null ? mnemonic : `${mnemonic} ${csr}`;
}

/**
 * Audits a machine.
 *
 * @param profile Of the machine.
 * @param only Which rows to look at; all where it is left out. The verdict is about those alone.
 * @throws {RangeError} If the machine does not even do what the experiment's set-up needs.
 */
export function audit(profile: Profile, only: (subject: Subject) => boolean = () => true): Audit {
  const observer = new Observer(profile);
  const subjects = subjectsOf(profile).filter(only);
  // Batches keep few outcomes at a time.
  const observations: Observation[] = [];
  for (let at = 0; at < subjects.length; at += BATCH)
    observations.push(...observer.observe(subjects.slice(at, at + BATCH)));
  const instructions = subjects.map((subject, index): AuditedInstruction => {
    const { observed, silent, dirties, conditional } = observations[index]!;
    const predicted = predict(subject, profile);
    return {
      mnemonic: subject.instruction.mnemonic,
      csr: subject.csr?.name ?? null,
      class: predicted,
      observed,
      agrees: observed === predicted,
      silent: silent.map(({ text }) => text),
      dirties,
      conditional,
    };
  });
  const violators = instructions.filter(
    ({ observed }) => observed === "control-sensitive" || observed === "behaviour-sensitive",
  );
  const count = (name: InstructionClass) => instructions.filter(({ observed }) => observed === name).length;
  return {
    profile: profile.name,
    verdict: violators.length === 0 ? "virtualizable" : "not-virtualizable",
    violators: violators.map(nameOf),
    classes: Object.fromEntries(INSTRUCTION_CLASSES.map((name) => [name, count(name)])) as Record<
      InstructionClass,
      number
    >,
    instructions,
  };
}
