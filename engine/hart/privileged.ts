/**
 * The privileged architecture's state: CSRs, mode, and what traps and returns do to them.
 *
 * One instance is the guest's: on the bare machine it is the hart's own, under a VMM the virtual CPU's. Values are kept as two 32-bit words,
 * because the hot path of a trapping guest is here and a bigint for each access would cost more than the access.
 *
 * Left out: everything that `../isa/csr.ts` leaves out.
 * Source: RISC-V privileged specification, chapters "Machine-Level ISA" and "Supervisor-Level ISA".
 *
 * @module
 */
import { CSRS, csrsOf, REGIONS } from "../isa/csr.ts";
import type { BlockKind } from "../isa/emit.ts";
import { INSTRUCTIONS } from "../isa/instructions.ts";
import type { Profile } from "../isa/profile.ts";
import type { Current } from "./current.ts";
import * as at from "./layout.ts";
import { PLAIN_CSRS } from "./lower-csr.ts";
import type { MachineMemory } from "./memory.ts";
import type { Position } from "./position.ts";
import { NO_REGIONS, type Regions, type Root, SV48 } from "./translations.ts";

export const USER = 0;
export const SUPERVISOR = 1;
export const MACHINE = 3;

/** CSR numbers that have effects of their own here. */
const N = {
  fflags: 0x001, frm: 0x002, fcsr: 0x003, sstatus: 0x100, sie: 0x104, stvec: 0x105, scounteren: 0x106, senvcfg: 0x10a, sepc: 0x141, scause: 0x142, stval: 0x143,
  sip: 0x144, stimecmp: 0x14d, satp: 0x180, sregion0: 0x5c0, mstatus: 0x300, medeleg: 0x302, mideleg: 0x303, mie: 0x304, mtvec: 0x305, mcounteren: 0x306, menvcfg: 0x30a, mepc: 0x341, mcause: 0x342,
  mtval: 0x343, mip: 0x344, pmpcfg0: 0x3a0, pmpcfg2: 0x3a2, pmpaddr0: 0x3b0, mcycle: 0xb00, minstret: 0xb02, cycle: 0xc00, time: 0xc01, instret: 0xc02,
} as const; // biome-ignore format: a table
export const CSR = N;

/** Fields of the low word of mstatus. */
export const SIE = 1 << 1;
export const MIE = 1 << 3;
export const SPIE = 1 << 5;
export const MPIE = 1 << 7;
export const SPP = 1 << 8;
const MPP_SHIFT = 11;
const MPP = 3 << MPP_SHIFT;
export const FS = 3 << 13;
const MPRV = 1 << 17;
export const SUM = 1 << 18;
export const MXR = 1 << 19;
const TVM = 1 << 20;
const TW = 1 << 21;
const TSR = 1 << 22;

/** Fields of menvcfg and senvcfg, in their low words. */
const CBIE = 3 << 4;
const CBCFE = 1 << 6;
const CBZE = 1 << 7;
/** Fields of menvcfg, in its high word. */
const ADUE = 1 << 29;
const STCE = 1 << 31;
/** The supervisor timer interrupt's bit in mip. */
const STIP = 1 << 5;

/** Interrupts in the order in which they are taken, most urgent first ("Machine Interrupt (mip and mie) Registers"). */
const PRIORITY = [11, 3, 7, 9, 1, 5] as const;

const EXISTS = 1;
const READ_ONLY = 2;
const isRegion = (number: number): boolean => number >= N.sregion0 && number < N.sregion0 + REGIONS;

/** Views' masks of the register that they show. */
const viewOf = (name: string): bigint => CSRS.find((csr) => csr.name === name)?.view?.mask ?? 0n;
const SSTATUS_LOW = Number(viewOf("sstatus") & 0xffff_ffffn);
const SSTATUS_HIGH = Number(viewOf("sstatus") >> 32n);

/** By op: how a CSR instruction changes its CSR, and whether its source is an immediate. */
const WRITE = 1;
const SET = 2;
const CLEAR = 3;
const IMMEDIATE = 4;
const access = new Uint8Array(256);
for (const { op, effects } of INSTRUCTIONS) {
  if (effects.csr === undefined) continue;
  const kind = { write: WRITE, set: SET, clear: CLEAR }[effects.csr.kind];
  access[op] = kind | (effects.csr.source === "immediate" ? IMMEDIATE : 0);
}

export class Privileged {
  mode = MACHINE;
  /** Interrupt lines that are asserted from outside: mip bits. */
  lines = 0;
  /** The value that {@link read} found. */
  low = 0;
  high = 0;
  /** Called after anything changed that translation or floating point depends on. */
  onChange: () => void = () => {};
  /** Called after a PMP register changed. */
  onProtection: () => void = () => {};

  /** Called before a trap is entered, and after a return: for whoever watches a guest from outside. */
  onTrap: ((cause: number, isInterrupt: boolean) => void) | undefined;
  onReturn: (() => void) | undefined;
  /** Called after what stimecmp has to say may have changed. */
  onCompare: () => void = () => {};

  /** In linear memory, as the wasm carries out the plain accesses by itself. */
  readonly #words: Uint32Array;
  /** By number: whether there is such a CSR, and what a write may change. */
  readonly #traits = new Uint8Array(4096);
  readonly #maskLow = new Uint32Array(4096);
  readonly #maskHigh = new Uint32Array(4096);
  /** All CSRs that hold state of their own, in the order that snapshots and digests list them. */
  readonly #state: readonly number[];
  /** Which modes satp takes, by their numbers. */
  readonly #satpModes: readonly number[];
  /** The bits of mip that are what software wrote. */
  #software = -1;
  readonly #memory: MachineMemory;
  readonly #position: Position;
  readonly #stepsPerTick: number;
  #regions: Regions = NO_REGIONS;

  constructor(options: { memory: MachineMemory; position: Position; profile: Profile }) {
    this.#memory = options.memory;
    this.#words = new Uint32Array(this.#memory.wasm.buffer, at.CSRS, 2 * 4096);
    for (const [number, kind] of PLAIN_CSRS) this.#memory.u8[at.CSR_KINDS + number] = kind;
    this.#position = options.position;
    const { extensions, satpModes, stepsPerTick } = options.profile;
    this.#stepsPerTick = stepsPerTick;
    this.#satpModes = [0, ...satpModes.map((mode) => ({ sv39: 8, sv48: 9 })[mode])];
    const csrs = csrsOf(extensions);
    for (const { number, readOnly, writable, reset } of csrs) {
      this.#traits[number] = EXISTS | (readOnly ? READ_ONLY : 0);
      this.#maskLow[number] = Number(writable & 0xffff_ffffn);
      this.#maskHigh[number] = Number(writable >> 32n);
      this.#set(number, Number(reset & 0xffff_ffffn), Number(reset >> 32n));
    }
    this.#state = csrs.filter((csr) => csr.view === undefined && csr.writable !== 0n).map((csr) => csr.number);
  }

  #set(number: number, low: number, high: number): void {
    this.#words[2 * number] = low;
    this.#words[2 * number + 1] = high;
  }
  /** The low word of a CSR that is no view and no counter. */
  word(number: number): number {
    return this.#words[2 * number]!;
  }
  #status(): number {
    const flag = at.FLOAT_DIRTY >>> 2;
    if (this.#memory.u32[flag] !== 0) {
      this.#memory.u32[flag] = 0;
      this.#words[2 * N.mstatus]! |= FS;
    }
    return this.#words[2 * N.mstatus]!;
  }
  /** mstatus, its low word, with FS as instructions left it. */
  get status(): number {
    return this.#status();
  }
  /** What translation goes by: -1 where satp is Bare. */
  get root(): Root {
    const high = this.#words[2 * N.satp + 1]!;
    const mode = high >>> 28;
    if (mode === 0) return -1;
    const low = this.#words[2 * N.satp]!;
    // Most tables lie below 2^44 bytes, and whole numbers are quicker.
    return mode === 8 && (high & 0xfff) === 0 ? low : (mode === 9 ? SV48 : 0) + (high & 0xfff) * 2 ** 32 + low;
  }
  /** The tables of the regions; another array after each write to one of their registers. */
  get regions(): Regions {
    return this.#regions;
  }
  #readRegions(): void {
    const tables = Array.from({ length: REGIONS }, (_, n) => {
      const at = 2 * (N.sregion0 + n);
      return this.#words[at + 1]! * 2 ** 32 + this.#words[at]!;
    });
    this.#regions = tables.some((table) => table !== 0) ? tables : NO_REGIONS;
  }
  /** Whether the machine sets A and D in page-table entries (menvcfg.ADUE). */
  get updates(): boolean {
    return (this.#words[2 * N.menvcfg + 1]! & ADUE) !== 0;
  }
  /** The tick of `time` from which on the timer interrupt is pending, where stimecmp decides that (menvcfg.STCE); else undefined. */
  get compare(): bigint | undefined {
    if (!this.#compares) return undefined;
    return (BigInt(this.#words[2 * N.stimecmp + 1]!) << 32n) | BigInt(this.#words[2 * N.stimecmp]!);
  }
  get #compares(): boolean {
    return (this.#words[2 * N.menvcfg + 1]! & STCE) !== 0;
  }
  get floatOn(): boolean {
    return (this.#status() & FS) !== 0;
  }
  /** The mode that loads and stores are made in: MPP's under MPRV. */
  get dataMode(): number {
    const status = this.#words[2 * N.mstatus]!;
    return this.mode === MACHINE && (status & MPRV) !== 0 ? (status & MPP) >>> MPP_SHIFT : this.mode;
  }
  /** Pending interrupts: mip. */
  get pending(): number {
    return (this.#words[2 * N.mip]! & this.#software) | this.lines;
  }

  // ---- CSR instructions ----

  /**
   * Carries out a CSR instruction on registers in the hart block.
   *
   * @returns false where it is illegal: no such CSR, too low a mode, a write to a read-only one, a switched-off counter, FS off, TVM.
   */
  execute(current: Current): boolean {
    const kind = access[current.op]!;
    const number = current.imm & 0xfff;
    const operation = kind & 3;
    const writes = operation === WRITE || current.rs1 !== 0;
    if (!this.#allowed(number, writes)) return false;
    const { u32 } = this.#memory;
    const low = (kind & IMMEDIATE) !== 0 ? current.rs1 : u32[(at.X >>> 2) + 2 * current.rs1]!;
    const high = (kind & IMMEDIATE) !== 0 ? 0 : u32[(at.X >>> 2) + 2 * current.rs1 + 1]!;
    this.read(number);
    const [oldLow, oldHigh] = [this.low, this.high];
    if (writes) {
      if (operation === WRITE) this.write(number, low, high);
      else {
        // A set or clear of mip works on what software wrote, not on the PLIC's line ("SEIP is writable…").
        const base = number === N.mip ? this.#words[2 * N.mip]! : oldLow;
        if (operation === SET) this.write(number, base | low, oldHigh | high);
        else this.write(number, base & ~low, oldHigh & ~high);
      }
    }
    if (current.rd !== 0) {
      u32[(at.X >>> 2) + 2 * current.rd] = oldLow;
      u32[(at.X >>> 2) + 2 * current.rd + 1] = oldHigh;
    }
    return true;
  }

  #allowed(number: number, writes: boolean): boolean {
    const trait = this.#traits[number]!;
    if ((trait & EXISTS) === 0 || (writes && (trait & READ_ONLY) !== 0) || ((number >>> 8) & 3) > this.mode)
      return false;
    if (number <= N.fcsr) return this.floatOn;
    if (number >= N.cycle && number < N.cycle + 32 && this.mode !== MACHINE) {
      const bit = 1 << (number & 31);
      if ((this.#words[2 * N.mcounteren]! & bit) === 0) return false;
      return this.mode === SUPERVISOR || (this.#words[2 * N.scounteren]! & bit) !== 0;
    }
    // "…when the TM bit in mcounteren is clear", or STCE, an access from below M-mode is illegal ("Sstc Extension").
    if (number === N.stimecmp && this.mode !== MACHINE)
      return this.#compares && (this.#words[2 * N.mcounteren]! & 2) !== 0;
    // TVM is there to virtualize translation, so it takes in what is not the manual's.
    if ((number === N.satp || isRegion(number)) && this.mode === SUPERVISOR)
      return (this.#words[2 * N.mstatus]! & TVM) === 0;
    return true;
  }

  /** Leaves a CSR's value in {@link low} and {@link high}. It must exist; privilege is not checked. */
  read(number: number): void {
    const words = this.#words;
    this.low = words[2 * number]!;
    this.high = words[2 * number + 1]!;
    switch (number) {
      case N.sstatus:
      case N.mstatus: {
        const status = this.#status();
        this.low = number === N.sstatus ? status & SSTATUS_LOW : status;
        const high = words[2 * N.mstatus + 1]!;
        this.high =
          ((number === N.sstatus ? high & SSTATUS_HIGH : high) | ((status & FS) === FS ? 0x8000_0000 : 0)) >>> 0;
        break;
      }
      case N.sie:
        this.low = words[2 * N.mie]! & words[2 * N.mideleg]!;
        break;
      case N.sip:
        this.low = this.pending & words[2 * N.mideleg]!;
        break;
      case N.mip:
        this.low = this.pending;
        break;
      case N.fflags:
        this.low = this.#memory.u32[at.FFLAGS >>> 2]!;
        break;
      case N.frm:
        this.low = this.#memory.u32[at.FRM >>> 2]!;
        break;
      case N.fcsr:
        this.low = this.#memory.u32[at.FFLAGS >>> 2]! | (this.#memory.u32[at.FRM >>> 2]! << 5);
        break;
      case N.time:
        this.#count(Math.floor(this.#position.time / this.#stepsPerTick));
        break;
      case N.cycle:
      case N.mcycle:
        this.#offset(this.#position.time, N.mcycle);
        break;
      case N.instret:
      case N.minstret:
        this.#offset(this.#position.instret, N.minstret);
        break;
    }
  }
  #count(value: number): void {
    this.low = value >>> 0;
    this.high = Math.floor(value / 2 ** 32) >>> 0;
  }
  /** A counter that software may set is kept as what to add to guest time's own. */
  #offset(value: number, number: number): void {
    this.#count(value);
    const low = this.low + this.#words[2 * number]!;
    this.high = (this.high + this.#words[2 * number + 1]! + (low > 0xffff_ffff ? 1 : 0)) >>> 0;
    this.low = low >>> 0;
  }

  /** Writes a CSR as far as it can be written (WARL). */
  write(number: number, low: number, high: number): void {
    this.#write(number, low, high);
    this.#noteReady();
  }
  /** Whether enabling interrupts would let one through at once, for the wasm to know. */
  #noteReady(): void {
    this.#memory.u32[at.INTERRUPT_READY >>> 2] = this.awake ? 1 : 0;
  }
  #write(number: number, low: number, high: number): void {
    const words = this.#words;
    switch (number) {
      case N.sstatus:
      case N.mstatus: {
        const mask = this.#maskLow[number]!;
        const previous = this.#status();
        let next = (previous & ~mask) | (low & mask);
        // MPP holds modes that exist; 2 does not, and leaves it as it was.
        if ((next & MPP) >>> MPP_SHIFT === 2) next = (next & ~MPP) | (words[2 * N.mstatus]! & MPP);
        words[2 * N.mstatus] = next;
        // Kernels write it mostly for interrupts, which change nothing that instructions run under.
        if (((previous ^ next) & ~(SIE | MIE | SPIE | MPIE | SPP)) !== 0) this.onChange();
        return;
      }
      case N.sie: {
        const mask = words[2 * N.mideleg]!;
        words[2 * N.mie] = (words[2 * N.mie]! & ~mask) | (low & mask & this.#maskLow[N.mie]!);
        this.onChange();
        return;
      }
      case N.sip: {
        const mask = words[2 * N.mideleg]! & this.#maskLow[N.sip]!;
        words[2 * N.mip] = (words[2 * N.mip]! & ~mask) | (low & mask);
        this.onChange();
        return;
      }
      case N.fflags:
      case N.frm:
      case N.fcsr:
        this.#writeFloat(number, low);
        return;
      case N.satp:
        // An unsupported mode leaves the whole register as it was ("…no fields in satp are modified").
        if (!this.#satpModes.includes(high >>> 28)) return;
        break;
      case N.menvcfg:
      case N.senvcfg:
        this.#writeEnvironment(number, low, high);
        return;
      case N.mip:
        this.#store(number, this.#compares ? (low & ~STIP) | (words[2 * N.mip]! & STIP) : low, high);
        this.onChange();
        return;
      case N.stimecmp:
        this.#store(number, low, high);
        this.onCompare();
        return;
      case N.stvec:
      case N.mtvec:
        if ((low & 3) > 1) return;
        break;
      case N.mcycle:
        this.#setCounter(N.mcycle, this.#position.time, low, high);
        return;
      case N.minstret:
        // The write takes effect after the instruction, whose own retirement it overrides.
        this.#setCounter(N.minstret, this.#position.instret + 1, low, high);
        return;
      case N.pmpcfg0:
      case N.pmpcfg2:
        this.#writeProtection(number, low, high);
        return;
    }
    if (number >= N.pmpaddr0 && number < N.pmpaddr0 + 16 && this.#locked(number - N.pmpaddr0)) return;
    this.#store(number, low, high);
    if (number >= N.pmpaddr0 && number < N.pmpaddr0 + 16) this.onProtection();
    else if (isRegion(number)) {
      this.#readRegions();
      this.onChange();
    } else if (number === N.satp || number === N.mie || number === N.mideleg) this.onChange();
  }
  /** Writes the bits that can be written. */
  #store(number: number, low: number, high: number): void {
    const words = this.#words;
    words[2 * number] = (words[2 * number]! & ~this.#maskLow[number]!) | (low & this.#maskLow[number]!);
    words[2 * number + 1] = (words[2 * number + 1]! & ~this.#maskHigh[number]!) | (high & this.#maskHigh[number]!);
  }
  #writeEnvironment(number: number, low: number, high: number): void {
    // CBIE = 2 is reserved: the field stays as it was.
    const kept = (low & CBIE) >>> 4 === 2 ? (low & ~CBIE) | (this.#words[2 * number]! & CBIE) : low;
    const compared = this.#compares;
    this.#store(number, kept, high);
    this.#software = this.#compares ? ~STIP : -1;
    if (this.#compares !== compared) this.onCompare();
    this.onChange();
  }
  #writeFloat(number: number, low: number): void {
    const { u32 } = this.#memory;
    if (number !== N.frm) u32[at.FFLAGS >>> 2] = low & 31;
    if (number === N.frm) u32[at.FRM >>> 2] = low & 7;
    else if (number === N.fcsr) u32[at.FRM >>> 2] = (low >>> 5) & 7;
    this.#words[2 * N.mstatus]! |= FS;
  }
  #setCounter(number: number, now: number, low: number, high: number): void {
    const offset = BigInt.asUintN(64, (BigInt(high >>> 0) << 32n) + BigInt(low >>> 0) - BigInt(now));
    this.#set(number, Number(offset & 0xffff_ffffn), Number(offset >> 32n));
  }

  // ---- physical memory protection ----

  /** The configuration byte of a PMP entry, and its address register as a bigint. */
  protection(entry: number): { readonly config: number; readonly address: bigint } {
    const word = this.#words[2 * (entry < 8 ? N.pmpcfg0 : N.pmpcfg2) + ((entry >> 2) & 1)]!;
    const number = N.pmpaddr0 + entry;
    return {
      config: (word >>> (8 * (entry & 3))) & 0xff,
      address: (BigInt(this.#words[2 * number + 1]!) << 32n) | BigInt(this.#words[2 * number]!),
    };
  }
  #locked(entry: number): boolean {
    if ((this.protection(entry).config & 0x80) !== 0) return true;
    // A locked top-of-range entry locks the address below it as well.
    const above = entry < 15 ? this.protection(entry + 1).config : 0;
    return (above & 0x98) === 0x88;
  }
  #writeProtection(number: number, low: number, high: number): void {
    const first = number === N.pmpcfg0 ? 0 : 8;
    const old = [this.#words[2 * number]!, this.#words[2 * number + 1]!];
    const next = [0, 0];
    for (let i = 0; i < 8; i++) {
      const shift = 8 * (i & 3);
      let config = ((i < 4 ? low : high) >>> shift) & 0x9f;
      // W without R is reserved, and a locked entry ignores writes.
      if ((this.protection(first + i).config & 0x80) !== 0 || (config & 3) === 2)
        config = (old[i >> 2]! >>> shift) & 0xff;
      next[i >> 2]! |= config << shift;
    }
    this.#set(number, next[0]!, next[1]!);
    this.onProtection();
  }

  /** Whether a cache-block instruction may be executed in this mode ("CMO Extensions", CBIE, CBCFE and CBZE). */
  permitsBlock(kind: BlockKind): boolean {
    const bits = kind === "zero" ? CBZE : kind === "inval" ? CBIE : CBCFE;
    if (this.mode !== MACHINE && (this.#words[2 * N.menvcfg]! & bits) === 0) return false;
    return this.mode !== USER || (this.#words[2 * N.senvcfg]! & bits) !== 0;
  }

  // ---- traps and returns ----

  /** The most urgent interrupt that is pending, enabled and deliverable now, or -1. */
  interrupt(): number {
    const words = this.#words;
    const ready = this.pending & words[2 * N.mie]!;
    if (ready === 0) return -1;
    const status = words[2 * N.mstatus]!;
    const delegated = words[2 * N.mideleg]!;
    let deliverable = 0;
    if (this.mode < MACHINE || (status & MIE) !== 0) deliverable |= ready & ~delegated;
    if (this.mode < SUPERVISOR || (this.mode === SUPERVISOR && (status & SIE) !== 0)) deliverable |= ready & delegated;
    if (deliverable === 0) return -1;
    // All that M-mode takes comes before all that S-mode takes.
    for (const level of [deliverable & ~delegated, deliverable & delegated]) {
      for (const cause of PRIORITY) if ((level & (1 << cause)) !== 0) return cause;
    }
    return -1;
  }
  /** Whether wfi has something to wake for: enabled one by one, whatever mstatus says. */
  get awake(): boolean {
    return (this.pending & this.#words[2 * N.mie]!) !== 0;
  }

  /**
   * Enters the handler of a trap: the cause, pc and value registers, the stack of interrupt enables, the mode, and pc in the hart block.
   *
   * @param cause Without the interrupt bit.
   */
  enter(cause: number, isInterrupt: boolean, valueLow: number, valueHigh: number): void {
    this.onTrap?.(cause, isInterrupt);
    const words = this.#words;
    const { u32 } = this.#memory;
    const pcWord = at.PC >>> 2;
    const delegated = (words[2 * (isInterrupt ? N.mideleg : N.medeleg)]! & (1 << cause)) !== 0;
    const toSupervisor = this.mode !== MACHINE && delegated;
    const [epc, causeCsr, tval, tvec] = toSupervisor
      ? [N.sepc, N.scause, N.stval, N.stvec]
      : [N.mepc, N.mcause, N.mtval, N.mtvec];
    this.#set(epc, u32[pcWord]! & ~1, u32[pcWord + 1]!);
    this.#set(causeCsr, cause, isInterrupt ? 0x8000_0000 : 0);
    this.#set(tval, valueLow, valueHigh);
    let status = this.#status();
    if (toSupervisor) {
      status =
        (status & ~(SPIE | SPP | SIE)) | ((status & SIE) !== 0 ? SPIE : 0) | (this.mode === SUPERVISOR ? SPP : 0);
      this.mode = SUPERVISOR;
    } else {
      status = (status & ~(MPIE | MPP | MIE)) | ((status & MIE) !== 0 ? MPIE : 0) | (this.mode << MPP_SHIFT);
      this.mode = MACHINE;
    }
    words[2 * N.mstatus] = status;
    const vector = words[2 * tvec]!;
    const low = ((vector & ~3) >>> 0) + (isInterrupt && (vector & 1) !== 0 ? 4 * cause : 0);
    u32[pcWord] = low;
    u32[pcWord + 1] = words[2 * tvec + 1]! + (low > 0xffff_ffff ? 1 : 0);
    this.onChange();
  }

  /** Whether sret, mret, wfi or sfence.vma may be executed in this mode. */
  permits(instruction: "sret" | "mret" | "wfi" | "sfence.vma"): boolean {
    const status = this.#words[2 * N.mstatus]!;
    if (this.mode === MACHINE) return true;
    if (instruction === "mret" || this.mode === USER) return false;
    return (status & (instruction === "sret" ? TSR : instruction === "wfi" ? TW : TVM)) === 0;
  }

  /** sret or mret: pops the stack of interrupt enables, and sets the mode and pc. */
  leave(instruction: "sret" | "mret"): void {
    const words = this.#words;
    let status = this.#status();
    const from = this.mode;
    const epc = instruction === "sret" ? N.sepc : N.mepc;
    if (instruction === "sret") {
      this.mode = (status & SPP) !== 0 ? SUPERVISOR : USER;
      status = (status & ~(SIE | SPP | MPRV)) | ((status & SPIE) !== 0 ? SIE : 0) | SPIE;
    } else {
      const to = (status & MPP) >>> MPP_SHIFT;
      status = (status & ~(MIE | MPP)) | ((status & MPIE) !== 0 ? MIE : 0) | MPIE;
      if (to !== MACHINE) status &= ~MPRV;
      this.mode = to;
    }
    words[2 * N.mstatus] = status;
    const { u32 } = this.#memory;
    u32[at.PC >>> 2] = words[2 * epc]!;
    u32[(at.PC >>> 2) + 1] = words[2 * epc + 1]!;
    // Below machine mode, only the mode decides what instructions run under of all that has changed here.
    if (this.mode !== from || from === MACHINE) this.onChange();
    this.onReturn?.();
  }

  // ---- state ----

  /** Mode, lines and all CSRs, for digests and snapshots. fcsr is in the hart block. */
  save(): Uint32Array {
    this.#status();
    const out = new Uint32Array(2 + 2 * this.#state.length);
    out[0] = this.mode;
    out[1] = this.lines;
    for (const [i, number] of this.#state.entries()) {
      out[2 + 2 * i] = this.#words[2 * number]!;
      out[3 + 2 * i] = this.#words[2 * number + 1]!;
    }
    return out;
  }
  /** @throws {RangeError} If the state is not of this register file. */
  load(state: Uint32Array): void {
    if (state.length !== 2 + 2 * this.#state.length) {
      throw new RangeError(
        `Cannot load CSRs as a state has ${2 + 2 * this.#state.length} words: it has ${state.length}`,
      );
    }
    this.mode = state[0]!;
    this.lines = state[1]!;
    for (const [i, number] of this.#state.entries()) this.#set(number, state[2 + 2 * i]!, state[3 + 2 * i]!);
    this.#software = this.#compares ? ~STIP : -1;
    this.#readRegions();
    this.#noteReady();
    this.onChange();
    this.onProtection();
  }

  /** Sets a pending bit that software clears, as firmware does for a software interrupt. */
  raise(bit: number): void {
    this.#words[2 * N.mip]! |= 1 << bit;
    this.#noteReady();
  }

  /** Drives one of the interrupt lines. */
  setLine(bit: number, asserted: boolean): void {
    this.lines = asserted ? this.lines | (1 << bit) : this.lines & ~(1 << bit);
    this.#noteReady();
  }
}
