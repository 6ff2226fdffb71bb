/**
 * What is tried of each instruction: its forms, as bits with what their registers hold.
 *
 * A CSR access has several, since a row of the ISA is one instruction to an assembler and more to a machine: with rs1 = x0 some write nothing,
 * with rd = x0 some read nothing, and what a write changes depends on what is written.
 *
 * @module
 */
import {
  type Csr,
  csrsOf,
  type EncodeOperands,
  encode,
  findInstruction,
  INSTRUCTIONS,
  type Instruction,
  type Profile,
} from "../../engine/mod.ts";
import type { Trial } from "./laboratory.ts";
import { DATA, REGISTERS, SATP_VALUE, SITE } from "./station-program.ts";

/** One row of the audit: an instruction, and for a CSR access the CSR. */
export interface Subject {
  readonly instruction: Instruction;
  readonly csr: Csr | null;
}

/** A way to execute a subject. */
export interface Form extends Trial {
  /** As an assembler writes it. */
  readonly text: string;
  /** Of a CSR access: whether it writes, by its encoding. */
  readonly writes: boolean;
  readonly reads: boolean;
}

/** @returns Every instruction of a machine, and every CSR access, in the order of the tables. */
export function subjectsOf({ extensions }: Profile): readonly Subject[] {
  const csrs = csrsOf(extensions);
  return INSTRUCTIONS.filter(({ extension }) => extensions.includes(extension)).flatMap(
    (instruction): readonly Subject[] =>
      instruction.effects.csr === undefined ? [{ instruction, csr: null }] : csrs.map((csr) => ({ instruction, csr })),
  );
}

const [A0, A1, A2, A3, S1] = [10, 11, 12, 13, 9] as const;
const ALL = 2n ** 64n - 1n;

/** @returns The forms of a subject. */
export function formsOf({ instruction, csr }: Subject): readonly Form[] {
  return csr === null ? plainForms(instruction) : csrForms(instruction, csr);
}

function plainForms(instruction: Instruction): readonly Form[] {
  const { mnemonic, effects, immediate } = instruction;
  const form = (operands: EncodeOperands, x: Readonly<Record<number, bigint>> = {}): Form => {
    return { text: mnemonic, words: [encode(instruction, operands)], x, writes: false, reads: false };
  };
  const operands = { rd: A0, rs1: A1, rs2: A2, rs3: A3, imm: immediate === undefined ? 0 : smallest(immediate) };
  if (mnemonic === "sfence.vma") return [form({}), form({ rs1: S1 }, { [S1]: BigInt(REGISTERS.s1) })];
  if (effects.system !== undefined && effects.block === undefined) return [form({})];
  if (effects.loads || effects.stores || effects.block !== undefined)
    return [form({ ...operands, imm: 0 }, { [A1]: BigInt(DATA) })];
  if (effects.jumps) return [form({ ...operands, imm: 16 }, { [A1]: BigInt(SITE + 16) })];
  return [
    form(operands, { [A1]: 0x0123_4567_89ab_cdefn, [A2]: 5n }),
    form(operands, { [A1]: ALL - 41n, [A2]: ALL - 41n }),
  ];
}

/** The least immediate above 4 that may be encoded. */
function smallest({ segments }: NonNullable<Instruction["immediate"]>): number {
  const unit = 2 ** Math.min(...segments.map(({ bit }) => bit));
  return unit > 4 ? unit : 8;
}

function csrForms(instruction: Instruction, { number, name }: Csr): readonly Form[] {
  const { kind, source } = instruction.effects.csr!;
  const mnemonic = instruction.mnemonic;
  const form = (rd: number, rs1: number, x: Readonly<Record<number, bigint>> = {}): Form => ({
    text: `${mnemonic} ${rd === 0 ? "zero" : "a0"}, ${name}, ${source === "immediate" ? rs1 : rs1 === 0 ? "zero" : "a1"}`,
    words: [encode(instruction, { rd, imm: number, [source === "immediate" ? "zimm5" : "rs1"]: rs1 })],
    x,
    writes: kind === "write" || rs1 !== 0,
    reads: kind !== "write" || rd !== 0,
  });
  if (source === "immediate") return [form(A0, 0), form(A0, 2), form(A0, 4), form(A0, 31), form(0, 31)];
  const given = [ALL, SATP_VALUE].map((value) => form(A0, A1, { [A1]: value }));
  return [form(A0, 0), ...given, form(0, A1, { [A1]: ALL })];
}

/** Bits of an instruction by its mnemonic, for those that probe. */
export function bitsOf(mnemonic: string, operands: EncodeOperands = {}): number {
  return encode(findInstruction(mnemonic)!, operands);
}
