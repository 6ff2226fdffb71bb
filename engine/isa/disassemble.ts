/**
 * Disassembler: text that the assembler makes the same bits of, in the GNU assembler's syntax without pseudo-instructions.
 *
 * @module
 */
import { compressedOperands, findCompressed } from "./compressed.ts";
import { csrByNumber } from "./csr.ts";
import { decode } from "./decode.ts";
import { type EncodeOperands, encode } from "./encode.ts";
import type { Instruction } from "./instructions.ts";
import { F_NAMES, X_NAMES } from "./registers.ts";
import { compressedSyntaxOf, defaultRounding, type Operand, ROUNDING_MODES, syntaxOf } from "./syntax.ts";
import { FIELDS, gather } from "./table.ts";

type Values = Readonly<Record<string, number>>;

/**
 * @param word A 32-bit instruction, or a 16-bit one in the low half (its low two bits are then not both set).
 * @param pc Its address. Without it, targets are written relative to it: `.+8`.
 * @returns For example `addi a0,a1,-1`; `.word` or `.half` for what is no instruction, or has bits that the syntax cannot express.
 */
export function disassemble(word: number, pc?: bigint): string {
  return (word & 3) === 3 ? full(word >>> 0, pc) : compressed(word & 0xffff, pc);
}

function full(word: number, pc: bigint | undefined): string {
  const instruction = decode(word)?.instruction;
  if (instruction === undefined) return data(".word", word, 8);
  const syntax = syntaxOf(instruction);
  const values = valuesOf(word, instruction);
  // The fields that a fence ignores have no place in its syntax, except for fence.tso.
  const written: Record<string, number> = { aq: values.aq ?? 0, rl: values.rl ?? 0 };
  for (const operand of syntax) {
    if ("name" in operand && operand.name !== undefined) written[operand.name] = values[operand.name]!;
    if ("base" in operand) written[operand.base] = values[operand.base]!;
  }
  if (encode(instruction, written as EncodeOperands) !== word) {
    return word === FENCE_TSO ? "fence.tso" : data(".word", word, 8);
  }
  const rounding = syntax.at(-1)?.kind === "rounding" && values.rm === defaultRounding(instruction);
  const operands = rounding ? syntax.slice(0, -1) : syntax;
  const suffix = `${values.aq ? "aq" : ""}${values.rl ? "rl" : ""}`;
  const mnemonic = suffix === "" ? instruction.mnemonic : `${instruction.mnemonic}.${suffix}`;
  return line(mnemonic, operands, values, pc);
}

function compressed(half: number, pc: bigint | undefined): string {
  const pattern = findCompressed(half);
  if (pattern === undefined) return data(".half", half, 4);
  const values = compressedOperands(half, pattern);
  const syntax = compressedSyntaxOf(pattern);
  return line(pattern.mnemonic, pattern.mnemonic === "c.nop" && values.imm === 0 ? [] : syntax, values, pc);
}

/** fm is TSO, both sets are `rw` ("Memory Ordering Instructions"). */
export const FENCE_TSO = 0x8330_000f;

function data(directive: string, value: number, digits: number): string {
  return `${directive} 0x${value.toString(16).padStart(digits, "0")}`;
}

function valuesOf(word: number, { fields, immediate }: Instruction): Values {
  const values: Record<string, number> = {};
  for (const field of fields) {
    const [high, low] = FIELDS[field];
    values[field] = (word >>> low) & (2 ** (high - low + 1) - 1);
  }
  if (immediate !== undefined) values.imm = gather(word, immediate);
  return values;
}

function line(mnemonic: string, operands: readonly Operand[], values: Values, pc: bigint | undefined): string {
  if (operands.length === 0) return mnemonic;
  return `${mnemonic} ${operands.map((operand) => operandText(operand, values, pc)).join(",")}`;
}

function operandText(operand: Operand, values: Values, pc: bigint | undefined): string {
  if (operand.kind === "sp") return "sp";
  if (operand.kind === "address") return `(${X_NAMES[values[operand.base]!]})`;
  const value = operand.name === undefined ? 0 : values[operand.name]!;
  switch (operand.kind) {
    case "x":
      return X_NAMES[value]!;
    case "f":
      return F_NAMES[value]!;
    case "immediate":
      return String(value);
    case "upper":
      return `0x${((value >>> 12) & 0xfffff).toString(16)}`;
    case "target":
      if (pc !== undefined) return `0x${BigInt.asUintN(64, pc + BigInt(value)).toString(16)}`;
      return value < 0 ? `.${value}` : `.+${value}`;
    case "csr":
      return csrByNumber(value)?.name ?? `0x${value.toString(16)}`;
    case "rounding":
      return ROUNDING_MODES[value]!;
    case "order":
      return [..."iorw"].filter((_, index) => value & (8 >> index)).join("") || "0";
    case "memory":
      return `${value}(${operand.base === "sp" ? "sp" : X_NAMES[values[operand.base]!]})`;
  }
}
