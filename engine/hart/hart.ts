/**
 * A hart: it runs instructions until its budget is used up or something happens that its owner must decide.
 *
 * Here are fetch, decode, translation, memory and the plain instructions, in whatever tier. What a trap, a CSR or a return does is the owner's:
 * the bare machine lets the privileged architecture act (`../machine/native.ts`), a VMM takes it as an exit (`../vmm/vmm.ts`).
 *
 * @module
 */

import { type Decoded, decoderFor } from "../isa/decode.ts";
import type { BlockKind, MemorySize } from "../isa/emit.ts";
import { ACCESS_CAUSE, MemoryAccess, PAGE_CAUSE, type PhysicalBus } from "./access.ts";
import { Context } from "./context.ts";
import { Current } from "./current.ts";
import { DecodeCache, KIND_CSR, KIND_MARK, KIND_OF_OP, KIND_SYSTEM } from "./decode-cache.ts";
import { CAUSE, type Environment, Evaluator, Trap } from "./evaluate.ts";
import { type InterpreterExports, instantiateInterpreter } from "./interpreter.ts";
import { Jit, regionTable } from "./jit.ts";
import * as at from "./layout.ts";
import type { MachineMemory } from "./memory.ts";
import {
  ACCESS,
  ACCESS_FAULT,
  type Access,
  PAGE_FAULT,
  permits,
  physicalOf,
  updated,
  type Viewer,
  type Walk,
  walk,
} from "./paging.ts";
import type { Position } from "./position.ts";
import { TlbBanks } from "./tlb.ts";
import { canonical, flagsOf, NO_REGIONS, pageOf, type Regions, spaceOf, type Translations } from "./translations.ts";
import { Watches } from "./watches.ts";

/** Why {@link Hart.run} returned. */
export const STOP = { budget: 0, trap: 1, csr: 2, system: 3, mark: 4, device: 5, watch: 6 } as const;
export type Stop = (typeof STOP)[keyof typeof STOP];
/** How plain instructions are carried out; nothing about a run depends on it. */
export type Tier = "reference" | "interpreter" | "jit";
/** Jumps to a place before it is compiled. */
const HOT = 4000;

/** Whether physical memory may be accessed (PMP); `whole` asks for every byte of the page. */
export interface Protection {
  allows(physical: number, size: number, access: Access, mode: number): boolean;
}

export class Hart implements Environment {
  readonly memory: MachineMemory;
  readonly position: Position;
  readonly translations: Translations;
  readonly decoded: DecodeCache;
  readonly watches = new Watches();
  readonly x: BigUint64Array;
  readonly f: BigUint64Array;
  readonly tier: Tier;
  /** Filled by stops of kinds csr, system, mark, and by traps. */
  readonly current = new Current(() => this.#bitsAtSlot());
  /** Filled by trap stops: the cause, and stval or mtval as two words. */
  cause = 0;
  valueLow = 0;
  valueHigh = 0;
  /** Whether the instruction that TypeScript carried out last is the VMM's own, relative to x0. */
  own = false;
  /** Page-table entries read by walks so far. */
  readonly walked: Walk = { steps: 0, level: 0, entry: 0 };

  /** Whether a walk may read an entry. */
  readonly #walkable = (physical: number): boolean => this.#protection?.allows(physical, 8, ACCESS.load, 1) !== false;
  readonly #core: InterpreterExports;
  readonly #jit: Jit | undefined;
  readonly #tlb: TlbBanks;
  readonly #access: MemoryAccess;
  readonly #evaluator: Evaluator;
  #protection: Protection | undefined;
  #context = new Context({
    mode: 3,
    dataMode: 3,
    root: -1,
    sum: false,
    mxr: false,
    float: false,
    updates: false,
  });
  #regions: Regions = NO_REGIONS;
  #watchedFrame = -1;
  #fetchBank = 0;
  #dataBank = 0;

  /** @param options `extensions`: what the machine has, as in an ISA string. */
  constructor(options: {
    memory: MachineMemory;
    position: Position;
    translations: Translations;
    bus: PhysicalBus;
    extensions: readonly string[];
    tier: Tier;
    threshold?: number;
  }) {
    this.memory = options.memory;
    this.position = options.position;
    this.translations = options.translations;
    this.tier = options.tier;
    this.x = new BigUint64Array(this.memory.wasm.buffer, at.X, 32);
    this.f = new BigUint64Array(this.memory.wasm.buffer, at.F, 32);
    const table = options.tier === "jit" ? regionTable() : undefined;
    this.#core = instantiateInterpreter(this.memory.wasm, table === undefined ? 0 : (options.threshold ?? HOT), table);
    this.#tlb = new TlbBanks(this.memory);
    this.decoded = new DecodeCache(this.memory, decoderFor(options.extensions), this.watches);
    if (table !== undefined) this.#jit = new Jit(this.memory, this.decoded, table, this.#core);
    this.decoded.onRelease = () => this.#tlb.flush();
    this.translations.onDrop = () => this.#tlb.flush();
    this.#access = new MemoryAccess({
      memory: this.memory,
      bus: options.bus,
      decoded: this.decoded,
      translate: (low, high, access, size) => this.#translate(low, high, access, size),
      holds: (physical, size) => this.memory.holds(physical, size),
    });
    this.#evaluator = new Evaluator(this);
    this.context = this.#context;
  }

  get pc(): bigint {
    return this.memory.u64[at.PC >>> 3]!;
  }
  set pc(value: bigint) {
    this.memory.u64[at.PC >>> 3] = value;
  }
  get pcLow(): number {
    return this.memory.u32[at.PC >>> 2]!;
  }
  get pcHigh(): number {
    return this.memory.u32[(at.PC >>> 2) + 1]!;
  }

  get context(): Context {
    return this.#context;
  }
  /** Sets what the coming instructions run under. Cheap: TLB banks are kept by address space and mode. */
  set context(context: Context) {
    this.#context = context;
    this.#dataBank = this.#tlb.select(context.dataKey);
    this.#fetchBank = context.fetchKey === context.dataKey ? this.#dataBank : this.#tlb.select(context.fetchKey);
    const { u32 } = this.memory;
    u32[at.READ_TLB >>> 2] = this.#tlb.address(this.#dataBank, ACCESS.load);
    u32[at.WRITE_TLB >>> 2] = this.#tlb.address(this.#dataBank, ACCESS.store);
    u32[at.FETCH_TLB >>> 2] = this.#tlb.address(this.#fetchBank, ACCESS.fetch);
    u32[at.FLOAT_OFF >>> 2] = context.float ? 0 : 1;
    u32[at.OWN_PAGE >>> 2] = context.own < 0 ? 0 : this.memory.linear(context.own * 4096) + 4096;
  }

  /** The tables of the regions that translation goes by. The banks are kept by root alone, so they forget what they hold of others. */
  set regions(regions: Regions) {
    if (regions === this.#regions) return;
    this.#regions = regions;
    this.#tlb.flush();
  }

  /** Puts physical memory protection in place; TLBs forget what they allowed before. */
  protect(protection: Protection | undefined): void {
    this.#protection = protection;
    this.#tlb.flush();
  }

  /** sfence.vma over everything, or over the page of one address. */
  fence(low?: number, high = 0): void {
    if (low === undefined) {
      this.translations.clear();
      this.#tlb.flush();
    } else if (this.translations.fence(low, high) > 0) this.#tlb.flush();
    else this.#tlb.flushPage(low, high | 0);
  }

  /** Makes every store to a doubleword of RAM known, and ends the run's slice at it. */
  watch(physical: number, onStore: () => void): void {
    this.#watchedFrame = this.memory.frame(physical);
    this.#access.watch = { physical, onStore };
    this.#tlb.flushWrites();
  }

  /** What {@link watch} has been told to watch, for whoever stores in the hart's place. */
  get watched(): MemoryAccess["watch"] {
    return this.#access.watch;
  }

  /** Forgets what is cached of the translations, for when those were replaced. */
  forget(): void {
    this.#tlb.flush();
  }

  /** Says that RAM was written from outside the hart: decoded code follows, and a reservation on it ends (T12). */
  written(physical: number, length: number): void {
    this.decoded.written(physical, length);
    const reserved = this.memory.u32[at.RESERVATION >>> 2]!;
    const start = this.memory.linear(physical);
    if (reserved !== 0 && reserved < start + length && reserved + 8 > start) this.memory.u32[at.RESERVATION >>> 2] = 0;
  }

  /** Ends the reservation, as a guest-visible trap and an xRET do. */
  dropReservation(): void {
    this.memory.u32[at.RESERVATION >>> 2] = 0;
  }

  /** Makes every first store to a page visible again, so that digests and snapshots need look at written pages only. */
  watchWrites(): void {
    this.#tlb.flushWrites();
  }

  /** Hashes a linear range (a multiple of 32 bytes). */
  hash(linear: number, length: number, seed: number): bigint {
    this.#core.hash(linear, length, seed);
    return this.memory.u64[at.SCRATCH >>> 3]!;
  }

  /**
   * Runs at most `budget` instructions, and moves the position on by those that completed.
   *
   * @returns One of {@link STOP}. The instruction of a trap, csr, system or mark stop has not completed: the owner says what becomes of it.
   */
  run(budget: number): Stop {
    if (this.tier === "reference") return this.#runReference(budget);
    const { u32 } = this.memory;
    let remaining = budget;
    if (this.#jit?.due(this.position.step) === true) this.#jit.compile();
    for (;;) {
      u32[at.BUDGET >>> 2] = remaining;
      const code = this.#core.run();
      const left = u32[at.BUDGET >>> 2]!;
      this.position.retire(remaining - left);
      remaining = left;
      switch (code) {
        case at.EXIT_BUDGET:
          return STOP.budget;
        case at.EXIT_FETCH: {
          const filled = this.#fillFetch();
          if (filled === "trap") return STOP.trap;
          if (filled === "page") break;
          const before = this.position.step;
          const stop = this.#runReference(1);
          if (stop !== STOP.budget) return stop;
          remaining -= this.position.step - before;
          break;
        }
        case at.EXIT_HOT:
          this.#jit?.note(u32[at.EXIT_SLOT >>> 2]!, this.position.step);
          if (this.#jit?.due(this.position.step) === true) this.#jit.compile();
          break;
        case at.EXIT_DECODE:
          this.decoded.decode(u32[at.EXIT_SLOT >>> 2]!);
          break;
        case at.EXIT_LOAD:
        case at.EXIT_STORE: {
          if (this.#fillData(code === at.EXIT_LOAD ? ACCESS.load : ACCESS.store)) break;
          const before = this.position.step;
          const stop = this.#evaluateSlot();
          if (stop !== STOP.budget) return stop;
          remaining -= this.position.step - before;
          break;
        }
        case at.EXIT_EVALUATE: {
          const before = this.position.step;
          const stop = this.#dispatch();
          if (stop !== STOP.budget) return stop;
          remaining -= this.position.step - before;
          break;
        }
        case at.EXIT_ILLEGAL:
          this.#readSlot();
          return this.#illegal();
        default:
          throw new RangeError(`Cannot run as the core must leave for a known reason: ${code}`);
      }
    }
  }

  /** Runs one machine instruction, whatever it weighs, for an owner that looks before each. */
  step(): Stop {
    return this.#runReference(1, true);
  }

  /** Counts the current instruction as completed and moves pc behind it. */
  complete(): void {
    this.position.retire(1);
    const { u32 } = this.memory;
    const low = u32[at.PC >>> 2]!;
    const next = low + this.current.length;
    u32[at.PC >>> 2] = next;
    if (next > 0xffff_ffff) u32[(at.PC >>> 2) + 1]! += 1;
  }

  /** Makes the current stop an illegal-instruction exception. */
  illegal(): Stop {
    return this.#illegal();
  }
  #illegal(): Stop {
    return this.#trap(CAUSE.illegal, this.current.bits, 0);
  }
  #trap(cause: number, low: number, high: number): Stop {
    this.cause = cause;
    this.valueLow = low >>> 0;
    this.valueHigh = high >>> 0;
    return STOP.trap;
  }

  // ---- the instruction at a slot ----

  #readSlot(): void {
    const { u8, i32, u32 } = this.memory;
    const slot = u32[at.EXIT_SLOT >>> 2]!;
    const current = this.current;
    current.op = this.decoded.trueOp(slot);
    current.rd = u8[slot + 1]! & 31;
    current.rs1 = u8[slot + 2]!;
    current.rs2 = u8[slot + 3]!;
    const word = i32[(slot + 4) >>> 2]!;
    current.imm = word >> 8;
    current.length = u8[slot + 4]! >>> 2;
    current.forget();
  }
  /** The bits of the instruction at the slot that the core left at. */
  #bitsAtSlot(): number {
    const { u8, u32 } = this.memory;
    const byte = this.decoded.linearOf(u32[at.EXIT_SLOT >>> 2]!);
    const low = u8[byte]! | (u8[byte + 1]! << 8);
    return (low & 3) === 3 ? (low | (u8[byte + 2]! << 16) | (u8[byte + 3]! << 24)) >>> 0 : low;
  }

  #dispatch(): Stop {
    const watched = this.memory.u8[this.memory.u32[at.EXIT_SLOT >>> 2]!] === at.OP_WATCHED;
    if (watched && this.watches.reached(this.pc, this.position.step)) return STOP.watch;
    this.#readSlot();
    if (this.current.op === at.OP_STRADDLE) return this.#straddle();
    if (this.current.op === at.OP_ILLEGAL) return this.#illegal();
    switch (KIND_OF_OP[this.current.op]) {
      case KIND_CSR:
        return STOP.csr;
      case KIND_SYSTEM:
        return STOP.system;
      case KIND_MARK:
        return STOP.mark;
      default:
        return this.#evaluateCurrent(this.decoded.physicalOf(this.memory.u32[at.EXIT_SLOT >>> 2]!));
    }
  }
  #evaluateSlot(): Stop {
    this.#readSlot();
    return this.#evaluateCurrent(this.decoded.physicalOf(this.memory.u32[at.EXIT_SLOT >>> 2]!));
  }
  /** Carries out the instruction of a stop by its semantics, for an owner that has seen that it may. */
  evaluate(): Stop {
    return this.#evaluateCurrent(-1);
  }
  #evaluateCurrent(physical: number): Stop {
    const { bits } = this.current;
    const decoded = this.decoded.decodeAt(bits & 0xffff, bits >>> 16);
    return decoded === undefined ? this.#illegal() : this.#evaluate(decoded, physical);
  }
  /** @param physical Where it lies, or -1. @returns `STOP.budget` where the instruction completed and the run goes on. */
  #evaluate(decoded: Decoded, physical: number): Stop {
    const { weight } = decoded.instruction;
    this.#access.deviceAnswered = false;
    this.own = physical >= 0 && decoded.rs1 === 0 && this.decoded.isOwn(physical);
    try {
      this.pc = this.#evaluator.run(decoded, this.current.bits, this.pc);
    } catch (trap) {
      if (!(trap instanceof Trap)) throw trap;
      return this.#trap(trap.cause, Number(trap.value & 0xffff_ffffn), Number(trap.value >> 32n));
    }
    const counts = physical < 0 ? weight : this.decoded.weightAt(physical, weight);
    if (counts < weight) this.memory.u32[at.WEIGHTLESS >>> 2]!++;
    this.position.retire(counts);
    return this.#access.deviceAnswered ? STOP.device : STOP.budget;
  }

  /** Fetches an instruction whose second half lies on the next page (T13: both translated before any effect). */
  #straddle(): Stop {
    const pc = this.pc;
    const half = (address: bigint): number => {
      const physical = this.#access.physical(address, ACCESS.fetch, 2);
      if (!this.memory.holds(physical, 2)) throw new Trap(CAUSE.fetchAccess, address);
      return Number(this.memory.read(physical, 2));
    };
    try {
      const low = half(pc);
      return this.#single(low, half(BigInt.asUintN(64, pc + 2n)), -1);
    } catch (trap) {
      if (!(trap instanceof Trap)) throw trap;
      return this.#trap(trap.cause, Number(trap.value & 0xffff_ffffn), Number(trap.value >> 32n));
    }
  }
  /**
   * Makes the instruction of two halves the current one, for an owner that has read them itself; `high` may be anything behind a compressed one.
   *
   * @returns undefined where it is illegal: only its bits and length are then known.
   */
  decode(low: number, high: number): Decoded | undefined {
    const current = this.current;
    const wide = (low & 3) === 3;
    current.length = wide ? 4 : 2;
    current.bits = wide ? (low | (high << 16)) >>> 0 : low;
    const decoded = this.decoded.decodeAt(low, high);
    if (decoded === undefined) return undefined;
    current.op = decoded.instruction.op;
    current.rd = decoded.rd;
    current.rs1 = decoded.rs1;
    current.rs2 = decoded.rs2;
    current.imm = decoded.imm;
    return decoded;
  }

  /** Carries out one instruction from its halves, or stops for what its owner must decide. */
  #single(low: number, high: number, physical: number): Stop {
    const decoded = this.decode(low, high);
    if (decoded === undefined) return this.#illegal();
    switch (KIND_OF_OP[this.current.op]) {
      case KIND_CSR:
        return STOP.csr;
      case KIND_SYSTEM:
        return STOP.system;
      case KIND_MARK:
        return STOP.mark;
      default:
        return this.#evaluate(decoded, physical);
    }
  }

  #runReference(budget: number, single = false): Stop {
    let remaining = budget;
    for (; remaining > 0; remaining = single ? 0 : remaining) {
      const pc = this.pc;
      const physical = this.#translate(this.pcLow, this.pcHigh, ACCESS.fetch, 2);
      if (physical < 0 || !this.memory.holds(physical, 2)) {
        return this.#trap((physical === PAGE_FAULT ? PAGE_CAUSE : ACCESS_CAUSE)[ACCESS.fetch], this.pcLow, this.pcHigh);
      }
      if (this.watches.any && this.watches.reached(pc, this.position.step)) return STOP.watch;
      const low = Number(this.memory.read(physical, 2));
      const wide = (low & 3) === 3;
      const before = this.position.step;
      const straddles = wide && (pc & 4095n) === 4094n;
      if (wide && !straddles && this.#protection?.allows(physical + 2, 2, ACCESS.fetch, this.#context.mode) === false) {
        const behind = BigInt.asUintN(64, pc + 2n);
        return this.#trap(CAUSE.fetchAccess, Number(behind & 0xffff_ffffn), Number(behind >> 32n));
      }
      const stop = straddles
        ? this.#straddle()
        : this.#single(low, wide ? Number(this.memory.read(physical + 2, 2)) : 0, physical);
      if (stop !== STOP.budget) return stop;
      remaining -= this.position.step - before;
    }
    return STOP.budget;
  }

  // ---- translation ----

  /**
   * Translates for an access that lies in one page.
   *
   * @returns The physical address, or {@link PAGE_FAULT}, or {@link ACCESS_FAULT}.
   */
  #translate(low: number, high: number, access: Access, size: number): number {
    const fetch = access === ACCESS.fetch;
    if (this.own && !fetch && this.#context.own >= 0) return this.#context.own * 4096 + (low & 4095);
    const mode = fetch ? this.#context.mode : this.#context.dataMode;
    let physical: number;
    if (mode === 3 || this.#context.root < 0) {
      if (high >>> 0 >= 0x20_0000) return ACCESS_FAULT;
      physical = (high >>> 0) * 2 ** 32 + (low >>> 0);
    } else {
      const { root } = this.#context;
      if (!canonical(root, high)) return PAGE_FAULT;
      const leaf = this.#leaf(
        pageOf(root, low, high),
        access,
        fetch ? this.#context.fetchViewer : this.#context.dataViewer,
      );
      if (leaf < 0) return leaf;
      physical = physicalOf(leaf, this.translations.level, low, high);
    }
    if (this.#protection !== undefined && !this.#protection.allows(physical, size, access, mode)) return ACCESS_FAULT;
    return physical;
  }
  #leaf(page: number, access: Access, viewer: Viewer): number {
    const root = spaceOf(this.#context.root, page, this.#regions);
    const known = this.translations.lookup(root, page);
    if (known >= 0 && permits(known, access, viewer)) return known;
    const protection = this.#protection;
    let found = walk(this.memory, root, page, this.walked, this.#walkable);
    if (found < 0) return found;
    if (!permits(found, access, viewer)) {
      const marked = updated(found, access);
      if (!this.#context.updates || !permits(marked, access, viewer)) return PAGE_FAULT;
      const { entry } = this.walked;
      if (protection !== undefined && !protection.allows(entry, 8, ACCESS.store, 1)) return ACCESS_FAULT;
      this.#access.write(entry, 1, BigInt(flagsOf(marked)));
      found = marked;
    }
    const level = this.walked.level;
    this.translations.insert(root, page, level, found);
    this.translations.level = level;
    return found;
  }
  /**
   * @returns `page` where the fetch at pc can go on; `one` where only some of the page may be fetched, so that each instruction needs a look
   * of its own; or `trap`, which is then set.
   */
  #fillFetch(): "page" | "one" | "trap" {
    const [low, high] = [this.pcLow, this.pcHigh];
    const physical = this.#translate(low, high, ACCESS.fetch, 2);
    const fault = physical === PAGE_FAULT ? PAGE_CAUSE : ACCESS_CAUSE;
    if (physical < 0 || !this.memory.holds(physical, 2)) {
      this.#trap(fault[ACCESS.fetch], low, high);
      return "trap";
    }
    const { mode } = this.#context;
    if (this.#protection?.allows(physical - (physical % 4096), 4096, ACCESS.fetch, mode) === false) return "one";
    const frame = this.memory.frame(physical);
    // Its stores must be seen from now on.
    if (!this.decoded.holds(frame)) this.#tlb.flushWrites();
    this.#tlb.fill(this.#fetchBank, ACCESS.fetch, low, high, this.decoded.slots(frame));
    return "page";
  }
  /** @returns Whether the access can be tried again in wasm; if not, the instruction is the evaluator's. */
  #fillData(access: typeof ACCESS.load | typeof ACCESS.store): boolean {
    const { u32 } = this.memory;
    this.own = false;
    const low = u32[at.EXIT_ADDRESS >>> 2]!;
    const high = u32[(at.EXIT_ADDRESS >>> 2) + 1]!;
    const physical = this.#translate(low, high, access, 1);
    if (physical < 0) return false;
    const start = physical - (low & 4095);
    if (!this.memory.holds(start, 4096)) return false;
    const frame = this.memory.frame(start);
    if (access === ACCESS.store && (this.decoded.holds(frame) || frame === this.#watchedFrame)) return false;
    if (this.#protection !== undefined && !this.#protection.allows(start, 4096, access, this.#context.dataMode))
      return false;
    const value = (this.memory.linear(start) - (low & ~4095)) | 0;
    const bank =
      this.#tlb.address(this.#dataBank, access) + ((low >>> 8) & ((at.TLB_ENTRIES - 1) * at.TLB_ENTRY_BYTES));
    // Already there: what is left is misalignment, which the evaluator judges.
    if (u32[bank >>> 2] === (low & ~4095) >>> 0 && u32[(bank >>> 2) + 1] === high) return false;
    if (access === ACCESS.store) this.memory.dirty[frame] = 1;
    this.#tlb.fill(this.#dataBank, access, low, high | 0, value);
    return true;
  }

  // ---- Environment: what the evaluator acts on ----

  load(address: bigint, size: MemorySize, access: "load" | "reserve" | "amo"): bigint {
    return this.#access.load(address, size, access);
  }
  store(address: bigint, size: MemorySize, value: bigint): void {
    this.#access.store(address, size, value);
  }
  reserve(address: bigint): void {
    this.#access.reserve(address);
  }
  takeReservation(address: bigint, size: 4 | 8): boolean {
    return this.#access.takeReservation(address, size);
  }
  block(kind: BlockKind, address: bigint): void {
    this.#access.block(kind, address);
  }
  csr(): void {
    throw new TypeError(
      "Cannot evaluate a CSR instruction as the hart's owner must decide it: it reached the evaluator",
    );
  }
  system(): void {
    // Only fence.i comes here, and decoded code follows stores at once.
  }
  mark(): void {
    throw new TypeError("Cannot evaluate a mark as the hart's owner must log it: it reached the evaluator");
  }
  floatOn(): boolean {
    return this.#context.float;
  }
  dirtyFloat(): void {
    this.memory.u32[at.FLOAT_DIRTY >>> 2] = 1;
  }
  frm(): number {
    return this.memory.u32[at.FRM >>> 2]!;
  }
  accrue(flags: number): void {
    this.memory.u32[at.FFLAGS >>> 2]! |= flags;
  }
}
