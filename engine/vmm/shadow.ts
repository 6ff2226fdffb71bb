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
import { type MachineMemory, PAGE_BYTES } from "../hart/memory.ts";
import { ACCESS, permits, type Viewer } from "../hart/paging.ts";
import { canonical, type Leaf, levelsOf, PTE, pageOf, type Root, SV48, tableOf } from "../hart/translations.ts";
import type { VmmFrames } from "./frames.ts";

/** What a shadow root is for. */
export interface RootKey {
  /** The guest's. Under Sv48 its shadow has four levels too. */
  readonly root: Root;
  readonly mode: number;
  readonly sum: boolean;
  readonly mxr: boolean;
}

/** Frames that are needed at once at most: a root and its first fill, or a copy with its stubs and the tables that the wedge runs under. */
const MOST_AT_ONCE = 16;

/** The frame that an entry points to. */
const frameAt = (u32: Uint32Array, at: number): number => u32[at + 1]! * 2 ** 22 + (u32[at]! >>> 10);

export class ShadowTables {
  readonly #memory: MachineMemory;
  readonly #frames: VmmFrames;
  /** Those of the tables that there are. */
  readonly #used: number[] = [];
  /** Where each frame is entered in a leaf: the entry's place in memory, in words. */
  readonly #entered = new Map<number, Set<number>>();
  readonly #roots = new Map<string, Root>();
  /** Called when tables are gone, the root in force perhaps among them: the hart must forget what it read from them. */
  onDrop: () => void = () => {};

  constructor(memory: MachineMemory, frames: VmmFrames) {
    this.#memory = memory;
    this.#frames = frames;
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
    const frame = this.#frames.allocate();
    this.#used.push(frame);
    return frame;
  }

  /** Whether a root and its first fill are sure to find frames. */
  get roomy(): boolean {
    return this.#frames.free >= MOST_AT_ONCE;
  }

  /** Throws all tables away. @returns How many frames they took. */
  drop(): number {
    const dropped = this.#used.length;
    // In this order the next root gets the frame that the first one had.
    for (let frame = this.#used.pop(); frame !== undefined; frame = this.#used.pop()) this.#frames.release(frame);
    this.#roots.clear();
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
    for (const [key, shadow] of [...this.#roots]) {
      if (!key.startsWith(`${root}/`)) continue;
      this.#roots.delete(key);
      dropped += this.#release(tableOf(shadow), levelsOf(shadow) - 1);
    }
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
    this.#used.splice(this.#used.indexOf(table), 1);
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
   * @param most The R, W and X bits that the entry may have at all.
   */
  fill(root: Root, page: number, leaf: Leaf, frame: number, viewer: Viewer, most = PTE.R | PTE.W | PTE.X): void {
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
    this.#set(at, frame, (flags & most) | PTE.V | PTE.U | PTE.A | PTE.D);
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
    return true;
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
          this.#clear(at);
          dropped++;
        } else table = frameAt(u32, at);
      }
    }
    return dropped;
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
  }> {
    const { u32 } = this.#memory;
    for (const [key, root] of this.#roots) {
      const stack = [{ table: tableOf(root), level: levelsOf(root) - 1, page: 0 }];
      for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
        for (let index = 0; index < 512; index++) {
          const at = this.#entry(top.table, index * 2 ** (9 * top.level), top.level);
          if ((u32[at]! & PTE.V) === 0) continue;
          const frame = frameAt(u32, at);
          const page = top.page + index * 2 ** (9 * top.level);
          if (top.level === 0) yield { key, page, frame, flags: u32[at]! & 0xff };
          else stack.push({ table: frame, level: top.level - 1, page });
        }
      }
    }
  }
}
