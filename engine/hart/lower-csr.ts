/**
 * Accesses to plain CSRs, lowered for the interpreter and the compiler: those that only hold a value, and the SIE bit of sstatus.
 *
 * Everything about a CSR that has an effect is TypeScript's: the instruction is then left, not begun.
 *
 * @module
 */
import { CSRS } from "../isa/csr.ts";
import type { CsrKind } from "../isa/emit.ts";
import * as at from "./layout.ts";
import { type Code, get, i32, i64, set, when } from "./wasm.ts";

/** What the wasm may do by itself: these hold what is written to them and nothing depends on them. */
export const PLAIN_CSRS: ReadonlyMap<number, number> = new Map(
  (
    [
      ["sscratch", at.CSR_PLAIN],
      ["sepc", at.CSR_PC],
      ["scause", at.CSR_PLAIN],
      ["stval", at.CSR_PLAIN],
      ["sstatus", at.CSR_SSTATUS],
      ["mscratch", at.CSR_PLAIN],
      ["mepc", at.CSR_PC],
      ["mcause", at.CSR_PLAIN],
      ["mtval", at.CSR_PLAIN],
    ] as const
  ).map(([name, way]) => [rowOf(name).number, way]),
);

/** What sstatus shows of mstatus, and what of it a write can change. */
export const SSTATUS = { shown: rowOf("sstatus").view?.mask ?? 0n, writable: rowOf("sstatus").writable };

const STATUS = at.CSRS + 8 * rowOf("mstatus").number;
const SIE = 2n;
const FS = 0x6000n;
const SD = 1n << 63n;

/** An access: what is known when it is lowered as a number, what is not as code for an i32. */
export interface CsrAccess {
  readonly kind: CsrKind;
  readonly number: Code | number;
  /** One of the `CSR_` ways. */
  readonly way: Code | number;
  readonly operand: Code;
  /** The first of three i64 locals. */
  readonly temporary: number;
  /** Leaves the instruction to TypeScript; `nesting` counts the blocks around the place. */
  leave(nesting: number): Code;
}

/** @returns The effects, and the CSR's value before them. */
export function lowerCsr({ kind, number, way, operand, temporary, leave }: CsrAccess): readonly [Code[], Code] {
  const [value, old, next] = [temporary, temporary + 1, temporary + 2];
  const changed = (from: Code): Code =>
    kind === "write"
      ? get(value)
      : kind === "set"
        ? i64.or(from, get(value))
        : i64.and(from, i64.xor(get(value), i64.const(-1)));
  const isStatic = typeof number === "number";
  const level = isStatic ? i32.const((number >>> 8) & 3) : i32.and(i32.shrU(number, i32.const(8)), i32.const(3));
  const place = isStatic ? i32.const(8 * number) : i32.shl(number, i32.const(3));
  const tooHigh = i32.gtU(level, i32.load(i32.const(0), at.CSR_MODE));
  const status: Code = [
    // FS is merged, and everything but SIE has effects, in TypeScript; so has SIE if an interrupt waits for it.
    when(i32.load(i32.const(0), at.FLOAT_DIRTY), leave(2)),
    set(old, i64.and(i64.load(i32.const(0), STATUS), i64.const(SSTATUS.shown))),
    when(i64.eq(i64.and(get(old), i64.const(FS)), i64.const(FS)), set(old, i64.or(get(old), i64.const(SD)))),
    set(next, i64.and(i64.xor(changed(get(old)), get(old)), i64.const(SSTATUS.writable))),
    when(i64.ne(i64.and(get(next), i64.const(~SIE)), i64.const(0)), leave(2)),
    when(i32.and(i64.eq(get(next), i64.const(SIE)), i32.load(i32.const(0), at.INTERRUPT_READY)), leave(2)),
    i64.store(i32.const(0), i64.xor(i64.load(i32.const(0), STATUS), get(next)), STATUS),
  ];
  const isWay = (one: number): Code =>
    typeof way === "number" ? i32.const(way === one ? 1 : 0) : i32.eq(way, i32.const(one));
  const plain: Code = [
    set(old, i64.load(place, at.CSRS)),
    set(next, changed(get(old))),
    when(isWay(at.CSR_PC), set(next, i64.and(get(next), i64.const(-2)))),
    i64.store(place, get(next), at.CSRS),
  ];
  const effects: Code[] = [
    when(typeof way === "number" ? tooHigh : i32.or(i32.eqz(way), tooHigh), leave(1)),
    set(value, operand),
    when(isWay(at.CSR_SSTATUS), status, plain),
  ];
  return [effects, get(old)];
}

function rowOf(name: string): (typeof CSRS)[number] {
  const row = CSRS.find((csr) => csr.name === name);
  if (row === undefined) throw new RangeError(`Cannot lower accesses to ${name} as it must be a CSR of the table`);
  return row;
}
