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
export const flagsOf = (leaf: Leaf): number => leaf % 256;

/**
 * What translation goes by, in one number that stands for the satp value: the frame number of the root table, plus {@link SV48} where the mode
 * is Sv48; -1 where it is Bare.
 */
export type Root = number;
/** Frame numbers have 44 bits. */
export const SV48 = 2 ** 44;
/** Levels of the table: 3 under Sv39, 4 under Sv48. */
export const levelsOf = (root: Root): 3 | 4 => (root < SV48 ? 3 : 4);
/** Frame number of the root table. */
export const tableOf = (root: Root): number => (root < SV48 ? root : root - SV48);

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

/**
 * Leaves of one satp value, by level: 0 for 4 KiB, 1 for 2 MiB, 2 for 1 GiB, and under Sv48 3 for 512 GiB. Keys are virtual page numbers
 * shifted by 9 bits a level.
 */
type Space = readonly Map<number, Leaf>[];

/** Shifts a page number right by 9 bits a level. Those of Sv39 are small enough for a shift, which is what is fast. */
const up = (page: number, level: number): number =>
  page < 2 ** 31 ? page >>> (9 * level) : Math.floor(page / 2 ** (9 * level));

export class Translations {
  readonly #spaces = new Map<number, Space>();
  #count = 0;
  readonly #cap: number;
  /** The level of the leaf that {@link lookup} found last. */
  level = 0;
  /** Called when leaves were dropped without the guest asking, so that caches of the set follow. */
  onDrop: () => void = () => {};

  /** @param cap The most leaves that the set holds; the whole set is dropped before one more is put in. */
  constructor(cap: number) {
    this.#cap = cap;
  }

  get count(): number {
    return this.#count;
  }

  /**
   * @param page Virtual page number.
   * @returns The leaf that covers the page, or -1. {@link level} says how large it is.
   */
  lookup(root: Root, page: number): Leaf {
    const space = this.#spaces.get(root);
    if (space === undefined) return -1;
    for (let level = 0; level < space.length; level++) {
      const leaf = space[level]!.get(up(page, level));
      if (leaf !== undefined) {
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
    let space = this.#spaces.get(root);
    if (space === undefined) {
      space = Array.from({ length: levelsOf(root) }, () => new Map<number, Leaf>());
      this.#spaces.set(root, space);
    }
    let dropped = 0;
    for (let above = level; above < space.length; above++) if (space[above]!.delete(up(page, above))) dropped++;
    for (let below = 0; below < level; below++) {
      for (const key of space[below]!.keys()) {
        if (up(key, level - below) === up(page, level)) {
          space[below]!.delete(key);
          dropped++;
        }
      }
    }
    space[level]!.set(up(page, level), leaf);
    this.#count += 1 - dropped;
    if (dropped > 0) this.onDrop();
  }

  /** Forgets everything. */
  clear(): void {
    this.#spaces.clear();
    this.#count = 0;
  }

  /**
   * Forgets the leaves that cover an address, in every address space that it is an address of.
   *
   * @param low @param high The virtual address.
   * @returns The largest level that was dropped, or -1: a cache of 4-KiB pieces must forget more than one page for a level above 0.
   */
  fence(low: number, high: number): number {
    let largest = -1;
    for (const [root, space] of this.#spaces) {
      // "If the value held in rs1 is not a valid virtual address, then the SFENCE.VMA instruction has no effect."
      if (!canonical(root, high)) continue;
      const page = pageOf(root, low, high);
      for (let level = 0; level < space.length; level++) {
        if (space[level]!.delete(up(page, level))) {
          this.#count--;
          largest = Math.max(largest, level);
        }
      }
    }
    return largest;
  }

  /** All leaves in an order of their own, whatever the order of insertion: root, level, page, leaf. For digests and snapshots. */
  entries(): Float64Array {
    const out = new Float64Array(4 * this.#count);
    let i = 0;
    for (const root of [...this.#spaces.keys()].sort((a, b) => a - b)) {
      for (const [level, leaves] of this.#spaces.get(root)!.entries()) {
        for (const key of [...leaves.keys()].sort((a, b) => a - b)) {
          out.set([root, level, key, leaves.get(key)!], i);
          i += 4;
        }
      }
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
