/**
 * The guest's memory as its virtual CPU sees it: its own page table, its own privilege, its own RAM, and the devices behind it.
 *
 * Translations that are used here are the guest's architectural state (T10), whoever uses them: the hart through a shadow, or the VMM.
 *
 * @module
 */
import type { Protection } from "../hart/hart.ts";
import { PAGE_BYTES } from "../hart/memory.ts";
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
} from "../hart/paging.ts";
import { readProtection } from "../hart/pmp.ts";
import { MACHINE, MXR, SUM, SUPERVISOR } from "../hart/privileged.ts";
import {
  canonical,
  flagsOf,
  type Leaf,
  leafOf,
  PTE,
  pageOf,
  type Root,
  spaceOf,
  Translations,
} from "../hart/translations.ts";
import type { Platform } from "../machine/platform.ts";

/** Under Bare translation every page permits everything, to any mode. */
const OPEN = PTE.V | PTE.R | PTE.W | PTE.X | PTE.A | PTE.D;

/** What a translation found. */
export interface Found {
  leaf: Leaf;
  physical: number;
}

export class GuestMemory {
  readonly translations: Translations;
  /** Page-table entries read by walks so far. */
  readonly walked: Walk = { steps: 0, level: 0, entry: 0 };
  /** The result of the last translation that gave an address. */
  readonly found: Found = { leaf: 0, physical: 0 };
  /** Whether that translation put a leaf into the set, so that shadows of an older one are stale. */
  inserted = false;
  /** Whether that translation found all but A or D as it must be: then it set them (Svadu), or it is a fault. */
  lacked = false;
  /** Told of each leaf before it is put into the set. */
  onInsert: ((root: Root, page: number, level: number) => void) | undefined;
  /** Told of each entry that a leaf was read from: its physical address, and for which page of which address space. */
  onLeaf: ((entry: number, root: Root, page: number) => void) | undefined;
  readonly #platform: Platform;
  /** The guest's physical memory protection, which its own PMP registers set. */
  #protection: Protection;
  /** Whether a walk may read an entry. */
  readonly #walkable = (physical: number): boolean =>
    this.#platform.memory.guestHolds(physical, 8) && this.#protection.allows(physical, 8, ACCESS.load, SUPERVISOR);

  constructor(platform: Platform) {
    this.#platform = platform;
    this.#protection = readProtection(platform.guest);
    this.translations = new Translations(platform.profile.translationCap);
  }

  /** Reads the guest's PMP registers again, after one has changed. */
  protect(): void {
    this.#protection = readProtection(this.#platform.guest);
  }

  /**
   * What PMP permits with every byte of a frame, as PTE bits: to the mode in force, which is one for code and data except under MPRV.
   *
   * Anything else that it permits in the frame is for some bytes only, and no page-table entry can say that.
   */
  permitted(frame: number): number {
    const { mode } = this.#platform.guest;
    const may = (access: Access, flag: number): number =>
      this.#protection.allows(frame * PAGE_BYTES, PAGE_BYTES, access, mode) ? flag : 0;
    return may(ACCESS.load, PTE.R) | may(ACCESS.store, PTE.W) | may(ACCESS.fetch, PTE.X);
  }

  /** Who makes an access, as permissions see it. */
  viewer(access: Access): Viewer {
    const { guest } = this.#platform;
    const { status, dataMode } = guest;
    if (access === ACCESS.fetch) return { user: guest.mode === 0, sum: false, mxr: false };
    return { user: dataMode === 0, sum: (status & SUM) !== 0, mxr: (status & MXR) !== 0 };
  }

  /** Whether the guest holds a leaf for an address of the address space that it is in. Looking changes nothing. */
  holds(low: number, high: number): boolean {
    const { root, regions } = this.#platform.guest;
    if (root < 0 || !canonical(root, high)) return false;
    const page = pageOf(root, low, high);
    return this.translations.lookup(spaceOf(root, page, regions), page) >= 0;
  }

  /** @returns The guest-physical address of `size` bytes that lie in one page, or a negative fault; {@link found} has the leaf. */
  translate(low: number, high: number, access: Access, size = 1): number {
    const { guest } = this.#platform;
    const mode = access === ACCESS.fetch ? guest.mode : guest.dataMode;
    const physical = this.#find(low, high, access, mode);
    return physical < 0 || this.#protection.allows(physical, size, access, mode) ? physical : ACCESS_FAULT;
  }
  #find(low: number, high: number, access: Access, mode: number): number {
    this.inserted = false;
    this.lacked = false;
    const { guest } = this.#platform;
    const { root: whole } = guest;
    if (whole < 0 || mode === MACHINE) {
      if (high >>> 0 >= 0x20_0000) return ACCESS_FAULT;
      const physical = (high >>> 0) * 2 ** 32 + (low >>> 0);
      this.found.leaf = leafOf(Math.floor(physical / 4096), OPEN | (guest.mode === 0 ? PTE.U : 0));
      this.found.physical = physical;
      return physical;
    }
    if (!canonical(whole, high)) return PAGE_FAULT;
    const page = pageOf(whole, low, high);
    const root = spaceOf(whole, page, guest.regions);
    const viewer = this.viewer(access);
    let leaf = this.translations.lookup(root, page);
    if (leaf < 0 || !permits(leaf, access, viewer)) {
      leaf = walk(this.#platform.memory, root, page, this.walked, this.#walkable);
      if (leaf < 0) return leaf;
      if (!permits(leaf, access, viewer)) {
        const marked = updated(leaf, access);
        this.lacked = permits(marked, access, viewer);
        if (!guest.updates || !this.lacked) return PAGE_FAULT;
        if (!this.#protection.allows(this.walked.entry, 8, ACCESS.store, SUPERVISOR)) return ACCESS_FAULT;
        this.#mark(this.walked.entry, marked);
        leaf = marked;
      }
      const { level } = this.walked;
      this.onInsert?.(root, page, level);
      this.translations.insert(root, page, level, leaf);
      this.translations.level = level;
      this.inserted = true;
      this.onLeaf?.(this.walked.entry, root, page);
    }
    this.found.leaf = leaf;
    this.found.physical = physicalOf(leaf, this.translations.level, low, high);
    return this.found.physical;
  }

  /** Sets A and D in the leaf's entry, as the guest's machine does under Svadu. */
  #mark(entry: number, leaf: Leaf): void {
    const { memory, hart } = this.#platform;
    memory.write(entry, 1, BigInt(flagsOf(leaf)));
    hart.decoded.written(entry, 1);
  }
}
