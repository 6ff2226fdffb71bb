/**
 * M: integer multiplication and division.
 *
 * Source: The RISC-V Instruction Set Manual, Volume I, "M Extension for Integer Multiplication and Division".
 *
 * @module
 */
import type { Emit, RegisterField } from "./emit.ts";
import type { Semantics, Table } from "./table.ts";

// biome-ignore format: aligned like the manual
export const M = {
  mul:    ["0000001 rs2 rs1 000 rd 0110011", "innocuous"],
  mulh:   ["0000001 rs2 rs1 001 rd 0110011", "innocuous"],
  mulhsu: ["0000001 rs2 rs1 010 rd 0110011", "innocuous"],
  mulhu:  ["0000001 rs2 rs1 011 rd 0110011", "innocuous"],
  div:    ["0000001 rs2 rs1 100 rd 0110011", "innocuous"],
  divu:   ["0000001 rs2 rs1 101 rd 0110011", "innocuous"],
  rem:    ["0000001 rs2 rs1 110 rd 0110011", "innocuous"],
  remu:   ["0000001 rs2 rs1 111 rd 0110011", "innocuous"],
  mulw:   ["0000001 rs2 rs1 000 rd 0111011", "innocuous"],
  divw:   ["0000001 rs2 rs1 100 rd 0111011", "innocuous"],
  divuw:  ["0000001 rs2 rs1 101 rd 0111011", "innocuous"],
  remw:   ["0000001 rs2 rs1 110 rd 0111011", "innocuous"],
  remuw:  ["0000001 rs2 rs1 111 rd 0111011", "innocuous"],
} as const satisfies Table;

interface Operands {
  readonly rd: RegisterField;
  readonly rs1: RegisterField;
  readonly rs2: RegisterField;
}
const wide =
  (operation: "mul" | "mulh" | "mulhsu" | "mulhu" | "div" | "divu" | "rem" | "remu") =>
  <V>({ rd, rs1, rs2 }: Operands, e: Emit<V>) =>
    e.setX(rd, e[operation](e.x(rs1), e.x(rs2)));

// The 64-bit quotient of extended words, cut to a word, is right in the special cases too: a divisor of zero still gives all ones
// (or the dividend), and -2^31 / -1 gives 2^31, which is -2^31 as a word.
const word =
  (operation: "mul" | "div" | "divu" | "rem" | "remu", extend: "signExtend" | "zeroExtend") =>
  <V>({ rd, rs1, rs2 }: Operands, e: Emit<V>) =>
    e.setX(rd, e.signExtend(e[operation](e[extend](e.x(rs1), 32), e[extend](e.x(rs2), 32)), 32));

export const m: Semantics<typeof M> = {
  mul: wide("mul"),
  mulh: wide("mulh"),
  mulhsu: wide("mulhsu"),
  mulhu: wide("mulhu"),
  div: wide("div"),
  divu: wide("divu"),
  rem: wide("rem"),
  remu: wide("remu"),
  mulw: word("mul", "signExtend"),
  divw: word("div", "signExtend"),
  divuw: word("divu", "zeroExtend"),
  remw: word("rem", "signExtend"),
  remuw: word("remu", "zeroExtend"),
};
