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
import { ACCESS, PAGE_FAULT } from "../hart/paging.ts";
import { FS, MXR, SUM, SUPERVISOR, USER } from "../hart/privileged.ts";
import type { Translations } from "../hart/translations.ts";
import type { BlockKind } from "../isa/emit.ts";
import { INSTRUCTIONS, type Instruction } from "../isa/instructions.ts";
import { siteClassOf } from "../isa/sites.ts";
import type { Execution } from "../machine/execution.ts";
import type { Platform } from "../machine/platform.ts";
import { CodeCopies } from "./code-copies.ts";
import type { Exit } from "./exit.ts";
import { Exits } from "./exits.ts";
import { VmmFrames } from "./frames.ts";
import { GuestMemory } from "./guest-memory.ts";
import { Hypercalls } from "./hypercalls.ts";
import { MemoryFaults } from "./memory-faults.ts";
import { OwnCsrs } from "./own-csrs.ts";
import { ShadowTables } from "./shadow.ts";
import { StatePage } from "./state-page.ts";
import type { ExitHandlers, Mechanisms, Technique, Verdict } from "./technique.ts";
import { VirtualCpu } from "./vcpu.ts";

/** Memory behind the guest's, for shadow tables and copies of code. */
export const VMM_BYTES = 64 * 1024 * 1024;

const MARK = KIND_NUMBER.mark;
const LEAK = KIND_NUMBER.leak;

/** The cause of the interrupt that stops the guest for whatever came due: the VMM's own timer's. */
const VMM_TIMER = 0x8000_0005;
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
  readonly #sites: Uint8Array;
  readonly #on: ExitHandlers;
  /** Copies of the kernel's code, where the technique has it run those. */
  #copies: CodeCopies | undefined;
  /** The state page, where the technique shares it; hypercalls, where it answers them. */
  #state: StatePage | undefined;
  #hypercalls: Hypercalls | undefined;
  /** Code reads sstatus in the state page, so that the VMM must see the kernel's first use of floating point. */
  #inline = false;
  /** The VMM has just carried out an innocuous instruction that gave way to the site behind it. */
  #displaced = false;
  readonly #faults: MemoryFaults;
  readonly #exits: Exits;
  readonly #contexts = new Contexts();
  #changed = true;
  #lastRoot = -1;

  /** @param sites The records of an afterburned guest; none for any other. */
  constructor(platform: Platform, technique: Technique, sites: Uint8Array) {
    if (technique.on === undefined)
      throw new TypeError(`Cannot run a VMM as ${technique.name} must say what exits mean: it has no handlers`);
    this.#platform = platform;
    this.#sites = sites;
    this.#on = technique.on;
    this.#memory = new GuestMemory(platform);
    this.#exits = new Exits(platform);
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
      hypercall: (call) => this.#hypercalls!.call(call),
    });
    this.#faults = new MemoryFaults({
      platform,
      memory: this.#memory,
      shadow: this.shadow,
      vcpu: this.vcpu,
      host: {
        note: (reason) => this.#note(reason),
        carryOut: (exit) => this.#carryOut(exit),
        settle: () => {
          // Where a leaf replaced another, or the set was full, every root is gone.
          if (this.#changed || !this.shadow.roomy) this.#apply();
        },
      },
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

  rewriteKernelCode = ({ inline }: { readonly inline: boolean }): void => this.#copyCode(inline ? "inline" : "trap");
  patchAnnotatedCode = (): void => this.#copyCode(this.#sites);
  #copyCode(form: "trap" | "inline" | Uint8Array): void {
    this.#inline = form !== "trap";
    if (this.#inline) this.shareState();
    this.#copies = new CodeCopies({
      platform: this.#platform,
      frames: this.#frames,
      shadow: this.shadow,
      memory: this.#memory,
      form,
      work: (kind, count) => this.vcpu.work(kind, count),
    });
    this.#faults.inline = this.#inline;
    this.#faults.copies = this.#copies;
  }

  shareState(): void {
    const { memory, guest } = this.#platform;
    this.#state ??= new StatePage({ memory, guest, frame: this.#frames.allocate() });
    this.#faults.state = this.#state;
  }

  answerHypercalls(): void {
    this.shareState();
    this.#hypercalls = new Hypercalls({
      platform: this.#platform,
      vcpu: this.vcpu,
      state: this.#state!,
      memory: this.#memory,
      shadow: this.shadow,
      fence: (low, high) => this.#fence(low, high),
      dropped: (cause, entries) => this.#dropped(cause, entries),
    });
    this.#faults.tables = this.#hypercalls.tables;
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
    return this.#copies?.count ?? 0;
  }
  /** The state page, if it is shared. */
  get state(): StatePage | undefined {
    return this.#state;
  }
  /** A kernel that opens interrupts in the state page is not seen to: what is pending then reaches it at its next exit. */
  get interruptible(): boolean {
    return this.#state === undefined || this.#exits.heard || this.#platform.guest.mode !== SUPERVISOR;
  }
  /** The mode that the hart really runs the guest in. */
  get realMode(): number {
    return this.#platform.hart.context.mode;
  }

  reset(): void {
    this.shadow.drop();
    this.#copies?.clear();
    this.#state?.reset();
    this.#hypercalls?.tables.reset();
    this.#exits.reset();
    this.#displaced = false;
  }

  withhold(): void {
    this.#exits.heard = false;
  }
  get kept(): Hypercalls | undefined {
    return this.#hypercalls;
  }

  /** sfence.vma of the guest: its translations, and every shadow of them. */
  #fence(low?: number, high = 0): void {
    const { hart } = this.#platform;
    let entries = 0;
    if (low === undefined) {
      this.#memory.translations.clear();
      this.#hypercalls?.tables.clear();
      entries = this.shadow.drop();
    } else {
      if (this.#memory.translations.fence(low, high) > 0) {
        entries = this.shadow.drop();
      } else {
        entries = this.shadow.dropPage(low, high);
        hart.fence(low, high);
      }
    }
    this.#dropped(low === undefined ? "sfence-all" : "sfence-page", entries);
  }
  #dropped(cause: string, entries: number): void {
    this.#platform.log.append("shadow.drop", this.#platform.position.step, { cause, entries });
  }

  /** Chooses the shadow root for what the guest is now, and puts the hart into user mode under it. */
  #apply(): void {
    const { guest } = this.#platform;
    if (!this.shadow.roomy) this.shadow.drop();
    this.#changed = false;
    const { status, mode, root } = guest;
    const shadow = this.shadow.root({
      root,
      // Under Bare the view does not depend on the mode, unless the kernel runs copies or has a state page.
      mode: root < 0 && this.#copies === undefined && this.#state === undefined ? SUPERVISOR : mode,
      sum: root >= 0 && mode !== USER && (status & SUM) !== 0,
      mxr: root >= 0 && (status & MXR) !== 0,
    });
    if (shadow !== this.#lastRoot) {
      this.#lastRoot = shadow;
      this.vcpu.work("root-switch");
    }
    this.#own.float = -1;
    const dirty = (status & FS) === FS;
    this.#enter(shadow, this.#inline && mode === SUPERVISOR ? dirty : guest.floatOn);
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
    const { hart, guest } = this.#platform;
    if (this.#changed) this.#apply();
    if (this.#displaced) {
      this.#displaced = false;
      // The guest need not run to come to that site: it is carried out in the same exit.
      if (this.#site()) return;
    }
    this.#exits.resume();
    this.#state?.export();
    const stop = hart.run(budget);
    if (this.#state?.import() === true && stop === STOP.trap && hart.cause === CAUSE.illegal) {
      // The hart still had floating point off, which may be all that was wrong.
      this.#trapped(hart.cause, hart.valueLow, hart.valueHigh);
      this.#note("exception");
      return;
    }
    switch (stop) {
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
    this.account();
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
        this.#leaveStub();
        if (!this.#site()) this.#breakpoint();
        return;
      default:
        this.#illegal(mnemonic === "wfi" ? "halt" : "privileged-instruction");
        return;
    }
  }
  #call(): void {
    const hypercalls = this.#platform.guest.mode === SUPERVISOR ? this.#hypercalls : undefined;
    const call = hypercalls?.numberOf() ?? -1;
    if (call >= 0) {
      this.#exit({ reason: "hypercall", call });
      return;
    }
    this.vcpu.raise(this.vcpu.ecallCause(), 0, 0);
    this.#exit({ reason: "environment-call", call: this.#platform.guest.mode === USER ? "system" : "firmware" });
  }
  #breakpoint(): void {
    this.vcpu.raise(CAUSE.breakpoint, 0, 0);
    this.#exit({ reason: "exception" });
  }

  /** Where code reads FS in the state page, floating point stays off in the kernel until FS is Dirty: what makes it so is carried out here (T14). */
  #firstFloat(): boolean {
    const { hart, guest } = this.#platform;
    if (!this.#inline || guest.mode !== SUPERVISOR || !guest.floatOn || hart.context.float) return false;
    const { bits } = hart.current;
    if (hart.decoded.decodeAt(bits & 0xffff, bits >>> 16)?.instruction.effects.dirties === undefined) return false;
    this.#note("exception");
    if (!this.vcpu.emulateInstruction()) this.#carryOut({ reason: "exception" });
    this.#exits.heard = true;
    this.#changed = true;
    return true;
  }

  /** A stub that cannot do what the guest's instruction does has changed nothing: the guest stands at the instruction again. */
  #leaveStub(): void {
    const { hart } = this.#platform;
    const site = this.#inline ? this.#copies!.siteAt(hart.pcLow, hart.pcHigh) : undefined;
    if (site !== undefined) hart.pc = (BigInt(site[1]) << 32n) | BigInt(site[0]);
  }

  /**
   * A breakpoint may be a site's: the guest's own instruction there is then looked up, and takes the breakpoint's place.
   *
   * @returns false where it is the guest's own.
   */
  #site(): boolean {
    const { hart, guest, memory } = this.#platform;
    if (this.#copies === undefined || guest.mode !== SUPERVISOR) return false;
    const { pcLow, pcHigh } = hart;
    // The fetch has found the leaf already, so that looking it up again reads nothing.
    const first = this.#memory.translate(pcLow, pcHigh, ACCESS.fetch);
    if (first < 0 || !this.#copies.standsAt(first)) return false;
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
      this.#displaced = this.#carryOut({ reason: "rewritten-site" }) === "after" && siteClassOf(decoded) === undefined;
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
    if (cause === CAUSE.illegal && (this.#site() || this.#firstFloat())) return;
    if (access === undefined) {
      this.vcpu.raise(cause, valueLow, valueHigh);
      this.#exit({ reason: "exception" });
      return;
    }
    // Only zeroing a block needs what a store needs; the fault is a store's in any case ("CMO Extensions", "Traps").
    const needs = block === undefined || block === "zero" ? access : ACCESS.load;
    this.#faults.take(needs, access, valueLow, valueHigh);
  }

  /** Logs an exit and does what the technique says. */
  #exit(exit: Exit): void {
    this.#note(exit.reason);
    this.#carryOut(exit);
  }
  #note(reason: Exit["reason"]): void {
    this.#exits.note(reason);
  }
  #carryOut(exit: Exit): Verdict {
    const verdict = this.#verdict(exit);
    if (verdict !== "again") this.#exits.heard = true;
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
    if (this.#exits.exited) return;
    this.#trapped(VMM_TIMER, 0, 0);
    this.#note("interrupt");
    this.#exits.heard = true;
    this.#verdict({ reason: "interrupt" });
  }

  interrupt(cause: number): void {
    this.notice();
    this.#displaced = false;
    this.vcpu.interrupt(cause);
  }

  account(): void {
    this.vcpu.work("stub", this.#platform.hart.decoded.takeWeightless());
  }

  completeWait(): void {
    this.vcpu.waiting = false;
    if (this.#hypercalls?.blocked === true) this.#hypercalls.unblock();
    else this.#platform.hart.complete();
  }
}
