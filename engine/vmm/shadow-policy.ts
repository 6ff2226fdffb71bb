/**
 * What a technique's choices of shadow paging come to: how fences, replaced leaves, fills and switches between roots are carried out.
 *
 * Without one (`full` as it is by default), the VMM does the plainest thing: it throws all tables away at whatever is not a single page.
 *
 * Source: ../hart/translations.ts, of which every shadow is a cache (T10).
 *
 * @module
 */
import { KIND_NUMBER } from "../event/record.ts";
import { PAGE_BYTES } from "../hart/memory.ts";
import type { Viewer } from "../hart/paging.ts";
import { frameOf, type Leaf, PAGES_IN, PTE, type Root } from "../hart/translations.ts";
import type { Platform } from "../machine/platform.ts";
import type { GuestMemory } from "./guest-memory.ts";
import { RootTags } from "./root-tags.ts";
import type { ShadowTables } from "./shadow.ts";
import type { ShadowOptions } from "./shadow-options.ts";
import { TracedTables } from "./traced-tables.ts";
import type { Work } from "./vcpu.ts";

const DROP = KIND_NUMBER["shadow.drop"];

export interface ShadowPolicyParts {
  readonly platform: Platform;
  readonly memory: GuestMemory;
  readonly shadow: ShadowTables;
  readonly options: ShadowOptions;
  work(kind: Work, count?: number): void;
}

/** An entry to be made. */
interface Fill {
  /** The shadow's, in force. */
  readonly root: Root;
  readonly page: number;
  /** The guest's, and its level. */
  readonly leaf: Leaf;
  readonly level: number;
  readonly viewer: Viewer;
}

export class ShadowPolicy {
  readonly options: ShadowOptions;
  readonly tags: RootTags;
  /** The guest's page tables, where they are traced. */
  readonly traced: TracedTables | undefined;
  readonly #parts: ShadowPolicyParts;
  /** What replaces a leaf of the set takes its own entries out of the shadows, and no others. */
  readonly precise: boolean;
  /** The leaf that is being put into the set has had its room made in the shadows. */
  #made = false;
  /** There may be entries for leaves that are not in the set. */
  #kept = false;

  constructor(parts: ShadowPolicyParts) {
    this.#parts = parts;
    const { platform, memory, shadow, options, work } = parts;
    this.options = options;
    this.tags = new RootTags(options.tags);
    const traces = options.coherency !== "fence";
    if (traces) {
      this.traced = new TracedTables({ platform, memory, shadow, unsync: options.coherency === "unsync", work });
    }
    this.precise = traces || options.superpages === "remembered";
    shadow.sharing = options.roots;
    shadow.annotated = this.precise;
    shadow.onFlush = (entries) => {
      platform.hart.fence();
      this.#dropped("root-shared", entries);
    };
    if (!this.precise) return;
    memory.onInsert = (space, page, level) => this.#inserting(space, page, level);
    memory.translations.onDrop = () => {
      if (!this.#made) shadow.drop();
    };
  }

  /** The shadow's tables are gone, all of them. */
  cleared(): void {
    this.tags.clear();
    this.traced?.clear();
    this.#kept = false;
  }

  #dropped(cause: string, entries: number): void {
    const { log, position } = this.#parts.platform;
    log.appendWords(DROP, position.step, log.name(cause), entries);
  }

  /** Makes room for a leaf: takes out the entries of all that it will replace. */
  #inserting(space: Root, page: number, level: number): void {
    const { platform, memory, shadow } = this.#parts;
    const { translations } = memory;
    this.#made = translations.room > 0;
    // Were kept entries used then, the set would come to its end, and be dropped, without the VMM.
    if (this.#kept && translations.room <= shadow.count) shadow.drop();
    const old = translations.lookup(space, page);
    if (old < 0 && level === 0) return;
    const dropped = shadow.dropRange(space, page, old < 0 ? level : Math.max(level, translations.level));
    if (dropped === 0) return;
    platform.hart.fence();
    this.#dropped("replaced", dropped);
  }

  /** sfence.vma of the guest. @returns How many entries went. */
  fence(low?: number, high = 0): number {
    const { platform, memory, shadow } = this.#parts;
    const { translations } = memory;
    const { hart } = platform;
    if (low === undefined) {
      const keeps = this.traced !== undefined && translations.room + translations.count > 2 * shadow.count;
      translations.clear();
      if (!keeps) return shadow.drop();
      this.#kept = true;
      const dropped = this.traced!.fence();
      hart.fence();
      return dropped;
    }
    const level = translations.fence(low, high);
    if (level > 0) {
      const dropped = this.precise ? shadow.dropSuperpage(low, high, level) : shadow.drop();
      hart.fence();
      return dropped;
    }
    const dropped = this.traced === undefined ? shadow.dropPage(low, high) : this.traced.fencePage(low, high);
    this.#kept ||= this.traced !== undefined;
    hart.fence(low, high);
    return dropped;
  }

  /** Makes the entry that a fault is for, and what else is to be made then. @param frame What it shows. @param most The R, W and X bits that it may have. */
  fill(fill: Fill, frame: number, most: number): void {
    const mapped = this.#parts.shadow.spaceOf(fill.root, fill.page) >= 0;
    this.#fill(mapped ? fill : { ...fill, level: 0 }, frame, most);
    if (this.options.prefetch > 0 && mapped) this.#prefetch(fill);
  }
  #fill({ root, page, leaf, level, viewer }: Fill, frame: number, most: number): void {
    const { shadow } = this.#parts;
    const space = shadow.spaceOf(root, page);
    if (this.traced !== undefined && space >= 0) this.traced.admit(space, page, leaf, level);
    const permitted = this.traced?.guards(frame) === true ? most & ~PTE.W : most;
    shadow.fill(root, page, leaf, frame, viewer, permitted, level);
  }

  /** Makes entries for pages around one that faulted, from leaves that the guest holds: it has read them, so that nothing of its state changes. */
  #prefetch({ root, page, viewer }: Fill): void {
    const { platform, memory, shadow, work } = this.#parts;
    const { prefetch: pages } = this.options;
    const first = page - (page % pages);
    let filled = 0;
    for (let one = first; one < first + pages; one++) {
      if (one === page || shadow.has(root, one)) continue;
      const leaf = memory.translations.lookup(shadow.spaceOf(root, one), one);
      if (leaf < 0) continue;
      const { level } = memory.translations;
      const frame = frameOf(leaf) + (one % PAGES_IN[level]!);
      if (!platform.memory.guestHolds(frame * PAGE_BYTES, PAGE_BYTES)) continue;
      this.#fill({ root, page: one, leaf, level, viewer }, frame, memory.permitted(frame));
      filled++;
    }
    work("prefetch-look", pages - 1);
    work("prefetch-fill", filled);
  }
}
