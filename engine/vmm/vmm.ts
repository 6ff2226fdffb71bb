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
import { Leaks } from "../hart/leaks.ts";
import { PAGE_BYTES } from "../hart/memory.ts";
import { ACCESS, type Access, PAGE_FAULT, permits } from "../hart/paging.ts";
import { MXR, SUM, SUPERVISOR, USER } from "../hart/privileged.ts";
import { PTE, pageOf, type Translations } from "../hart/translations.ts";
import type { BlockKind } from "../isa/emit.ts";
import { INSTRUCTIONS, type Instruction } from "../isa/instructions.ts";
import type { Execution } from "../machine/execution.ts";
import type { Platform } from "../machine/platform.ts";
import type { Exit, ExitReason } from "./exit.ts";
import { VmmFrames } from "./frames.ts";
import { GuestMemory } from "./guest-memory.ts";
import { OwnCsrs } from "./own-csrs.ts";
import { needsSite, Rewriter, type Rewriting } from "./rewriter.ts";
import { ShadowTables } from "./shadow.ts";
import type { ExitHandlers, Mechanisms, Technique, Verdict } from "./technique.ts";
import { VirtualCpu } from "./vcpu.ts";

/** Memory behind the guest's, for shadow tables and copies of code. */
export const VMM_BYTES = 64 * 1024 * 1024;

const EXIT = KIND_NUMBER["vmm.exit"];
const RESUME = KIND_NUMBER["vmm.resume"];
const FILL = KIND_NUMBER["shadow.fill"];
const MARK = KIND_NUMBER.mark;
const LEAK = KIND_NUMBER.leak;

/** What a shadow entry may permit. */
const ALL = PTE.R | PTE.W | PTE.X;
/** The cause of the interrupt that stops the guest for whatever came due: the VMM's own timer's. */
const VMM_TIMER = 0x8000_0005;
const DOUBLEWORDS_IN_PAGE = 512;

/** More exits than this without one step of the guest are a defect of the VMM, not a slow guest. */
const STUCK = 10_000;

/** Exits that are about the instruction at pc. */
const HAS_BITS: ReadonlySet<ExitReason> = new Set([
  "privileged-instruction",
  "halt",
  "device-access",
  "rewritten-site",
  "code-access",
]);

export class Vmm implements Execution, Mechanisms {
  mark = -1;
  readonly vcpu: VirtualCpu;
  readonly shadow: ShadowTables;
  readonly leaked = { user: 0, supervisor: 0 };
  readonly #frames: VmmFrames;
  readonly #leaks: Leaks;
  readonly #own: OwnCsrs;
  readonly #platform: Platform;
  readonly #memory: GuestMemory;
  readonly #on: ExitHandlers;
  /** Copies of the kernel's code, where the technique has it run those. */
  #rewriter: Rewriter | undefined;
  /** The VMM has just carried out an innocuous instruction that gave way to the site behind it. */
  #displaced = false;
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
    this.#frames = new VmmFrames(platform.memory);
    this.shadow = new ShadowTables(platform.memory, this.#frames);
    this.shadow.onDrop = () => {
      // The root in force went with the rest: nothing may run under it, or be filled into it.
      this.#changed = true;
      platform.hart.fence();
    };
    this.#memory.translations.onDrop = () => this.shadow.drop();
    this.vcpu = new VirtualCpu(platform, this.#memory, {
      fence: (low, high) => this.#fence(low, high),
      mark: (code) => this.#mark(code),
    });
    this.#leaks = new Leaks(platform.profile, platform.hart.x);
    this.#own = new OwnCsrs(
      platform.guest,
      () => platform.hart.context.root,
      () => this.#enter(platform.hart.context.root, this.#own.float !== 0),
    );
    platform.guest.onChange = () => {
      this.#changed = true;
    };
    platform.fence = (low, high) => this.#fence(low, high);
    platform.bus.path = "emulated";
    technique.prepare?.(this);
  }

  rewriteKernelCode(): void {
    const { memory, hart } = this.#platform;
    const rewriter = new Rewriter({ memory, decoded: hart.decoded, frames: this.#frames });
    hart.decoded.onWritten = (physical, length) => this.#rewrote(rewriter.written(physical, length));
    this.#rewriter = rewriter;
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
  /** How many pages of the guest's code it runs copies of. */
  get copies(): number {
    return this.#rewriter?.count ?? 0;
  }
  /** The mode that the hart really runs the guest in. */
  get realMode(): number {
    return this.#platform.hart.context.mode;
  }

  reset(): void {
    this.shadow.drop();
    this.#rewriter?.clear();
    this.#exited = true;
    this.#displaced = false;
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
    const { guest } = this.#platform;
    if (!this.shadow.roomy) this.shadow.drop();
    this.#changed = false;
    const { status, mode, root } = guest;
    const shadow = this.shadow.root({
      root,
      // Under Bare the view does not depend on the mode, unless the kernel runs copies.
      mode: root < 0 && this.#rewriter === undefined ? SUPERVISOR : mode,
      sum: root >= 0 && mode !== USER && (status & SUM) !== 0,
      mxr: root >= 0 && (status & MXR) !== 0,
    });
    if (shadow !== this.#lastRoot) {
      this.#lastRoot = shadow;
      this.vcpu.work("root-switch");
    }
    this.#own.float = -1;
    this.#enter(shadow, guest.floatOn);
  }
  #enter(root: number, float: boolean): void {
    this.#platform.hart.context = this.#contexts.get(root, float ? 1 : 0, () => ({
      mode: USER,
      dataMode: USER,
      root,
      sum: false,
      mxr: false,
      float,
      updates: false,
    }));
  }

  resume(budget: number): void {
    const { hart, guest, log, position } = this.#platform;
    if (this.#changed) this.#apply();
    if (this.#displaced) {
      this.#displaced = false;
      // The guest need not run to come to that site: it is carried out in the same exit.
      if (this.#site()) return;
    }
    if (this.#exited) {
      this.#exited = false;
      log.appendWords(RESUME, position.step, guest.mode, hart.context.mode);
    }
    switch (hart.run(budget)) {
      case STOP.budget:
      case STOP.device:
      case STOP.watch:
        return;
      case STOP.mark:
        this.#mark(hart.current.imm);
        hart.complete();
        return;
      case STOP.csr:
        // fcsr and the counters are user CSRs: where the guest may use them, so may the hart, without an exit.
        if ((hart.current.imm & 0x300) === 0 && guest.execute(hart.current)) {
          hart.complete();
          return;
        }
        if (this.#leaks.execute(hart.current, this.#own)) {
          this.#leak();
          return;
        }
        this.#illegal("privileged-instruction");
        return;
      case STOP.system:
        this.#system(INSTRUCTIONS[hart.current.op - 1]!);
        return;
      case STOP.trap:
        this.#trap();
        return;
    }
  }

  #mark(code: number): void {
    const { log, position } = this.#platform;
    this.mark = code;
    log.appendWords(MARK, position.step, code);
  }
  /** Counts the current instruction as one that should have trapped, and did not. */
  #leak(): void {
    const { hart, guest, log, position } = this.#platform;
    this.leaked[guest.mode === USER ? "user" : "supervisor"]++;
    log.appendWords(LEAK, position.step, guest.mode, hart.pcLow, hart.pcHigh, hart.current.bits);
    hart.complete();
  }

  #illegal(reason: "privileged-instruction" | "halt"): void {
    const { bits } = this.#platform.hart.current;
    this.#trapped(CAUSE.illegal, bits, 0);
    this.vcpu.raise(CAUSE.illegal, bits, 0);
    this.#exit({ reason });
  }
  #trapped(cause: number, low: number, high: number): void {
    const { hart } = this.#platform;
    this.#own.trapped(hart.pcLow, hart.pcHigh, cause, low, high);
  }

  #system({ mnemonic, effects }: Instruction): void {
    const { hart, guest } = this.#platform;
    if (effects.block !== undefined && guest.permitsBlock(effects.block)) {
      // The VMM's envcfg is what the guest's is for its mode: what that permits needs no exit.
      if (hart.evaluate() === STOP.trap) this.#trap(effects.block);
      return;
    }
    if (this.#leaks.ignores(mnemonic)) {
      this.#leak();
      return;
    }
    switch (mnemonic) {
      case "ecall":
        this.#trapped(CAUSE.ecallUser, 0, 0);
        this.#call();
        return;
      case "ebreak":
        this.#trapped(CAUSE.breakpoint, 0, 0);
        if (!this.#site()) this.#breakpoint();
        return;
      default:
        this.#illegal(mnemonic === "wfi" ? "halt" : "privileged-instruction");
        return;
    }
  }
  #call(): void {
    this.vcpu.raise(this.vcpu.ecallCause(), 0, 0);
    this.#exit({ reason: "environment-call", call: this.#platform.guest.mode === USER ? "system" : "firmware" });
  }
  #breakpoint(): void {
    this.vcpu.raise(CAUSE.breakpoint, 0, 0);
    this.#exit({ reason: "exception" });
  }

  /**
   * A breakpoint may be a site's: the guest's own instruction there is then looked up, and takes the breakpoint's place.
   *
   * @returns false where it is the guest's own.
   */
  #site(): boolean {
    const { hart, guest, memory } = this.#platform;
    if (this.#rewriter === undefined || guest.mode !== SUPERVISOR) return false;
    const { pcLow, pcHigh } = hart;
    // The fetch has found the leaf already, so that looking it up again reads nothing.
    const first = this.#memory.translate(pcLow, pcHigh, ACCESS.fetch);
    if (first < 0 || !this.#rewriter.standsAt(first)) return false;
    const low = Number(memory.read(first, 2));
    // The second half may lie on another page, which is translated before any effect, as the hart does (T13).
    const nextLow = (pcLow + 2) >>> 0;
    const nextHigh = nextLow < pcLow ? (pcHigh + 1) >>> 0 : pcHigh;
    const steps = this.#memory.walked.steps;
    const next = (pcLow & 4095) === 4094 ? this.#memory.translate(nextLow, nextHigh, ACCESS.fetch) : first + 2;
    const walked = this.#memory.walked.steps - steps;
    if (next < 0 || !memory.guestHolds(next, 2)) {
      this.#note("page-fault");
      this.vcpu.work("walk-step", walked);
      this.vcpu.raise((next === PAGE_FAULT ? PAGE_CAUSE : ACCESS_CAUSE)[ACCESS.fetch], nextLow, nextHigh);
      this.#carryOut({ reason: "page-fault", hidden: false });
      return true;
    }
    const decoded = hart.decode(low, Number(memory.read(next, 2)));
    if (decoded === undefined) {
      this.vcpu.raise(CAUSE.illegal, hart.current.bits, 0);
      this.#exit({ reason: "exception" });
    } else if (decoded.instruction.mnemonic === "ecall") this.#call();
    else if (decoded.instruction.mnemonic === "ebreak") this.#breakpoint();
    else {
      this.#note("rewritten-site");
      this.vcpu.work("walk-step", walked);
      this.#displaced = this.#carryOut({ reason: "rewritten-site" }) === "after" && !needsSite(decoded);
    }
    return true;
  }

  /** @param block What the instruction does to a cache block, if it is one of those. */
  #trap(block?: BlockKind): void {
    const { hart } = this.#platform;
    const { cause, valueLow, valueHigh } = hart;
    this.#trapped(cause, valueLow, valueHigh);
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
      const frame = Math.floor(physical / PAGE_BYTES);
      if (this.#runsCopy(frame, access)) {
        this.#note("code-access");
        this.vcpu.work("walk-step", walked);
        this.#carryOut({ reason: "code-access" });
        if (access === ACCESS.store && this.#rewriter?.stored(frame) === true) this.#dropCopy(frame, this.#rewriter);
        return;
      }
      this.#note("page-fault");
      this.vcpu.work("walk-step", walked);
      const [shown, most] = this.#shown(frame, access);
      // Where the leaf replaced another, or the set was full, every root is gone.
      if (this.#changed || !this.shadow.roomy) this.#apply();
      // A leaf that was read anew replaces the old one in every root.
      if (this.#memory.inserted) this.shadow.dropPage(low, high);
      // What the fill permits is what the data viewer may do, and what the fetch viewer may execute.
      const viewer = access === ACCESS.fetch ? this.#memory.viewer(ACCESS.load) : this.#memory.viewer(access);
      this.shadow.fill(hart.context.root, page, this.#memory.found.leaf, shown, viewer, most);
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

  /** Whether an access must be carried out in place of a fill: the page runs as a copy, or may not be written while there is one. */
  #runsCopy(frame: number, access: Access): boolean {
    if (this.#rewriter === undefined || access === ACCESS.fetch || this.#rewriter.copyOf(frame) < 0) return false;
    if (access === ACCESS.store) return true;
    return (
      this.#platform.guest.mode === SUPERVISOR &&
      permits(this.#memory.found.leaf, ACCESS.fetch, this.#memory.viewer(ACCESS.fetch))
    );
  }
  /** The frame that a page shows of a guest's frame, and what it may permit at most. Copies are for the kernel to execute, and nothing else. */
  #shown(frame: number, access: Access): readonly [frame: number, most: number] {
    const rewriter = this.#rewriter;
    if (rewriter === undefined) return [frame, ALL];
    const writable = rewriter.copyOf(frame) < 0 ? PTE.W : 0;
    if (this.#platform.guest.mode === USER) return [frame, PTE.R | PTE.X | writable];
    if (access !== ACCESS.fetch) return [frame, PTE.R | writable];
    if (writable !== 0) this.#makeCopy(frame, rewriter);
    return [rewriter.copyOf(frame), PTE.X];
  }
  #makeCopy(frame: number, rewriter: Rewriter): void {
    if (!this.shadow.roomy || !rewriter.roomy) this.shadow.drop();
    if (!this.shadow.roomy || !rewriter.roomy) rewriter.clear();
    const { log, position, hart } = this.#platform;
    const took = rewriter.make(frame);
    // Whoever could write the frame, or execute it as it is, must come by here first.
    if (this.shadow.dropFrame(frame) > 0) hart.fence();
    this.vcpu.work("copy", DOUBLEWORDS_IN_PAGE);
    this.#rewrote(took);
    log.append("patch", position.step, { page: BigInt(frame * PAGE_BYTES), sites: took.patched });
  }
  #dropCopy(frame: number, rewriter: Rewriter): void {
    this.shadow.dropFrame(rewriter.copyOf(frame));
    rewriter.drop(frame);
    this.#platform.hart.fence();
  }
  #rewrote(took: Rewriting | undefined): void {
    if (took === undefined) return;
    this.vcpu.work("scan", took.scanned);
    this.vcpu.work("patch", took.patched);
  }

  /** Logs an exit, unless it is part of the one before, and does what the technique says. */
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
    const bits = HAS_BITS.has(reason) ? hart.current.bits : 0;
    if (!this.#exited) log.appendWords(EXIT, position.step, name, hart.pcLow, hart.pcHigh, bits);
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
  #carryOut(exit: Exit): Verdict {
    const verdict = this.#verdict(exit);
    if (verdict === "reflect") this.vcpu.reflect();
    else if (verdict === "stop") {
      const message = `the technique ended the run at a ${exit.reason} exit`;
      this.#platform.end ??= { reason: "stopped", code: 1, message };
    }
    return verdict;
  }
  #verdict(exit: Exit): Verdict {
    const handle = this.#on[exit.reason] as (exit: Exit, context: { vcpu: VirtualCpu }) => Verdict;
    return handle(exit, { vcpu: this.vcpu });
  }

  notice(): void {
    // The hart is interrupted by what came due, whether or not the guest may take it yet; unless the VMM has control already.
    if (this.#exited) return;
    this.#trapped(VMM_TIMER, 0, 0);
    this.#note("interrupt");
    this.#verdict({ reason: "interrupt" });
  }

  interrupt(cause: number): void {
    this.notice();
    this.#displaced = false;
    this.vcpu.interrupt(cause);
  }

  completeWait(): void {
    this.vcpu.waiting = false;
    this.#platform.hart.complete();
  }
}
