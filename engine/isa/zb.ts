/**
 * Zba, Zbb and Zbs: address generation, basic bit manipulation, single bits. All of it is made of a few operations that wasm has too.
 *
 * Left out: Zbc (carry-less multiplication) and the extensions for cryptography.
 * Source: The RISC-V Instruction Set Manual, Volume I, "B Extension for Bit Manipulation".
 *
 * @module
 */
import type { Emit, ImmediateField, RegisterField } from "./emit.ts";
import type { Semantics, Table } from "./table.ts";

// biome-ignore format: aligned like the manual
export const ZBA = {
  "add.uw":    ["0000100 rs2 rs1 000 rd 0111011",   "innocuous"],
  sh1add:      ["0010000 rs2 rs1 010 rd 0110011",   "innocuous"],
  sh2add:      ["0010000 rs2 rs1 100 rd 0110011",   "innocuous"],
  sh3add:      ["0010000 rs2 rs1 110 rd 0110011",   "innocuous"],
  "sh1add.uw": ["0010000 rs2 rs1 010 rd 0111011",   "innocuous"],
  "sh2add.uw": ["0010000 rs2 rs1 100 rd 0111011",   "innocuous"],
  "sh3add.uw": ["0010000 rs2 rs1 110 rd 0111011",   "innocuous"],
  "slli.uw":   ["000010 shamtd rs1 001 rd 0011011", "innocuous"],
} as const satisfies Table;

// biome-ignore format: aligned like the manual
export const ZBB = {
  andn:     ["0100000 rs2 rs1 111 rd 0110011",    "innocuous"],
  orn:      ["0100000 rs2 rs1 110 rd 0110011",    "innocuous"],
  xnor:     ["0100000 rs2 rs1 100 rd 0110011",    "innocuous"],
  clz:      ["011000000000 rs1 001 rd 0010011",   "innocuous"],
  clzw:     ["011000000000 rs1 001 rd 0011011",   "innocuous"],
  ctz:      ["011000000001 rs1 001 rd 0010011",   "innocuous"],
  ctzw:     ["011000000001 rs1 001 rd 0011011",   "innocuous"],
  cpop:     ["011000000010 rs1 001 rd 0010011",   "innocuous"],
  cpopw:    ["011000000010 rs1 001 rd 0011011",   "innocuous"],
  max:      ["0000101 rs2 rs1 110 rd 0110011",    "innocuous"],
  maxu:     ["0000101 rs2 rs1 111 rd 0110011",    "innocuous"],
  min:      ["0000101 rs2 rs1 100 rd 0110011",    "innocuous"],
  minu:     ["0000101 rs2 rs1 101 rd 0110011",    "innocuous"],
  "sext.b": ["011000000100 rs1 001 rd 0010011",   "innocuous"],
  "sext.h": ["011000000101 rs1 001 rd 0010011",   "innocuous"],
  "zext.h": ["000010000000 rs1 100 rd 0111011",   "innocuous"],
  rol:      ["0110000 rs2 rs1 001 rd 0110011",    "innocuous"],
  rolw:     ["0110000 rs2 rs1 001 rd 0111011",    "innocuous"],
  ror:      ["0110000 rs2 rs1 101 rd 0110011",    "innocuous"],
  rori:     ["011000 shamtd rs1 101 rd 0010011",  "innocuous"],
  roriw:    ["0110000 shamtw rs1 101 rd 0011011", "innocuous"],
  rorw:     ["0110000 rs2 rs1 101 rd 0111011",    "innocuous"],
  "orc.b":  ["001010000111 rs1 101 rd 0010011",   "innocuous"],
  rev8:     ["011010111000 rs1 101 rd 0010011",   "innocuous"],
} as const satisfies Table;

// biome-ignore format: aligned like the manual
export const ZBS = {
  bclr:  ["0100100 rs2 rs1 001 rd 0110011",   "innocuous"],
  bclri: ["010010 shamtd rs1 001 rd 0010011", "innocuous"],
  bext:  ["0100100 rs2 rs1 101 rd 0110011",   "innocuous"],
  bexti: ["010010 shamtd rs1 101 rd 0010011", "innocuous"],
  binv:  ["0110100 rs2 rs1 001 rd 0110011",   "innocuous"],
  binvi: ["011010 shamtd rs1 001 rd 0010011", "innocuous"],
  bset:  ["0010100 rs2 rs1 001 rd 0110011",   "innocuous"],
  bseti: ["001010 shamtd rs1 001 rd 0010011", "innocuous"],
} as const satisfies Table;

interface Unary {
  readonly rd: RegisterField;
  readonly rs1: RegisterField;
}
interface Binary extends Unary {
  readonly rs2: RegisterField;
}
interface Immediate extends Unary {
  readonly imm: ImmediateField;
}

const low = <V>(e: Emit<V>, value: V) => e.zeroExtend(value, 32);
const not = <V>(e: Emit<V>, value: V) => e.xor(value, e.const(-1));
/** A 32-bit result is sign-extended. */
const word = <V>(e: Emit<V>, value: V) => e.signExtend(value, 32);

const shiftAdd =
  (count: number, unsigned: boolean) =>
  <V>({ rd, rs1, rs2 }: Binary, e: Emit<V>) =>
    e.setX(rd, e.add(e.shl(unsigned ? low(e, e.x(rs1)) : e.x(rs1), e.const(count)), e.x(rs2)));

export const zba: Semantics<typeof ZBA> = {
  "add.uw": shiftAdd(0, true),
  sh1add: shiftAdd(1, false),
  sh2add: shiftAdd(2, false),
  sh3add: shiftAdd(3, false),
  "sh1add.uw": shiftAdd(1, true),
  "sh2add.uw": shiftAdd(2, true),
  "sh3add.uw": shiftAdd(3, true),
  "slli.uw": ({ rd, rs1, imm }, e) => e.setX(rd, e.shl(low(e, e.x(rs1)), e.imm(imm))),
};

const inverted =
  (operation: "and" | "or" | "xor") =>
  <V>({ rd, rs1, rs2 }: Binary, e: Emit<V>) =>
    e.setX(rd, e[operation](e.x(rs1), not(e, e.x(rs2))));

const unary =
  (operation: "clz" | "ctz" | "popcount") =>
  <V>({ rd, rs1 }: Unary, e: Emit<V>) =>
    e.setX(rd, e[operation](e.x(rs1)));

/** The first operand where the comparison holds, else the second. */
const choose =
  (comparison: "lt" | "ltu" | "ge" | "geu") =>
  <V>({ rd, rs1, rs2 }: Binary, e: Emit<V>) => {
    const [first, second] = [e.let(e.x(rs1)), e.let(e.x(rs2))];
    e.setX(rd, e.select(e[comparison](first, second), first, second));
  };

/** A word twice: the low half of its rotation by less than 32 is the word's own. */
const twice = <V>(e: Emit<V>, value: V): V => {
  const half = e.let(low(e, value));
  return e.or(half, e.shl(half, e.const(32)));
};
const count = <V>(e: Emit<V>, value: V) => e.and(value, e.const(31));

const BYTES_LOW = 0x00ff_00ff_00ff_00ffn;
const HALVES_LOW = 0x0000_ffff_0000_ffffn;
const SEVEN_BITS = 0x7f7f_7f7f_7f7f_7f7fn;
const LOW_BITS = 0x0101_0101_0101_0101n;

/** Exchanges neighbours of `bits` bits each. */
const exchange = <V>(e: Emit<V>, value: V, bits: number, mask: bigint): V => {
  const bound = e.let(value);
  const up = e.shl(e.and(bound, e.const(mask)), e.const(bits));
  return e.or(up, e.and(e.shr(bound, e.const(bits)), e.const(mask)));
};

export const zbb: Semantics<typeof ZBB> = {
  andn: inverted("and"),
  orn: inverted("or"),
  xnor: inverted("xor"),
  clz: unary("clz"),
  clzw: ({ rd, rs1 }, e) => e.setX(rd, e.sub(e.clz(low(e, e.x(rs1))), e.const(32))),
  ctz: unary("ctz"),
  // A bit above the word ends the count for zero.
  ctzw: ({ rd, rs1 }, e) => e.setX(rd, e.ctz(e.or(e.x(rs1), e.const(2n ** 32n)))),
  cpop: unary("popcount"),
  cpopw: ({ rd, rs1 }, e) => e.setX(rd, e.popcount(low(e, e.x(rs1)))),
  max: choose("ge"),
  maxu: choose("geu"),
  min: choose("lt"),
  minu: choose("ltu"),
  "sext.b": ({ rd, rs1 }, e) => e.setX(rd, e.signExtend(e.x(rs1), 8)),
  "sext.h": ({ rd, rs1 }, e) => e.setX(rd, e.signExtend(e.x(rs1), 16)),
  "zext.h": ({ rd, rs1 }, e) => e.setX(rd, e.zeroExtend(e.x(rs1), 16)),
  rol: ({ rd, rs1, rs2 }, e) => e.setX(rd, e.rotl(e.x(rs1), e.x(rs2))),
  rolw: ({ rd, rs1, rs2 }, e) => e.setX(rd, word(e, e.rotl(twice(e, e.x(rs1)), count(e, e.x(rs2))))),
  ror: ({ rd, rs1, rs2 }, e) => e.setX(rd, e.rotr(e.x(rs1), e.x(rs2))),
  rori: ({ rd, rs1, imm }, e) => e.setX(rd, e.rotr(e.x(rs1), e.imm(imm))),
  roriw: ({ rd, rs1, imm }, e) => e.setX(rd, word(e, e.rotr(twice(e, e.x(rs1)), e.imm(imm)))),
  rorw: ({ rd, rs1, rs2 }, e) => e.setX(rd, word(e, e.rotr(twice(e, e.x(rs1)), count(e, e.x(rs2))))),
  // Adding seven ones to a byte's low seven bits carries into its top bit, unless they are zero.
  "orc.b": ({ rd, rs1 }, e) => {
    const bytes = e.let(e.x(rs1));
    const carried = e.or(e.add(e.and(bytes, e.const(SEVEN_BITS)), e.const(SEVEN_BITS)), bytes);
    e.setX(rd, e.mul(e.and(e.shr(carried, e.const(7)), e.const(LOW_BITS)), e.const(255)));
  },
  rev8: ({ rd, rs1 }, e) => {
    const swapped = exchange(e, exchange(e, e.x(rs1), 8, BYTES_LOW), 16, HALVES_LOW);
    e.setX(rd, e.rotl(swapped, e.const(32)));
  },
};

const bit = <V>(e: Emit<V>, index: V) => e.shl(e.const(1), index);
const clear = <V>(e: Emit<V>, value: V, index: V) => e.and(value, not(e, bit(e, index)));
const extract = <V>(e: Emit<V>, value: V, index: V) => e.and(e.shr(value, index), e.const(1));
const invert = <V>(e: Emit<V>, value: V, index: V) => e.xor(value, bit(e, index));
const set = <V>(e: Emit<V>, value: V, index: V) => e.or(value, bit(e, index));
type Single = <V>(e: Emit<V>, value: V, index: V) => V;

const byRegister =
  (operation: Single) =>
  <V>({ rd, rs1, rs2 }: Binary, e: Emit<V>) =>
    e.setX(rd, operation(e, e.x(rs1), e.x(rs2)));
const byImmediate =
  (operation: Single) =>
  <V>({ rd, rs1, imm }: Immediate, e: Emit<V>) =>
    e.setX(rd, operation(e, e.x(rs1), e.imm(imm)));

// A shift takes its count modulo 64, as these take their index.
export const zbs: Semantics<typeof ZBS> = {
  bclr: byRegister(clear),
  bclri: byImmediate(clear),
  bext: byRegister(extract),
  bexti: byImmediate(extract),
  binv: byRegister(invert),
  binvi: byImmediate(invert),
  bset: byRegister(set),
  bseti: byImmediate(set),
};
