/**
 * F: single-precision floating point. Values are NaN-boxed in the 64-bit f registers.
 *
 * Each row pins whether it sets FS to Dirty (guest time rule T14): all that write an f register or may raise a flag do, whether or not
 * they change anything; stores, moves to x registers and classification do not.
 * A conversion's format is that of its `fmt` field: in `fcvt.s.d`, single.
 *
 * Source: The RISC-V Instruction Set Manual, Volume I, "F Extension for Single-Precision Floating-Point".
 *
 * @module
 */
import type { Emit, FloatArithmetic, RegisterField, RoundingField } from "./emit.ts";
import type { Semantics, Table } from "./table.ts";

// biome-ignore format: aligned like the manual
export const F = {
  flw:         ["imm12 rs1 010 rd 0000111",             "innocuous"],
  fsw:         ["imm12hi rs2 rs1 010 imm12lo 0100111",  "innocuous"],
  "fmadd.s":   ["rs3 00 rs2 rs1 rm rd 1000011",         "innocuous"],
  "fmsub.s":   ["rs3 00 rs2 rs1 rm rd 1000111",         "innocuous"],
  "fnmsub.s":  ["rs3 00 rs2 rs1 rm rd 1001011",         "innocuous"],
  "fnmadd.s":  ["rs3 00 rs2 rs1 rm rd 1001111",         "innocuous"],
  "fadd.s":    ["0000000 rs2 rs1 rm rd 1010011",        "innocuous"],
  "fsub.s":    ["0000100 rs2 rs1 rm rd 1010011",        "innocuous"],
  "fmul.s":    ["0001000 rs2 rs1 rm rd 1010011",        "innocuous"],
  "fdiv.s":    ["0001100 rs2 rs1 rm rd 1010011",        "innocuous"],
  "fsqrt.s":   ["0101100 00000 rs1 rm rd 1010011",      "innocuous"],
  "fsgnj.s":   ["0010000 rs2 rs1 000 rd 1010011",       "innocuous"],
  "fsgnjn.s":  ["0010000 rs2 rs1 001 rd 1010011",       "innocuous"],
  "fsgnjx.s":  ["0010000 rs2 rs1 010 rd 1010011",       "innocuous"],
  "fmin.s":    ["0010100 rs2 rs1 000 rd 1010011",       "innocuous"],
  "fmax.s":    ["0010100 rs2 rs1 001 rd 1010011",       "innocuous"],
  "fcvt.w.s":  ["1100000 00000 rs1 rm rd 1010011",      "innocuous"],
  "fcvt.wu.s": ["1100000 00001 rs1 rm rd 1010011",      "innocuous"],
  "fcvt.l.s":  ["1100000 00010 rs1 rm rd 1010011",      "innocuous"],
  "fcvt.lu.s": ["1100000 00011 rs1 rm rd 1010011",      "innocuous"],
  "fmv.x.w":   ["1110000 00000 rs1 000 rd 1010011",     "innocuous"],
  "feq.s":     ["1010000 rs2 rs1 010 rd 1010011",       "innocuous"],
  "flt.s":     ["1010000 rs2 rs1 001 rd 1010011",       "innocuous"],
  "fle.s":     ["1010000 rs2 rs1 000 rd 1010011",       "innocuous"],
  "fclass.s":  ["1110000 00000 rs1 001 rd 1010011",     "innocuous"],
  "fcvt.s.w":  ["1101000 00000 rs1 rm rd 1010011",      "innocuous"],
  "fcvt.s.wu": ["1101000 00001 rs1 rm rd 1010011",      "innocuous"],
  "fcvt.s.l":  ["1101000 00010 rs1 rm rd 1010011",      "innocuous"],
  "fcvt.s.lu": ["1101000 00011 rs1 rm rd 1010011",      "innocuous"],
  "fmv.w.x":   ["1111000 00000 rs1 000 rd 1010011",     "innocuous"],
} as const satisfies Table;

interface Unary {
  readonly rd: RegisterField;
  readonly rs1: RegisterField;
  readonly rm?: RoundingField;
}
interface Binary extends Unary {
  readonly rs2: RegisterField;
}
interface Ternary extends Binary {
  readonly rs3: RegisterField;
}

const unary =
  (operation: FloatArithmetic) =>
  <V>({ rd, rs1, rm }: Unary, e: Emit<V>) => {
    e.needsFloat(true);
    e.setFSingle(rd, e.float(operation, "s", rm, e.fSingle(rs1)));
  };
const binary =
  (operation: FloatArithmetic) =>
  <V>({ rd, rs1, rs2, rm }: Binary, e: Emit<V>) => {
    e.needsFloat(true);
    e.setFSingle(rd, e.float(operation, "s", rm, e.fSingle(rs1), e.fSingle(rs2)));
  };
const ternary =
  (operation: FloatArithmetic) =>
  <V>({ rd, rs1, rs2, rs3, rm }: Ternary, e: Emit<V>) => {
    e.needsFloat(true);
    e.setFSingle(rd, e.float(operation, "s", rm, e.fSingle(rs1), e.fSingle(rs2), e.fSingle(rs3)));
  };
const compare =
  (operation: "eq" | "lt" | "le") =>
  <V>({ rd, rs1, rs2 }: Binary, e: Emit<V>) => {
    e.needsFloat(true);
    e.setX(rd, e.float(operation, "s", undefined, e.fSingle(rs1), e.fSingle(rs2)));
  };
const toInteger =
  (operation: "to-w" | "to-wu" | "to-l" | "to-lu") =>
  <V>({ rd, rs1, rm }: Unary, e: Emit<V>) => {
    e.needsFloat(true);
    const result = e.float(operation, "s", rm, e.fSingle(rs1));
    // FCVT.WU sign-extends its 32 bits too.
    e.setX(rd, operation === "to-w" || operation === "to-wu" ? e.signExtend(result, 32) : result);
  };

const SIGN = 0x8000_0000n;

export const f: Semantics<typeof F> = {
  flw: ({ rd, rs1, imm }, e) => {
    e.needsFloat(true);
    e.setFSingle(rd, e.load(e.add(e.x(rs1), e.imm(imm)), 4, false));
  },
  // Stores and moves to x take the low 32 bits as they are, boxed or not ("NaN Boxing of Narrower Values").
  fsw: ({ rs1, rs2, imm }, e) => {
    e.needsFloat(false);
    e.store(e.add(e.x(rs1), e.imm(imm)), 4, e.f(rs2));
  },
  "fmadd.s": ternary("madd"),
  "fmsub.s": ternary("msub"),
  "fnmsub.s": ternary("nmsub"),
  "fnmadd.s": ternary("nmadd"),
  "fadd.s": binary("add"),
  "fsub.s": binary("sub"),
  "fmul.s": binary("mul"),
  "fdiv.s": binary("div"),
  "fsqrt.s": unary("sqrt"),
  "fsgnj.s": ({ rd, rs1, rs2 }, e) => {
    e.needsFloat(true);
    const magnitude = e.and(e.fSingle(rs1), e.const(SIGN - 1n));
    e.setFSingle(rd, e.or(magnitude, e.and(e.fSingle(rs2), e.const(SIGN))));
  },
  "fsgnjn.s": ({ rd, rs1, rs2 }, e) => {
    e.needsFloat(true);
    const magnitude = e.and(e.fSingle(rs1), e.const(SIGN - 1n));
    e.setFSingle(rd, e.or(magnitude, e.xor(e.and(e.fSingle(rs2), e.const(SIGN)), e.const(SIGN))));
  },
  "fsgnjx.s": ({ rd, rs1, rs2 }, e) => {
    e.needsFloat(true);
    e.setFSingle(rd, e.xor(e.fSingle(rs1), e.and(e.fSingle(rs2), e.const(SIGN))));
  },
  "fmin.s": binary("min"),
  "fmax.s": binary("max"),
  "fcvt.w.s": toInteger("to-w"),
  "fcvt.wu.s": toInteger("to-wu"),
  "fcvt.l.s": toInteger("to-l"),
  "fcvt.lu.s": toInteger("to-lu"),
  "fmv.x.w": ({ rd, rs1 }, e) => {
    e.needsFloat(false);
    e.setX(rd, e.signExtend(e.f(rs1), 32));
  },
  "feq.s": compare("eq"),
  "flt.s": compare("lt"),
  "fle.s": compare("le"),
  "fclass.s": ({ rd, rs1 }, e) => {
    e.needsFloat(false);
    e.setX(rd, e.float("class", "s", undefined, e.fSingle(rs1)));
  },
  "fcvt.s.w": ({ rd, rs1, rm }, e) => {
    e.needsFloat(true);
    e.setFSingle(rd, e.float("from-w", "s", rm, e.signExtend(e.x(rs1), 32)));
  },
  "fcvt.s.wu": ({ rd, rs1, rm }, e) => {
    e.needsFloat(true);
    e.setFSingle(rd, e.float("from-wu", "s", rm, e.zeroExtend(e.x(rs1), 32)));
  },
  "fcvt.s.l": ({ rd, rs1, rm }, e) => {
    e.needsFloat(true);
    e.setFSingle(rd, e.float("from-l", "s", rm, e.x(rs1)));
  },
  "fcvt.s.lu": ({ rd, rs1, rm }, e) => {
    e.needsFloat(true);
    e.setFSingle(rd, e.float("from-lu", "s", rm, e.x(rs1)));
  },
  "fmv.w.x": ({ rd, rs1 }, e) => {
    e.needsFloat(true);
    e.setFSingle(rd, e.zeroExtend(e.x(rs1), 32));
  },
};
