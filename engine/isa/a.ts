/**
 * A: load-reserved, store-conditional, and atomic memory operations. `aq` and `rl` order nothing on one hart.
 *
 * Source: The RISC-V Instruction Set Manual, Volume I, "A Extension for Atomic Instructions".
 *
 * @module
 */
import type { AmoKind, Emit, RegisterField } from "./emit.ts";
import type { Semantics, Table } from "./table.ts";

// biome-ignore format: aligned like the manual
export const A = {
  "lr.w":      ["00010 aq rl 00000 rs1 010 rd 0101111", "innocuous"],
  "sc.w":      ["00011 aq rl rs2 rs1 010 rd 0101111",   "innocuous"],
  "amoswap.w": ["00001 aq rl rs2 rs1 010 rd 0101111",   "innocuous"],
  "amoadd.w":  ["00000 aq rl rs2 rs1 010 rd 0101111",   "innocuous"],
  "amoxor.w":  ["00100 aq rl rs2 rs1 010 rd 0101111",   "innocuous"],
  "amoand.w":  ["01100 aq rl rs2 rs1 010 rd 0101111",   "innocuous"],
  "amoor.w":   ["01000 aq rl rs2 rs1 010 rd 0101111",   "innocuous"],
  "amomin.w":  ["10000 aq rl rs2 rs1 010 rd 0101111",   "innocuous"],
  "amomax.w":  ["10100 aq rl rs2 rs1 010 rd 0101111",   "innocuous"],
  "amominu.w": ["11000 aq rl rs2 rs1 010 rd 0101111",   "innocuous"],
  "amomaxu.w": ["11100 aq rl rs2 rs1 010 rd 0101111",   "innocuous"],
  "lr.d":      ["00010 aq rl 00000 rs1 011 rd 0101111", "innocuous"],
  "sc.d":      ["00011 aq rl rs2 rs1 011 rd 0101111",   "innocuous"],
  "amoswap.d": ["00001 aq rl rs2 rs1 011 rd 0101111",   "innocuous"],
  "amoadd.d":  ["00000 aq rl rs2 rs1 011 rd 0101111",   "innocuous"],
  "amoxor.d":  ["00100 aq rl rs2 rs1 011 rd 0101111",   "innocuous"],
  "amoand.d":  ["01100 aq rl rs2 rs1 011 rd 0101111",   "innocuous"],
  "amoor.d":   ["01000 aq rl rs2 rs1 011 rd 0101111",   "innocuous"],
  "amomin.d":  ["10000 aq rl rs2 rs1 011 rd 0101111",   "innocuous"],
  "amomax.d":  ["10100 aq rl rs2 rs1 011 rd 0101111",   "innocuous"],
  "amominu.d": ["11000 aq rl rs2 rs1 011 rd 0101111",   "innocuous"],
  "amomaxu.d": ["11100 aq rl rs2 rs1 011 rd 0101111",   "innocuous"],
} as const satisfies Table;

interface Operands {
  readonly rd: RegisterField;
  readonly rs1: RegisterField;
  readonly rs2: RegisterField;
}
const lr =
  (size: 4 | 8) =>
  <V>({ rd, rs1 }: Omit<Operands, "rs2">, e: Emit<V>) =>
    e.setX(rd, e.lr(e.x(rs1), size));
const sc =
  (size: 4 | 8) =>
  <V>({ rd, rs1, rs2 }: Operands, e: Emit<V>) =>
    e.setX(rd, e.sc(e.x(rs1), size, e.x(rs2)));
const amo =
  (kind: AmoKind, size: 4 | 8) =>
  <V>({ rd, rs1, rs2 }: Operands, e: Emit<V>) =>
    e.setX(rd, e.amo(kind, e.x(rs1), size, e.x(rs2)));

export const a: Semantics<typeof A> = {
  "lr.w": lr(4),
  "sc.w": sc(4),
  "amoswap.w": amo("swap", 4),
  "amoadd.w": amo("add", 4),
  "amoxor.w": amo("xor", 4),
  "amoand.w": amo("and", 4),
  "amoor.w": amo("or", 4),
  "amomin.w": amo("min", 4),
  "amomax.w": amo("max", 4),
  "amominu.w": amo("minu", 4),
  "amomaxu.w": amo("maxu", 4),
  "lr.d": lr(8),
  "sc.d": sc(8),
  "amoswap.d": amo("swap", 8),
  "amoadd.d": amo("add", 8),
  "amoxor.d": amo("xor", 8),
  "amoand.d": amo("and", 8),
  "amoor.d": amo("or", 8),
  "amomin.d": amo("min", 8),
  "amomax.d": amo("max", 8),
  "amominu.d": amo("minu", 8),
  "amomaxu.d": amo("maxu", 8),
};
