/**
 * Semantics lowered to wasm for the interpreter: operands are read from the decoded slot that the local `SLOT` points at.
 *
 * @module
 */
import type { AmoKind, Emit, FloatArithmetic, FloatFormat, ImmediateField, MemorySize, RegisterField, RoundingField } from "../isa/emit.ts";
import * as at from "./layout.ts";
import { type Code, get, i32, i64, set, tee, when } from "./wasm.ts";
import * as wasm from "./wasm.ts";

/** The interpreter's locals, by number. */
export const SLOT = 0;
export const PC_BIAS = 1;
export const PAGE_PC = 2;
export const SLOT_BASE = 3;
export const BUDGET = 4;
export const CODE = 5;
export const TARGET = 6;
export const ADDRESS = 7;
export const ENTRY = 8;
export const READ_TLB = 9;
export const WRITE_TLB = 10;
export const FETCH_TLB = 11;
export const HOST = 12;
export const ROUNDING = 13;
export const OP = 14;
export const FIRST_TEMPORARY = 15;
export const TEMPORARIES = 14;

/** Functions of the interpreter's module that lowered code calls. */
export interface Callees {
  /** (a, b) -> the high 64 bits of their unsigned product. */
  readonly mulhu: number;
  /** By operation and format, as "add.d": (operands as i64…, rounding mode as i32 where there is one) -> i64. */
  readonly float: Readonly<Record<string, number>>;
}

/** Where an instruction's code can branch to, as block depths from its own level. */
export interface Exits {
  /** Leave `run` with the code in `CODE`, this instruction not begun. */
  readonly restart: number;
  /** Go on at `TARGET`. */
  readonly jump: number;
}

/** Builds one handler. Use once per instruction. */
export class Lowering implements Emit<Code> {
  /** Effects so far, in order. */
  readonly body: Code[] = [];
  /** Whether the instruction is one that TypeScript carries out. */
  evaluated = false;
  #temporaries = 0;
  readonly #callees: Callees;
  readonly #exits: Exits;
  readonly #shifted: boolean;

  /** @param upperImmediate Whether the slot's immediate is to be shifted left by 12, as that of lui and auipc. */
  constructor(callees: Callees, exits: Exits, upperImmediate: boolean) {
    this.#callees = callees;
    this.#exits = exits;
    this.#shifted = upperImmediate;
  }

  const(value: bigint | number): Code {
    return i64.const(value);
  }
  #immediate(): Code {
    return i32.shrS(i32.load(get(SLOT), 4), i32.const(8));
  }
  imm(_field: ImmediateField): Code {
    const value = i64.extendI32S(this.#immediate());
    return this.#shifted ? i64.shl(value, i64.const(12)) : value;
  }
  #offset(register: RegisterField): Code {
    if (register.slot === "rs3") return i32.shl(i32.and(this.#immediate(), i32.const(31)), i32.const(3));
    const byte = register.slot === "rd" ? 1 : register.slot === "rs1" ? 2 : 3;
    return i32.shl(i32.load8U(get(SLOT), byte), i32.const(3));
  }
  x(register: RegisterField): Code {
    return i64.load(this.#offset(register), at.X);
  }
  setX(register: RegisterField, value: Code): void {
    this.body.push(i64.store(this.#offset(register), value, at.X));
  }
  let(value: Code): Code {
    const local = this.#temporary();
    this.body.push(set(local, value));
    return get(local);
  }
  #temporary(): number {
    if (this.#temporaries === TEMPORARIES) throw new RangeError(`Cannot lower as an instruction has at most ${TEMPORARIES} bound values`);
    return FIRST_TEMPORARY + this.#temporaries++;
  }
  pc(): Code {
    return i64.add(get(PC_BIAS), i64.extendI32U(i32.shrU(get(SLOT), i32.const(2))));
  }
  nextPc(): Code {
    return i64.add(this.pc(), i64.extendI32U(i32.shrU(i32.load8U(get(SLOT), 4), i32.const(2))));
  }

  add = i64.add;
  sub = i64.sub;
  and = i64.and;
  or = i64.or;
  xor = i64.xor;
  shl = i64.shl;
  shr = i64.shrU;
  sar = i64.shrS;
  eq = (a: Code, b: Code): Code => i64.extendI32U(i64.eq(a, b));
  ne = (a: Code, b: Code): Code => i64.extendI32U(i64.ne(a, b));
  lt = (a: Code, b: Code): Code => i64.extendI32U(i64.ltS(a, b));
  ltu = (a: Code, b: Code): Code => i64.extendI32U(i64.ltU(a, b));
  ge = (a: Code, b: Code): Code => i64.extendI32U(i64.geS(a, b));
  geu = (a: Code, b: Code): Code => i64.extendI32U(i64.geU(a, b));
  select(condition: Code, then: Code, otherwise: Code): Code {
    return wasm.select(then, otherwise, i32.wrapI64(condition));
  }
  signExtend(a: Code, bits: 8 | 16 | 32): Code {
    return bits === 8 ? i64.extend8S(a) : bits === 16 ? i64.extend16S(a) : i64.extend32S(a);
  }
  zeroExtend(a: Code, bits: 8 | 16 | 32): Code {
    return bits === 32 ? i64.extendI32U(i32.wrapI64(a)) : i64.and(a, i64.const(bits === 8 ? 0xff : 0xffff));
  }
  mul = i64.mul;
  mulhu(a: Code, b: Code): Code {
    return wasm.call(this.#callees.mulhu, a, b);
  }
  // The signed products follow from the unsigned one: a negative operand stands 2^64 too high.
  mulh(a: Code, b: Code): Code {
    const [p, q] = [this.let(a), this.let(b)];
    return i64.sub(i64.sub(this.mulhu(p, q), i64.and(i64.shrS(p, i64.const(63)), q)), i64.and(i64.shrS(q, i64.const(63)), p));
  }
  mulhsu(a: Code, b: Code): Code {
    const [p, q] = [this.let(a), this.let(b)];
    return i64.sub(this.mulhu(p, q), i64.and(i64.shrS(p, i64.const(63)), q));
  }
  // wasm's division traps where RISC-V's does not: on zero, and on the one signed overflow, a divisor of -1.
  div(a: Code, b: Code): Code {
    const [p, q] = [this.let(a), this.let(b)];
    const unlessMinusOne = when(i64.eq(q, i64.const(-1)), i64.sub(i64.const(0), p), i64.divS(p, q), wasm.I64);
    return when(i64.eqz(q), i64.const(-1), unlessMinusOne, wasm.I64);
  }
  divu(a: Code, b: Code): Code {
    const [p, q] = [this.let(a), this.let(b)];
    return when(i64.eqz(q), i64.const(-1), i64.divU(p, q), wasm.I64);
  }
  rem(a: Code, b: Code): Code {
    const [p, q] = [this.let(a), this.let(b)];
    return when(i64.eqz(q), p, i64.remS(p, q), wasm.I64);
  }
  remu(a: Code, b: Code): Code {
    const [p, q] = [this.let(a), this.let(b)];
    return when(i64.eqz(q), p, i64.remU(p, q), wasm.I64);
  }

  #leave(code: number, depth: number): Code {
    return [set(CODE, i32.const(code)), wasm.br(depth)];
  }
  /** Leaves `HOST` at the access's linear address, or `run` at this instruction. */
  #translate(address: Code, size: number, tlb: number, miss: number, aligned: boolean): void {
    const page = i64.and(get(ADDRESS), i64.const(-4096));
    const within = i32.leU(i32.and(i32.wrapI64(get(ADDRESS)), i32.const(4095)), i32.const(4096 - size));
    this.body.push(
      set(ADDRESS, address),
      set(ENTRY, i32.add(get(tlb), i32.and(i32.wrapI64(i64.shrU(get(ADDRESS), i64.const(8))), i32.const((at.TLB_ENTRIES - 1) * at.TLB_ENTRY_BYTES)))),
      // One comparison checks page and alignment; a miss may still be a misaligned access inside the page.
      when(
        i64.ne(i64.load(get(ENTRY)), i64.and(get(ADDRESS), i64.const(-4096 | (size - 1)))),
        aligned
          ? [
              // Misalignment is judged before translation, which would leave its trace in the set of translations.
              set(CODE, wasm.select(i32.const(at.EXIT_EVALUATE), i32.const(miss), i32.and(i32.wrapI64(get(ADDRESS)), i32.const(size - 1)))),
              wasm.br(this.#exits.restart + 1),
            ]
          : when(i32.eqz(i32.and(i64.eq(i64.load(get(ENTRY)), page), within)), this.#leave(miss, this.#exits.restart + 2)),
      ),
      set(HOST, i32.add(i32.wrapI64(get(ADDRESS)), i32.load(get(ENTRY), 8))),
    );
  }
  #loaded(size: number, isSigned: boolean): Code {
    const host = get(HOST);
    switch (size) {
      case 1: return isSigned ? i64.load8S(host) : i64.load8U(host);
      case 2: return isSigned ? i64.load16S(host) : i64.load16U(host);
      case 4: return isSigned ? i64.load32S(host) : i64.load32U(host);
      default: return i64.load(host);
    } // biome-ignore format: a table
  }
  #stored(size: number, value: Code): Code {
    const host = get(HOST);
    return size === 1 ? i64.store8(host, value) : size === 2 ? i64.store16(host, value) : size === 4 ? i64.store32(host, value) : i64.store(host, value);
  }
  load(address: Code, size: MemorySize, isSigned: boolean): Code {
    this.#translate(address, size, READ_TLB, at.EXIT_LOAD, false);
    return this.#loaded(size, isSigned);
  }
  store(address: Code, size: MemorySize, value: Code): void {
    this.#translate(address, size, WRITE_TLB, at.EXIT_STORE, false);
    this.body.push(this.#stored(size, value));
  }
  lr(address: Code, size: 4 | 8): Code {
    this.#translate(address, size, READ_TLB, at.EXIT_LOAD, true);
    this.body.push(i32.store(i32.const(0), i32.and(get(HOST), i32.const(-8)), at.RESERVATION));
    return this.#loaded(size, true);
  }
  sc(address: Code, size: 4 | 8, value: Code): Code {
    this.#translate(address, size, WRITE_TLB, at.EXIT_STORE, true);
    const failed = this.#temporary();
    this.body.push(
      set(failed, i64.extendI32U(i32.ne(i32.load(i32.const(0), at.RESERVATION), i32.and(get(HOST), i32.const(-8))))),
      when(i64.eqz(get(failed)), this.#stored(size, value)),
      i32.store(i32.const(0), i32.const(0), at.RESERVATION),
    );
    return get(failed);
  }
  amo(kind: AmoKind, address: Code, size: 4 | 8, value: Code): Code {
    this.#translate(address, size, WRITE_TLB, at.EXIT_STORE, true);
    const operand = this.let(size === 4 ? i64.extend32S(value) : value);
    const old = this.let(this.#loaded(size, true));
    const pick = (compare: (a: Code, b: Code) => Code): Code => wasm.select(old, operand, compare(old, operand));
    const results: Readonly<Record<AmoKind, () => Code>> = {
      swap: () => operand, add: () => i64.add(old, operand), xor: () => i64.xor(old, operand), and: () => i64.and(old, operand), or: () => i64.or(old, operand),
      min: () => pick(i64.ltS), max: () => pick(i64.gtS), minu: () => pick(i64.ltU), maxu: () => pick(i64.gtU),
    }; // biome-ignore format: a table
    this.body.push(this.#stored(size, results[kind]()));
    return old;
  }

  jump(target: Code): void {
    this.body.push(set(TARGET, target), wasm.br(this.#exits.jump));
  }
  branch(condition: Code, target: Code): void {
    this.body.push(when(i32.wrapI64(condition), [set(TARGET, target), wasm.br(this.#exits.jump + 1)]));
  }

  csr(): void {
    this.#evaluate();
  }
  system(kind: string): void {
    // Pages with decoded code are write-protected, so fetches see stores at once and fence.i has nothing left to do.
    if (kind !== "fence.i") this.#evaluate();
  }
  fence(): void {}
  mark(): void {
    this.#evaluate();
  }
  #evaluate(): void {
    this.evaluated = true;
    this.body.push(this.#leave(at.EXIT_EVALUATE, this.#exits.restart));
  }

  f(register: RegisterField): Code {
    return i64.load(this.#offset(register), at.F);
  }
  fSingle(register: RegisterField): Code {
    const bits = this.let(this.f(register));
    const boxed = i64.eq(i64.shrU(bits, i64.const(32)), i64.const(0xffffffffn));
    return wasm.select(i64.and(bits, i64.const(0xffffffffn)), i64.const(0x7fc00000), boxed);
  }
  setF(register: RegisterField, bits: Code): void {
    this.body.push(i64.store(this.#offset(register), bits, at.F));
  }
  setFSingle(register: RegisterField, bits: Code): void {
    this.setF(register, i64.or(bits, i64.const(-0x100000000n)));
  }
  float(operation: FloatArithmetic, format: FloatFormat, rounding: RoundingField | undefined, ...operands: Code[]): Code {
    const name = `${operation}.${format}`;
    const callee = this.#callees.float[name];
    if (callee === undefined) throw new RangeError(`Cannot lower as ${name} must be a function of the module`);
    if (rounding !== undefined) {
      const mode = i32.and(i32.shrU(this.#immediate(), i32.const(5)), i32.const(7));
      this.body.push(
        when(i32.eq(tee(ROUNDING, mode), i32.const(7)), set(ROUNDING, i32.load(i32.const(0), at.FRM))),
        when(i32.gtU(get(ROUNDING), i32.const(4)), this.#leave(at.EXIT_ILLEGAL, this.#exits.restart + 1)),
      );
    }
    return wasm.call(callee, ...operands, rounding === undefined ? i32.const(0) : get(ROUNDING));
  }
  needsFloat(dirties: boolean): void {
    this.body.push(when(i32.load(i32.const(0), at.FLOAT_OFF), this.#leave(at.EXIT_ILLEGAL, this.#exits.restart + 1)));
    if (dirties) this.#dirties = true;
  }
  #dirties = false;
  /** Code for when the instruction has completed. */
  completion(): Code {
    return this.#dirties ? i32.store(i32.const(0), i32.const(1), at.FLOAT_DIRTY) : [];
  }
}
