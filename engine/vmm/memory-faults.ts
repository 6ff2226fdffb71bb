/**
 * Faults of the deprivileged guest: each is the guest's own, a device's access, a traced store, or only an entry that the shadow tables lack.
 *
 * @module
 */
import { KIND_NUMBER } from "../event/record.ts";
import { ACCESS_CAUSE, PAGE_CAUSE } from "../hart/access.ts";
import { PAGE_BYTES } from "../hart/memory.ts";
import { ACCESS, type Access, PAGE_FAULT, walk } from "../hart/paging.ts";
import { SUPERVISOR } from "../hart/privileged.ts";
import { leafOf, PTE, pageOf } from "../hart/translations.ts";
import type { Platform } from "../machine/platform.ts";
import type { CodeCopies } from "./code-copies.ts";
import type { Exit } from "./exit.ts";
import type { GuardedTables } from "./guarded-tables.ts";
import type { GuestMemory } from "./guest-memory.ts";
import type { ShadowTables } from "./shadow.ts";
import { StatePage } from "./state-page.ts";
import type { Verdict } from "./technique.ts";
import type { VirtualCpu } from "./vcpu.ts";

const FILL = KIND_NUMBER["shadow.fill"];

/** What a shadow entry may permit. */
const ALL = PTE.R | PTE.W | PTE.X;
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
      this.#showState(this.state, access, low, high);
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
    const page = pageOf(hart.context.root, low, high);
    if (physical >= 0 && memory.guestHolds(physical, 1)) {
      const frame = Math.floor(physical / PAGE_BYTES);
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
      this.#host.note("page-fault");
      this.#vcpu.work("walk-step", walked);
      const [shown, most] = this.#shown(frame, access, low, high);
      // Where the leaf replaced another, or the set was full, every root is gone.
      this.#host.settle();
      // A leaf that was read anew replaces the old one in every root.
      if (this.#memory.inserted) this.#shadow.dropPage(low, high);
      // What the fill permits is what the data viewer may do, and what the fetch viewer may execute.
      const viewer = access === ACCESS.fetch ? this.#memory.viewer(ACCESS.load) : this.#memory.viewer(access);
      this.#shadow.fill(hart.context.root, page, this.#memory.found.leaf, shown, viewer, most);
      hart.fence(low, high);
      this.#vcpu.work("shadow-fill");
      log.appendWords(FILL, position.step, hart.context.root, (low & ~4095) >>> 0, high, 0);
      this.#host.carryOut({ reason: "page-fault", hidden: true });
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
    this.#vcpu.raise((physical === PAGE_FAULT ? PAGE_CAUSE : ACCESS_CAUSE)[blamed], low, high);
    this.#host.carryOut({ reason: "page-fault", hidden: false });
  }

  /** The guest's kernel reached for the state page: it gets it, unless its own page table maps something else there (T17). */
  #showState(state: StatePage, access: Access, low: number, high: number): void {
    const { memory, hart, guest } = this.#platform;
    this.#host.note("page-fault");
    const own = { steps: 0, level: 0, entry: 0 };
    const page = guest.root < 0 ? -1 : pageOf(guest.root, low, high);
    if (page >= 0 && walk(memory, guest.root, page, own, (physical) => memory.guestHolds(physical, 8)) >= 0) {
      this.#vcpu.work("walk-step", own.steps);
      const message = `shared-page.foreign-access: the guest maps the state page's address itself, at 0x${hart.pc.toString(16)}`;
      this.#platform.end ??= { reason: "stopped", code: 1, message };
      return;
    }
    this.#vcpu.work("walk-step", own.steps);
    if (access === ACCESS.fetch) {
      this.#vcpu.raise((guest.root < 0 ? ACCESS_CAUSE : PAGE_CAUSE)[access], low, high);
      this.#host.carryOut({ reason: "page-fault", hidden: false });
      return;
    }
    this.#show(state.frame, PTE.R | PTE.W, low, high);
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
