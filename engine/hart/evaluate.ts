/**
 * The reference: an instruction's semantics evaluated with bigints, one at a time, straight from its row.
 *
 * It is the oracle of the faster tiers, the executor of instructions they leave to TypeScript, and the VMM's emulator.
 *
 * @module
 */

import type { Decoded } from "../isa/decode.ts";
import type {
  AmoKind,
  BlockKind,
  CsrKind,
  Emit,
  FloatArithmetic,
  FloatFormat,
  ImmediateField,
  MemorySize,
  RegisterField,
  RoundingField,
  SystemKind,
} from "../isa/emit.ts";
import { floatOperation } from "./float/reference.ts";

/** What an instruction acts on. All methods may throw {@link Trap}. */
export interface Environment {
  readonly x: BigUint64Array;
  readonly f: BigUint64Array;
  load(address: bigint, size: MemorySize, access: "load" | "reserve" | "amo"): bigint;
  store(address: bigint, size: MemorySize, value: bigint): void;
  /** Reserves the doubleword of `address`, which `load` has just translated. */
  reserve(address: bigint): void;
  /** Whether the reservation covers `address`; it ends either way. Translates for a store first. */
  takeReservation(address: bigint, size: 4 | 8): boolean;
  /** Acts on the cache block that holds `address`; its owner has seen that the instruction may. */
  block(kind: BlockKind, address: bigint): void;
  csr(decoded: Decoded, kind: CsrKind, source: "register" | "immediate"): void;
  system(decoded: Decoded, kind: SystemKind): void;
  mark(code: number): void;
  floatOn(): boolean;
  dirtyFloat(): void;
  frm(): number;
  accrue(flags: number): void;
}

/** A synchronous exception on its way to whoever handles it. */
export class Trap {
  readonly cause: number;
  readonly value: bigint;
  constructor(cause: number, value: bigint) {
    this.cause = cause;
    this.value = value;
  }
}

/** Exception causes (privileged specification, "Machine Cause Register"). */
export const CAUSE = {
  fetchMisaligned: 0, fetchAccess: 1, illegal: 2, breakpoint: 3, loadMisaligned: 4, loadAccess: 5, storeMisaligned: 6, storeAccess: 7,
  ecallUser: 8, ecallSupervisor: 9, ecallMachine: 11, fetchPage: 12, loadPage: 13, storePage: 15,
} as const; // biome-ignore format: a table

const MASK = 0xffff_ffff_ffff_ffffn;
const signed = (value: bigint) => BigInt.asIntN(64, value);
const bit = (value: boolean) => (value ? 1n : 0n);

/** Evaluates one instruction after another; `pc` is the next one's address after each. */
export class Evaluator implements Emit<bigint> {
  pc64 = 0n;
  #next = 0n;
  #decoded!: Decoded;
  #bits = 0;
  #dirties = false;
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /**
   * Carries out one instruction.
   *
   * @param bits The instruction's own bits, for the value of an illegal-instruction trap.
   * @returns The address of the instruction to run next.
   * @throws {Trap} If it raises an exception; registers and memory are then as the specification's rules on partial effects say.
   */
  run(decoded: Decoded, bits: number, pc: bigint): bigint {
    this.#decoded = decoded;
    this.#bits = bits;
    this.pc64 = pc;
    this.#next = (pc + BigInt(decoded.length)) & MASK;
    this.#dirties = false;
    decoded.instruction.semantics(this);
    if (this.#dirties) this.#environment.dirtyFloat();
    return this.#next;
  }

  const(value: bigint | number): bigint {
    return BigInt.asUintN(64, BigInt(value));
  }
  imm(_field: ImmediateField): bigint {
    return BigInt.asUintN(64, BigInt(this.#decoded.imm));
  }
  x(register: RegisterField): bigint {
    return this.#environment.x[this.#decoded[register.slot]] ?? 0n;
  }
  setX(register: RegisterField, value: bigint): void {
    const number = this.#decoded[register.slot];
    if (number !== 0) this.#environment.x[number] = value;
  }
  let(value: bigint): bigint {
    return value;
  }
  pc(): bigint {
    return this.pc64;
  }
  nextPc(): bigint {
    return (this.pc64 + BigInt(this.#decoded.length)) & MASK;
  }

  add = (a: bigint, b: bigint): bigint => (a + b) & MASK;
  sub = (a: bigint, b: bigint): bigint => (a - b) & MASK;
  and = (a: bigint, b: bigint): bigint => a & b;
  or = (a: bigint, b: bigint): bigint => a | b;
  xor = (a: bigint, b: bigint): bigint => a ^ b;
  shl = (a: bigint, b: bigint): bigint => (a << (b & 63n)) & MASK;
  shr = (a: bigint, b: bigint): bigint => a >> (b & 63n);
  sar = (a: bigint, b: bigint): bigint => (signed(a) >> (b & 63n)) & MASK;
  eq = (a: bigint, b: bigint): bigint => bit(a === b);
  ne = (a: bigint, b: bigint): bigint => bit(a !== b);
  lt = (a: bigint, b: bigint): bigint => bit(signed(a) < signed(b));
  ltu = (a: bigint, b: bigint): bigint => bit(a < b);
  ge = (a: bigint, b: bigint): bigint => bit(signed(a) >= signed(b));
  geu = (a: bigint, b: bigint): bigint => bit(a >= b);
  select = (condition: bigint, then: bigint, otherwise: bigint): bigint => (condition !== 0n ? then : otherwise);
  rotl = (a: bigint, b: bigint): bigint => ((a << (b & 63n)) | (a >> (-b & 63n))) & MASK;
  rotr = (a: bigint, b: bigint): bigint => ((a >> (b & 63n)) | (a << (-b & 63n))) & MASK;
  clz = (a: bigint): bigint => BigInt(a === 0n ? 64 : 64 - a.toString(2).length);
  ctz = (a: bigint): bigint => BigInt(a === 0n ? 64 : (a & -a).toString(2).length - 1);
  popcount = (a: bigint): bigint => BigInt(a.toString(2).replaceAll("0", "").length);
  signExtend = (a: bigint, bits: 8 | 16 | 32): bigint => BigInt.asIntN(bits, a) & MASK;
  zeroExtend = (a: bigint, bits: 8 | 16 | 32): bigint => BigInt.asUintN(bits, a);
  mul = (a: bigint, b: bigint): bigint => (a * b) & MASK;
  mulh = (a: bigint, b: bigint): bigint => ((signed(a) * signed(b)) >> 64n) & MASK;
  mulhu = (a: bigint, b: bigint): bigint => (a * b) >> 64n;
  mulhsu = (a: bigint, b: bigint): bigint => ((signed(a) * b) >> 64n) & MASK;
  div = (a: bigint, b: bigint): bigint => (b === 0n ? MASK : (signed(a) / signed(b)) & MASK);
  divu = (a: bigint, b: bigint): bigint => (b === 0n ? MASK : a / b);
  rem = (a: bigint, b: bigint): bigint => (b === 0n ? a : (signed(a) % signed(b)) & MASK);
  remu = (a: bigint, b: bigint): bigint => (b === 0n ? a : a % b);

  load(address: bigint, size: MemorySize, isSigned: boolean): bigint {
    const value = this.#environment.load(address, size, "load");
    return isSigned ? BigInt.asIntN(8 * size, value) & MASK : value;
  }
  store(address: bigint, size: MemorySize, value: bigint): void {
    this.#environment.store(address, size, BigInt.asUintN(8 * size, value));
  }
  lr(address: bigint, size: 4 | 8): bigint {
    if (address % BigInt(size) !== 0n) throw new Trap(CAUSE.loadMisaligned, address);
    const value = this.#environment.load(address, size, "reserve");
    this.#environment.reserve(address);
    return BigInt.asIntN(8 * size, value) & MASK;
  }
  sc(address: bigint, size: 4 | 8, value: bigint): bigint {
    if (address % BigInt(size) !== 0n) throw new Trap(CAUSE.storeMisaligned, address);
    if (!this.#environment.takeReservation(address, size)) return 1n;
    this.#environment.store(address, size, BigInt.asUintN(8 * size, value));
    return 0n;
  }
  amo(kind: AmoKind, address: bigint, size: 4 | 8, value: bigint): bigint {
    if (address % BigInt(size) !== 0n) throw new Trap(CAUSE.storeMisaligned, address);
    const bits = 8 * size;
    const old = this.#environment.load(address, size, "amo");
    const operand = BigInt.asUintN(bits, value);
    const [a, b] = [BigInt.asIntN(bits, old), BigInt.asIntN(bits, operand)];
    const results: Readonly<Record<AmoKind, bigint>> = {
      swap: operand, add: old + operand, xor: old ^ operand, and: old & operand, or: old | operand,
      min: a < b ? a : b, max: a > b ? a : b, minu: old < operand ? old : operand, maxu: old > operand ? old : operand,
    }; // biome-ignore format: a table
    this.#environment.store(address, size, BigInt.asUintN(bits, results[kind]));
    return a & MASK;
  }

  jump(target: bigint): void {
    this.#next = target;
  }
  branch(condition: bigint, target: bigint): void {
    if (condition !== 0n) this.#next = target;
  }

  csr(kind: CsrKind, source: "register" | "immediate"): void {
    this.#environment.csr(this.#decoded, kind, source);
  }
  system(kind: SystemKind): void {
    this.#environment.system(this.#decoded, kind);
  }
  block(kind: BlockKind, address: bigint): void {
    this.#environment.block(kind, address);
  }
  fence(): void {}
  mark(): void {
    this.#environment.mark(this.#decoded.imm);
  }

  f(register: RegisterField): bigint {
    return this.#environment.f[this.#decoded[register.slot]] ?? 0n;
  }
  fSingle(register: RegisterField): bigint {
    const bits = this.f(register);
    return bits >> 32n === 0xffff_ffffn ? bits & 0xffff_ffffn : 0x7fc0_0000n;
  }
  setF(register: RegisterField, bits: bigint): void {
    this.#environment.f[this.#decoded[register.slot]] = bits;
  }
  setFSingle(register: RegisterField, bits: bigint): void {
    this.setF(register, bits | 0xffff_ffff_0000_0000n);
  }
  float(
    operation: FloatArithmetic,
    format: FloatFormat,
    rounding: RoundingField | undefined,
    ...operands: bigint[]
  ): bigint {
    let mode = 0;
    if (rounding !== undefined) {
      mode = this.#decoded.rm === 7 ? this.#environment.frm() : this.#decoded.rm;
      if (mode > 4) throw this.#illegal();
    }
    const [a = 0n, b = 0n, c = 0n] = operands;
    const result = floatOperation(operation, format, a, b, c, mode);
    this.#environment.accrue(result.flags);
    return result.bits;
  }
  needsFloat(dirties: boolean): void {
    if (!this.#environment.floatOn()) throw this.#illegal();
    this.#dirties = dirties;
  }
  #illegal(): Trap {
    return new Trap(CAUSE.illegal, BigInt(this.#bits >>> 0));
  }
}
