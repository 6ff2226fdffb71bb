/**
 * What an instruction does to registers and memory, read off its semantics by running them over an `Emit` that only takes notes.
 *
 * @module
 */
import type { BlockKind, CsrKind, Emit, RegisterField, SystemKind } from "./emit.ts";

type Slot = RegisterField["slot"];

/** Everything that a row's semantics say, except for the values. */
export interface Effects {
  /** The operand slots that name x registers, read or written; and those that name f registers. */
  readonly x: ReadonlySet<Slot>;
  readonly f: ReadonlySet<Slot>;
  readonly writesX: boolean;
  readonly writesF: boolean;
  readonly loads: boolean;
  readonly stores: boolean;
  readonly reserves: boolean;
  readonly jumps: boolean;
  readonly branches: boolean;
  readonly csr: { readonly kind: CsrKind; readonly source: "register" | "immediate" } | undefined;
  readonly system: SystemKind | undefined;
  /** What it does to a cache block; such an instruction counts as neither load nor store here. */
  readonly block: BlockKind | undefined;
  /** Undefined for an instruction that does not need FS on. */
  readonly dirties: boolean | undefined;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** @param semantics A row's semantics, with its operands already given. */
export function effectsOf(semantics: (e: Emit<null>) => void): Effects {
  const x = new Set<Slot>();
  const f = new Set<Slot>();
  const effects: Mutable<Effects> = {
    x,
    f,
    writesX: false,
    writesF: false,
    loads: false,
    stores: false,
    reserves: false,
    jumps: false,
    branches: false,
    csr: undefined,
    system: undefined,
    block: undefined,
    dirties: undefined,
  };
  const value = () => null;
  const setF = ({ slot }: RegisterField) => {
    f.add(slot);
    effects.writesF = true;
  };
  const readF = ({ slot }: RegisterField) => {
    f.add(slot);
    return null;
  };
  const atomic = () => {
    effects.loads = true;
    effects.stores = true;
    return null;
  };
  semantics({
    const: value,
    imm: value,
    x: ({ slot }) => {
      x.add(slot);
      return null;
    },
    setX: ({ slot }) => {
      x.add(slot);
      effects.writesX = true;
    },
    let: value,
    pc: value,
    nextPc: value,
    add: value,
    sub: value,
    and: value,
    or: value,
    xor: value,
    shl: value,
    shr: value,
    sar: value,
    eq: value,
    ne: value,
    lt: value,
    ltu: value,
    ge: value,
    geu: value,
    select: value,
    rotl: value,
    rotr: value,
    clz: value,
    ctz: value,
    popcount: value,
    signExtend: value,
    zeroExtend: value,
    mul: value,
    mulh: value,
    mulhu: value,
    mulhsu: value,
    div: value,
    divu: value,
    rem: value,
    remu: value,
    load: () => {
      effects.loads = true;
      return null;
    },
    store: () => {
      effects.stores = true;
    },
    lr: () => {
      effects.loads = true;
      effects.reserves = true;
      return null;
    },
    sc: () => {
      effects.stores = true;
      effects.reserves = true;
      return null;
    },
    amo: atomic,
    jump: () => {
      effects.jumps = true;
    },
    branch: () => {
      effects.branches = true;
    },
    csr: (kind, source) => {
      effects.csr = { kind, source };
      x.add("rd");
      effects.writesX = true;
      if (source === "register") x.add("rs1");
    },
    system: (kind) => {
      effects.system = kind;
    },
    block: (kind) => {
      effects.block = kind;
    },
    fence: () => {},
    mark: () => {},
    f: readF,
    fSingle: readF,
    setF,
    setFSingle: setF,
    float: value,
    needsFloat: (dirties) => {
      effects.dirties = dirties;
    },
  });
  return effects;
}
