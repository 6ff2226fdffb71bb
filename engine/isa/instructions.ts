/**
 * All rows of all extensions in one fixed order, numbered.
 *
 * @module
 */
import { A, a } from "./a.ts";
import { D, d } from "./d.ts";
import { type Effects, effectsOf } from "./effects.ts";
import type { Emit, ImmediateField, RegisterField, RoundingField } from "./emit.ts";
import { F, f } from "./f.ts";
import { HINTS, hints } from "./hints.ts";
import { M, m } from "./m.ts";
import { RV64I, rv64i } from "./rv64i.ts";
import { SYSTEM, system } from "./system.ts";
import { compile, type Pattern, type Semantics, type Table } from "./table.ts";
import { ZBA, ZBB, ZBS, zba, zbb, zbs } from "./zb.ts";
import { ZAWRS, ZICBOM, ZICBOZ, zawrs, zicbom, zicboz } from "./zic.ts";

/** A row of the ISA, made ready for decoder, hart, assembler and disassembler. */
export interface Instruction extends Pattern {
  /** Dense, from 1; below 250, so that it fits a byte with room for the decoder's own numbers. */
  readonly op: number;
  /** The extension that it belongs to, by its name in an ISA string. On a machine without that, it is illegal. */
  readonly extension: string;
  /** Whether `rd` is an x register that it writes. */
  readonly writesX: boolean;
  readonly effects: Effects;
  /** Runs the row's semantics over its operands. */
  readonly semantics: <V>(e: Emit<V>) => void;
}

interface Operands {
  readonly rd: RegisterField;
  readonly rs1: RegisterField;
  readonly rs2: RegisterField;
  readonly rs3: RegisterField;
  readonly imm: ImmediateField;
  readonly rm: RoundingField;
}

/** The operands as semantics functions get them: which instruction they belong to is known to the `Emit` only. */
export const OPERANDS: Operands = {
  rd: { kind: "register", slot: "rd" },
  rs1: { kind: "register", slot: "rs1" },
  rs2: { kind: "register", slot: "rs2" },
  rs3: { kind: "register", slot: "rs3" },
  imm: { kind: "immediate" },
  rm: { kind: "rounding" },
};

type Unbound = <V>(field: Operands, e: Emit<V>) => void;
const rows: { extension: string; pattern: Pattern; unbound: Unbound }[] = [];

// The types have done their work by here: each function fits its row, and is given the operands of every row.
function add<T extends Table>(extension: string, table: T, semantics: Semantics<T>): void {
  for (const mnemonic of Object.keys(table)) {
    rows.push({
      extension,
      pattern: compile(mnemonic, table[mnemonic]!),
      unbound: semantics[mnemonic] as unknown as Unbound,
    });
  }
}

add("i", RV64I, rv64i);
add("m", M, m);
add("a", A, a);
// Privileged instructions, CSR accesses and fence.i are of the base that every machine has.
add("i", SYSTEM, system);
add("f", F, f);
add("d", D, d);
add("i", HINTS, hints);
add("zba", ZBA, zba);
add("zbb", ZBB, zbb);
add("zbs", ZBS, zbs);
add("zicbom", ZICBOM, zicbom);
add("zicboz", ZICBOZ, zicboz);
add("zawrs", ZAWRS, zawrs);

/** Every instruction, in the order of their `op` numbers: `INSTRUCTIONS[op - 1]`. */
export const INSTRUCTIONS: readonly Instruction[] = rows.map(({ extension, pattern, unbound }, index) => {
  const semantics = <V>(e: Emit<V>) => unbound(OPERANDS, e);
  const effects = effectsOf(semantics);
  return { ...pattern, op: index + 1, extension, writesX: effects.writesX, effects, semantics };
});

const byMnemonic = new Map(INSTRUCTIONS.map((instruction) => [instruction.mnemonic, instruction]));

/** @returns The row of a mnemonic as it is written in the tables (`"sfence.vma"`), or undefined. */
export function findInstruction(mnemonic: string): Instruction | undefined {
  return byMnemonic.get(mnemonic);
}
