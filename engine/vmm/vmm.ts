/**
 * The virtual-machine monitor: it runs the whole guest, kernel included, in user mode, and takes every trap as an exit.
 *
 * Mechanism is here; what becomes of an exit is the technique's to say. Events are appended here, at fixed points, so no technique can forget them.
 *
 * Left out: guests that use machine mode; more than one guest.
 *
 * @module
 */
import { KIND_NUMBER } from "../event/record.ts";
import { ACCESS_CAUSE, PAGE_CAUSE } from "../hart/access.ts";
import { Contexts } from "../hart/context.ts";
import { CAUSE } from "../hart/evaluate.ts";
import { STOP } from "../hart/hart.ts";
import { ACCESS, type Access, PAGE_FAULT } from "../hart/paging.ts";
import { MXR, SUM, USER } from "../hart/privileged.ts";
import { pageOf, type Translations } from "../hart/translations.ts";
import type { BlockKind } from "../isa/emit.ts";
import { INSTRUCTIONS, type Instruction } from "../isa/instructions.ts";
import type { Execution } from "../machine/execution.ts";
import type { Platform } from "../machine/platform.ts";
import type { Exit, ExitReason } from "./exit.ts";
import { GuestMemory } from "./guest-memory.ts";
import { ShadowTables } from "./shadow.ts";
import type { ExitHandlers, Technique, Verdict } from "./technique.ts";
import { VirtualCpu } from "./vcpu.ts";

/** Memory behind the guest's, for shadow tables. */
export const VMM_BYTES = 16 * 1024 * 1024;

const EXIT = KIND_NUMBER["vmm.exit"];
const RESUME = KIND_NUMBER["vmm.resume"];
const FILL = KIND_NUMBER["shadow.fill"];
const MARK = KIND_NUMBER.mark;

/** More exits than this without one step of the guest are a defect of the VMM, not a slow guest. */
const STUCK = 10_000;

export class Vmm implements Execution {
  mark = -1;
  readonly vcpu: VirtualCpu;
  readonly shadow: ShadowTables;
  readonly #platform: Platform;
  readonly #memory: GuestMemory;
  readonly #on: ExitHandlers;
  readonly #reasons = new Map<ExitReason, number>();
  /** Between an exit and the resume that follows it. */
  #exited = true;
  readonly #contexts = new Contexts();
  #changed = true;
  #lastRoot = -1;
  #stuckAt = -1;
  #stuck = 0;

  constructor(platform: Platform, technique: Technique) {
    if (technique.on === undefined)
      throw new TypeError(`Cannot run a VMM as ${technique.name} must say what exits mean: it has no handlers`);
    this.#platform = platform;
    this.#on = technique.on;
    this.#memory = new GuestMemory(platform);
    this.shadow = new ShadowTables(platform.memory);
    this.shadow.onDrop = () => {
      // The root in force went with the rest: nothing may run under it, or be filled into it.
      this.#changed = true;
      platform.hart.fence();
    };
    this.#memory.translations.onDrop = () => this.shadow.drop();
    this.vcpu = new VirtualCpu(platform, this.#memory, (low, high) => this.#fence(low, high));
    platform.guest.onChange = () => {
      this.#changed = true;
    };
    platform.fence = (low, high) => this.#fence(low, high);
    platform.bus.path = "emulated";
  }

  get waiting(): boolean {
    return this.vcpu.waiting;
  }
  set waiting(waiting: boolean) {
    this.vcpu.waiting = waiting;
  }
  get translations(): Translations {
    return this.#memory.translations;
  }
  /** The mode that the hart really runs the guest in. */
  get realMode(): number {
    return this.#platform.hart.context.mode;
  }

  reset(): void {
    this.shadow.drop();
    this.#exited = true;
    this.#stuckAt = -1;
  }

  /** sfence.vma of the guest: its translations, and every shadow of them. */
  #fence(low?: number, high = 0): void {
    const { hart, log, position } = this.#platform;
    let entries = 0;
    if (low === undefined) {
      this.#memory.translations.clear();
      entries = this.shadow.drop();
    } else {
      if (this.#memory.translations.fence(low, high) > 0) {
        entries = this.shadow.drop();
      } else {
        entries = this.shadow.dropPage(low, high);
        hart.fence(low, high);
      }
    }
    log.append("shadow.drop", position.step, { cause: low === undefined ? "sfence-all" : "sfence-page", entries });
  }

  /** Chooses the shadow root for what the guest is now, and puts the hart into user mode under it. */
  #apply(): void {
    const { guest, hart } = this.#platform;
    if (!this.shadow.roomy) this.shadow.drop();
    this.#changed = false;
    const { status, mode, root } = guest;
    const shadow = this.shadow.root({
      root,
      mode: root < 0 ? 1 : mode,
      sum: root >= 0 && mode !== USER && (status & SUM) !== 0,
      mxr: root >= 0 && (status & MXR) !== 0,
    });
    if (shadow !== this.#lastRoot) {
      this.#lastRoot = shadow;
      this.vcpu.work("root-switch");
    }
    const float = guest.floatOn;
    hart.context = this.#contexts.get(shadow, float ? 1 : 0, () => ({
      mode: USER,
      dataMode: USER,
      root: shadow,
      sum: false,
      mxr: false,
      float,
      updates: false,
    }));
  }

  resume(budget: number): void {
    const { hart, guest, log, position } = this.#platform;
    if (this.#changed) this.#apply();
    if (this.#exited) {
      this.#exited = false;
      log.appendWords(RESUME, position.step, guest.mode, hart.context.mode);
    }
    switch (hart.run(budget)) {
      case STOP.budget:
      case STOP.device:
        return;
      case STOP.mark:
        this.mark = hart.current.imm;
        log.appendWords(MARK, position.step, hart.current.imm);
        hart.complete();
        return;
      case STOP.csr:
        // fcsr and the counters are user CSRs: where the guest may use them, so may the hart, without an exit.
        if ((hart.current.imm & 0x300) === 0 && guest.execute(hart.current)) {
          hart.complete();
          return;
        }
        this.vcpu.raise(CAUSE.illegal, hart.current.bits, 0);
        this.#exit({ reason: "privileged-instruction" });
        return;
      case STOP.system:
        this.#system(INSTRUCTIONS[hart.current.op - 1]!);
        return;
      case STOP.trap:
        this.#trap();
        return;
    }
  }

  #system({ mnemonic, effects }: Instruction): void {
    const { hart, guest } = this.#platform;
    if (effects.block !== undefined && guest.permitsBlock(effects.block)) {
      // The VMM's envcfg is what the guest's is for its mode: what that permits needs no exit.
      if (hart.evaluate() === STOP.trap) this.#trap(effects.block);
      return;
    }
    switch (mnemonic) {
      case "ecall":
        this.vcpu.raise(this.vcpu.ecallCause(), 0, 0);
        this.#exit({ reason: "environment-call", call: guest.mode === USER ? "system" : "firmware" });
        return;
      case "ebreak":
        this.vcpu.raise(CAUSE.breakpoint, 0, 0);
        this.#exit({ reason: "exception" });
        return;
      default:
        this.vcpu.raise(CAUSE.illegal, hart.current.bits, 0);
        this.#exit({ reason: mnemonic === "wfi" ? "halt" : "privileged-instruction" });
        return;
    }
  }

  /** @param block What the instruction does to a cache block, if it is one of those. */
  #trap(block?: BlockKind): void {
    const { hart } = this.#platform;
    const { cause, valueLow, valueHigh } = hart;
    const access =
      cause === CAUSE.loadPage
        ? ACCESS.load
        : cause === CAUSE.storePage
          ? ACCESS.store
          : cause === CAUSE.fetchPage
            ? ACCESS.fetch
            : undefined;
    if (access === undefined) {
      this.vcpu.raise(cause, valueLow, valueHigh);
      this.#exit({ reason: "exception" });
      return;
    }
    // Only zeroing a block needs what a store needs; the fault is a store's in any case ("CMO Extensions", "Traps").
    const needs = block === undefined || block === "zero" ? access : ACCESS.load;
    this.#fault(needs, access, valueLow, valueHigh);
  }

  /**
   * A fault in the shadow: the guest's own, a device's access, or only a missing entry.
   *
   * @param access What must be permitted. @param blamed What the fault is said to be, if it is the guest's own.
   */
  #fault(access: Access, blamed: Access, low: number, high: number): void {
    const { memory, bus, hart, log, position } = this.#platform;
    const steps = this.#memory.walked.steps;
    const physical = this.#memory.translate(low, high, access);
    const walked = this.#memory.walked.steps - steps;
    const page = pageOf(hart.context.root, low, high);
    if (physical >= 0 && memory.guestHolds(physical, 1)) {
      this.#note("page-fault");
      this.vcpu.work("walk-step", walked);
      // Where the leaf replaced another, or the set was full, every root is gone.
      if (this.#changed || !this.shadow.roomy) this.#apply();
      // A leaf that was read anew replaces the old one in every root.
      if (this.#memory.inserted) this.shadow.dropPage(low, high);
      // What the fill permits is what the data viewer may do, and what the fetch viewer may execute.
      const viewer = access === ACCESS.fetch ? this.#memory.viewer(ACCESS.load) : this.#memory.viewer(access);
      this.shadow.fill(hart.context.root, page, this.#memory.found.leaf, Math.floor(physical / 4096), viewer);
      hart.fence(low, high);
      this.vcpu.work("shadow-fill");
      log.appendWords(FILL, position.step, hart.context.root, (low & ~4095) >>> 0, high, 0);
      this.#carryOut({ reason: "page-fault", hidden: true });
      return;
    }
    if (physical >= 0 && access !== ACCESS.fetch && bus.answers(physical)) {
      this.#note("device-access");
      this.vcpu.work("walk-step", walked);
      this.#carryOut({ reason: "device-access" });
      return;
    }
    this.#note("page-fault");
    this.vcpu.work("walk-step", walked);
    this.vcpu.raise((physical === PAGE_FAULT ? PAGE_CAUSE : ACCESS_CAUSE)[blamed], low, high);
    this.#carryOut({ reason: "page-fault", hidden: false });
  }

  /** Logs an exit and does what the technique says. */
  #exit(exit: Exit): void {
    this.#note(exit.reason);
    this.#carryOut(exit);
  }
  #note(reason: ExitReason): void {
    const { hart, log, position } = this.#platform;
    let name = this.#reasons.get(reason);
    if (name === undefined) {
      name = log.name(reason);
      this.#reasons.set(reason, name);
    }
    const bits =
      reason === "privileged-instruction" || reason === "halt" || reason === "device-access" ? hart.current.bits : 0;
    log.appendWords(EXIT, position.step, name, hart.pcLow, hart.pcHigh, bits);
    this.#exited = true;
    if (position.step !== this.#stuckAt) {
      this.#stuckAt = position.step;
      this.#stuck = 0;
    } else if (++this.#stuck > STUCK) {
      throw new Error(
        `Cannot go on as the guest must make progress: ${STUCK} exits at step ${position.step}, the last for ${reason}`,
      );
    }
  }
  #carryOut(exit: Exit): void {
    switch (this.#verdict(exit)) {
      case "reflect":
        this.vcpu.reflect();
        return;
      case "stop":
        this.#platform.end ??= {
          reason: "stopped",
          code: 1,
          message: `the technique ended the run at a ${exit.reason} exit`,
        };
        return;
      case "after":
      case "again":
        return;
    }
  }
  #verdict(exit: Exit): Verdict {
    const handle = this.#on[exit.reason] as (exit: Exit, context: { vcpu: VirtualCpu }) => Verdict;
    return handle(exit, { vcpu: this.vcpu });
  }

  notice(): void {
    // The hart is interrupted by what came due, whether or not the guest may take it yet; unless the VMM has control already.
    if (this.#exited) return;
    this.#note("interrupt");
    this.#verdict({ reason: "interrupt" });
  }

  interrupt(cause: number): void {
    this.notice();
    this.vcpu.interrupt(cause);
  }

  completeWait(): void {
    this.vcpu.waiting = false;
    this.#platform.hart.complete();
  }
}
