/**
 * Which operands an instruction is written with, in which order, as the GNU assembler has it: read off the fields of its row and what its
 * semantics do with them. The assembler and the disassembler both go by it.
 *
 * @module
 */
import type { CompressedPattern } from "./compressed.ts";
import type { Instruction } from "./instructions.ts";
import type { RegisterName } from "./table.ts";

/**
 * One operand as written. `name` is the field that it fills (in a compressed encoding by that encoding's names).
 * `memory` is `imm(base)`, `address` is `(base)`, `upper` is a 20-bit number that stands for the upper bits, `target` is an address that the
 * immediate is relative to, `order` is a set of `i`, `o`, `r`, `w`, and `sp` is the stack pointer, which the encoding implies.
 */
export type Operand =
  | {
      readonly kind: "x" | "f" | "immediate" | "upper" | "target" | "csr" | "rounding" | "order";
      readonly name: string;
    }
  | { readonly kind: "memory"; readonly name: string | undefined; readonly base: string }
  | { readonly kind: "address"; readonly base: string }
  | { readonly kind: "sp" };

/** Rounding modes by number; 5 and 6 are reserved. */
export const ROUNDING_MODES: readonly (string | undefined)[] = [
  "rne",
  "rtz",
  "rdn",
  "rup",
  "rmm",
  undefined,
  undefined,
  "dyn",
];

/** Conversions that no rounding mode changes: they are written without one, and encoded with 0. */
const EXACT: ReadonlySet<string> = new Set(["fcvt.d.s", "fcvt.d.w", "fcvt.d.wu"]);

/** @returns The rounding mode that an instruction has when none is written. */
export function defaultRounding({ mnemonic }: Instruction): number {
  return EXACT.has(mnemonic) ? 0 : 7;
}

const known = new Map<Instruction | CompressedPattern, readonly Operand[]>();

function once<K extends Instruction | CompressedPattern>(
  key: K,
  make: (key: K) => readonly Operand[],
): readonly Operand[] {
  const found = known.get(key) ?? make(key);
  known.set(key, found);
  return found;
}

/** @returns The operands of a 32-bit instruction, in the order they are written. */
export function syntaxOf(instruction: Instruction): readonly Operand[] {
  return once(instruction, readSyntax);
}

/** @returns The operands of a 16-bit instruction: those of what it stands for, without what the encoding implies. */
export function compressedSyntaxOf(pattern: CompressedPattern): readonly Operand[] {
  return once(pattern, readCompressedSyntax);
}

function readSyntax({ fields, effects, immediate }: Instruction): readonly Operand[] {
  const has = (name: string) => fields.some((field) => field === name);
  const register = (name: RegisterName): Operand[] => {
    return has(name) ? [{ kind: effects.f.has(name) ? "f" : "x", name }] : [];
  };
  const memory: Operand = { kind: "memory", name: "imm", base: "rs1" };

  if (effects.system === "fence.i") return [];
  if (has("pred")) return ["pred", "succ"].map((name) => ({ kind: "order", name }));
  if (has("csr")) {
    const source: Operand[] = has("zimm5") ? [{ kind: "immediate", name: "zimm5" }] : register("rs1");
    return [...register("rd"), { kind: "csr", name: "imm" }, ...source];
  }
  if (effects.block !== undefined) return [{ kind: "address", base: "rs1" }];
  if (effects.branches) return [...register("rs1"), ...register("rs2"), { kind: "target", name: "imm" }];
  if (effects.jumps) return [...register("rd"), has("rs1") ? memory : { kind: "target", name: "imm" }];
  if (effects.loads || effects.stores) {
    return [...register("rd"), ...register("rs2"), immediate === undefined ? { kind: "address", base: "rs1" } : memory];
  }
  const operands: Operand[] = (["rd", "rs1", "rs2", "rs3"] as const).flatMap(register);
  if (immediate !== undefined) operands.push({ kind: has("imm20") ? "upper" : "immediate", name: "imm" });
  if (has("rm")) operands.push({ kind: "rounding", name: "rm" });
  return operands;
}

function readCompressedSyntax({ instruction, operands }: CompressedPattern): readonly Operand[] {
  const written: Operand[] = [];
  const seen = new Set<string | number>();
  for (const operand of syntaxOf(instruction)) {
    if (operand.kind === "memory") {
      const base = operands.get("rs1")!;
      const name = operands.get("imm") as string | undefined;
      if (name === undefined) written.push({ kind: "x", name: String(base) });
      else written.push({ kind: "memory", name, base: base === 2 ? "sp" : String(base) });
    } else if (operand.kind !== "address" && operand.kind !== "sp") {
      const value = operands.get(operand.name as "rd");
      if (value === undefined || seen.has(value)) continue;
      seen.add(value);
      if (value === 2) written.push({ kind: "sp" });
      else if (typeof value === "string") written.push({ ...operand, name: value });
    }
  }
  return written;
}
