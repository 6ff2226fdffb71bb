/**
 * What a row of the ISA and the machine's profile say of an instruction, before anything is run.
 *
 * @module
 */
import { type Csr, csrByName, type Profile } from "../../engine/mod.ts";
import type { InstructionClass } from "../comparison.ts";
import { classOf, type Sensitivity, stronger } from "./classes.ts";
import { formsOf, type Subject } from "./forms.ts";

/** @returns The class that a subject should be found to have. */
export function predict(subject: Subject, { leaks }: Profile): InstructionClass {
  const { instruction, csr } = subject;
  if (csr === null) {
    const { mnemonic, sensitivity, effects } = instruction;
    // Cache blocks: what envcfg forbids traps, and what it allows comes to the same in every mode, since no machine here has a cache. On one that
    // has, cbo.inval would be behaviour sensitive: CBIE = 1 makes it a flush without a word.
    if (sensitivity === "innocuous" || sensitivity === "by-csr" || effects.block !== undefined) return "innocuous";
    return leaks.nops.includes(mnemonic) ? classOf(sensitivity) : "privileged";
  }
  // A write to a read-only CSR is illegal in every mode, so it does nothing in any.
  if (csr.readOnly && instruction.effects.csr!.kind === "write") return "innocuous";
  if (csr.sensitivity === "innocuous") return isOutOfReach(csr) ? "privileged" : "innocuous";
  const access = leaks.csrs[csr.name];
  const { sensitivity } = csr;
  const silent = formsOf(subject).filter(
    ({ reads, writes }) =>
      access !== undefined && !(reads && access.read === "trap") && !(writes && access.write === "trap"),
  );
  if (silent.length === 0) return "privileged";
  return classOf(
    silent.reduce<Sensitivity>((most, { writes }) => stronger(most, writes ? sensitivity : "behaviour"), "none"),
  );
}

/** A counter that mcounteren cannot let anyone below machine mode read. */
function isOutOfReach({ number }: Csr): boolean {
  const counter = number - csrByName("cycle")!.number;
  return counter >= 0 && counter < 32 && ((csrByName("mcounteren")!.writable >> BigInt(counter)) & 1n) === 0n;
}
