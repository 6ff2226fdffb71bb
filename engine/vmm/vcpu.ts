/**
 * The virtual CPU: the guest's privileged state, and how the VMM acts on it for an instruction that trapped.
 *
 * @module
 */
import { KIND_NUMBER } from "../event/record.ts";
import { MemoryAccess } from "../hart/access.ts";
import { KIND_CSR, KIND_MARK, KIND_OF_OP, KIND_SYSTEM } from "../hart/decode-cache.ts";
import { CAUSE, type Environment, Evaluator, Trap } from "../hart/evaluate.ts";
import * as at from "../hart/layout.ts";
import { MACHINE, SUPERVISOR, USER } from "../hart/privileged.ts";
import { INSTRUCTIONS } from "../isa/instructions.ts";
import type { Platform } from "../machine/platform.ts";
import type { GuestMemory } from "./guest-memory.ts";

const RETURN = KIND_NUMBER["guest.return"];
const TRAP = KIND_NUMBER["guest.trap"];
const INTERRUPT = KIND_NUMBER.interrupt;
const INJECT = KIND_NUMBER["vmm.inject"];
const WORK = KIND_NUMBER["vmm.work"];

/** Kinds of VMM work that a cost model prices. */
export type Work =
  | "decode"
  | "emulate"
  | "walk-step"
  | "shadow-fill"
  | "root-switch"
  | "device"
  | "copy"
  | "stub"
  | "wedge"
  | "scan"
  | "patch"
  | "call"
  | "table-entry"
  | "root-tag"
  | "prefetch-look"
  | "prefetch-fill"
  | "protect"
  | "trace"
  | "resync";

/** What the VMM does for an instruction that acts on more than the virtual CPU. */
export interface VirtualCpuHost {
  /** sfence.vma, over everything or over the page of one address. */
  fence(low?: number, high?: number): void;
  /** A mark of the guest's, by its code. */
  mark(code: number): void;
  /** A hypercall of the guest's: answers it, in its registers. */
  hypercall(call: number): void;
}

export class VirtualCpu {
  /** The guest executed wfi with nothing to wake for. */
  waiting = false;
  readonly #platform: Platform;
  readonly #host: VirtualCpuHost;
  readonly #evaluator: Evaluator;
  /** Numbers of their names in the log; of what few techniques do, from the first time on. */
  readonly #works: Partial<Record<Work, number>>;
  /** That of the work that is done most. */
  readonly #emulation: number;
  /** The trap that an emulated instruction raised, as the guest sees it. */
  #cause = 0;
  #low = 0;
  #high = 0;

  constructor(platform: Platform, memory: GuestMemory, host: VirtualCpuHost) {
    this.#platform = platform;
    this.#host = host;
    const { log } = platform;
    const name = (work: Work) => log.name(work);
    this.#works = {
      decode: name("decode"),
      emulate: name("emulate"),
      "walk-step": name("walk-step"),
      "shadow-fill": name("shadow-fill"),
      "root-switch": name("root-switch"),
      device: name("device"),
      copy: name("copy"),
      stub: name("stub"),
      wedge: name("wedge"),
      scan: name("scan"),
      patch: name("patch"),
      call: name("call"),
      "table-entry": name("table-entry"),
    };
    this.#emulation = name("emulate");
    const access = new MemoryAccess({
      memory: platform.memory,
      bus: platform.bus,
      decoded: platform.hart.decoded,
      translate: (low, high, kind, size) => memory.translate(low, high, kind, size),
      holds: (physical, size) => platform.memory.guestHolds(physical, size),
    });
    access.watch = platform.hart.watched;
    this.#evaluator = new Evaluator(environmentOf(platform, access));
  }

  /** The guest's mode, as it believes. */
  get mode(): "user" | "supervisor" | "machine" {
    const { mode } = this.#platform.guest;
    return mode === USER ? "user" : mode === SUPERVISOR ? "supervisor" : "machine";
  }

  /** Logs `count` units of work. */
  work(kind: Work, count = 1): void {
    if (count === 0) return;
    const { log, position } = this.#platform;
    this.#works[kind] ??= log.name(kind);
    log.appendWords(WORK, position.step, this.#works[kind], count);
  }

  /** Sets the trap that a reflection would make the guest take. */
  raise(cause: number, low: number, high: number): void {
    this.#cause = cause;
    this.#low = low;
    this.#high = high;
  }

  /** Whether the guest would take an interrupt now. */
  interruptible(): boolean {
    return this.#platform.guest.interrupt() >= 0;
  }

  /**
   * Carries out the privileged instruction that trapped, on the guest's state.
   *
   * @returns false where it is illegal for the guest as well: the trap is then the guest's, and already set.
   */
  emulate(): boolean {
    const { hart, guest, log, position } = this.#platform;
    log.appendWords(WORK, position.step, this.#emulation, 1);
    const { mnemonic, effects } = INSTRUCTIONS[hart.current.op - 1]!;
    if (effects.csr !== undefined) {
      if (!guest.execute(hart.current)) return false;
      hart.complete();
      return true;
    }
    switch (mnemonic) {
      case "sret":
      case "mret": {
        if (!guest.permits(mnemonic)) return false;
        const from = guest.mode;
        guest.leave(mnemonic);
        hart.dropReservation();
        this.#platform.log.appendWords(RETURN, this.#platform.position.step, hart.pcLow, hart.pcHigh, from, guest.mode);
        this.#platform.position.retire(1);
        return true;
      }
      case "sfence.vma": {
        if (!guest.permits("sfence.vma")) return false;
        const { rs1 } = hart.current;
        const { u32 } = this.#platform.memory;
        if (rs1 === 0) this.#host.fence();
        else this.#host.fence(u32[(at.X >>> 2) + 2 * rs1]!, u32[(at.X >>> 2) + 2 * rs1 + 1]!);
        hart.complete();
        return true;
      }
    }
    return false;
  }

  /** wfi: the guest waits, or goes on if something is pending. @returns false where it is illegal for the guest. */
  wait(): boolean {
    const { hart, guest } = this.#platform;
    this.work("emulate");
    if (!guest.permits("wfi")) return false;
    if (guest.awake) hart.complete();
    else this.waiting = true;
    return true;
  }

  /** Carries out a load or store that reaches a device. @returns false where it faults: the trap is then set. */
  emulateAccess(): boolean {
    this.work("decode");
    this.work("device");
    return this.#evaluate();
  }

  /** Carries out an instruction that needs no privilege, on the guest's memory. @returns false where it raises a trap, which is then set. */
  emulateInstruction(): boolean {
    this.work("decode");
    this.work("emulate");
    return this.#evaluate();
  }

  /**
   * Carries out the guest's instruction that a site stands for, whatever it is.
   *
   * @returns false where it raises a trap, which is then set.
   */
  emulateSite(): boolean {
    const { hart, guest } = this.#platform;
    const { current } = hart;
    this.raise(CAUSE.illegal, current.bits, 0);
    const { effects, mnemonic } = INSTRUCTIONS[current.op - 1]!;
    if (effects.block !== undefined) return guest.permitsBlock(effects.block) && this.emulateInstruction();
    switch (KIND_OF_OP[current.op]) {
      case KIND_MARK:
        this.work("decode");
        this.#host.mark(current.imm);
        hart.complete();
        return true;
      case KIND_CSR:
      case KIND_SYSTEM:
        this.work("decode");
        return mnemonic === "wfi" ? this.wait() : this.emulate();
      default:
        return this.emulateInstruction();
    }
  }

  #evaluate(): boolean {
    const { hart, position } = this.#platform;
    const { bits } = hart.current;
    const decoded = hart.decoded.decodeAt(bits & 0xffff, bits >>> 16);
    if (decoded === undefined)
      throw new TypeError(`Cannot emulate an access as its instruction must decode: 0x${bits.toString(16)}`);
    try {
      hart.pc = this.#evaluator.run(decoded, bits, hart.pc);
    } catch (trap) {
      if (!(trap instanceof Trap)) throw trap;
      this.raise(trap.cause, Number(trap.value & 0xffff_ffffn), Number(trap.value >> 32n));
      return false;
    }
    position.retire(decoded.instruction.weight);
    return true;
  }

  /** Answers an ecall to firmware. */
  callFirmware(): void {
    const { hart } = this.#platform;
    this.work("emulate");
    this.#platform.sbi();
    hart.pc = BigInt.asUintN(64, hart.pc + 4n);
  }

  /** Answers a hypercall. */
  hypercall(call: number): void {
    this.#host.hypercall(call);
  }

  /** Makes the guest take the trap that {@link raise} set last. */
  reflect(): void {
    this.#enter(this.#cause, false, this.#low, this.#high);
  }
  /** Makes the guest take an interrupt. */
  interrupt(cause: number): void {
    this.#enter(cause, true, 0, 0);
  }
  #enter(cause: number, isInterrupt: boolean, low: number, high: number): void {
    const { hart, guest, log, position } = this.#platform;
    const from = guest.mode;
    const [pcLow, pcHigh] = [hart.pcLow, hart.pcHigh];
    guest.enter(cause, isInterrupt, low, high);
    hart.dropReservation();
    log.appendWords(INJECT, position.step, isInterrupt ? (cause | 0x8000_0000) >>> 0 : cause, pcLow, pcHigh);
    if (isInterrupt) log.appendWords(INTERRUPT, position.step, cause, pcLow, pcHigh, from, guest.mode);
    else log.appendWords(TRAP, position.step, cause, pcLow, pcHigh, low, high, from, guest.mode);
    position.step += 1;
  }

  /** The cause of an ecall from the guest's mode. */
  ecallCause(): number {
    const { mode } = this.#platform.guest;
    return mode === USER ? CAUSE.ecallUser : mode === MACHINE ? CAUSE.ecallMachine : CAUSE.ecallSupervisor;
  }
}

/** What emulated instructions act on: the hart's registers, the guest's memory. */
function environmentOf({ hart, guest, memory }: Platform, access: MemoryAccess): Environment {
  const never = (what: string) => (): never => {
    throw new TypeError(`Cannot emulate ${what} as an instruction without privilege: it is none`);
  };
  return {
    x: hart.x,
    f: hart.f,
    load: (address, size, kind) => access.load(address, size, kind),
    store: (address, size, value) => access.store(address, size, value),
    reserve: (address) => access.reserve(address),
    takeReservation: (address, size) => access.takeReservation(address, size),
    block: (kind, address) => access.block(kind, address),
    csr: never("a CSR instruction"),
    // Only fence.i comes here, and decoded code follows stores at once.
    system: () => {},
    mark: never("a mark"),
    floatOn: () => guest.floatOn,
    dirtyFloat: () => {
      memory.u32[at.FLOAT_DIRTY >>> 2] = 1;
    },
    frm: () => memory.u32[at.FRM >>> 2]!,
    accrue: (flags) => {
      memory.u32[at.FFLAGS >>> 2]! |= flags;
    },
  };
}
