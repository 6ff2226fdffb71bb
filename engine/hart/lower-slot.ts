/**
 * Semantics lowered for the interpreter: operands are read from the decoded slot that the local `SLOT` points at.
 *
 * @module
 */
import type { CsrKind, ImmediateField, RegisterField } from "../isa/emit.ts";
import * as at from "./layout.ts";
import { type Callees, Lowering } from "./lower.ts";
import { lowerCsr } from "./lower-csr.ts";
import * as wasm from "./wasm.ts";
import { type Code, get, i32, i64, set, when } from "./wasm.ts";

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
const HOST = 12;
const ROUNDING = 13;
export const OP = 14;
const FIRST_TEMPORARY = 15;
export const TEMPORARIES = 14;

const LOCALS = {
  address: ADDRESS, entry: ENTRY, host: HOST, rounding: ROUNDING, readTlb: READ_TLB, writeTlb: WRITE_TLB, firstTemporary: FIRST_TEMPORARY, temporaries: TEMPORARIES,
} as const; // biome-ignore format: a table

/** Where an instruction's code can branch to, as block depths from its own level. */
export interface Exits {
  /** Leave `run` with the code in `CODE`, this instruction not begun. */
  readonly restart: number;
  /** Go on at `TARGET`. */
  readonly jump: number;
}

/** Builds one handler. Use once per instruction. */
export class SlotLowering extends Lowering {
  /** Whether the instruction is one that TypeScript carries out. */
  evaluated = false;
  readonly #exits: Exits;
  readonly #shifted: boolean;

  /** @param upperImmediate Whether the slot's immediate is to be shifted left by 12, as that of lui and auipc. */
  constructor(callees: Callees, exits: Exits, upperImmediate: boolean) {
    super(callees, LOCALS);
    this.#exits = exits;
    this.#shifted = upperImmediate;
  }

  #immediate(): Code {
    return i32.shrS(i32.load(get(SLOT), 4), i32.const(8));
  }
  override imm(_field: ImmediateField): Code {
    const value = i64.extendI32S(this.#immediate());
    return this.#shifted ? i64.shl(value, i64.const(12)) : value;
  }
  #offset(register: RegisterField): Code {
    if (register.slot === "rs3") return i32.shl(i32.and(this.#immediate(), i32.const(31)), i32.const(3));
    const byte = register.slot === "rd" ? 1 : register.slot === "rs1" ? 2 : 3;
    return i32.shl(i32.load8U(get(SLOT), byte), i32.const(3));
  }
  override x(register: RegisterField): Code {
    return i64.load(this.#offset(register), at.X);
  }
  override setX(register: RegisterField, value: Code): void {
    this.body.push(i64.store(this.#offset(register), value, at.X));
  }
  override f(register: RegisterField): Code {
    return i64.load(this.#offset(register), at.F);
  }
  override setF(register: RegisterField, bits: Code): void {
    this.body.push(i64.store(this.#offset(register), bits, at.F));
  }
  override pc(): Code {
    return i64.add(get(PC_BIAS), i64.extendI32U(i32.shrU(get(SLOT), i32.const(2))));
  }
  override nextPc(): Code {
    return i64.add(this.pc(), i64.extendI32U(i32.shrU(i32.load8U(get(SLOT), 4), i32.const(2))));
  }
  override jump(target: Code): void {
    this.body.push(set(TARGET, target), wasm.br(this.#exits.jump));
  }
  override branch(condition: Code, target: Code): void {
    this.body.push(when(i32.wrapI64(condition), [set(TARGET, target), wasm.br(this.#exits.jump + 1)]));
  }

  override csr(kind: CsrKind, source: "register" | "immediate"): void {
    const rd: RegisterField = { kind: "register", slot: "rd" };
    const rs1: RegisterField = { kind: "register", slot: "rs1" };
    const number = get(ENTRY);
    this.body.push(
      set(ENTRY, i32.and(this.#immediate(), i32.const(0xfff))),
      set(CODE, i32.load8U(number, at.CSR_KINDS)),
    );
    const [effects, old] = lowerCsr({
      kind,
      number,
      way: get(CODE),
      operand: source === "register" ? this.x(rs1) : i64.load8U(get(SLOT), 2),
      temporary: FIRST_TEMPORARY,
      leave: (nesting) => this.leave(i32.const(at.EXIT_EVALUATE), nesting),
    });
    this.body.push(effects);
    this.setX(rd, old);
  }
  override system(kind: string): void {
    // Pages with decoded code are write-protected, so fetches see stores at once and fence.i has nothing left to do.
    if (kind !== "fence.i") this.#evaluate();
  }
  override block(): void {
    this.#evaluate();
  }
  override mark(): void {
    this.#evaluate();
  }
  #evaluate(): void {
    this.evaluated = true;
    this.body.push(this.leave(i32.const(at.EXIT_EVALUATE), 0));
  }
  protected override own(): Code {
    return i32.eq(i32.load8U(get(SLOT), 2), i32.const(at.X_OWN));
  }
  protected override leave(code: Code, nesting: number): Code {
    return [set(CODE, code), wasm.br(this.#exits.restart + nesting)];
  }
  protected override encodedRounding(): Code {
    return i32.and(i32.shrU(this.#immediate(), i32.const(5)), i32.const(7));
  }
}
