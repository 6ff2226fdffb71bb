/**
 * Page tables of the guest's that it may only read: the VMM sees every change, so that what was read from them is never stale.
 *
 * A frame is guarded from when the guest says that it is a page table. No shadow maps it writable; a store becomes an exit, and changes come
 * by hypercall in batches instead. Which leaves came from which entry is remembered as they are read, so that a change forgets just those.
 *
 * Left out: finding tables by oneself, by walking from a root; counting a frame's uses as table and as writable page, as Xen does: here no
 * guarded frame is ever mapped writable, so there is nothing to count.
 *
 * @module
 */
import { type MachineMemory, PAGE_BYTES } from "../hart/memory.ts";
import { levelsOf, PTE, type Root } from "../hart/translations.ts";

const ENTRY = 8;
/** Entries that are remembered. */
const MOST = 1 << 20;

export class GuardedTables {
  readonly #memory: MachineMemory;
  readonly #frames = new Set<number>();
  /** By the physical address of an entry: addresses that were translated by the leaf in it. */
  readonly #read = new Map<number, Set<number>>();
  /** More entries were read than are remembered: any change then forgets all. */
  #lost = false;
  /** How a change is made known: of one address, or of all. */
  readonly #forget: (low?: number, high?: number) => void;

  /** @param forget As `sfence.vma` does, of one address or of all. */
  constructor(memory: MachineMemory, forget: (low?: number, high?: number) => void) {
    this.#memory = memory;
    this.#forget = forget;
  }

  /** The guarded frames, in order, for snapshots. */
  frames(): number[] {
    return [...this.#frames].sort((a, b) => a - b);
  }
  /** Restores {@link frames}. What was read from entries before is not known. */
  restore(frames: readonly number[]): void {
    this.reset();
    for (const frame of frames) this.#frames.add(frame);
    this.#lost = true;
  }
  has(frame: number): boolean {
    return this.#frames.has(frame);
  }
  guard(frame: number): void {
    this.#frames.add(frame);
  }
  release(frame: number): boolean {
    return this.#frames.delete(frame);
  }
  /** After the guest's state was replaced. */
  reset(): void {
    this.#frames.clear();
    this.clear();
  }

  /** A leaf was read from an entry, for a page of an address space. Noted for every frame, as it may be guarded later. */
  note(entry: number, root: Root, page: number): void {
    let pages = this.#read.get(entry);
    if (pages === undefined) {
      if (this.#read.size >= MOST) {
        this.#lost = true;
        return;
      }
      pages = new Set();
      this.#read.set(entry, pages);
    }
    // Sign-extended, as addresses are; a superpage is one leaf, whichever of its pages found it.
    const bits = levelsOf(root) === 3 ? 27 : 36;
    pages.add(page >= 2 ** (bits - 1) ? page - 2 ** bits : page);
  }

  /** Forgets what is noted, as no leaf is held any more. */
  clear(): void {
    this.#read.clear();
    this.#lost = false;
  }

  /** The entries that bytes from an address on lie in, as they are now: for {@link changed}. */
  before(physical: number): readonly (readonly [entry: number, value: bigint])[] {
    const first = physical - (physical % ENTRY);
    const last = first - (first % PAGE_BYTES) + PAGE_BYTES - ENTRY;
    return [first, Math.min(first + ENTRY, last)].map((entry) => [entry, this.#memory.read(entry, ENTRY)] as const);
  }
  /** What {@link before} gave may have been written: what was read from entries that are others now is forgotten. */
  changed(before: readonly (readonly [entry: number, value: bigint])[]): void {
    for (const [entry, old] of before) if (this.#memory.read(entry, ENTRY) !== old) this.#forgetEntry(entry, old);
  }
  #forgetEntry(entry: number, old: bigint): void {
    const pages = this.#read.get(entry);
    this.#read.delete(entry);
    for (const page of pages ?? []) {
      const address = BigInt.asUintN(64, BigInt(page) * BigInt(PAGE_BYTES));
      this.#forget(Number(address & 0xffff_ffffn), Number(address >> 32n));
    }
    // A table that pointed further may stand behind any leaf.
    const flags = Number(old & 0xffn);
    const points = (flags & PTE.V) !== 0 && (flags & (PTE.R | PTE.W | PTE.X)) === 0;
    if (points || this.#lost) this.#forget();
  }
}
