/**
 * What an instruction's semantics may say. Each tier of the hart implements it once: the reference evaluates, the interpreter and the JIT emit wasm.
 *
 * `V` is a 64-bit value: a bigint in the reference, code in the others. Semantics must not use a value twice without `let`:
 * code is copied where it is used. Everything is evaluated in the order it is written; `store`, `jump`, `branch` and `setX` are effects.
 *
 * @module
 */

/** A register operand, or an immediate, of the instruction at hand: known in the reference and the JIT, read from the decoded slot in the interpreter. */
export interface RegisterField {
  readonly kind: "register";
  readonly slot: "rd" | "rs1" | "rs2" | "rs3";
}
export interface ImmediateField {
  readonly kind: "immediate";
}
/** An FP instruction's rounding mode, not yet resolved: 7 means that of frm. */
export interface RoundingField {
  readonly kind: "rounding";
}

export type MemorySize = 1 | 2 | 4 | 8;
export type AmoKind = "swap" | "add" | "xor" | "and" | "or" | "min" | "max" | "minu" | "maxu";
export type CsrKind = "write" | "set" | "clear";
export type SystemKind = "ecall" | "ebreak" | "sret" | "mret" | "wfi" | "sfence.vma" | "fence.i";
/** What is done to a cache block: zeroed, or one of the cache's own business. */
export type BlockKind = "zero" | "inval" | "clean" | "flush";
export type FloatFormat = "s" | "d";
export type FloatArithmetic = "add" | "sub" | "mul" | "div" | "sqrt" | "madd" | "msub" | "nmadd" | "nmsub" | "min" | "max" | "eq" | "lt" | "le" | "class"
  | "to-w" | "to-wu" | "to-l" | "to-lu" | "from-w" | "from-wu" | "from-l" | "from-lu" | "s-to-d" | "d-to-s"; // biome-ignore format: a list

export interface Emit<V> {
  const(value: bigint | number): V;
  /** The sign-extended immediate. */
  imm(field: ImmediateField): V;
  x(register: RegisterField): V;
  setX(register: RegisterField, value: V): void;
  /** Binds a value, so that it can be used more than once. */
  let(value: V): V;
  /** The address of this instruction, and of the one behind it. */
  pc(): V;
  nextPc(): V;

  add(a: V, b: V): V;
  sub(a: V, b: V): V;
  and(a: V, b: V): V;
  or(a: V, b: V): V;
  xor(a: V, b: V): V;
  /** Shift counts are taken modulo 64. */
  shl(a: V, b: V): V;
  shr(a: V, b: V): V;
  sar(a: V, b: V): V;
  /** 1 or 0. */
  eq(a: V, b: V): V;
  ne(a: V, b: V): V;
  lt(a: V, b: V): V;
  ltu(a: V, b: V): V;
  ge(a: V, b: V): V;
  geu(a: V, b: V): V;
  select(condition: V, then: V, otherwise: V): V;
  /** Counts are modulo 64. */
  rotl(a: V, b: V): V;
  rotr(a: V, b: V): V;
  /** Zeros above the highest one, zeros below the lowest one (64 for zero), and ones. */
  clz(a: V): V;
  ctz(a: V): V;
  popcount(a: V): V;
  signExtend(a: V, bits: 8 | 16 | 32): V;
  zeroExtend(a: V, bits: 8 | 16 | 32): V;
  mul(a: V, b: V): V;
  mulh(a: V, b: V): V;
  mulhu(a: V, b: V): V;
  mulhsu(a: V, b: V): V;
  /** Division as the manual has it: by zero gives all ones (remainder: the dividend), overflow the dividend (remainder: 0). */
  div(a: V, b: V): V;
  divu(a: V, b: V): V;
  rem(a: V, b: V): V;
  remu(a: V, b: V): V;

  load(address: V, size: MemorySize, signed: boolean): V;
  store(address: V, size: MemorySize, value: V): void;
  /** Load-reserved, sign-extended; store-conditional, 0 on success; atomic read-modify-write, giving the old value sign-extended. */
  lr(address: V, size: 4 | 8): V;
  sc(address: V, size: 4 | 8, value: V): V;
  amo(kind: AmoKind, address: V, size: 4 | 8, value: V): V;

  jump(target: V): void;
  branch(condition: V, target: V): void;

  /** Reads and changes the CSR that the immediate names, rd gets the old value; the source is a register or the 5-bit immediate in rs1's place. */
  csr(kind: CsrKind, source: "register" | "immediate"): void;
  /** What the privileged architecture does: traps, returns, waits, fences. */
  system(kind: SystemKind): void;
  /** Acts on the cache block that holds `address`; whether it may is the hart's owner's to decide, as for `system`. */
  block(kind: BlockKind, address: V): void;
  /** Memory ordering: nothing, on one hart. */
  fence(): void;
  /** A lap point that the guest makes (weight 1). */
  mark(): void;

  /** An f register's 64 bits, and its value unboxed to 32 bits (canonical NaN where it is not boxed), zero-extended. */
  f(register: RegisterField): V;
  fSingle(register: RegisterField): V;
  setF(register: RegisterField, bits: V): void;
  /** Sets an f register from 32 bits, NaN-boxed. */
  setFSingle(register: RegisterField, bits: V): void;
  /** Arithmetic over raw bits; accrues fflags. Operands beyond those of the operation are left out. */
  float(operation: FloatArithmetic, format: FloatFormat, rounding: RoundingField | undefined, ...operands: V[]): V;
  /** Raises an illegal-instruction exception unless FS is on; `dirties` sets FS to Dirty when the instruction completes. First in every F and D row. */
  needsFloat(dirties: boolean): void;
}
