/**
 * Translations as architectural state (T10): the leaves that a hart has used and not yet been told to forget, by address space.
 *
 * A leaf is read from the page table at first use and serves every access it permits until an sfence.vma covers it. Real TLBs forget earlier,
 * at times of their own; this set forgets only when told, or when it is full, so no TLB's size ever shows in a run.
 *
 * Left out: ASIDs (ASIDLEN is 0) and the G bit, which is ignored.
 *
 * @module
 */

/** The PTE bits that a leaf keeps (privileged specification, "Sv32 Page-Based Virtual-Memory Systems"). */
export const PTE = { V: 1, R: 2, W: 4, X: 8, U: 16, G: 32, A: 64, D: 128 } as const;

/** A leaf in one number: its frame number times 256, plus its flag byte; exact, as frame numbers have 44 bits. */
export type Leaf = number;
export const leafOf = (frame: number, flags: number): Leaf => frame * 256 + flags;
export const frameOf = (leaf: Leaf): number => Math.floor(leaf / 256);
export const flagsOf = (leaf: Leaf): number => leaf & 0xff;

/**
 * What translation goes by, in one number that stands for the satp value: the frame number of the root table, plus {@link SV48} where the mode
 * is Sv48; -1 where it is Bare.
 */
export type Root = number;
/** Frame numbers have 44 bits. */
export const SV48 = 2 ** 44;
/**
 * Added to the frame number of a region's table: leaves that are found through it are known by that table, whatever satp is, as those of a real
 * region are by its identifier. Page numbers stay those of the whole address, which say the region too.
 */
const REGION = 2 ** 45;
/** 4-KiB pages in a page of each level. */
export const PAGES_IN: readonly number[] = [1, 2 ** 9, 2 ** 18, 2 ** 27];
/** Levels of the table: 3 under Sv39, 4 under Sv48. */
export const levelsOf = (root: Root): 3 | 4 => (root < SV48 || root >= REGION ? 3 : 4);
/** The level of the root table's entries: a region's table stands in the place of one that the root points to. */
export const topOf = (root: Root): number => (root < SV48 ? 2 : root < REGION ? 3 : 1);
/** Frame number of the root table. */
export const tableOf = (root: Root): number => (root < SV48 ? root : root < REGION ? root - SV48 : root - REGION);

/** Frame numbers of the regions' tables, 0 for none; none at all where every register is 0. An array is never changed, only replaced. */
export type Regions = readonly number[];
export const NO_REGIONS: Regions = [];
/** Pages of a region: 1 GiB. */
const REGION_PAGES = 2 ** 18;

/**
 * By what a page is translated.
 *
 * @param root Not Bare. @param page Virtual page number.
 * @returns The root that stands for the page's region, where that has a table of its own; else the root itself. Only Sv39 has regions.
 */
export function spaceOf(root: Root, page: number, regions: Regions): Root {
  if (regions.length === 0 || root >= SV48) return root;
  const table = regions[Math.floor(page / REGION_PAGES)] ?? 0;
  return table === 0 ? root : REGION + table;
}

/** Whether an address is one of the root's space: all bits above its highest equal that one. */
export function canonical(root: Root, high: number): boolean {
  const top = levelsOf(root) === 3 ? high >> 6 : high >> 15;
  return top === 0 || top === -1;
}

/** The virtual page number of an address: 27 bits of it for Sv39, 36 for Sv48. */
export function pageOf(root: Root, low: number, high: number): number {
  if (levelsOf(root) === 3) return ((high & 0x7f) << 20) | (low >>> 12);
  return (high & 0xffff) * 2 ** 20 + (low >>> 12);
}

/** Shifts a page number right by 9 bits a level. Those of Sv39 are small enough for a shift, which is what is fast. */
const up = (page: number, level: number): number =>
  page < 2 ** 31 ? page >>> (9 * level) : Math.floor(page / 2 ** (9 * level));

/** Page numbers have 36 bits at most: a key is one, shifted by 9 bits a level, with the level above it. */
const LEVEL = 2 ** 36;
const LEVELS = 4;
/** Slots at first; twice as many whenever half of them are taken. */
const FIRST_SLOTS = 1024;
/** In place of a leaf that was dropped. */
const DROPPED = -1;

/**
 * One hash table over all address spaces, with open addressing. A slot counts only in the epoch that it was filled in, so that forgetting
 * everything, which guests do at each change of the address space, costs nothing.
 */
export class Translations {
  readonly #cap: number;
  #epoch = 1;
  #epochs = new Int32Array(FIRST_SLOTS);
  #roots = new Float64Array(FIRST_SLOTS);
  #keys = new Float64Array(FIRST_SLOTS);
  #leaves = new Float64Array(FIRST_SLOTS);
  /** Slots filled in this epoch, dropped leaves with them. */
  #taken = 0;
  #count = 0;
  /** Leaves held, by level. */
  readonly #counts = new Int32Array(LEVELS);
  /** The address spaces of this epoch, how many they are, and the one that was put in last. Each has a slot of its own too. */
  #spaces = new Float64Array(8);
  #spaceCount = 0;
  #space = -1;
  /** The level of the leaf that {@link lookup} found last. */
  level = 0;
  /** Called when leaves were dropped without the guest asking, so that caches of the set follow. */
  onDrop: () => void = () => {};
  /** Told of each leaf that was put in. */
  onInsert: ((root: Root, page: number) => void) | undefined;

  /** @param cap The most leaves that the set holds; the whole set is dropped before one more is put in. */
  constructor(cap: number) {
    this.#cap = cap;
  }

  get count(): number {
    return this.#count;
  }
  /** How many more leaves it holds before the whole set is dropped. */
  get room(): number {
    return this.#cap - this.#count;
  }

  /** @returns The slot that holds the key, with a leaf or without, or the free one where it would go. */
  #slot(root: Root, key: number): number {
    const mask = this.#epochs.length - 1;
    // Multiplied by odd numbers, all bits of the page and the root reach the upper half.
    const mixed =
      Math.imul(key | 0, 0x9e3779b1) ^ Math.imul(root | 0, 0x85ebca6b) ^ (key >= LEVEL ? (key / LEVEL) | 0 : 0);
    let slot = (mixed ^ (mixed >>> 15)) & mask;
    while (this.#epochs[slot] === this.#epoch && (this.#keys[slot] !== key || this.#roots[slot] !== root))
      slot = (slot + 1) & mask;
    return slot;
  }
  #leafAt(slot: number): Leaf {
    return this.#epochs[slot] === this.#epoch ? this.#leaves[slot]! : DROPPED;
  }

  /**
   * @param page Virtual page number.
   * @returns The leaf that covers the page, or -1. {@link level} says how large it is.
   */
  lookup(root: Root, page: number): Leaf {
    for (let level = 0; level < LEVELS; level++) {
      if (this.#counts[level] === 0) continue;
      const leaf = this.#leafAt(this.#slot(root, level * LEVEL + up(page, level)));
      if (leaf >= 0) {
        this.level = level;
        return leaf;
      }
    }
    return -1;
  }

  /** Puts a leaf in, in place of all that it overlaps in its address space. */
  insert(root: Root, page: number, level: number, leaf: Leaf): void {
    if (this.#count >= this.#cap) {
      this.clear();
      this.onDrop();
    }
    let dropped = 0;
    for (let above = level; above < LEVELS; above++) dropped += this.#drop(root, up(page, above), above);
    for (let below = 0; below < level; below++) dropped += this.#dropInside(root, up(page, level), level, below);
    // Two are needed at most: for the leaf, and for its address space.
    if (2 * this.#taken + 2 >= this.#epochs.length) this.#rebuild();
    this.#leaves[this.#take(root, level * LEVEL + up(page, level))] = leaf;
    this.#count++;
    this.#counts[level]!++;
    if (root !== this.#space) this.#noteSpace(root);
    if (dropped > 0) this.onDrop();
    this.onInsert?.(root, page);
  }

  /** @returns The slot that holds the key from now on. */
  #take(root: Root, key: number): number {
    const slot = this.#slot(root, key);
    if (this.#epochs[slot] !== this.#epoch) {
      this.#epochs[slot] = this.#epoch;
      this.#roots[slot] = root;
      this.#keys[slot] = key;
      this.#leaves[slot] = DROPPED;
      this.#taken++;
    }
    return slot;
  }
  #noteSpace(root: Root): void {
    this.#space = root;
    const taken = this.#taken;
    this.#take(root, LEVELS * LEVEL);
    if (this.#taken === taken) return;
    if (this.#spaceCount === this.#spaces.length) {
      const spaces = new Float64Array(2 * this.#spaces.length);
      spaces.set(this.#spaces);
      this.#spaces = spaces;
    }
    this.#spaces[this.#spaceCount++] = root;
  }

  /** @param key Page number, shifted. @returns How many leaves that dropped: 1 or 0. */
  #drop(root: Root, key: number, level: number): number {
    if (this.#counts[level] === 0) return 0;
    const slot = this.#slot(root, level * LEVEL + key);
    if (this.#leafAt(slot) < 0) return 0;
    this.#leaves[slot] = DROPPED;
    this.#count--;
    this.#counts[level]!--;
    return 1;
  }
  /** Drops the leaves of level `below` inside a page of a level above it: one by one, or by looking at all, whichever is less. */
  #dropInside(root: Root, key: number, level: number, below: number): number {
    if (this.#counts[below] === 0) return 0;
    const each = 2 ** (9 * (level - below));
    let dropped = 0;
    if (each < this.#epochs.length) {
      for (let i = 0; i < each; i++) dropped += this.#drop(root, key * each + i, below);
      return dropped;
    }
    for (let slot = 0; slot < this.#epochs.length; slot++) {
      if (this.#leafAt(slot) < 0 || this.#roots[slot] !== root) continue;
      const inside = this.#keys[slot]! - below * LEVEL;
      if (inside >= 0 && inside < LEVEL && up(inside, level - below) === key)
        dropped += this.#drop(root, inside, below);
    }
    return dropped;
  }

  /** Makes room for more, and leaves out what was dropped. */
  #rebuild(): void {
    const [epochs, roots, keys, leaves, epoch] = [this.#epochs, this.#roots, this.#keys, this.#leaves, this.#epoch];
    const kept = this.#count + this.#spaceCount;
    const slots = 4 * kept > epochs.length ? 2 * epochs.length : epochs.length;
    this.#epochs = new Int32Array(slots);
    this.#roots = new Float64Array(slots);
    this.#keys = new Float64Array(slots);
    this.#leaves = new Float64Array(slots);
    this.#taken = 0;
    for (let old = 0; old < epochs.length; old++) {
      if (epochs[old] !== epoch || (leaves[old]! < 0 && keys[old]! < LEVELS * LEVEL)) continue;
      this.#leaves[this.#take(roots[old]!, keys[old]!)] = leaves[old]!;
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.#taken = 0;
    this.#count = 0;
    this.#counts.fill(0);
    this.#spaceCount = 0;
    this.#space = -1;
    this.#epoch = (this.#epoch + 1) | 0;
    // After 2^32 of them an old slot could seem to be of this one.
    if (this.#epoch === 0) {
      this.#epochs.fill(0);
      this.#epoch = 1;
    }
  }

  /**
   * Forgets the leaves that cover an address, in every address space that it is an address of.
   *
   * @param low @param high The virtual address.
   * @returns The largest level that was dropped, or -1: a cache of 4-KiB pieces must forget more than one page for a level above 0.
   */
  fence(low: number, high: number): number {
    let largest = -1;
    for (let i = 0; i < this.#spaceCount; i++) {
      const root = this.#spaces[i]!;
      // "If the value held in rs1 is not a valid virtual address, then the SFENCE.VMA instruction has no effect."
      if (!canonical(root, high)) continue;
      const page = pageOf(root, low, high);
      for (let level = 0; level < LEVELS; level++) {
        if (this.#drop(root, up(page, level), level) === 1) largest = Math.max(largest, level);
      }
    }
    return largest;
  }

  /** Forgets all leaves of one address space. @returns How many. */
  forget(root: Root): number {
    const before = this.#count;
    for (let slot = 0; slot < this.#epochs.length && this.#count > 0; slot++) {
      if (this.#leafAt(slot) < 0 || this.#roots[slot] !== root) continue;
      const level = Math.floor(this.#keys[slot]! / LEVEL);
      this.#leaves[slot] = DROPPED;
      this.#count--;
      this.#counts[level]!--;
    }
    return before - this.#count;
  }

  /** All leaves in an order of their own, whatever the order of insertion: root, level, page, leaf. For digests and snapshots. */
  entries(): Float64Array {
    const slots: number[] = [];
    for (let slot = 0; slot < this.#epochs.length && slots.length < this.#count; slot++)
      if (this.#leafAt(slot) >= 0) slots.push(slot);
    slots.sort((a, b) => this.#roots[a]! - this.#roots[b]! || this.#keys[a]! - this.#keys[b]!);
    const out = new Float64Array(4 * slots.length);
    for (const [i, slot] of slots.entries()) {
      const level = Math.floor(this.#keys[slot]! / LEVEL);
      out.set([this.#roots[slot]!, level, this.#keys[slot]! - level * LEVEL, this.#leaves[slot]!], 4 * i);
    }
    return out;
  }

  /** Restores what {@link entries} gave. */
  restore(entries: Float64Array): void {
    this.clear();
    for (let i = 0; i + 3 < entries.length; i += 4) {
      const level = entries[i + 1]!;
      this.insert(entries[i]!, entries[i + 2]! * 2 ** (9 * level), level, entries[i + 3]!);
    }
  }
}
