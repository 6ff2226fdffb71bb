/**
 * Shadow page tables: what the deprivileged guest really runs under, built in the VMM's own frames from the guest's translations (T10).
 *
 * A root stands for what the guest sees under one {satp, privilege, SUM, MXR}; all its leaves are user pages of 4 KiB, filled on first use.
 * Guest superpages are splintered. Nothing is ever marked global. A and D are set, as the guest's own rules were checked at the fill.
 *
 * Options (`shadow-options.ts`): one root for all views of an address space, or for everything, which is emptied whenever it stands for another
 * view; and notes beside the entries: the guest's own flags, and, in the bits that are for software, the size of the page that was splintered.
 *
 * Left out: sharing of lower tables between roots.
 *
 * @module
 */
import { type MachineMemory, PAGE_BYTES } from "../hart/memory.ts";
import { ACCESS, permits, type Viewer } from "../hart/paging.ts";
import {
  canonical,
  flagsOf,
  type Leaf,
  leafOf,
  levelsOf,
  PAGES_IN,
  PTE,
  pageOf,
  type Regions,
  type Root,
  SV48,
  spaceOf,
  tableOf,
} from "../hart/translations.ts";
import type { VmmFrames } from "./frames.ts";
import type { Sharing } from "./shadow-options.ts";

/** What a shadow root is for. */
export interface RootKey {
  /** The guest's. Under Sv48 its shadow has four levels too. */
  readonly root: Root;
  readonly mode: number;
  readonly sum: boolean;
  readonly mxr: boolean;
  /** The tables of the guest's regions: its shadow has one root, which shows what they show. */
  readonly regions: Regions;
}

/** Frames that are needed at once at most: a root and its first fill, or a copy with its stubs and the tables that the wedge runs under. */
const MOST_AT_ONCE = 16;

const RECENT = 4;
/** A root that more was filled into than this, since it was last empty, is emptied. */
const MOST_FILLED = 1 << 16;
/** Where an entry says which level the guest's leaf is of: in its two bits for software. */
const LEVEL_BITS = 8;

interface ShadowRoot {
  readonly shadow: Root;
  /** What it shows now. */
  root: Root;
  regions: Regions;
  view: string;
  /** Where it was filled since it was last empty, if it is shared. */
  filled: number[];
}

const keyOf = ({ root, mode, sum, mxr, regions }: RootKey): string =>
  `${root}/${mode}/${sum ? 1 : 0}/${mxr ? 1 : 0}${regions.length === 0 ? "" : `/${regions.join("/")}`}`;

/** The guest's address spaces that pages of a root are of. */
function spacesOf({ root, regions }: ShadowRoot): readonly Root[] {
  const tables = regions.map((_, region) => spaceOf(root, region * 2 ** 18, regions));
  return [...new Set([root, ...tables])];
}

/** The frame that an entry points to. */
const frameAt = (u32: Uint32Array, at: number): number => u32[at + 1]! * 2 ** 22 + (u32[at]! >>> 10);

export class ShadowTables {
  readonly #memory: MachineMemory;
  readonly #frames: VmmFrames;
  /** Those of the tables that there are. */
  readonly #used = new Set<number>();
  /** Where each frame is entered in a leaf: the entry's place in memory, in words. */
  readonly #entered = new Map<number, Set<number>>();
  readonly #roots = new Map<string, ShadowRoot>();
  /** The same by the frame of the root's table, and by the guest's address spaces that they show pages of. */
  readonly #byTable = new Map<number, ShadowRoot>();
  readonly #bySpace = new Map<Root, ShadowRoot[]>();
  /** The views that were asked for last: a guest goes to and fro between few, and looking one up in the map takes making its key. */
  #recent: { readonly view: RootKey; readonly shadow: Root }[] = [];
  /** Called when tables are gone, the root in force perhaps among them: the hart must forget what it read from them. */
  onDrop: () => void = () => {};
  /** Told how many entries a root had that stands for another view from now on: the hart must forget what it read from them. */
  onFlush: (entries: number) => void = () => {};
  /** What one root stands for. */
  sharing: Sharing = "view";
  /** Whether entries have notes: the flags of the guest's leaf, by table; and its level, in the entry. */
  annotated = false;
  readonly #notes = new Map<number, Uint8Array>();
  /** Leaves in all roots. */
  count = 0;
  /** The level of the leaf that {@link leafOf} gave last. */
  level = 0;

  constructor(memory: MachineMemory, frames: VmmFrames) {
    this.#memory = memory;
    this.#frames = frames;
  }

  /** The root for a view, made if need be. */
  root(view: RootKey): Root {
    if (this.sharing !== "view") return this.#shared(view);
    const { root, mode, sum, mxr, regions } = view;
    for (const { view: last, shadow } of this.#recent) {
      const same = last.root === root && last.mode === mode && last.sum === sum && last.mxr === mxr;
      if (same && last.regions === regions) return shadow;
    }
    const shadow = this.#find(view);
    if (this.#recent.length === RECENT) this.#recent.pop();
    this.#recent.unshift({ view, shadow });
    return shadow;
  }
  #find(view: RootKey): Root {
    const key = keyOf(view);
    return (this.#roots.get(key) ?? this.#make(key, key, view)).shadow;
  }
  #make(key: string, view: string, { root, regions }: RootKey): ShadowRoot {
    const shadow = this.#allocate() + (levelsOf(root) === 4 ? SV48 : 0);
    const made: ShadowRoot = { shadow, root, regions, view, filled: [] };
    this.#roots.set(key, made);
    this.#byTable.set(tableOf(shadow), made);
    this.#known(made);
    return made;
  }
  /** A root that stands for one view at a time, and is emptied when that is another. */
  #shared(view: RootKey): Root {
    const of = keyOf(view);
    const key = this.sharing === "space" ? `${view.root}/${view.regions.join("/")}` : String(levelsOf(view.root));
    const found = this.#roots.get(key);
    if (found === undefined) return this.#make(key, of, view).shadow;
    if (found.view !== of) {
      this.onFlush(this.#empty(found));
      found.view = of;
      if (found.root !== view.root || found.regions !== view.regions) {
        this.#forget(found);
        [found.root, found.regions] = [view.root, view.regions];
        this.#known(found);
      }
    }
    return found.shadow;
  }
  /** Takes out all that was filled in, one by one, so that emptying a root costs what filling it did. */
  #empty(root: ShadowRoot): number {
    const before = this.count;
    for (const at of root.filled) this.#clear(at);
    root.filled = [];
    return before - this.count;
  }
  #known(root: ShadowRoot): void {
    for (const space of spacesOf(root)) {
      const roots = this.#bySpace.get(space);
      if (roots === undefined) this.#bySpace.set(space, [root]);
      else roots.push(root);
    }
  }
  #forget(root: ShadowRoot): void {
    for (const space of spacesOf(root)) {
      const rest = this.#bySpace.get(space)?.filter((one) => one !== root) ?? [];
      if (rest.length === 0) this.#bySpace.delete(space);
      else this.#bySpace.set(space, rest);
    }
  }

  #allocate(): number {
    const frame = this.#frames.allocate();
    this.#used.add(frame);
    if (this.annotated) this.#notes.delete(frame);
    return frame;
  }

  /** Whether a root and its first fill are sure to find frames. */
  get roomy(): boolean {
    return this.#frames.free >= MOST_AT_ONCE;
  }

  /** Throws all tables away. @returns How many frames they took. */
  drop(): number {
    const dropped = this.#used.size;
    // In this order the next root gets the frame that the first one had.
    for (const frame of [...this.#used].reverse()) this.#frames.release(frame);
    this.#used.clear();
    this.#roots.clear();
    this.#byTable.clear();
    this.#bySpace.clear();
    this.#notes.clear();
    this.count = 0;
    this.#recent = [];
    this.#entered.clear();
    this.onDrop();
    return dropped;
  }

  /**
   * Throws the tables of one address space away, whatever the view.
   *
   * @returns How many frames they took.
   */
  dropSpace(root: Root): number {
    let dropped = 0;
    for (const [key, made] of [...this.#roots]) {
      if (!key.startsWith(`${root}/`)) continue;
      this.#roots.delete(key);
      this.#byTable.delete(tableOf(made.shadow));
      this.#forget(made);
      dropped += this.#release(tableOf(made.shadow), levelsOf(made.shadow) - 1);
    }
    this.#recent = [];
    if (dropped > 0) this.onDrop();
    return dropped;
  }
  #release(table: number, level: number): number {
    const { u32 } = this.#memory;
    let dropped = 1;
    for (let index = 0; index < 512; index++) {
      const at = (this.#memory.linear(table * PAGE_BYTES) >>> 2) + 2 * index;
      if ((u32[at]! & PTE.V) === 0) continue;
      if (level === 0) this.#clear(at);
      else dropped += this.#release(frameAt(u32, at), level - 1);
    }
    this.#used.delete(table);
    this.#notes.delete(table);
    this.#frames.release(table);
    return dropped;
  }

  #entry(table: number, page: number, level: number): number {
    // A shift sees the low 32 bits, which hold all of the index below level 3.
    const index = level === 3 ? Math.floor(page / 2 ** 27) : (page >>> (9 * level)) & 511;
    return this.#memory.linear(table * PAGE_BYTES + index * 8) >>> 2;
  }

  /**
   * Enters a page into a root.
   *
   * @param page Virtual page number. @param leaf The guest's leaf; what it permits the viewer is what the entry permits.
   * @param frame The 4-KiB frame behind the page, which a superpage's leaf does not tell by itself.
   * @param most The R, W and X bits that the entry may have at all. @param from The level of the guest's leaf.
   */
  fill(
    root: Root,
    page: number,
    leaf: Leaf,
    frame: number,
    viewer: Viewer,
    most = PTE.R | PTE.W | PTE.X,
    from = 0,
  ): void {
    const { u32 } = this.#memory;
    let table = tableOf(root);
    for (let level = levelsOf(root) - 1; level > 0; level--) {
      const at = this.#entry(table, page, level);
      if ((u32[at]! & PTE.V) === 0) this.#set(at, this.#allocate(), PTE.V);
      table = frameAt(u32, at);
    }
    const flags =
      (permits(leaf, ACCESS.load, viewer) ? PTE.R : 0) |
      (permits(leaf, ACCESS.store, viewer) ? PTE.W : 0) |
      (permits(leaf, ACCESS.fetch, viewer) ? PTE.X : 0);
    const at = this.#entry(table, page, 0);
    this.#clear(at);
    const places = this.#entered.get(frame);
    if (places === undefined) this.#entered.set(frame, new Set([at]));
    else places.add(at);
    this.count++;
    this.#set(at, frame, (flags & most) | PTE.V | PTE.U | PTE.A | PTE.D | (this.annotated ? from << LEVEL_BITS : 0));
    if (this.sharing !== "view") this.#filled(root, at);
    if (this.annotated) this.#note(table, page, leaf);
  }
  #filled(root: Root, at: number): void {
    const made = this.#byTable.get(tableOf(root))!;
    if (made.filled.length === MOST_FILLED) this.onFlush(this.#empty(made));
    made.filled.push(at);
  }
  #note(table: number, page: number, leaf: Leaf): void {
    let notes = this.#notes.get(table);
    if (notes === undefined) {
      notes = new Uint8Array(512);
      this.#notes.set(table, notes);
    }
    notes[page & 511] = flagsOf(leaf);
  }
  /** Takes a leaf out. @returns Whether there was one. */
  #clear(at: number): boolean {
    const { u32 } = this.#memory;
    if ((u32[at]! & PTE.V) === 0) return false;
    const frame = frameAt(u32, at);
    const places = this.#entered.get(frame);
    places?.delete(at);
    if (places?.size === 0) this.#entered.delete(frame);
    this.#set(at, 0, 0);
    this.count--;
    return true;
  }
  #set(at: number, frame: number, flags: number): void {
    this.#memory.u32[at] = ((frame % 2 ** 22) * 1024 + flags) >>> 0;
    this.#memory.u32[at + 1] = Math.floor(frame / 2 ** 22);
  }

  /** Takes an address's page out of every root. @returns How many entries there were. */
  dropPage(low: number, high: number): number {
    let dropped = 0;
    for (const { shadow } of this.#roots.values()) {
      if (!canonical(shadow, high)) continue;
      const at = this.#leafAt(shadow, pageOf(shadow, low, high));
      if (at >= 0 && this.#clear(at)) dropped++;
    }
    return dropped;
  }
  /** The place of a page's entry in its root, in words, valid or not; -1 where there is no table for it. */
  #leafAt(root: Root, page: number): number {
    const { u32 } = this.#memory;
    let table = tableOf(root);
    for (let level = levelsOf(root) - 1; level > 0; level--) {
      const at = this.#entry(table, page, level);
      if ((u32[at]! & PTE.V) === 0) return -1;
      table = frameAt(u32, at);
    }
    return this.#entry(table, page, 0);
  }

  /** Takes an address's page out of every root, or the superpage that it lies in. @returns How many entries there were. */
  dropSuperpage(low: number, high: number, level: number): number {
    const before = this.count;
    for (const { shadow } of this.#roots.values())
      if (canonical(shadow, high)) this.#cut(shadow, pageOf(shadow, low, high), level);
    return before - this.count;
  }
  /** Takes a page of any level out of the roots of one address space; the level of the roots takes all. @returns How many entries there were. */
  dropRange(space: Root, page: number, level: number): number {
    const before = this.count;
    for (const { shadow } of this.#bySpace.get(space) ?? []) this.#cut(shadow, page, level);
    return before - this.count;
  }
  #cut(root: Root, page: number, level: number): void {
    const { u32 } = this.#memory;
    let table = tableOf(root);
    if (level === levelsOf(root)) {
      for (let index = 0; index < 512; index++) this.#cut(root, index * 2 ** (9 * (level - 1)), level - 1);
      return;
    }
    for (let above = levelsOf(root) - 1; ; above--) {
      const at = this.#entry(table, page, above);
      if ((u32[at]! & PTE.V) === 0) return;
      if (above === 0) {
        this.#clear(at);
        return;
      }
      if (above === level) {
        this.#release(frameAt(u32, at), above - 1);
        this.#set(at, 0, 0);
        return;
      }
      table = frameAt(u32, at);
    }
  }

  /** Leaves a frame readable and executable where it is shown, and not writable. @returns How many entries that changed. */
  protect(frame: number): number {
    const { u32 } = this.#memory;
    let changed = 0;
    for (const at of this.#entered.get(frame) ?? []) {
      if ((u32[at]! & PTE.W) === 0) continue;
      u32[at] = u32[at]! & ~PTE.W;
      changed++;
    }
    return changed;
  }

  /** Whether a page has an entry in a root. */
  has(root: Root, page: number): boolean {
    const at = this.#leafAt(root, page);
    return at >= 0 && (this.#memory.u32[at]! & PTE.V) !== 0;
  }
  /** Of which address space of the guest's a page of a root is; -1 under Bare, or where the root is not one of these. */
  spaceOf(root: Root, page: number): Root {
    const made = this.#byTable.get(tableOf(root));
    return made === undefined || made.root < 0 ? -1 : spaceOf(made.root, page, made.regions);
  }
  /** The guest's leaf that an entry stands for, from its notes; -1 where there is no entry. {@link level} is its level. */
  leafOf(root: Root, page: number): Leaf {
    const { u32 } = this.#memory;
    const at = this.#leafAt(root, page);
    if (at < 0 || (u32[at]! & PTE.V) === 0) return -1;
    this.level = (u32[at]! >>> LEVEL_BITS) & 3;
    const table = Math.floor((at * 4 - this.#memory.linear(0)) / PAGE_BYTES);
    const flags = this.#notes.get(table)![page & 511]!;
    return leafOf(frameAt(u32, at) - (page % PAGES_IN[this.level]!), flags);
  }
  /** The pages of one address space, of 512 from one on, that some root of it has entries of. */
  *pagesOf(space: Root, first: number): Generator<number> {
    const { u32 } = this.#memory;
    for (const { shadow } of this.#bySpace.get(space) ?? []) {
      const start = this.#leafAt(shadow, first);
      if (start < 0) continue;
      for (let index = 0; index < 512; index++) if ((u32[start + 2 * index]! & PTE.V) !== 0) yield first + index;
    }
  }

  /** Takes every page that shows a frame out of every root. @returns How many entries there were. */
  dropFrame(frame: number): number {
    const places = [...(this.#entered.get(frame) ?? [])];
    for (const at of places) this.#clear(at);
    return places.length;
  }

  /** All leaves of all roots, for tests of invariants: root key, page, frame, flags. */
  *leaves(): Generator<{
    readonly key: string;
    readonly page: number;
    readonly frame: number;
    readonly flags: number;
    readonly level: number;
  }> {
    const { u32 } = this.#memory;
    for (const { view: key, shadow: root } of this.#roots.values()) {
      const stack = [{ table: tableOf(root), level: levelsOf(root) - 1, page: 0 }];
      for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
        for (let index = 0; index < 512; index++) {
          const at = this.#entry(top.table, index * 2 ** (9 * top.level), top.level);
          if ((u32[at]! & PTE.V) === 0) continue;
          const frame = frameAt(u32, at);
          const page = top.page + index * 2 ** (9 * top.level);
          const level = (u32[at]! >>> LEVEL_BITS) & 3;
          if (top.level === 0) yield { key, page, frame, flags: u32[at]! & 0xff, level };
          else stack.push({ table: frame, level: top.level - 1, page });
        }
      }
    }
  }
}
