/**
 * Planted faults: each makes the machine wrong in one small way, in memory only, so that it can be seen whether the programs find it.
 *
 * They go through what the engine is made of: rows of the ISA table and what their semantics say, encodings, the CSR file's methods, the set of
 * translations, and what PMP and contexts decide. A fault is planted in a fresh runtime, before its first machine is made.
 *
 * Source: DeMillo, Lipton and Sayward, "Hints on Test Data Selection" (1978).
 *
 * @module
 */
import { COMPRESSED_PATTERNS, findInstruction, type Instruction, type Machine, PTE } from "../../engine/mod.ts";

export interface Mutant {
  readonly name: string;
  readonly area: "decoder" | "alu" | "fp" | "csr" | "mmu";
  /** Plants the fault; what it returns is given each machine that is made afterwards. */
  readonly plant: () => OnMachine | undefined;
}
export type OnMachine = (machine: Machine) => void;

// ---- semantics ----

/** Any method of an `Emit`, by name, over values of any tier. */
// biome-ignore lint/suspicious/noExplicitAny: values are a tier's own
type Emitter = Record<string, (...operands: any[]) => any>;

function mutable<T extends object>(object: T): { -readonly [K in keyof T]: T[K] } {
  return object;
}
function row(mnemonic: string): { -readonly [K in keyof Instruction]: Instruction[K] } {
  const found = findInstruction(mnemonic);
  if (found === undefined)
    throw new RangeError(`Cannot plant a fault in ${mnemonic} as it must be in the tables: it is not`);
  return mutable(found);
}

/** A fault of the tables, which all machines share. */
const inTables = (area: Mutant["area"], name: string, plant: () => void): Mutant => ({
  area,
  name,
  plant: () => {
    plant();
    return undefined;
  },
});

/** Replaces what a row's semantics call. */
function says(area: Mutant["area"], name: string, mnemonic: string, change: (emit: Emitter) => Emitter): Mutant {
  return inTables(area, `${mnemonic}: ${name}`, () => {
    const target = row(mnemonic);
    const { semantics } = target;
    target.semantics = (emit) => {
      const real = emit as unknown as Emitter;
      const bound: Emitter = new Proxy(real, {
        get:
          (_, method: string) =>
          (...operands: unknown[]) =>
            real[method]!(...operands),
      });
      const changed = change(bound);
      semantics(
        new Proxy(real, { get: (_, method: string) => changed[method] ?? bound[method] }) as unknown as typeof emit,
      );
    };
  });
}
const alu = (name: string, mnemonic: string, change: (emit: Emitter) => Emitter) => says("alu", name, mnemonic, change);
const fp = (name: string, mnemonic: string, change: (emit: Emitter) => Emitter) => says("fp", name, mnemonic, change);
/** One method in another's place. */
const as =
  (from: string, to: string) =>
  (emit: Emitter): Emitter => ({ [from]: emit[to]! });
const SIGN = 2n ** 63n;

const ALU: readonly Mutant[] = [
  alu("the immediate is not sign-extended", "addi", (e) => ({
    imm: (field) => e.and!(e.imm!(field), e.const!(0xfff)),
  })),
  alu("the immediate is not sign-extended", "andi", (e) => ({
    imm: (field) => e.and!(e.imm!(field), e.const!(0xfff)),
  })),
  alu("compares unsigned", "slti", as("lt", "ltu")),
  alu("compares signed", "sltiu", as("ltu", "lt")),
  alu("compares signed", "sltu", as("ltu", "lt")),
  alu("shifts in zeros", "srai", as("sar", "shr")),
  alu("shifts in zeros", "sra", as("sar", "shr")),
  alu("shifts in the high word", "sraw", () => ({ signExtend: (value) => value })),
  alu("shifts in the high word", "srlw", () => ({ zeroExtend: (value) => value })),
  alu("counts to 63", "sllw", (e) => ({ const: (value) => e.const!(value === 31 ? 63 : value) })),
  alu("the result is zero-extended", "addw", as("signExtend", "zeroExtend")),
  alu("the result is zero-extended", "subw", as("signExtend", "zeroExtend")),
  alu("the immediate is zero-extended", "lui", (e) => ({ imm: (field) => e.zeroExtend!(e.imm!(field), 32) })),
  alu("counts from the next instruction", "auipc", as("pc", "nextPc")),
  alu("links four bytes on, whatever its length", "jalr", (e) => ({ nextPc: () => e.add!(e.pc!(), e.const!(4)) })),
  alu("keeps the low bit of its target", "jalr", (e) => ({ const: (value) => e.const!(value === -2 ? -1 : value) })),
  alu("is not taken where both are equal", "bge", (e) => ({ ge: (a, b) => e.lt!(b, a) })),
  alu("is not taken where both are equal", "bgeu", (e) => ({ geu: (a, b) => e.ltu!(b, a) })),
  alu("compares signed", "bltu", as("ltu", "lt")),
  alu("takes both as unsigned", "mulh", as("mulh", "mulhu")),
  alu("takes both as signed", "mulhsu", as("mulhsu", "mulh")),
  alu("takes the first as signed", "mulhu", as("mulhu", "mulhsu")),
  alu("gives the dividend for -1", "rem", (e) => ({
    rem: (a, b) => {
      const [dividend, divisor] = [e.let!(a), e.let!(b)];
      return e.select!(e.eq!(divisor, e.const!(-1)), dividend, e.rem!(dividend, divisor));
    },
  })),
  alu("gives 0 for a divisor of zero", "divu", (e) => ({
    divu: (a, b) => {
      const divisor = e.let!(b);
      return e.select!(e.eq!(divisor, e.const!(0)), e.const!(0), e.divu!(a, divisor));
    },
  })),
  alu("takes words as signed", "divuw", as("zeroExtend", "signExtend")),
  alu("takes words as signed", "remuw", as("zeroExtend", "signExtend")),
  alu("shifts by three", "sh2add", (e) => ({ const: (value) => e.const!(value === 2 ? 3 : value) })),
  alu("compares unsigned", "max", as("ge", "geu")),
  alu("does not invert", "orn", () => ({ xor: (value) => value })),
  alu("rotates to the left", "rorw", as("rotr", "rotl")),
  alu("counts the high word", "cpopw", () => ({ zeroExtend: (value) => value })),
  alu("gives the bit's place", "bext", (e) => ({ shr: (value) => value, and: (a, b) => e.and!(a, b) })),
  alu("is sign-extended", "lbu", (e) => ({ load: (address, size) => e.load!(address, size, true) })),
  alu("is zero-extended", "lh", (e) => ({ load: (address, size) => e.load!(address, size, false) })),
  alu("is sign-extended", "lwu", (e) => ({ load: (address, size) => e.load!(address, size, true) })),
  alu("stores a word", "sd", (e) => ({ store: (address, _, value) => e.store!(address, 4, value) })),
  alu("stores a byte", "sh", (e) => ({ store: (address, _, value) => e.store!(address, 1, value) })),
  alu("compares unsigned", "amomax.w", (e) => ({ amo: (_, ...rest) => e.amo!("maxu", ...rest) })),
  alu("compares signed", "amominu.d", (e) => ({ amo: (_, ...rest) => e.amo!("min", ...rest) })),
  alu("gives the old value zero-extended", "amoadd.w", (e) => ({
    amo: (...operands) => e.zeroExtend!(e.amo!(...operands), 32),
  })),
  alu("reserves nothing", "lr.d", (e) => ({ lr: (address, size) => e.load!(address, size, true) })),
  alu("always succeeds", "sc.w", (e) => ({
    sc: (address, size, value) => {
      e.store!(address, size, value);
      return e.const!(0);
    },
  })),
];

// biome-ignore lint/suspicious/noExplicitAny: values are a tier's own
type Any = any;
/** Ignores the rounding mode: to nearest, ties to even. */
const unrounded = (e: Emitter): Emitter => ({
  float: (operation, format, _, ...operands) => e.float!(operation, format, undefined, ...operands),
});
const operation =
  (from: string, to: string) =>
  (e: Emitter): Emitter => ({
    float: (name, ...rest) => e.float!(name === from ? to : name, ...rest),
  });

const FP: readonly Mutant[] = [
  fp("ignores the rounding mode", "fadd.d", unrounded),
  fp("ignores the rounding mode", "fmul.s", unrounded),
  fp("ignores the rounding mode", "fdiv.d", unrounded),
  fp("ignores the rounding mode", "fsqrt.s", unrounded),
  fp("ignores the rounding mode", "fcvt.s.d", unrounded),
  fp("ignores the rounding mode", "fcvt.w.d", unrounded),
  fp("ignores the rounding mode", "fcvt.s.l", unrounded),
  fp("rounds twice", "fmadd.s", (e) => ({
    float: (_, format, mode, a, b, c) => e.float!("add", format, mode, e.float!("mul", format, mode, a, b), c),
  })),
  fp("rounds twice", "fmsub.d", (e) => ({
    float: (_, format, mode, a, b, c) => e.float!("sub", format, mode, e.float!("mul", format, mode, a, b), c),
  })),
  fp("subtracts where it should add", "fnmadd.d", operation("nmadd", "nmsub")),
  fp("gives the larger", "fmin.s", operation("min", "max")),
  fp("raises nothing for signalling NaNs", "fmax.d", (e) => ({
    float: (name, format, mode, a: Any, b: Any) => {
      const quiet = (value: Any) => {
        const bits = e.let!(value);
        const nan = e.ltu!(e.const!(0x7ffn << 52n), e.and!(bits, e.const!(SIGN - 1n)));
        return e.or!(bits, e.shl!(nan, e.const!(51)));
      };
      return e.float!(name, format, mode, quiet(a), quiet(b));
    },
  })),
  fp("raises NV for quiet NaNs", "feq.d", (e) => ({
    float: (_, format, mode, a: Any, b: Any) => {
      const [first, second] = [e.let!(a), e.let!(b)];
      const less = e.let!(e.float!("lt", format, mode, first, second));
      return e.or!(e.float!("eq", format, mode, first, second), e.and!(less, e.const!(0)));
    },
  })),
  fp("is true where both are equal", "flt.d", operation("lt", "le")),
  fp("does not look at the boxing", "fclass.s", (e) => ({
    fSingle: (register) => e.and!(e.f!(register), e.const!(0xffff_ffff)),
  })),
  fp("does not look at the boxing", "fsgnj.s", (e) => ({
    fSingle: (register) => e.and!(e.f!(register), e.const!(0xffff_ffff)),
  })),
  fp("does not look at the boxing", "fadd.s", (e) => ({
    fSingle: (register) => e.and!(e.f!(register), e.const!(0xffff_ffff)),
  })),
  fp("is zero-extended", "fcvt.wu.s", as("signExtend", "zeroExtend")),
  fp("converts as unsigned", "fcvt.l.d", operation("to-l", "to-lu")),
  fp("converts as signed", "fcvt.d.wu", operation("from-wu", "from-w")),
  fp("takes the magnitude", "fsqrt.d", (e) => ({
    float: (name, format, mode, a) => e.float!(name, format, mode, e.and!(a, e.const!(SIGN - 1n))),
  })),
  fp("is zero-extended", "fmv.x.w", as("signExtend", "zeroExtend")),
  fp("is not boxed", "fmv.w.x", as("setFSingle", "setF")),
  fp("is not boxed", "flw", as("setFSingle", "setF")),
  fp("stores the canonical NaN where it is not boxed", "fsw", as("f", "fSingle")),
  fp("runs with FS off", "fld", () => ({ needsFloat: () => {} })),
  fp("runs with FS off", "fsd", () => ({ needsFloat: () => {} })),
  fp("leaves FS as it was", "feq.s", (e) => ({ needsFloat: () => e.needsFloat!(false) })),
  fp("gives -0 for +0", "fsub.d", (e) => ({
    float: (...operands) => {
      const result = e.let!(e.float!(...operands));
      return e.or!(result, e.shl!(e.eq!(result, e.const!(0)), e.const!(63)));
    },
  })),
];

// ---- encodings ----

const decoder = (name: string, plant: () => void): Mutant => inTables("decoder", name, plant);
/** Leaves bits of a word open that a row fixes. */
const opens = (mnemonic: string, bits: number): Mutant =>
  decoder(`${mnemonic} is taken whatever bits 0x${(bits >>> 0).toString(16)} are`, () => {
    const target = row(mnemonic);
    target.mask = (target.mask & ~bits) >>> 0;
    target.match = (target.match & ~bits) >>> 0;
  });
function compressed(mnemonic: string) {
  const found = COMPRESSED_PATTERNS.find((pattern) => pattern.mnemonic === mnemonic);
  if (found === undefined)
    throw new RangeError(`Cannot plant a fault in ${mnemonic} as it must be in the tables: it is not`);
  return mutable(found);
}
/** Swaps two bits of an immediate. */
function swaps(mnemonic: string, first: number, second: number): Mutant {
  return decoder(`${mnemonic} has bits ${first} and ${second} of its immediate swapped`, () => {
    const layout = mnemonic.startsWith("c.") ? compressed(mnemonic).immediate! : row(mnemonic).immediate!;
    const single = layout.segments.flatMap(({ at, bit, width }) =>
      Array.from({ length: width }, (_, i) => ({ at: at + i, bit: bit + i, width: 1 })),
    );
    const other = (bit: number) => (bit === first ? second : bit === second ? first : bit);
    mutable(layout).segments = single.map((run) => ({ ...run, bit: other(run.bit) }));
  });
}
function unsigned(mnemonic: string): Mutant {
  return decoder(`${mnemonic} has an unsigned immediate`, () => {
    mutable(mnemonic.startsWith("c.") ? compressed(mnemonic).immediate! : row(mnemonic).immediate!).signed = false;
  });
}
const takesZero = (mnemonic: string): Mutant =>
  decoder(`${mnemonic} takes the operand that is reserved`, () => {
    compressed(mnemonic).nonZero = [];
  });

const DECODER: readonly Mutant[] = [
  swaps("beq", 11, 10),
  swaps("jal", 11, 12),
  swaps("sd", 5, 4),
  unsigned("bne"),
  unsigned("ld"),
  unsigned("sw"),
  opens("slliw", 1 << 25),
  opens("lr.w", 0x01f0_0000),
  opens("sub", 1 << 31),
  opens("fsqrt.d", 0x01f0_0000),
  opens("mret", 1 << 29),
  swaps("c.addi4spn", 2, 3),
  swaps("c.lw", 2, 6),
  swaps("c.j", 10, 6),
  swaps("c.addi16sp", 5, 6),
  swaps("c.beqz", 5, 1),
  swaps("c.ldsp", 3, 8),
  unsigned("c.lui"),
  unsigned("c.addiw"),
  unsigned("c.andi"),
  takesZero("c.addiw"),
  takesZero("c.lwsp"),
  takesZero("c.addi16sp"),
  takesZero("c.jr"),
];

// ---- the privileged architecture ----

const N = { fflags: 1, frm: 2, sstatus: 0x100, sie: 0x104, stvec: 0x105, scounteren: 0x106, sepc: 0x141, sip: 0x144, satp: 0x180, mstatus: 0x300, medeleg: 0x302, mideleg: 0x303, mie: 0x304, mtvec: 0x305, mcounteren: 0x306, mip: 0x344, pmpaddr0: 0x3b0 } as const; // biome-ignore format: a table
type Guest = Machine["parts"]["platform"]["guest"];
type Hart = Machine["parts"]["platform"]["hart"];

const onGuest = (area: Mutant["area"], name: string, change: (guest: Guest) => void): Mutant => ({
  area,
  name,
  plant: () => (machine) => change(machine.parts.platform.guest),
});
const csr = (name: string, change: (guest: Guest) => void) => onGuest("csr", name, change);
/** Changes what is written to one CSR. */
const writes = (name: string, number: number, change: (low: number, high: number) => readonly [number, number]) =>
  csr(name, (guest) => {
    const write = guest.write.bind(guest);
    guest.write = (csr, low, high) => (csr === number ? write(csr, ...change(low, high)) : write(csr, low, high));
  });
const reads = (name: string, number: number, change: (guest: Guest) => void) =>
  csr(name, (guest) => {
    const read = guest.read.bind(guest);
    guest.read = (csr) => {
      read(csr);
      if (csr === number) change(guest);
    };
  });
const permitsAlways = (instruction: string) =>
  csr(`${instruction} is permitted in supervisor mode, whatever mstatus says`, (guest) => {
    const permits = guest.permits.bind(guest);
    guest.permits = (asked) => permits(asked) || (asked === instruction && guest.mode === 1);
  });
/** Changes status bits after a trap or a return. */
const after = (name: string, method: "enter" | "leave", change: (status: number, first: unknown) => number) =>
  csr(name, (guest) => {
    const real = guest[method].bind(guest) as (...operands: unknown[]) => void;
    guest[method] = (...operands: unknown[]) => {
      real(...operands);
      const status = guest.status;
      const next = change(status, operands[0]);
      if (next !== status) guest.write(N.mstatus, next >>> 0, 0);
    };
  });

const CSR: readonly Mutant[] = [
  writes("sstatus drops SUM", N.sstatus, (low, high) => [low & ~(1 << 18), high]),
  writes("sstatus drops MXR", N.sstatus, (low, high) => [low & ~(1 << 19), high]),
  writes("mstatus drops TSR", N.mstatus, (low, high) => [low & ~(1 << 22), high]),
  writes("mtvec is always direct", N.mtvec, (low, high) => [low & ~3, high]),
  writes("stvec is always direct", N.stvec, (low, high) => [low & ~3, high]),
  writes("stvec takes mode 2 as 0", N.stvec, (low, high) => [(low & 3) > 1 ? low & ~3 : low, high]),
  writes("satp takes modes that do not exist as Bare", N.satp, (low, high) => [
    low,
    [0, 8, 9].includes(high >>> 28) ? high : high & 0xfff,
  ]),
  writes("frm has two bits", N.frm, (low, high) => [low & 3, high]),
  writes("fflags has four bits", N.fflags, (low, high) => [low & 15, high]),
  writes("mcounteren enables all", N.mcounteren, (_, high) => [7, high]),
  writes("scounteren enables all", N.scounteren, (_, high) => [7, high]),
  writes("mideleg delegates nothing", N.mideleg, () => [0, 0]),
  writes("medeleg does not delegate store page faults", N.medeleg, (low, high) => [low & 0x7fff, high]),
  writes("pmpaddr0 loses its low bit", N.pmpaddr0, (low, high) => [low & ~1, high]),
  csr("sie changes what is not delegated", (guest) => {
    const write = guest.write.bind(guest);
    guest.write = (number, low, high) => {
      if (number !== N.sie) return write(number, low, high);
      guest.read(N.mie);
      write(N.mie, (guest.low & ~0x222) | (low & 0x222), 0);
    };
  }),
  reads("sip shows what is not delegated", N.sip, (guest) => {
    guest.low = guest.pending & 0x222;
  }),
  reads("sie shows what is not delegated", N.sie, (guest) => {
    guest.low = guest.word(N.mie) & 0x222;
  }),
  reads("SD is never set", N.mstatus, (guest) => {
    guest.high &= 0x7fff_ffff;
  }),
  csr("csrrc sets", (guest) => {
    const execute = guest.execute.bind(guest);
    const [from, to] = [row("csrrc").op, row("csrrs").op];
    guest.execute = (current) => {
      if (current.op === from) current.op = to;
      return execute(current);
    };
  }),
  csr("csrrsi extends its sign", (guest) => {
    const execute = guest.execute.bind(guest);
    const op = row("csrrsi").op;
    guest.execute = (current) => {
      if (current.op !== op || current.rs1 < 16) return execute(current);
      current.rs1 |= ~31;
      return execute(current);
    };
  }),
  permitsAlways("sfence.vma"),
  permitsAlways("sret"),
  permitsAlways("wfi"),
  permitsAlways("mret"),
  csr("wfi is permitted in user mode", (guest) => {
    const permits = guest.permits.bind(guest);
    guest.permits = (asked) => permits(asked) || (asked === "wfi" && guest.mode === 0);
  }),
  after("a trap leaves MIE on", "enter", (status) => ((status & (1 << 7)) !== 0 ? status | (1 << 3) : status)),
  after("a trap to supervisor mode forgets SPP", "enter", (status) => status & ~(1 << 8)),
  after("mret leaves MPIE as it was", "leave", (status, name) =>
    name === "mret" && (status & (1 << 3)) === 0 ? status & ~(1 << 7) : status,
  ),
  after("sret leaves SPIE off", "leave", (status, name) => (name === "sret" ? status & ~(1 << 5) : status)),
  after("mret leaves MPP", "leave", (status, name) => (name === "mret" ? status | (1 << 11) : status)),
  after("returns keep MPRV", "leave", (status, name) => (name === "sret" ? status | (1 << 17) : status)),
  csr("an illegal instruction leaves no value", (guest) => {
    const enter = guest.enter.bind(guest);
    guest.enter = (cause, interrupt, low, high) => enter(cause, interrupt, !interrupt && cause === 2 ? 0 : low, high);
  }),
  csr("ebreak's value is its address", (guest) => {
    const enter = guest.enter.bind(guest);
    guest.enter = (cause, interrupt, low, high) => enter(cause, interrupt, !interrupt && cause === 3 ? 4 : low, high);
  }),
  csr("machine mode's traps are delegated", (guest) => {
    const enter = guest.enter.bind(guest);
    guest.enter = (cause, interrupt, low, high) => {
      if (guest.mode === 3 && cause === 2 && (guest.word(N.medeleg) & 4) !== 0) guest.mode = 1;
      enter(cause, interrupt, low, high);
    };
  }),
  csr("the lowest interrupt comes first", (guest) => {
    const interrupt = guest.interrupt.bind(guest);
    guest.interrupt = () => {
      const cause = interrupt();
      const ready = guest.pending & guest.word(N.mie) & (guest.mode === 3 ? ~guest.word(N.mideleg) : ~0);
      return cause < 0 ? cause : 31 - Math.clz32(ready & -ready);
    };
  }),
  csr("machine mode takes delegated interrupts", (guest) => {
    const interrupt = guest.interrupt.bind(guest);
    guest.interrupt = () => {
      const cause = interrupt();
      const ready = guest.pending & guest.word(N.mie) & guest.word(N.mideleg);
      return cause < 0 && guest.mode === 3 && (guest.status & 8) !== 0 && ready !== 0 ? 31 - Math.clz32(ready) : cause;
    };
  }),
  csr("supervisor mode waits for SIE with machine interrupts", (guest) => {
    const interrupt = guest.interrupt.bind(guest);
    guest.interrupt = () => (guest.mode === 1 && (guest.status & 2) === 0 ? -1 : interrupt());
  }),
];

// ---- translation and protection ----

const mmu = (name: string, plant: Mutant["plant"]): Mutant => ({ area: "mmu", name, plant });
const flag = (name: string, bit: keyof typeof PTE, value: number) =>
  inTables("mmu", name, () => {
    (PTE as Record<keyof typeof PTE, number>)[bit] = value;
  });
const onHart = (name: string, change: (hart: Hart) => void) =>
  mmu(name, () => (machine) => change(machine.parts.platform.hart));
type Viewer = { user: boolean; sum: boolean; mxr: boolean };
/** Changes what an access is judged by, each time the context changes. */
const sees = (name: string, viewer: "fetchViewer" | "dataViewer", change: (viewer: Viewer) => void) =>
  onHart(name, (hart) => {
    const accessor = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(hart), "context")!;
    Object.defineProperty(hart, "context", {
      get: () => accessor.get!.call(hart),
      set: (context: Hart["context"]) => {
        change(context[viewer] as Viewer);
        accessor.set!.call(hart, context);
      },
    });
  });
type Allows = (physical: number, size: number, access: number, mode: number) => boolean;
const allows = (name: string, change: (real: Allows) => Allows) =>
  onHart(name, (hart) => {
    const protect = hart.protect.bind(hart);
    hart.protect = (protection) =>
      protect(
        protection === undefined
          ? undefined
          : {
              allows: change((...operands) => protection.allows(...(operands as Parameters<typeof protection.allows>))),
            },
      );
    hart.protect(undefined);
  });
const protection = (name: string, change: (config: number, address: bigint) => readonly [number, bigint]) =>
  onGuest("mmu", name, (guest) => {
    const real = guest.protection.bind(guest);
    guest.protection = (entry) => {
      const { config, address } = real(entry);
      const [newConfig, newAddress] = change(config, address);
      return { config: newConfig, address: newAddress };
    };
  });

const MMU: readonly Mutant[] = [
  flag("U is not looked at", "U", 0),
  flag("stores need only R", "W", 2),
  flag("fetches need only R", "X", 2),
  flag("loads need X", "R", 8),
  flag("A is not looked at", "A", 1),
  flag("D is not looked at", "D", 1),
  flag("V is G", "V", 32),
  sees("SUM is always on", "dataViewer", (viewer) => {
    viewer.sum = true;
  }),
  sees("SUM is always off", "dataViewer", (viewer) => {
    viewer.sum = false;
  }),
  sees("MXR is always on", "dataViewer", (viewer) => {
    viewer.mxr = true;
  }),
  sees("MXR is always off", "dataViewer", (viewer) => {
    viewer.mxr = false;
  }),
  sees("MXR lets fetches from readable pages", "fetchViewer", (viewer) => {
    viewer.user = true;
  }),
  onHart("a leaf that was loaded through may be stored through", (hart) => {
    const { translations } = hart;
    const insert = translations.insert.bind(translations);
    translations.insert = (root, page, level, leaf) =>
      insert(root, page, level, (leaf % 8) & 2 ? leaf - (leaf % 8) + ((leaf % 8) | 4) : leaf);
  }),
  onHart("a superpage that is known is taken for a page", (hart) => {
    const { translations } = hart;
    const lookup = translations.lookup.bind(translations);
    translations.lookup = (root, page) => {
      const leaf = lookup(root, page);
      translations.level = 0;
      return leaf;
    };
  }),
  onHart("roots of one machine share their leaves", (hart) => {
    const { translations } = hart;
    const [lookup, insert] = [translations.lookup.bind(translations), translations.insert.bind(translations)];
    translations.lookup = (_, page) => lookup(1, page);
    translations.insert = (_, page, level, leaf) => insert(1, page, level, leaf);
  }),
  onHart("sfence.vma forgets nothing", (hart) => {
    hart.fence = () => {};
  }),
  onHart("sfence.vma of an address forgets nothing", (hart) => {
    const fence = hart.fence.bind(hart);
    hart.fence = (low) => (low === undefined ? fence() : undefined);
  }),
  onGuest("mmu", "MPRV is not looked at", (guest) => {
    Object.defineProperty(guest, "dataMode", { get: () => guest.mode });
  }),
  onGuest("mmu", "MPRV counts in supervisor mode as well", (guest) => {
    Object.defineProperty(guest, "dataMode", { get: () => ((guest.status & (1 << 17)) !== 0 ? 0 : guest.mode) });
  }),
  allows(
    "the PMP looks at the first byte only",
    (real) => (physical, _, access, mode) => real(physical, 1, access, mode),
  ),
  allows(
    "the PMP does not look at stores",
    (real) => (physical, size, access, mode) => real(physical, size, access === 1 ? 0 : access, mode),
  ),
  allows(
    "the PMP does not hold user mode",
    (real) => (physical, size, access, mode) => mode === 0 || real(physical, size, access, mode),
  ),
  protection("locked entries do not hold machine mode", (config, address) => [config & 0x7f, address]),
  protection("a naturally aligned region is twice as large", (config, address) => [
    config,
    (config & 0x18) === 0x18 ? address | ((address + 1n) & ~address) : address,
  ]),
  protection("a top-of-range entry is a naturally aligned one", (config, address) => [
    (config & 0x18) === 8 ? config | 0x18 : config,
    address,
  ]),
  protection("four-byte entries are off", (config, address) => [(config & 0x18) === 0x10 ? 0 : config, address]),
];

export const MUTANTS: readonly Mutant[] = [...DECODER, ...ALU, ...FP, ...CSR, ...MMU];
