/**
 * Semantics lowered to wasm: arithmetic, memory through the software TLB, floating point.
 *
 * @module
 */
import type {
  AmoKind,
  CsrKind,
  Emit,
  FloatArithmetic,
  FloatFormat,
  ImmediateField,
  MemorySize,
  RegisterField,
  RoundingField,
} from "../isa/emit.ts";
import * as at from "./layout.ts";
import * as wasm from "./wasm.ts";
import { type Code, get, i32, i64, set, tee, when } from "./wasm.ts";

/** Locals that lowered code uses, by number. */
export interface Locals {
  /** i64: the address of the access at hand. */
  readonly address: number;
  /** i32: its TLB entry, then its linear address. */
  readonly entry: number;
  readonly host: number;
  /** i32: the rounding mode at hand. */
  readonly rounding: number;
  /** i32: linear addresses of the TLBs in force. */
  readonly readTlb: number;
  readonly writeTlb: number;
  /** i64: the first of the temporaries that `let` binds, and how many there are. */
  readonly firstTemporary: number;
  readonly temporaries: number;
}

/** Functions that lowered code calls, by their numbers in its module. */
export interface Callees {
  /** (a, b) -> the high 64 bits of their unsigned product. */
  readonly mulhu: number;
  /** By operation and format, as "add.d": (operands as i64…, rounding mode as i32 where there is one) -> i64. */
  readonly float: Readonly<Record<string, number>>;
}

/** What the interpreter and the compiler have in common: all but where operands lie and how an instruction is left. */
export abstract class Lowering implements Emit<Code> {
  /** Effects so far, in order. */
  readonly body: Code[] = [];
  protected readonly callees: Callees;
  protected readonly locals: Locals;
  #temporaries = 0;
  #dirties = false;

  constructor(callees: Callees, locals: Locals) {
    this.callees = callees;
    this.locals = locals;
  }

  abstract imm(field: ImmediateField): Code;
  abstract x(register: RegisterField): Code;
  abstract setX(register: RegisterField, value: Code): void;
  abstract f(register: RegisterField): Code;
  abstract setF(register: RegisterField, bits: Code): void;
  abstract pc(): Code;
  abstract nextPc(): Code;
  abstract jump(target: Code): void;
  abstract branch(condition: Code, target: Code): void;
  abstract csr(kind: CsrKind, source: "register" | "immediate"): void;
  abstract system(kind: string): void;
  abstract block(): void;
  abstract mark(): void;
  /** Whether a misaligned access inside a page is carried out here: compiled code leaves it to the interpreter, to stay small. */
  protected readonly tolerant: boolean = true;
  /** Whether the access at hand is one of the VMM's own to its page, as an i32; undefined where it is sure to be none. */
  protected abstract own(): Code | undefined;
  /** Code that leaves with the instruction not begun; `code` is why, as an i32; `nesting` counts the blocks around it. */
  protected abstract leave(code: Code, nesting: number): Code;
  /** The rounding mode as encoded: a number where it is known. */
  protected abstract encodedRounding(): Code | number;

  const(value: bigint | number): Code {
    return i64.const(value);
  }
  let(value: Code): Code {
    const local = this.#temporary();
    this.body.push(set(local, value));
    return get(local);
  }
  #temporary(): number {
    const { temporaries } = this.locals;
    if (this.#temporaries === temporaries)
      throw new RangeError(`Cannot lower as an instruction has at most ${temporaries} bound values`);
    return this.locals.firstTemporary + this.#temporaries++;
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
  rotl = i64.rotl;
  rotr = i64.rotr;
  clz = i64.clz;
  ctz = i64.ctz;
  popcount = i64.popcnt;
  signExtend(a: Code, bits: 8 | 16 | 32): Code {
    return bits === 8 ? i64.extend8S(a) : bits === 16 ? i64.extend16S(a) : i64.extend32S(a);
  }
  zeroExtend(a: Code, bits: 8 | 16 | 32): Code {
    return bits === 32 ? i64.extendI32U(i32.wrapI64(a)) : i64.and(a, i64.const(bits === 8 ? 0xff : 0xffff));
  }
  mul = i64.mul;
  mulhu(a: Code, b: Code): Code {
    return wasm.call(this.callees.mulhu, a, b);
  }
  // The signed products follow from the unsigned one: a negative operand stands 2^64 too high.
  mulh(a: Code, b: Code): Code {
    const [p, q] = [this.let(a), this.let(b)];
    return i64.sub(
      i64.sub(this.mulhu(p, q), i64.and(i64.shrS(p, i64.const(63)), q)),
      i64.and(i64.shrS(q, i64.const(63)), p),
    );
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

  /** Leaves the access's linear address in the local `host`, or the instruction. */
  #translate(address: Code, size: number, tlb: number, miss: number, aligned: boolean): void {
    const l = this.locals;
    const page = i64.and(get(l.address), i64.const(-4096));
    const within = i32.leU(i32.and(i32.wrapI64(get(l.address)), i32.const(4095)), i32.const(4096 - size));
    const index = i32.and(
      i32.wrapI64(i64.shrU(get(l.address), i64.const(8))),
      i32.const((at.TLB_ENTRIES - 1) * at.TLB_ENTRY_BYTES),
    );
    const own = aligned ? undefined : this.own();
    // Where an access may be the VMM's own, a block lies around what follows.
    const around = own === undefined ? 0 : 1;
    const missed = aligned
      ? // Misalignment is judged before translation, which would leave its trace in the set of translations.
        this.leave(
          wasm.select(
            i32.const(at.EXIT_EVALUATE),
            i32.const(miss),
            i32.and(i32.wrapI64(get(l.address)), i32.const(size - 1)),
          ),
          1,
        )
      : this.tolerant
        ? when(i32.eqz(i32.and(i64.eq(i64.load(get(l.entry)), page), within)), this.leave(i32.const(miss), 2 + around))
        : this.leave(i32.const(miss), 1 + around);
    const ownPage = i32.load(i32.const(0), at.OWN_PAGE);
    const toOwn =
      own === undefined
        ? []
        : when(i32.and(own, i32.ne(ownPage, i32.const(0))), [
            set(l.host, i32.add(i32.wrapI64(get(l.address)), ownPage)),
            wasm.br(2),
          ]);
    const code: Code = [
      // One comparison checks page and alignment; a miss may still be a misaligned access inside the page.
      when(i64.ne(i64.load(get(l.entry)), i64.and(get(l.address), i64.const(-4096 | (size - 1)))), [toOwn, missed]),
      set(l.host, i32.add(i32.wrapI64(get(l.address)), i32.load(get(l.entry), 8))),
    ];
    this.body.push(
      set(l.address, address),
      set(l.entry, i32.add(get(tlb), index)),
      own === undefined ? code : wasm.block(code),
    );
  }
  #loaded(size: number, isSigned: boolean): Code {
    const host = get(this.locals.host);
    switch (size) {
      case 1: return isSigned ? i64.load8S(host) : i64.load8U(host);
      case 2: return isSigned ? i64.load16S(host) : i64.load16U(host);
      case 4: return isSigned ? i64.load32S(host) : i64.load32U(host);
      default: return i64.load(host);
    } // biome-ignore format: a table
  }
  #stored(size: number, value: Code): Code {
    const host = get(this.locals.host);
    return size === 1
      ? i64.store8(host, value)
      : size === 2
        ? i64.store16(host, value)
        : size === 4
          ? i64.store32(host, value)
          : i64.store(host, value);
  }
  load(address: Code, size: MemorySize, isSigned: boolean): Code {
    this.#translate(address, size, this.locals.readTlb, at.EXIT_LOAD, false);
    return this.#loaded(size, isSigned);
  }
  store(address: Code, size: MemorySize, value: Code): void {
    this.#translate(address, size, this.locals.writeTlb, at.EXIT_STORE, false);
    this.body.push(this.#stored(size, value));
  }
  lr(address: Code, size: 4 | 8): Code {
    this.#translate(address, size, this.locals.readTlb, at.EXIT_LOAD, true);
    this.body.push(i32.store(i32.const(0), i32.and(get(this.locals.host), i32.const(-8)), at.RESERVATION));
    return this.#loaded(size, true);
  }
  sc(address: Code, size: 4 | 8, value: Code): Code {
    this.#translate(address, size, this.locals.writeTlb, at.EXIT_STORE, true);
    const failed = this.#temporary();
    this.body.push(
      set(
        failed,
        i64.extendI32U(i32.ne(i32.load(i32.const(0), at.RESERVATION), i32.and(get(this.locals.host), i32.const(-8)))),
      ),
      when(i64.eqz(get(failed)), this.#stored(size, value)),
      i32.store(i32.const(0), i32.const(0), at.RESERVATION),
    );
    return get(failed);
  }
  amo(kind: AmoKind, address: Code, size: 4 | 8, value: Code): Code {
    this.#translate(address, size, this.locals.writeTlb, at.EXIT_STORE, true);
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

  fence(): void {}

  fSingle(register: RegisterField): Code {
    const bits = this.let(this.f(register));
    const boxed = i64.eq(i64.shrU(bits, i64.const(32)), i64.const(0xffffffffn));
    return wasm.select(i64.and(bits, i64.const(0xffffffffn)), i64.const(0x7fc00000), boxed);
  }
  setFSingle(register: RegisterField, bits: Code): void {
    this.setF(register, i64.or(bits, i64.const(-0x100000000n)));
  }
  float(
    operation: FloatArithmetic,
    format: FloatFormat,
    rounding: RoundingField | undefined,
    ...operands: Code[]
  ): Code {
    const name = `${operation}.${format}`;
    const callee = this.callees.float[name];
    if (callee === undefined) throw new RangeError(`Cannot lower as ${name} must be a function of the module`);
    if (rounding === undefined) return wasm.call(callee, ...operands, i32.const(0));
    const encoded = this.encodedRounding();
    if (typeof encoded === "number" && encoded < 5) return wasm.call(callee, ...operands, i32.const(encoded));
    const mode = this.locals.rounding;
    const frm = i32.load(i32.const(0), at.FRM);
    this.body.push(
      typeof encoded === "number" ? set(mode, frm) : when(i32.eq(tee(mode, encoded), i32.const(7)), set(mode, frm)),
      when(i32.gtU(get(mode), i32.const(4)), this.leave(i32.const(at.EXIT_ILLEGAL), 1)),
    );
    return wasm.call(callee, ...operands, get(mode));
  }
  needsFloat(dirties: boolean): void {
    this.checkFloat();
    if (dirties) this.#dirties = true;
  }
  /** Leaves the instruction as illegal while FS is off. */
  protected checkFloat(): void {
    this.body.push(when(i32.load(i32.const(0), at.FLOAT_OFF), this.leave(i32.const(at.EXIT_ILLEGAL), 1)));
  }
  /** Code for when the instruction has completed. */
  completion(): Code {
    return this.#dirties ? i32.store(i32.const(0), i32.const(1), at.FLOAT_DIRTY) : [];
  }
}
