/**
 * D: double-precision floating point. FS and conversions' formats are as in F.
 *
 * Source: The RISC-V Instruction Set Manual, Volume I, "D Extension for Double-Precision Floating-Point".
 *
 * @module
 */
import type { Emit, FloatArithmetic, RegisterField, RoundingField } from "./emit.ts";
import type { Semantics, Table } from "./table.ts";

// biome-ignore format: aligned like the manual
export const D = {
  fld:         ["imm12 rs1 011 rd 0000111",             "innocuous"],
  fsd:         ["imm12hi rs2 rs1 011 imm12lo 0100111",  "innocuous"],
  "fmadd.d":   ["rs3 01 rs2 rs1 rm rd 1000011",         "innocuous"],
  "fmsub.d":   ["rs3 01 rs2 rs1 rm rd 1000111",         "innocuous"],
  "fnmsub.d":  ["rs3 01 rs2 rs1 rm rd 1001011",         "innocuous"],
  "fnmadd.d":  ["rs3 01 rs2 rs1 rm rd 1001111",         "innocuous"],
  "fadd.d":    ["0000001 rs2 rs1 rm rd 1010011",        "innocuous"],
  "fsub.d":    ["0000101 rs2 rs1 rm rd 1010011",        "innocuous"],
  "fmul.d":    ["0001001 rs2 rs1 rm rd 1010011",        "innocuous"],
  "fdiv.d":    ["0001101 rs2 rs1 rm rd 1010011",        "innocuous"],
  "fsqrt.d":   ["0101101 00000 rs1 rm rd 1010011",      "innocuous"],
  "fsgnj.d":   ["0010001 rs2 rs1 000 rd 1010011",       "innocuous"],
  "fsgnjn.d":  ["0010001 rs2 rs1 001 rd 1010011",       "innocuous"],
  "fsgnjx.d":  ["0010001 rs2 rs1 010 rd 1010011",       "innocuous"],
  "fmin.d":    ["0010101 rs2 rs1 000 rd 1010011",       "innocuous"],
  "fmax.d":    ["0010101 rs2 rs1 001 rd 1010011",       "innocuous"],
  "fcvt.s.d":  ["0100000 00001 rs1 rm rd 1010011",      "innocuous"],
  "fcvt.d.s":  ["0100001 00000 rs1 rm rd 1010011",      "innocuous"],
  "feq.d":     ["1010001 rs2 rs1 010 rd 1010011",       "innocuous"],
  "flt.d":     ["1010001 rs2 rs1 001 rd 1010011",       "innocuous"],
  "fle.d":     ["1010001 rs2 rs1 000 rd 1010011",       "innocuous"],
  "fclass.d":  ["1110001 00000 rs1 001 rd 1010011",     "innocuous"],
  "fcvt.w.d":  ["1100001 00000 rs1 rm rd 1010011",      "innocuous"],
  "fcvt.wu.d": ["1100001 00001 rs1 rm rd 1010011",      "innocuous"],
  "fcvt.l.d":  ["1100001 00010 rs1 rm rd 1010011",      "innocuous"],
  "fcvt.lu.d": ["1100001 00011 rs1 rm rd 1010011",      "innocuous"],
  "fcvt.d.w":  ["1101001 00000 rs1 rm rd 1010011",      "innocuous"],
  "fcvt.d.wu": ["1101001 00001 rs1 rm rd 1010011",      "innocuous"],
  "fcvt.d.l":  ["1101001 00010 rs1 rm rd 1010011",      "innocuous"],
  "fcvt.d.lu": ["1101001 00011 rs1 rm rd 1010011",      "innocuous"],
  "fmv.x.d":   ["1110001 00000 rs1 000 rd 1010011",     "innocuous"],
  "fmv.d.x":   ["1111001 00000 rs1 000 rd 1010011",     "innocuous"],
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
    e.setF(rd, e.float(operation, "d", rm, e.f(rs1)));
  };
const binary =
  (operation: FloatArithmetic) =>
  <V>({ rd, rs1, rs2, rm }: Binary, e: Emit<V>) => {
    e.needsFloat(true);
    e.setF(rd, e.float(operation, "d", rm, e.f(rs1), e.f(rs2)));
  };
const ternary =
  (operation: FloatArithmetic) =>
  <V>({ rd, rs1, rs2, rs3, rm }: Ternary, e: Emit<V>) => {
    e.needsFloat(true);
    e.setF(rd, e.float(operation, "d", rm, e.f(rs1), e.f(rs2), e.f(rs3)));
  };
const compare =
  (operation: "eq" | "lt" | "le") =>
  <V>({ rd, rs1, rs2 }: Binary, e: Emit<V>) => {
    e.needsFloat(true);
    e.setX(rd, e.float(operation, "d", undefined, e.f(rs1), e.f(rs2)));
  };
const toInteger =
  (operation: "to-w" | "to-wu" | "to-l" | "to-lu") =>
  <V>({ rd, rs1, rm }: Unary, e: Emit<V>) => {
    e.needsFloat(true);
    const result = e.float(operation, "d", rm, e.f(rs1));
    e.setX(rd, operation === "to-w" || operation === "to-wu" ? e.signExtend(result, 32) : result);
  };

const SIGN = 0x8000_0000_0000_0000n;

export const d: Semantics<typeof D> = {
  fld: ({ rd, rs1, imm }, e) => {
    e.needsFloat(true);
    e.setF(rd, e.load(e.add(e.x(rs1), e.imm(imm)), 8, false));
  },
  fsd: ({ rs1, rs2, imm }, e) => {
    e.needsFloat(false);
    e.store(e.add(e.x(rs1), e.imm(imm)), 8, e.f(rs2));
  },
  "fmadd.d": ternary("madd"),
  "fmsub.d": ternary("msub"),
  "fnmsub.d": ternary("nmsub"),
  "fnmadd.d": ternary("nmadd"),
  "fadd.d": binary("add"),
  "fsub.d": binary("sub"),
  "fmul.d": binary("mul"),
  "fdiv.d": binary("div"),
  "fsqrt.d": unary("sqrt"),
  "fsgnj.d": ({ rd, rs1, rs2 }, e) => {
    e.needsFloat(true);
    const magnitude = e.and(e.f(rs1), e.const(SIGN - 1n));
    e.setF(rd, e.or(magnitude, e.and(e.f(rs2), e.const(SIGN))));
  },
  "fsgnjn.d": ({ rd, rs1, rs2 }, e) => {
    e.needsFloat(true);
    const magnitude = e.and(e.f(rs1), e.const(SIGN - 1n));
    e.setF(rd, e.or(magnitude, e.xor(e.and(e.f(rs2), e.const(SIGN)), e.const(SIGN))));
  },
  "fsgnjx.d": ({ rd, rs1, rs2 }, e) => {
    e.needsFloat(true);
    e.setF(rd, e.xor(e.f(rs1), e.and(e.f(rs2), e.const(SIGN))));
  },
  "fmin.d": binary("min"),
  "fmax.d": binary("max"),
  "fcvt.s.d": ({ rd, rs1, rm }, e) => {
    e.needsFloat(true);
    e.setFSingle(rd, e.float("d-to-s", "s", rm, e.f(rs1)));
  },
  "fcvt.d.s": ({ rd, rs1, rm }, e) => {
    e.needsFloat(true);
    e.setF(rd, e.float("s-to-d", "d", rm, e.fSingle(rs1)));
  },
  "feq.d": compare("eq"),
  "flt.d": compare("lt"),
  "fle.d": compare("le"),
  "fclass.d": ({ rd, rs1 }, e) => {
    e.needsFloat(false);
    e.setX(rd, e.float("class", "d", undefined, e.f(rs1)));
  },
  "fcvt.w.d": toInteger("to-w"),
  "fcvt.wu.d": toInteger("to-wu"),
  "fcvt.l.d": toInteger("to-l"),
  "fcvt.lu.d": toInteger("to-lu"),
  "fcvt.d.w": ({ rd, rs1, rm }, e) => {
    e.needsFloat(true);
    e.setF(rd, e.float("from-w", "d", rm, e.signExtend(e.x(rs1), 32)));
  },
  "fcvt.d.wu": ({ rd, rs1, rm }, e) => {
    e.needsFloat(true);
    e.setF(rd, e.float("from-wu", "d", rm, e.zeroExtend(e.x(rs1), 32)));
  },
  "fcvt.d.l": ({ rd, rs1, rm }, e) => {
    e.needsFloat(true);
    e.setF(rd, e.float("from-l", "d", rm, e.x(rs1)));
  },
  "fcvt.d.lu": ({ rd, rs1, rm }, e) => {
    e.needsFloat(true);
    e.setF(rd, e.float("from-lu", "d", rm, e.x(rs1)));
  },
  "fmv.x.d": ({ rd, rs1 }, e) => {
    e.needsFloat(false);
    e.setX(rd, e.f(rs1));
  },
  "fmv.d.x": ({ rd, rs1 }, e) => {
    e.needsFloat(true);
    e.setF(rd, e.x(rs1));
  },
};
