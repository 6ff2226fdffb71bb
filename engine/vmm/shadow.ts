/**
 * Shadow page tables: what the deprivileged guest really runs under, built in the VMM's own frames from the guest's translations (T10).
 *
 * A root stands for what the guest sees under one {satp, privilege, SUM, MXR}; all its leaves are user pages of 4 KiB, filled on first use.
 * Guest superpages are splintered. Nothing is ever marked global. A and D are set, as the guest's own rules were checked at the fill.
 *
 * Left out: prefetching, write-protected guest tables, sharing of lower tables between roots.
 *
 * @module
 */
import { type MachineMemory, PAGE_BYTES, RAM_BASE } from "../hart/memory.ts";
import { ACCESS, permits, type Viewer } from "../hart/paging.ts";
import { canonical, type Leaf, levelsOf, PTE, pageOf, type Root, SV48, tableOf } from "../hart/translations.ts";

/** What a shadow root is for. */
export interface RootKey {
  /** The guest's. Under Sv48 its shadow has four levels too. */
  readonly root: Root;
  readonly mode: number;
  readonly sum: boolean;
  readonly mxr: boolean;
}

export class ShadowTables {
  readonly #memory: MachineMemory;
  readonly #firstFrame: number;
  readonly #frames: number;
  #used = 0;
  readonly #roots = new Map<string, Root>();
  /** Called when every table is gone: the hart must forget what it read from them. */
  onDrop: () => void = () => {};

  /** The VMM's frames are those behind the guest's memory. */
  constructor(memory: MachineMemory) {
    this.#memory = memory;
    this.#firstFrame = (RAM_BASE + memory.guestBytes) / PAGE_BYTES;
    this.#frames = (memory.ramBytes - memory.guestBytes) / PAGE_BYTES;
  }

  /** The root for a view, made if need be. */
  root({ root, mode, sum, mxr }: RootKey): Root {
    const key = `${root}/${mode}/${sum ? 1 : 0}/${mxr ? 1 : 0}`;
    let shadow = this.#roots.get(key);
    if (shadow === undefined) {
      shadow = this.#allocate() + (levelsOf(root) === 4 ? SV48 : 0);
      this.#roots.set(key, shadow);
    }
    return shadow;
  }

  #allocate(): number {
    if (this.#used === this.#frames) {
      throw new RangeError(
        `Cannot allocate a shadow table as the VMM has ${this.#frames} frames: call drop before a fill that may need more`,
      );
    }
    const frame = this.#firstFrame + this.#used++;
    const word = this.#memory.linear(frame * PAGE_BYTES) >>> 3;
    this.#memory.u64.fill(0n, word, word + PAGE_BYTES / 8);
    return frame;
  }

  /** Whether a root and its first fill are sure to find frames. */
  get roomy(): boolean {
    return this.#used + 4 <= this.#frames;
  }

  /** Throws all tables away. @returns How many frames they took. */
  drop(): number {
    const dropped = this.#used;
    this.#used = 0;
    this.#roots.clear();
    this.onDrop();
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
   */
  fill(root: Root, page: number, leaf: Leaf, frame: number, viewer: Viewer): void {
    const { u32 } = this.#memory;
    let table = tableOf(root);
    for (let level = levelsOf(root) - 1; level > 0; level--) {
      const at = this.#entry(table, page, level);
      if ((u32[at]! & PTE.V) === 0) this.#set(at, this.#allocate(), PTE.V);
      table = u32[at + 1]! * 2 ** 22 + (u32[at]! >>> 10);
    }
    const flags =
      (permits(leaf, ACCESS.load, viewer) ? PTE.R : 0) |
      (permits(leaf, ACCESS.store, viewer) ? PTE.W : 0) |
      (permits(leaf, ACCESS.fetch, viewer) ? PTE.X : 0);
    this.#set(this.#entry(table, page, 0), frame, flags | PTE.V | PTE.U | PTE.A | PTE.D);
  }
  #set(at: number, frame: number, flags: number): void {
    this.#memory.u32[at] = ((frame % 2 ** 22) * 1024 + flags) >>> 0;
    this.#memory.u32[at + 1] = Math.floor(frame / 2 ** 22);
  }

  /** Takes an address's page out of every root. @returns How many entries there were. */
  dropPage(low: number, high: number): number {
    const { u32 } = this.#memory;
    let dropped = 0;
    for (const root of this.#roots.values()) {
      if (!canonical(root, high)) continue;
      const page = pageOf(root, low, high);
      let table = tableOf(root);
      for (let level = levelsOf(root) - 1; level >= 0; level--) {
        const at = this.#entry(table, page, level);
        if ((u32[at]! & PTE.V) === 0) break;
        if (level === 0) {
          u32[at] = 0;
          u32[at + 1] = 0;
          dropped++;
        } else table = u32[at + 1]! * 2 ** 22 + (u32[at]! >>> 10);
      }
    }
    return dropped;
  }

  /** All leaves of all roots, for tests of invariants: root key, page, frame, flags. */
  *leaves(): Generator<{
    readonly key: string;
    readonly page: number;
    readonly frame: number;
    readonly flags: number;
  }> {
    const { u32 } = this.#memory;
    for (const [key, root] of this.#roots) {
      const stack = [{ table: tableOf(root), level: levelsOf(root) - 1, page: 0 }];
      for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
        for (let index = 0; index < 512; index++) {
          const at = this.#entry(top.table, index * 2 ** (9 * top.level), top.level);
          if ((u32[at]! & PTE.V) === 0) continue;
          const frame = u32[at + 1]! * 2 ** 22 + (u32[at]! >>> 10);
          const page = top.page + index * 2 ** (9 * top.level);
          if (top.level === 0) yield { key, page, frame, flags: u32[at]! & 0xff };
          else stack.push({ table: frame, level: top.level - 1, page });
        }
      }
    }
  }
}
