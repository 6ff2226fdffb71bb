/**
 * The virtual-machine monitor: it runs the whole guest, kernel included, in user mode, and takes every trap as an exit.
 *
 * Mechanism is here; what becomes of an exit is the technique's to say. Events are appended here, at fixed points, so no technique can forget them.
 *
 * Left out: more than one guest; guests with a machine mode under techniques that replace code.
 *
 * @module
 */
import { KIND_NUMBER } from "../event/record.ts";
import { Contexts } from "../hart/context.ts";
import { CAUSE } from "../hart/evaluate.ts";
import { STOP } from "../hart/hart.ts";
import { Leaks } from "../hart/leaks.ts";
import { ACCESS } from "../hart/paging.ts";
import { FS, MACHINE, MXR, SUM, SUPERVISOR, USER } from "../hart/privileged.ts";
import { NO_REGIONS, type Translations } from "../hart/translations.ts";
import type { BlockKind } from "../isa/emit.ts";
import { INSTRUCTIONS, type Instruction } from "../isa/instructions.ts";
import type { Execution } from "../machine/execution.ts";
import type { Platform } from "../machine/platform.ts";
import { CodeCopies } from "./code-copies.ts";
import { DeviceOwners } from "./device-owners.ts";
import type { Exit } from "./exit.ts";
import { Exits } from "./exits.ts";
import { Fetcher } from "./fetched.ts";
import { VmmFrames } from "./frames.ts";
import { GuestMemory } from "./guest-memory.ts";
import { Hypercalls } from "./hypercalls.ts";
import { MemoryFaults } from "./memory-faults.ts";
import { OwnCsrs } from "./own-csrs.ts";
import { PassThrough } from "./pass-through.ts";
import { Preemption } from "./preempt.ts";
import { ShadowTables } from "./shadow.ts";
import { LAZY, type ShadowOptions } from "./shadow-options.ts";
import { ShadowPolicy } from "./shadow-policy.ts";
import { StatePage } from "./state-page.ts";
import type { ExitHandlers, Mechanisms, Technique, TechniqueContext, Verdict } from "./technique.ts";
import { VirtualCpu } from "./vcpu.ts";

/** Memory behind the guest's, for shadow tables and copies of code. */
export const VMM_BYTES = 64 * 1024 * 1024;

/** In place of a mode: machine mode under MPRV, of which a root holds what may be executed alone. */
const MPRV_VIEW = 4;

const DROP = KIND_NUMBER["shadow.drop"];
const MARK = KIND_NUMBER.mark;
const LEAK = KIND_NUMBER.leak;

/** The cause of the interrupt that tells a ported guest of an event. */
const SOFTWARE = 1;
/** The cause of the interrupt that stops the guest for whatever came due: the VMM's own timer's. */
const VMM_TIMER = 0x8000_0005;
/** The exits that are made most. */
const PRIVILEGED: Exit = { reason: "privileged-instruction" };
const HALT: Exit = { reason: "halt" };

export class Vmm implements Execution, Mechanisms {
  mark = -1;
  readonly vcpu: VirtualCpu;
  readonly shadow: ShadowTables;
  readonly leaked = { user: 0, supervisor: 0 };
  /** For tests: interrupts of the VMM's own at any machine instruction. */
  readonly preemption: Preemption;
  readonly #frames: VmmFrames;
  /** Who has a device of the machine's to itself. */
  readonly owners = new DeviceOwners();
  readonly #leaks: Leaks;
  readonly #own: OwnCsrs;
  readonly #platform: Platform;
  readonly #memory: GuestMemory;
  readonly #sites: Uint8Array;
  readonly #on: ExitHandlers;
  /** What the technique's handlers act on. */
  readonly #technique: TechniqueContext;
  /** Copies of the kernel's code, where the technique has it run those. */
  #copies: CodeCopies | undefined;
  /** The state page, where the technique shares it; hypercalls, where it answers them. */
  #state: StatePage | undefined;
  #hypercalls: Hypercalls | undefined;
  /** Code reads sstatus in the state page, so that the VMM must see the kernel's first use of floating point. */
  #inline = false;
  /** The VMM has just carried out an innocuous instruction that gave way to the site behind it. */
  #displaced = false;
  /** Why entries were dropped last, and its number in the log: a guest fences again and again. */
  #lastDrop = { cause: "", name: 0 };
  readonly #faults: MemoryFaults;
  readonly #fetcher: Fetcher;
  /** How shadows are kept, where the technique says more of it than nothing. */
  #policy: ShadowPolicy | undefined;
  readonly #exits: Exits;
  readonly #contexts = new Contexts();
  #changed = true;
  #lastRoot = -1;
  /** Shadow roots under which what stands in for sites reaches the state page. */
  readonly #sharing = new Set<number>();

  /** @param sites The records of an afterburned guest; none for any other. @param passThrough Devices that the guest is to have. */
  constructor(platform: Platform, technique: Technique, sites: Uint8Array, passThrough: readonly string[]) {
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
      this.#sharing.clear();
      this.#policy?.cleared();
      platform.hart.fence();
    };
    this.#memory.translations.onDrop = () => this.shadow.drop();
    this.vcpu = new VirtualCpu(platform, this.#memory, {
      fence: (low, high) => this.#fence(low, high),
      mark: (code) => this.#mark(code),
      hypercall: (call) => this.#hypercalls!.call(call),
    });
    const parts = { platform, memory: this.#memory, vcpu: this.vcpu };
    const note = (reason: Exit["reason"]) => this.#note(reason);
    const carryOut = (exit: Exit) => this.#carryOut(exit);
    this.#fetcher = new Fetcher({
      ...parts,
      host: {
        note,
        carryOut,
        call: () => this.#call(),
        breakpoint: () => this.#breakpoint(),
        progressed: () => this.#exits.progressed(),
      },
    });
    this.#faults = new MemoryFaults({
      ...parts,
      shadow: this.shadow,
      host: {
        note,
        carryOut,
        settle: () => {
          // Where a leaf replaced another, or the set was full, every root is gone.
          if (this.#changed || !this.shadow.roomy) this.#apply();
        },
        step: (walked) => this.#fetcher.step(walked),
        share: (root) => {
          this.#changed = true;
          this.#sharing.add(root);
        },
      },
    });
    this.#technique = { vcpu: this.vcpu };
    this.#leaks = new Leaks(platform.profile, platform.hart.x);
    this.#own = new OwnCsrs(
      platform.guest,
      () => platform.hart.context.root,
      () => this.#enter(platform.hart.context.root, this.#own.float !== 0, platform.hart.context.own),
    );
    this.preemption = new Preemption({
      hart: platform.hart,
      inside: (low, high) => this.#copies?.insideSite(low, high) === true,
      enter: () => {
        this.#state?.import();
        this.notice();
      },
    });
    platform.guest.onChange = () => {
      this.#changed = true;
    };
    platform.guest.onProtection = () => {
      this.#memory.protect();
      this.shadow.drop();
    };
    platform.fence = (low, high) => this.#fence(low, high);
    platform.bus.path = "emulated";
    if (passThrough.length > 0) this.#faults.passThrough = new PassThrough(platform, passThrough, this.owners);
    technique.prepare?.(this);
  }

  rewriteKernelCode = ({ inline }: { readonly inline: boolean }): void => this.#copyCode(inline ? "inline" : "trap");
  patchAnnotatedCode = (): void => this.#copyCode(this.#sites);
  #copyCode(form: "trap" | "inline" | Uint8Array): void {
    this.#needSupervisor("run copies of code");
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

  shadowBy(options: Partial<ShadowOptions>): void {
    this.#policy = new ShadowPolicy({
      platform: this.#platform,
      memory: this.#memory,
      shadow: this.shadow,
      options: { ...LAZY, ...options },
      work: (kind, count) => this.vcpu.work(kind, count),
    });
    this.#faults.policy = this.#policy;
  }
  /** How many frames behind the guest's RAM the VMM has ever used. */
  get framesTaken(): number {
    return this.#frames.taken;
  }
  /** How shadows are kept, for tests. */
  get policy(): ShadowPolicy | undefined {
    return this.#policy;
  }

  /** @throws {RangeError} If the guest has a machine mode: what is shared or replaced is the supervisor's. */
  #needSupervisor(what: string): void {
    if (this.#platform.machineMode)
      throw new RangeError(
        `Cannot ${what} as the guest must start in supervisor mode: it has a machine mode of its own`,
      );
  }
  shareState(): void {
    this.#needSupervisor("share a state page");
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
      owners: this.owners,
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
    if (this.preemption.isInside) return false;
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
    this.#hypercalls?.reset();
    this.#exits.reset();
    this.#displaced = false;
    this.preemption.isInside = false;
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
    if (this.#policy !== undefined) entries = this.#policy.fence(low, high);
    else if (low === undefined) {
      this.#memory.translations.clear();
      this.#hypercalls?.tables.clear();
      entries = this.shadow.drop();
    } else {
      if (this.#memory.translations.fence(low, high) > 0) {
        entries = this.shadow.drop();
      } else {
        entries = this.shadow.dropPage(low, high);
        hart.fence(low, high);
        if (StatePage.holds(low, high)) {
          this.#changed = true;
          this.#sharing.clear();
        }
      }
    }
    this.#dropped(low === undefined ? "sfence-all" : "sfence-page", entries);
  }
  #dropped(cause: string, entries: number): void {
    const { log, position } = this.#platform;
    if (cause !== this.#lastDrop.cause) this.#lastDrop = { cause, name: log.name(cause) };
    log.appendWords(DROP, position.step, this.#lastDrop.name, entries);
  }

  /** Chooses the shadow root for what the guest is now, and puts the hart into user mode under it. */
  #apply(): void {
    const { guest } = this.#platform;
    if (!this.shadow.roomy) this.shadow.drop();
    this.#changed = false;
    const { status, mode } = guest;
    // Machine mode translates nothing, and PMP permits it what it permits no other mode.
    const root = mode === MACHINE ? -1 : guest.root;
    const shadow = this.shadow.root({
      root,
      mode: root >= 0 ? mode : this.#bareView(),
      sum: root >= 0 && mode !== USER && (status & SUM) !== 0,
      mxr: root >= 0 && (status & MXR) !== 0,
      regions: root >= 0 ? guest.regions : NO_REGIONS,
    });
    if (shadow !== this.#lastRoot) {
      this.#lastRoot = shadow;
      this.vcpu.work(this.#policy?.tags.switchTo(shadow) ?? "root-switch");
    }
    this.#own.float = -1;
    const dirty = (status & FS) === FS;
    const own = this.#sharing.has(shadow) ? this.#state!.frame : -1;
    this.#enter(shadow, this.#inline && mode === SUPERVISOR ? dirty : guest.floatOn, own);
  }
  /** The view that a root under Bare stands for: that of a mode, or {@link MPRV_VIEW}. */
  #bareView(): number {
    const { mode, dataMode } = this.#platform.guest;
    if (mode === MACHINE) return dataMode === MACHINE ? MACHINE : MPRV_VIEW;
    // It does not depend on the mode, unless the kernel runs copies or has a state page.
    return this.#copies === undefined && this.#state === undefined ? SUPERVISOR : mode;
  }
  /** @param own The frame of the state page, where only what stands in for sites reaches it; -1 for none. */
  #enter(root: number, float: boolean, own: number): void {
    this.#platform.hart.context = this.#contexts.get(root, (float ? 1 : 0) + (own < 0 ? 0 : 2), () => ({
      mode: USER,
      dataMode: USER,
      root,
      sum: false,
      mxr: false,
      float,
      updates: false,
      own,
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
    const { pending } = guest;
    const { hook } = this.preemption;
    const stop = hook === undefined ? hart.run(budget) : this.preemption.run(hook, budget);
    if (this.#state?.import() === true && stop === STOP.trap && hart.cause === CAUSE.illegal) {
      // The hart still had floating point off, which may be all that was wrong.
      this.#trapped(hart.cause, hart.valueLow, hart.valueHigh);
      this.#note("exception");
      return;
    }
    switch (stop) {
      case STOP.device:
        // A device that the guest reaches by itself may interrupt at once, and an interrupt is the VMM's to take.
        if ((guest.pending & ~pending) !== 0) this.notice();
        return;
      case STOP.budget:
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
    this.#exit(reason === "halt" ? HALT : PRIVILEGED);
  }
  #trapped(cause: number, low: number, high: number): void {
    const { hart } = this.#platform;
    // As signed numbers, which cost no memory where they are handed on; they are kept modulo 2^32.
    this.#own.trapped(hart.pcLow | 0, hart.pcHigh | 0, cause | 0, low | 0, high | 0);
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
    const number = hypercalls?.numberOf() ?? -1;
    if (number >= 0) {
      this.#exit({ reason: "hypercall", call: number });
      return;
    }
    this.vcpu.raise(this.vcpu.ecallCause(), 0, 0);
    const { guest, machineMode } = this.#platform;
    const call = guest.mode !== SUPERVISOR || machineMode ? "system" : "firmware";
    this.#exit({ reason: "environment-call", call });
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
    const { hart, guest } = this.#platform;
    if (this.#copies === undefined || guest.mode !== SUPERVISOR) return false;
    // The fetch has found the leaf already, so that looking it up again reads nothing.
    const first = this.#memory.translate(hart.pcLow, hart.pcHigh, ACCESS.fetch);
    if (first < 0 || !this.#copies.standsAt(first)) return false;
    this.#displaced = this.#fetcher.carryOut(first, "rewritten-site");
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
    const handle = this.#on[exit.reason] as (exit: Exit, context: TechniqueContext) => Verdict;
    return handle(exit, this.#technique);
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
    if (cause === SOFTWARE) this.#hypercalls?.eventTaken();
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
