/**
 * Translations as architectural state (T10): the leaves that a hart has used and not yet been told to forget, by address space.
 *
 * A leaf is read from the page table at first use and serves every access it permits until an sfence.vma covers it. Real TLBs forget earlier,
 * at times of their own; this set forgets only when told, or when it is full, so no TLB's size ever shows in a run.
 *
 * Left out: ASIDs (ASIDLEN is 0) and the G bit, which is ignored. Sv39 only.
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

/** Leaves of one satp value, by level: 0 for 4 KiB, 1 for 2 MiB, 2 for 1 GiB. Keys are virtual page numbers shifted by 9 bits a level. */
type Space = readonly [Map<number, Leaf>, Map<number, Leaf>, Map<number, Leaf>];

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
   * @param root The root page table's frame number, which stands for the satp value.
   * @param page Virtual page number (27 bits).
   * @returns The leaf that covers the page, or -1. {@link level} says how large it is.
   */
  lookup(root: number, page: number): Leaf {
    const space = this.#spaces.get(root);
    if (space === undefined) return -1;
    for (let level = 0; level < 3; level++) {
      const leaf = space[level]!.get(page >>> (9 * level));
      if (leaf !== undefined) {
        this.level = level;
        return leaf;
      }
    }
    return -1;
  }

  /** Puts a leaf in, in place of all that it overlaps in its address space. */
  insert(root: number, page: number, level: number, leaf: Leaf): void {
    if (this.#count >= this.#cap) {
      this.clear();
      this.onDrop();
    }
    let space = this.#spaces.get(root);
    if (space === undefined) {
      space = [new Map(), new Map(), new Map()];
      this.#spaces.set(root, space);
    }
    let dropped = 0;
    for (let above = level; above < 3; above++) if (space[above]!.delete(page >>> (9 * above))) dropped++;
    for (let below = 0; below < level; below++) {
      const shift = 9 * (level - below);
      for (const key of space[below]!.keys()) {
        if (key >>> shift === page >>> (9 * level)) {
          space[below]!.delete(key);
          dropped++;
        }
      }
    }
    space[level]!.set(page >>> (9 * level), leaf);
    this.#count += 1 - dropped;
    if (dropped > 0) this.onDrop();
  }

  /** Forgets everything. */
  clear(): void {
    this.#spaces.clear();
    this.#count = 0;
  }

  /**
   * Forgets the leaves that cover a page, in every address space.
   *
   * @returns The largest level that was dropped, or -1: a cache of 4-KiB pieces must forget more than one page for a level above 0.
   */
  fence(page: number): number {
    let largest = -1;
    for (const space of this.#spaces.values()) {
      for (let level = 0; level < 3; level++) {
        if (space[level]!.delete(page >>> (9 * level))) {
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
