/**
 * Runs litmus guests: from one state, on the bare machine and under full virtualization, until the two streams of what the guest saw differ.
 *
 * What comes before the mark runs on the bare machine alone, and both go on from a snapshot of it. So what a litmus shows is one instruction's
 * doing, also where the way there is full of others like it.
 *
 * @module
 */
import { eventsOf, type LogBatch } from "../../engine/event/mod.ts";
import { assemble, createMachine, disassemble, full, type Machine, native, type Profile } from "../../engine/mod.ts";
import { compareGuestStreams, formatEvent } from "../../traces/mod.ts";
import type { Audit, AuditedInstruction } from "./audit.ts";
import {
  KINDS,
  LITMUS_MARK,
  type LitmusProgram,
  litmusSource,
  OTHER_LITMUS,
  readLitmus,
  writeLitmus,
} from "./litmus-programs.ts";

/** One litmus guest, run. */
export interface Litmus {
  readonly mnemonic: string;
  readonly csr: string | null;
  /** As an assembler writes the form that was tried. */
  readonly instruction: string;
  /** Whether it ran without a trap, and the guest's streams then differed. */
  readonly detected: boolean;
  /** The first sensitive instruction that did not trap: its address and step; null where there was none. */
  readonly silent: { readonly pc: string; readonly instruction: string; readonly step: number } | null;
  /** The first event of the guest stream that differs, in words; null where none does. */
  readonly difference: { readonly step: number; readonly bare: string; readonly full: string } | null;
  /** What the guest came to see, on either. */
  readonly saw: { readonly bare: string; readonly full: string };
}

const BASE = 0x8020_0000n;
const MEMORY_BYTES = 4 << 20;
/** More than any of them takes. */
const STEPS = 2000;
const S11 = 27;
const SUPERVISOR = 1;

/** Two machines that are alike but for who runs the guest. */
class Pair {
  readonly bare: Machine;
  readonly full: Machine;
  readonly #reset: Uint8Array;

  constructor(profile: Profile) {
    const common = {
      kernel: assemble("j .", { base: BASE }).bytes,
      memoryBytes: MEMORY_BYTES,
      rtcSeconds: 0,
      machineMode: false,
      profile,
      logging: true,
      tier: "interpreter",
    } as const;
    this.bare = createMachine({ ...common, technique: native });
    this.full = createMachine({ ...common, technique: full, unsound: true });
    this.bare.stopAtMarks = true;
    this.#reset = this.bare.save();
  }

  /** @throws {RangeError} If the guest does not come to its mark. */
  run(mnemonic: string, csr: string | null, program: LitmusProgram): Litmus {
    const { bytes, labels } = assemble(litmusSource(program), { base: BASE });
    this.bare.load(this.#reset);
    this.bare.parts.platform.deviceMemory("litmus").write(BASE, bytes);
    const stop = this.bare.run(STEPS);
    if (stop.kind !== "mark" || stop.code !== LITMUS_MARK)
      throw new RangeError(
        `Cannot run the litmus of ${program.instruction} as it must come to its mark: it stopped with ${stop.kind}`,
      );
    this.full.load(this.bare.save());
    for (const machine of [this.bare, this.full]) machine.log.drain();
    const [bare, virtual] = [this.bare, this.full].map((machine) => {
      machine.run(machine.step + STEPS);
      // Two registers that differ and are never looked at are a difference too: the last event is a digest of all that the guest could see.
      machine.checkpoint();
      return machine.log.drain();
    }) as [LogBatch, LogBatch];
    const site = labels.get("site");
    const silent = [...eventsOf(virtual)].find((event) => event.kind === "leak" && event.mode === SUPERVISOR);
    const compared = compareGuestStreams([bare], [virtual]);
    const saw = (machine: Machine) => `0x${machine.parts.platform.hart.x[S11]!.toString(16)}`;
    return {
      mnemonic,
      csr,
      instruction: program.instruction,
      detected: silent?.kind === "leak" && silent.pc === site && !compared.equal,
      silent:
        silent?.kind !== "leak"
          ? null
          : { pc: `0x${silent.pc.toString(16)}`, instruction: disassemble(silent.bits), step: silent.step },
      difference: compared.equal
        ? null
        : {
            step: Math.min(...[compared.left, compared.right].map((event) => event?.step ?? Number.POSITIVE_INFINITY)),
            bare: compared.left === undefined ? "nothing more" : formatEvent(compared.left),
            full: compared.right === undefined ? "nothing more" : formatEvent(compared.right),
          },
      saw: { bare: saw(this.bare), full: saw(this.full) },
    };
  }
}

/** @returns The programs for one instruction: for a CSR access, what reads and what writes, as far as either ran without a trap. */
function programsFor({ mnemonic, csr, silent }: AuditedInstruction): readonly (LitmusProgram | undefined)[] {
  if (csr === null) return [OTHER_LITMUS[mnemonic]];
  // A source of x0 or 0 writes nothing, unless the instruction is one that always writes.
  const writes = (text: string) => KINDS[mnemonic] === "write" || !/, (zero|0)$/.test(text);
  return [
    ...(silent.some((text) => !writes(text)) ? [readLitmus(mnemonic, csr)] : []),
    ...(silent.some(writes) ? [writeLitmus(mnemonic, csr)] : []),
  ];
}

/**
 * Runs a litmus for everything that an audit found to be sensitive and silent.
 *
 * @param audited What `audit` found of the profile.
 * @returns One for each instruction, or two where it reads and writes; none where the profile is virtualizable.
 */
export function runLitmus(profile: Profile, audited: Audit): readonly Litmus[] {
  const violators = audited.instructions.filter(({ silent }) => silent.length > 0);
  if (violators.length === 0) return [];
  const pair = new Pair(profile);
  return violators.flatMap((row) =>
    programsFor(row).map((program) => {
      const { mnemonic, csr } = row;
      if (program !== undefined) return pair.run(mnemonic, csr, program);
      const nothing = { bare: "no litmus", full: "no litmus" };
      const instruction = csr === null ? mnemonic : `${mnemonic} ${csr}`;
      return { mnemonic, csr, instruction, detected: false, silent: null, difference: null, saw: nothing };
    }),
  );
}
