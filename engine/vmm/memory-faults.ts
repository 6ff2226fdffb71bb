/**
 * Faults of the deprivileged guest: each is the guest's own, a device's access, a traced store, or only an entry that the shadow tables lack.
 *
 * @module
 */
import { KIND_NUMBER } from "../event/record.ts";
import { ACCESS_CAUSE, PAGE_CAUSE } from "../hart/access.ts";
import { PAGE_BYTES } from "../hart/memory.ts";
import { ACCESS, type Access, PAGE_FAULT, walk } from "../hart/paging.ts";
import { MACHINE, SUPERVISOR } from "../hart/privileged.ts";
import { leafOf, PTE, pageOf, type Root } from "../hart/translations.ts";
import type { Platform } from "../machine/platform.ts";
import type { CodeCopies } from "./code-copies.ts";
import type { Exit } from "./exit.ts";
import type { GuardedTables } from "./guarded-tables.ts";
import type { GuestMemory } from "./guest-memory.ts";
import type { PassThrough } from "./pass-through.ts";
import type { ShadowTables } from "./shadow.ts";
import type { ShadowPolicy } from "./shadow-policy.ts";
import { StatePage } from "./state-page.ts";
import type { Verdict } from "./technique.ts";
import type { VirtualCpu } from "./vcpu.ts";

const FILL = KIND_NUMBER["shadow.fill"];
const ACCESSED = KIND_NUMBER["shadow.accessed"];

/** What a shadow entry may permit. */
const ALL = PTE.R | PTE.W | PTE.X;
/** The bit of a shadow entry that permits an access. */
const BIT_OF = [PTE.R, PTE.W, PTE.X] as const;
/** In machine mode no leaf is looked at. */
const MACHINE_VIEWER = { user: false, sum: false, mxr: false } as const;
/** Whom a leaf that is the VMM's own permits all it says. */
const ANYONE = { user: true, sum: false, mxr: false } as const;

/** What the VMM does for a fault. */
export interface FaultHost {
  /** Logs that the guest has left. */
  note(reason: Exit["reason"]): void;
  /** Does what the technique says. */
  carryOut(exit: Exit): Verdict;
  /** Makes sure that the root in force is the guest's, and has room for a fill. */
  settle(): void;
  /** Carries out the instruction at pc, which can be fetched through no shadow entry. @param walked Page-table entries read to find that. */
  step(walked: number): void;
  /** From now on, what stands in for sites reaches the state page under a shadow root. */
  share(root: Root): void;
}

/** What a fault is looked up in. */
export interface FaultParts {
  readonly platform: Platform;
  readonly memory: GuestMemory;
  readonly shadow: ShadowTables;
  readonly vcpu: VirtualCpu;
  readonly host: FaultHost;
}

export class MemoryFaults {
  /** The state page, where the technique shares it. */
  state: StatePage | undefined;
  /** Copies of the kernel's code, where the technique has it run those. */
  copies: CodeCopies | undefined;
  /** Whether what stands in for sites works on the state page. */
  inline = false;
  /** Page tables that a ported guest has said are such. */
  tables: GuardedTables | undefined;
  /** How shadows are kept, where the technique says so. */
  policy: ShadowPolicy | undefined;
  /** Devices whose registers the guest gets to see as it gets to see its RAM. */
  passThrough: PassThrough | undefined;
  readonly #platform: Platform;
  readonly #memory: GuestMemory;
  readonly #shadow: ShadowTables;
  readonly #vcpu: VirtualCpu;
  readonly #host: FaultHost;

  constructor({ platform, memory, shadow, vcpu, host }: FaultParts) {
    this.#platform = platform;
    this.#memory = memory;
    this.#shadow = shadow;
    this.#vcpu = vcpu;
    this.#host = host;
  }

  /**
   * A fault in the shadow: the guest's own, a device's access, or only a missing entry.
   *
   * @param access What must be permitted. @param blamed What the fault is said to be, if it is the guest's own.
   */
  take(access: Access, blamed: Access, low: number, high: number): void {
    const { memory, bus, hart, guest, log, position } = this.#platform;
    const shares = guest.root >= 0 || !this.inline; // Under Bare, what stands in for a site does not use the page.
    if (this.state !== undefined && shares && guest.mode === SUPERVISOR && StatePage.holds(low, high)) {
      // The hart knows what a machine's VMM could not: whose access it was.
      if (this.inline && access !== ACCESS.fetch && !hart.own) this.#foreign("reaches for");
      else this.#showState(this.state, access, low, high);
      return;
    }
    const stubs = this.inline && access === ACCESS.fetch ? this.copies!.stubsAt(low, high) : -1;
    if (stubs >= 0) {
      this.#host.note("page-fault");
      this.#show(stubs, PTE.X, low, high);
      return;
    }
    const steps = this.#memory.walked.steps;
    const physical = this.#memory.translate(low, high, access);
    const walked = this.#memory.walked.steps - steps;
    const { level } = this.#memory.translations;
    const page = pageOf(hart.context.root, low, high);
    const frame = Math.floor(physical / PAGE_BYTES);
    const passed = access !== ACCESS.fetch && this.passThrough?.has(frame) === true;
    if (passed || (physical >= 0 && memory.guestHolds(physical, 1))) {
      const tables = this.tables;
      if (access === ACCESS.store && tables?.has(frame) === true) {
        this.#host.note("table-write");
        this.#vcpu.work("walk-step", walked);
        const before = tables.before(physical);
        this.#host.carryOut({ reason: "table-write" });
        tables.changed(before);
        return;
      }
      if (this.copies?.serves(frame, access) === true) {
        this.#host.note("code-access");
        this.#vcpu.work("walk-step", walked);
        this.#host.carryOut({ reason: "code-access" });
        this.copies.served(frame, access);
        return;
      }
      const { traced } = this.policy ?? {};
      const tracedStore = access === ACCESS.store && traced?.guards(frame) === true;
      const permitted = this.#permitted(frame);
      const alone = (permitted & BIT_OF[access]) === 0;
      if (alone && access === ACCESS.fetch) {
        this.#host.step(walked);
        return;
      }
      this.#host.note(tracedStore ? "table-write" : alone ? "protected-access" : "page-fault");
      this.#vcpu.work("walk-step", walked);
      if (this.#memory.lacked) this.#accessed(low, high, true);
      if (tracedStore && !traced.release(frame)) {
        this.#host.carryOut({ reason: "table-write", released: false });
        return;
      }
      if (alone) {
        this.#host.carryOut(tracedStore ? { reason: "table-write", released: true } : { reason: "protected-access" });
        return;
      }
      const [shown, limit] = passed ? [frame, PTE.R | PTE.W] : this.#shown(frame, access, low, high);
      const most = limit & permitted;
      // Where the leaf replaced another, or the set was full, every root is gone.
      this.#host.settle();
      // A leaf that was read anew replaces the old one in every root.
      if (this.#memory.inserted && this.policy?.precise !== true) this.#shadow.dropPage(low, high);
      // What the fill permits is what the data viewer may do, and what the fetch viewer may execute.
      const viewer =
        guest.mode === MACHINE ? MACHINE_VIEWER : this.#memory.viewer(access === ACCESS.fetch ? ACCESS.load : access);
      const { root } = hart.context;
      if (this.policy === undefined) this.#shadow.fill(root, page, this.#memory.found.leaf, shown, viewer, most);
      else this.policy.fill({ root, page, leaf: this.#memory.found.leaf, level, viewer }, shown, most);
      hart.fence(low, high);
      this.#vcpu.work("shadow-fill");
      log.appendWords(FILL, position.step, root, (low & ~4095) >>> 0, high, 0);
      this.#host.carryOut(
        tracedStore ? { reason: "table-write", released: true } : { reason: "page-fault", hidden: true },
      );
      return;
    }
    if (physical >= 0 && access !== ACCESS.fetch && bus.answers(physical)) {
      this.#host.note("device-access");
      this.#vcpu.work("walk-step", walked);
      this.#host.carryOut({ reason: "device-access" });
      return;
    }
    this.#host.note("page-fault");
    this.#vcpu.work("walk-step", walked);
    if (this.#memory.lacked) this.#accessed(low, high, false);
    this.#vcpu.raise((physical === PAGE_FAULT ? PAGE_CAUSE : ACCESS_CAUSE)[blamed], low, high);
    this.#host.carryOut({ reason: "page-fault", hidden: false });
  }

  /**
   * What a shadow entry for a frame may permit at most, as far as physical memory protection goes. Under MPRV that is to execute: an address may
   * mean one frame to a fetch and another to a load, so that each load and store is carried out by the VMM.
   */
  #permitted(frame: number): number {
    const { guest } = this.#platform;
    const elsewhere = guest.mode === MACHINE && guest.dataMode !== MACHINE;
    return this.#memory.permitted(frame) & (elsewhere ? PTE.X : ALL);
  }

  #accessed(low: number, high: number, hidden: boolean): void {
    const { log, position } = this.#platform;
    log.appendWords(ACCESSED, position.step, low, high, hidden ? 1 : 0);
  }

  /** The guest's kernel reached for the state page: it gets it, unless its own page table maps something else there (T17). */
  #showState(state: StatePage, access: Access, low: number, high: number): void {
    const { memory, hart, guest } = this.#platform;
    this.#host.note("page-fault");
    const own = { steps: 0, level: 0, entry: 0 };
    const page = guest.root < 0 ? -1 : pageOf(guest.root, low, high);
    if (page >= 0 && walk(memory, guest.root, page, own, (physical) => memory.guestHolds(physical, 8)) >= 0) {
      this.#vcpu.work("walk-step", own.steps);
      this.#foreign("maps");
      return;
    }
    this.#vcpu.work("walk-step", own.steps);
    if (access === ACCESS.fetch) {
      this.#vcpu.raise((guest.root < 0 ? ACCESS_CAUSE : PAGE_CAUSE)[access], low, high);
      this.#host.carryOut({ reason: "page-fault", hidden: false });
      return;
    }
    // An entry that permits nothing: who else reaches for the page has a fault.
    this.#show(state.frame, this.inline ? 0 : PTE.R | PTE.W, low, high);
    if (this.inline) this.#host.share(hart.context.root);
  }
  /** Ends a run that a machine's VMM could not go on with, or not see that it could not (T17). */
  #foreign(does: "maps" | "reaches for"): void {
    const { hart } = this.#platform;
    this.#host.note("page-fault");
    const message = `shared-page.foreign-access: the guest ${does} the state page's address itself, at 0x${hart.pc.toString(16)}; use --technique rewriting:trap`;
    this.#platform.end ??= { reason: "stopped", code: 1, message };
  }
  /** Maps a frame of the VMM's own where the guest has reached for it. @param most What the guest may do with it, as PTE bits. */
  #show(frame: number, most: number, low: number, high: number): void {
    const { hart, log, position } = this.#platform;
    this.#host.settle();
    const leaf = leafOf(frame, ALL | PTE.V | PTE.U | PTE.A | PTE.D);
    const { root } = hart.context;
    this.#shadow.fill(root, pageOf(root, low, high), leaf, frame, ANYONE, most);
    hart.fence(low, high);
    this.#vcpu.work("shadow-fill");
    log.appendWords(FILL, position.step, root, (low & ~4095) >>> 0, high, 0);
    this.#host.carryOut({ reason: "page-fault", hidden: true });
  }

  /** The frame that a page shows of a guest's frame, and what it may permit at most. */
  #shown(frame: number, access: Access, low: number, high: number): readonly [frame: number, most: number] {
    if (this.tables?.has(frame) === true) return [frame, PTE.R | PTE.X];
    return this.copies?.shown(frame, access, low, high) ?? [frame, ALL];
  }
}
