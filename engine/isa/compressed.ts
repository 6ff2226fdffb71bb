/**
 * C: the 16-bit instructions, each of which stands for one 32-bit instruction.
 *
 * A row is the encoding as the manual draws it, with the immediate's bit order in brackets and `'` for a register out of x8 to x15;
 * the instruction it stands for, with what its operands are; and the operands that must not be zero, where zero is reserved. Where zero is
 * only a HINT, the row expands to a HINT of the base.
 *
 * Left out: c.flw, c.fsw and c.jal, which RV64 does not have; Zcb, Zcmp and Zcmop.
 * Source: The RISC-V Instruction Set Manual, Volume I, "RVC Instruction Set Listings".
 *
 * @module
 */
import { type EncodeOperands, encode } from "./encode.ts";
import { findInstruction, type Instruction } from "./instructions.ts";
import { FIELDS, gather, type ImmediateLayout, type Segment, scatter, segments } from "./table.ts";

export type CompressedRow = readonly [encoding: string, expansion: string, nonZero?: readonly string[]];

// The first row that matches counts: c.addi16sp before c.lui, c.jr before c.mv, and so on.
// biome-ignore format: aligned like the manual
export const COMPRESSED = {
  "c.addi4spn": ["000 uimm[5:4|9:6|2|3] rd' 00",             "addi rd=rd' rs1=2 imm=uimm", ["uimm"]],
  "c.fld":      ["001 uimm[5:3] rs1' uimm[7:6] rd' 00",      "fld rd=rd' rs1=rs1' imm=uimm"],
  "c.lw":       ["010 uimm[5:3] rs1' uimm[2|6] rd' 00",      "lw rd=rd' rs1=rs1' imm=uimm"],
  "c.ld":       ["011 uimm[5:3] rs1' uimm[7:6] rd' 00",      "ld rd=rd' rs1=rs1' imm=uimm"],
  "c.fsd":      ["101 uimm[5:3] rs1' uimm[7:6] rs2' 00",     "fsd rs2=rs2' rs1=rs1' imm=uimm"],
  "c.sw":       ["110 uimm[5:3] rs1' uimm[2|6] rs2' 00",     "sw rs2=rs2' rs1=rs1' imm=uimm"],
  "c.sd":       ["111 uimm[5:3] rs1' uimm[7:6] rs2' 00",     "sd rs2=rs2' rs1=rs1' imm=uimm"],
  "c.nop":      ["000 imm[5] 00000 imm[4:0] 01",             "addi rd=0 rs1=0 imm=imm"],
  "c.addi":     ["000 imm[5] rd imm[4:0] 01",                "addi rd=rd rs1=rd imm=imm"],
  "c.addiw":    ["001 imm[5] rd imm[4:0] 01",                "addiw rd=rd rs1=rd imm=imm", ["rd"]],
  "c.li":       ["010 imm[5] rd imm[4:0] 01",                "addi rd=rd rs1=0 imm=imm"],
  "c.addi16sp": ["011 imm[9] 00010 imm[4|6|8:7|5] 01",       "addi rd=2 rs1=2 imm=imm", ["imm"]],
  "c.lui":      ["011 imm[17] rd imm[16:12] 01",             "lui rd=rd imm=imm", ["imm"]],
  "c.srli":     ["100 uimm[5] 00 rd' uimm[4:0] 01",          "srli rd=rd' rs1=rd' imm=uimm"],
  "c.srai":     ["100 uimm[5] 01 rd' uimm[4:0] 01",          "srai rd=rd' rs1=rd' imm=uimm"],
  "c.andi":     ["100 imm[5] 10 rd' imm[4:0] 01",            "andi rd=rd' rs1=rd' imm=imm"],
  "c.sub":      ["100 0 11 rd' 00 rs2' 01",                  "sub rd=rd' rs1=rd' rs2=rs2'"],
  "c.xor":      ["100 0 11 rd' 01 rs2' 01",                  "xor rd=rd' rs1=rd' rs2=rs2'"],
  "c.or":       ["100 0 11 rd' 10 rs2' 01",                  "or rd=rd' rs1=rd' rs2=rs2'"],
  "c.and":      ["100 0 11 rd' 11 rs2' 01",                  "and rd=rd' rs1=rd' rs2=rs2'"],
  "c.subw":     ["100 1 11 rd' 00 rs2' 01",                  "subw rd=rd' rs1=rd' rs2=rs2'"],
  "c.addw":     ["100 1 11 rd' 01 rs2' 01",                  "addw rd=rd' rs1=rd' rs2=rs2'"],
  "c.j":        ["101 imm[11|4|9:8|10|6|7|3:1|5] 01",        "jal rd=0 imm=imm"],
  "c.beqz":     ["110 imm[8|4:3] rs1' imm[7:6|2:1|5] 01",    "beq rs1=rs1' rs2=0 imm=imm"],
  "c.bnez":     ["111 imm[8|4:3] rs1' imm[7:6|2:1|5] 01",    "bne rs1=rs1' rs2=0 imm=imm"],
  "c.slli":     ["000 uimm[5] rd uimm[4:0] 10",              "slli rd=rd rs1=rd imm=uimm"],
  "c.fldsp":    ["001 uimm[5] rd uimm[4:3|8:6] 10",          "fld rd=rd rs1=2 imm=uimm"],
  "c.lwsp":     ["010 uimm[5] rd uimm[4:2|7:6] 10",          "lw rd=rd rs1=2 imm=uimm", ["rd"]],
  "c.ldsp":     ["011 uimm[5] rd uimm[4:3|8:6] 10",          "ld rd=rd rs1=2 imm=uimm", ["rd"]],
  "c.jr":       ["100 0 rs1 00000 10",                       "jalr rd=0 rs1=rs1", ["rs1"]],
  "c.mv":       ["100 0 rd rs2 10",                          "add rd=rd rs1=0 rs2=rs2"],
  "c.ebreak":   ["100 1 00000 00000 10",                     "ebreak"],
  "c.jalr":     ["100 1 rs1 00000 10",                       "jalr rd=1 rs1=rs1"],
  "c.add":      ["100 1 rd rs2 10",                          "add rd=rd rs1=rd rs2=rs2"],
  "c.fsdsp":    ["101 uimm[5:3|8:6] rs2 10",                 "fsd rs2=rs2 rs1=2 imm=uimm"],
  "c.swsp":     ["110 uimm[5:2|7:6] rs2 10",                 "sw rs2=rs2 rs1=2 imm=uimm"],
  "c.sdsp":     ["111 uimm[5:3|8:6] rs2 10",                 "sd rs2=rs2 rs1=2 imm=uimm"],
} as const satisfies Readonly<Record<string, CompressedRow>>;

/** A register field of a 16-bit encoding: bit of its least significant bit, and whether it counts from x8. */
interface Place {
  readonly at: number;
  readonly short: boolean;
}

export interface CompressedPattern {
  readonly mnemonic: string;
  readonly mask: number;
  readonly match: number;
  readonly registers: ReadonlyMap<string, Place>;
  /** `imm`, which is signed, or `uimm`, which is not. */
  readonly immediate: ImmediateLayout | undefined;
  readonly instruction: Instruction;
  /** The base instruction's operands: a number, or the name of a field of this encoding. */
  readonly operands: ReadonlyMap<"rd" | "rs1" | "rs2" | "imm", number | string>;
  readonly nonZero: readonly string[];
}

/** @throws {RangeError} If the encoding does not have 16 bits, or the expansion names no row. */
export function compileCompressed(
  mnemonic: string,
  [encoding, expansion, nonZero = []]: CompressedRow,
): CompressedPattern {
  let bit = 16;
  let mask = 0;
  let match = 0;
  let signed = false;
  const registers = new Map<string, Place>();
  const runs: Segment[] = [];
  for (const part of encoding.split(" ")) {
    const [, sign, order] = /^(imm|uimm)\[(.+)\]$/.exec(part) ?? [];
    if (order !== undefined) {
      const width = segments(order, 0).reduce((sum, run) => sum + run.width, 0);
      bit -= width;
      runs.push(...segments(order, bit));
      signed = sign === "imm";
    } else if (/^[01]+$/.test(part)) {
      bit -= part.length;
      match |= Number.parseInt(part, 2) << bit;
      mask |= (2 ** part.length - 1) << bit;
    } else {
      const short = part.endsWith("'");
      bit -= short ? 3 : 5;
      registers.set(part, { at: bit, short });
    }
  }
  if (bit !== 0) {
    throw new RangeError(
      `Cannot compile ${mnemonic} as a compressed encoding must have 16 bits: "${encoding}" has ${16 - bit}`,
    );
  }
  const [base = "", ...assignments] = expansion.split(" ");
  const instruction = findInstruction(base);
  if (instruction === undefined) {
    throw new RangeError(`Cannot compile ${mnemonic} as it must stand for an instruction of the tables: "${base}"`);
  }
  const operands = new Map<"rd" | "rs1" | "rs2" | "imm", number | string>();
  for (const assignment of assignments) {
    const [name = "", value = ""] = assignment.split("=");
    operands.set(name as "rd", /^\d+$/.test(value) ? Number(value) : value);
  }
  const width = Math.max(0, ...runs.map((run) => run.bit + run.width));
  const immediate = runs.length === 0 ? undefined : { segments: runs, width, signed };
  return { mnemonic, mask, match, registers, immediate, instruction, operands, nonZero };
}

export const COMPRESSED_PATTERNS: readonly CompressedPattern[] = Object.entries<CompressedRow>(COMPRESSED).map(
  ([mnemonic, row]) => compileCompressed(mnemonic, row),
);

/** The value of a field of a 16-bit encoding: a register's number or the immediate. */
function fieldOf(half: number, pattern: CompressedPattern, name: string): number {
  const place = pattern.registers.get(name);
  if (place !== undefined) return place.short ? ((half >>> place.at) & 7) + 8 : (half >>> place.at) & 31;
  return pattern.immediate === undefined ? 0 : gather(half, pattern.immediate);
}

/** @returns The fields of a 16-bit instruction by their names in its row: registers as their full numbers, `imm` or `uimm`. */
export function compressedOperands(half: number, pattern: CompressedPattern): Record<string, number> {
  const names = [...pattern.registers.keys()];
  if (pattern.immediate !== undefined) names.push(pattern.immediate.signed ? "imm" : "uimm");
  return Object.fromEntries(names.map((name) => [name, fieldOf(half, pattern, name)]));
}

// Rows by bits 15:13 and 1:0, which every row fixes.
const groups: readonly (readonly CompressedPattern[])[] = Array.from({ length: 32 }, (_, key) =>
  COMPRESSED_PATTERNS.filter(({ match }) => groupOf(match) === key),
);

function groupOf(half: number): number {
  return ((half >>> 11) & 0x1c) | (half & 3);
}

/** @returns The row that a 16-bit instruction matches, or undefined if it is illegal or reserved. */
export function findCompressed(half: number): CompressedPattern | undefined {
  for (const pattern of groups[groupOf(half)]!) {
    if ((half & pattern.mask) !== pattern.match) continue;
    for (const name of pattern.nonZero) if (fieldOf(half, pattern, name) === 0) return undefined;
    return pattern;
  }
  return undefined;
}

/** How to put a base instruction together: bits that are always there, and register numbers to move. */
interface Plan {
  readonly constant: number;
  readonly moves: readonly { readonly from: number; readonly mask: number; readonly to: number }[];
  readonly from: ImmediateLayout | undefined;
  readonly to: ImmediateLayout | undefined;
}

function planOf({ instruction, registers, immediate, operands }: CompressedPattern): Plan {
  const constants: { -readonly [F in keyof EncodeOperands]: number } = {};
  const moves: Plan["moves"][number][] = [];
  for (const [name, value] of operands) {
    if (typeof value === "number") {
      constants[name] = value;
    } else if (name !== "imm") {
      const { at, short } = registers.get(value)!;
      if (short) constants[name] = 8;
      moves.push({ from: at, mask: short ? 7 : 31, to: FIELDS[name][1] });
    }
  }
  return { constant: encode(instruction, constants), moves, from: immediate, to: instruction.immediate };
}

const plans: ReadonlyMap<CompressedPattern, Plan> = new Map(
  COMPRESSED_PATTERNS.map((pattern) => [pattern, planOf(pattern)]),
);

function expansionOf(half: number): number {
  const pattern = findCompressed(half);
  if (pattern === undefined) return 0;
  const { constant, moves, from, to } = plans.get(pattern)!;
  let word = constant;
  for (const move of moves) word |= ((half >>> move.from) & move.mask) << move.to;
  return from === undefined || to === undefined ? word : word | scatter(gather(half, from), to);
}

/**
 * The opposite of `expand`, for the assembler.
 *
 * @param operands By the names of the row's fields: registers as their full numbers, `imm` or `uimm`.
 * @returns The 16-bit instruction.
 * @throws {RangeError} If an operand does not fit its field, or is zero where that is reserved.
 */
export function encodeCompressed(pattern: CompressedPattern, operands: Readonly<Record<string, number>>): number {
  let half = pattern.match;
  for (const [name, { at, short }] of pattern.registers) {
    const value = operands[name] ?? 0;
    if (short && (value < 8 || value > 15)) {
      throw new RangeError(`Cannot encode ${pattern.mnemonic} as ${name} is from x8 to x15: x${value}`);
    }
    half |= (short ? value - 8 : value) << at;
  }
  if (pattern.immediate !== undefined) {
    const value = operands.imm ?? operands.uimm ?? 0;
    half |= scatter(value, pattern.immediate);
    if (gather(half, pattern.immediate) !== value) {
      throw new RangeError(`Cannot encode ${pattern.mnemonic} as its immediate does not fit: ${value}`);
    }
  }
  if (findCompressed(half) !== pattern) {
    throw new RangeError(
      `Cannot encode ${pattern.mnemonic} as its operands are reserved or those of another instruction`,
    );
  }
  return half;
}

let expansions: Uint32Array | undefined;

/**
 * @param half A 16-bit instruction. Its low two bits are not both set; if they are, the answer is 0.
 * @returns The 32-bit instruction that it stands for, as an unsigned number, or 0 if it is illegal or reserved.
 */
export function expand(half: number): number {
  if (expansions === undefined) {
    expansions = new Uint32Array(1 << 16);
    for (let at = 0; at < expansions.length; at++) if ((at & 3) !== 3) expansions[at] = expansionOf(at);
  }
  return expansions[half & 0xffff]!;
}
