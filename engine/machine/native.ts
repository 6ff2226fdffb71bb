/**
 * The bare machine: what the hart stops for is carried out by the privileged architecture itself.
 *
 * @module
 */
import { KIND_NUMBER } from "../event/record.ts";
import { Contexts } from "../hart/context.ts";
import { CAUSE } from "../hart/evaluate.ts";
import { STOP } from "../hart/hart.ts";
import * as at from "../hart/layout.ts";
import { Leaks, type RealCsrs } from "../hart/leaks.ts";
import { readProtection } from "../hart/pmp.ts";
import { MACHINE, MXR, type Privileged, SUM, SUPERVISOR, USER } from "../hart/privileged.ts";
import { INSTRUCTIONS, type Instruction } from "../isa/instructions.ts";
import type { Execution } from "./execution.ts";
import type { Platform } from "./platform.ts";

const TRAP = KIND_NUMBER["guest.trap"];
const RETURN = KIND_NUMBER["guest.return"];
const INTERRUPT = KIND_NUMBER.interrupt;
const MARK = KIND_NUMBER.mark;
const LEAK = KIND_NUMBER.leak;

export class Native implements Execution {
  waiting = false;
  mark = -1;
  readonly interruptible = true;
  readonly #platform: Platform;
  readonly #contexts = new Contexts();
  readonly #leaks: Leaks;
  /** What user code sees of the guest's kernel on a leaking machine. */
  readonly #real: RealCsrs;
  #changed = true;
  #key = -1;
  #root = -2;

  constructor(platform: Platform) {
    this.#platform = platform;
    this.#leaks = new Leaks(platform.profile, platform.hart.x);
    this.#real = realCsrs(platform.guest);
    platform.guest.onChange = () => {
      this.#changed = true;
    };
    platform.guest.onProtection = () => platform.hart.protect(readProtection(platform.guest));
    platform.guest.onProtection();
  }

  get translations() {
    return this.#platform.hart.translations;
  }

  reset(): void {
    this.#changed = true;
    this.#key = -1;
  }

  /** Brings the hart's context up to date, if anything that it depends on has changed. */
  #apply(): void {
    this.#changed = false;
    const { guest, hart } = this.#platform;
    hart.regions = guest.regions;
    const status = guest.status;
    const { mode, dataMode, root } = guest;
    const key =
      mode |
      (dataMode << 2) |
      ((status & (SUM | MXR)) >>> 12) |
      ((status & 0x6000) !== 0 ? 0x1000 : 0) |
      (guest.updates ? 0x2000 : 0);
    if (key === this.#key && root === this.#root) return;
    this.#key = key;
    this.#root = root;
    this.#platform.memory.u32[at.CSR_MODE >>> 2] = mode;
    hart.context = this.#contexts.get(root, key, () => ({
      mode,
      dataMode,
      root,
      sum: (status & SUM) !== 0,
      mxr: (status & MXR) !== 0,
      float: (status & 0x6000) !== 0,
      updates: guest.updates,
    }));
  }

  resume(budget: number): void {
    if (this.#changed) this.#apply();
    const { hart, guest } = this.#platform;
    switch (hart.run(budget)) {
      case STOP.budget:
      case STOP.device:
      case STOP.watch:
        return;
      case STOP.csr:
        if (guest.execute(hart.current)) hart.complete();
        else if (guest.mode === USER && this.#leaks.execute(hart.current, this.#real)) this.#leak();
        else this.#illegal();
        return;
      case STOP.system:
        this.#system(INSTRUCTIONS[hart.current.op - 1]!);
        return;
      case STOP.mark:
        this.mark = hart.current.imm;
        this.#platform.log.appendWords(MARK, this.#platform.position.step, hart.current.imm);
        hart.complete();
        return;
      case STOP.trap:
        this.#trap(hart.cause, hart.valueLow, hart.valueHigh);
    }
  }

  #leak(): void {
    const { hart, guest, log, position } = this.#platform;
    log.appendWords(LEAK, position.step, guest.mode, hart.pcLow, hart.pcHigh, hart.current.bits);
    hart.complete();
  }
  #illegal(): void {
    this.#trap(CAUSE.illegal, this.#platform.hart.current.bits, 0);
  }

  #trap(cause: number, low: number, high: number): void {
    const { hart, guest, log, position } = this.#platform;
    const from = guest.mode;
    // As signed numbers, which cost no memory where they are handed on; the log takes them modulo 2^32.
    const pcLow = hart.pcLow | 0;
    const pcHigh = hart.pcHigh | 0;
    guest.enter(cause, false, low, high);
    hart.dropReservation();
    log.appendWords(TRAP, position.step, cause, pcLow, pcHigh, low | 0, high | 0, from, guest.mode);
    position.step += 1;
  }

  notice(): void {}
  account(): void {}

  interrupt(cause: number): void {
    const { hart, guest, log, position } = this.#platform;
    const from = guest.mode;
    const pcLow = hart.pcLow | 0;
    const pcHigh = hart.pcHigh | 0;
    guest.enter(cause, true, 0, 0);
    hart.dropReservation();
    log.appendWords(INTERRUPT, position.step, cause, pcLow, pcHigh, from, guest.mode);
    position.step += 1;
  }

  completeWait(): void {
    this.waiting = false;
    this.#platform.hart.complete();
  }

  #system({ mnemonic, effects }: Instruction): void {
    const { hart, guest, log, position, machineMode } = this.#platform;
    if (effects.block !== undefined) {
      if (!guest.permitsBlock(effects.block)) this.#illegal();
      else if (hart.evaluate() === STOP.trap) this.#trap(hart.cause, hart.valueLow, hart.valueHigh);
      return;
    }
    if (guest.mode === USER && this.#leaks.ignores(mnemonic)) {
      this.#leak();
      return;
    }
    switch (mnemonic) {
      case "ecall":
        if (guest.mode === SUPERVISOR && !machineMode) {
          this.#platform.sbi();
          hart.pc = BigInt.asUintN(64, hart.pc + 4n);
        } else
          this.#trap(
            guest.mode === USER ? CAUSE.ecallUser : guest.mode === MACHINE ? CAUSE.ecallMachine : CAUSE.ecallSupervisor,
            0,
            0,
          );
        return;
      case "ebreak":
        // The specification lets tval be 0 or pc; this machine gives 0, as QEMU does.
        this.#trap(CAUSE.breakpoint, 0, 0);
        return;
      case "sret":
      case "mret": {
        if (!guest.permits(mnemonic)) {
          this.#illegal();
          return;
        }
        const from = guest.mode;
        guest.leave(mnemonic);
        hart.dropReservation();
        log.appendWords(RETURN, position.step, hart.pcLow | 0, hart.pcHigh | 0, from, guest.mode);
        position.retire(1);
        return;
      }
      case "wfi":
        if (!guest.permits("wfi")) this.#illegal();
        else if (guest.awake) hart.complete();
        else this.waiting = true;
        return;
      case "sfence.vma": {
        if (!guest.permits("sfence.vma")) {
          this.#illegal();
          return;
        }
        const { rs1 } = hart.current;
        const { u32 } = this.#platform.memory;
        if (rs1 === 0) hart.fence();
        else hart.fence(u32[2 * rs1]!, u32[2 * rs1 + 1]!);
        hart.complete();
        return;
      }
    }
  }
}

function realCsrs(guest: Privileged): RealCsrs {
  return {
    read(number) {
      guest.read(number);
      return (BigInt(guest.high >>> 0) << 32n) | BigInt(guest.low >>> 0);
    },
    write(number, value) {
      guest.write(number, Number(value & 0xffff_ffffn), Number(value >> 32n));
    },
  };
}
