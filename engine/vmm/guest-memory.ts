/**
 * The guest's memory as its virtual CPU sees it: its own page table, its own privilege, its own RAM, and the devices behind it.
 *
 * Translations that are used here are the guest's architectural state (T10), whoever uses them: the hart through a shadow, or the VMM.
 *
 * @module
 */
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
import { MACHINE, MXR, SUM } from "../hart/privileged.ts";
import { canonical, flagsOf, type Leaf, leafOf, PTE, pageOf, type Root, Translations } from "../hart/translations.ts";
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
  /** Told of each entry that a leaf was read from: its physical address, and for which page of which address space. */
  onLeaf: ((entry: number, root: Root, page: number) => void) | undefined;
  readonly #platform: Platform;

  constructor(platform: Platform) {
    this.#platform = platform;
    this.translations = new Translations(platform.profile.translationCap);
  }

  /** Who makes an access, as permissions see it. */
  viewer(access: Access): Viewer {
    const { guest } = this.#platform;
    const { status, dataMode } = guest;
    if (access === ACCESS.fetch) return { user: guest.mode === 0, sum: false, mxr: false };
    return { user: dataMode === 0, sum: (status & SUM) !== 0, mxr: (status & MXR) !== 0 };
  }

  /** @returns The guest-physical address, or a negative fault; {@link found} has the leaf. */
  translate(low: number, high: number, access: Access): number {
    this.inserted = false;
    const { guest } = this.#platform;
    const root = guest.root;
    const mode = access === ACCESS.fetch ? guest.mode : guest.dataMode;
    if (root < 0 || mode === MACHINE) {
      if (high >>> 0 >= 0x20_0000) return ACCESS_FAULT;
      const physical = (high >>> 0) * 2 ** 32 + (low >>> 0);
      this.found.leaf = leafOf(Math.floor(physical / 4096), OPEN | (guest.mode === 0 ? PTE.U : 0));
      this.found.physical = physical;
      return physical;
    }
    if (!canonical(root, high)) return PAGE_FAULT;
    const page = pageOf(root, low, high);
    const viewer = this.viewer(access);
    let leaf = this.translations.lookup(root, page);
    if (leaf < 0 || !permits(leaf, access, viewer)) {
      leaf = walk(this.#platform.memory, root, page, this.walked, (physical) =>
        this.#platform.memory.guestHolds(physical, 8),
      );
      if (leaf < 0) return leaf;
      if (!permits(leaf, access, viewer)) {
        const marked = updated(leaf, access);
        if (!guest.updates || !permits(marked, access, viewer)) return PAGE_FAULT;
        this.#mark(this.walked.entry, marked);
        leaf = marked;
      }
      const { level } = this.walked;
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
