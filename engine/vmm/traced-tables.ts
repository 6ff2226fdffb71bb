/**
 * Page tables of the guest's that the VMM traces: it has read them, shows them to the guest read-only, and so knows of each change.
 *
 * What that buys: an entry that stands for a leaf which is in its table as it was need not go when the guest fences. It is *kept*: no longer a
 * translation that the guest holds (T10), but what the guest would read if it looked. The hart's own set says when it does: a kept entry that is
 * used goes into the guest's set at that moment, as on the bare machine. (Hardware that sets A in shadow entries would say the same; only digests
 * ask.) A change of a table takes out the entries below it: those that the guest holds are filled again from its set, for it may go on using them
 * until it fences, and are then stale, and go at the next fence.
 *
 * Bounds: each table is remembered in at most {@link MOST_PLACES} places, and one that is stored to again and again without being read is no table
 * any more, so that no store, fill or fence does work that the guest has not made exits for.
 *
 * Left out: finding out that a table is not used any longer before it is stored to.
 * Source: Adams and Agesen, "A Comparison of Software and Hardware Techniques for x86 Virtualization" (2006), on traces; Linux, KVM's shadow MMU, on
 * tables out of sync and write flooding.
 *
 * @module
 */
import { KIND_NUMBER } from "../event/record.ts";
import { PAGE_BYTES } from "../hart/memory.ts";
import { type Leaf, leafOf, PTE, pageOf, type Root, SV48, tableOf, topOf } from "../hart/translations.ts";
import type { Platform } from "../machine/platform.ts";
import type { GuestMemory } from "./guest-memory.ts";
import type { ShadowTables } from "./shadow.ts";
import type { Work } from "./vcpu.ts";

const ENTRIES = 512;
const ENTRY_BYTES = 8;
/** Where a table may be linked; at one more, all that is below it goes. */
const MOST_PLACES = 64;
/** Stores in a row, without a read for a fill, after which a table is taken for data. */
const FLOOD = 8;
/** Tables that may be out of sync at once, and where each of them may be linked. */
const MOST_UNSYNCED = 16;
const MOST_UNSYNCED_PLACES = 8;

const DROP = KIND_NUMBER["shadow.drop"];
const STALE = KIND_NUMBER["stale-translation"];

/** A table as part of an address space. */
interface Place {
  readonly space: Root;
  /** The first page that it maps. */
  readonly page: number;
  readonly level: number;
}
interface Table {
  readonly frame: number;
  places: Place[];
  /** Since it was last read for a fill. */
  stores: number;
  /** Out of sync: its entries when they were last read. */
  read: BigUint64Array | undefined;
}

export interface TracedTablesParts {
  readonly platform: Platform;
  readonly memory: GuestMemory;
  readonly shadow: ShadowTables;
  /** Whether tables of leaves may get out of sync. */
  readonly unsync: boolean;
  work(kind: Work, count?: number): void;
}

/** 4-KiB pages that an entry of a table maps. */
const pagesOf = (level: number): number => 2 ** (9 * level);

export class TracedTables {
  readonly #parts: TracedTablesParts;
  readonly #tables = new Map<number, Table>();
  readonly #unsynced = new Set<Table>();
  /** Pages with entries that are not what the tables say, by address spaces. */
  readonly #stale = new Map<number, Set<Root>>();

  constructor(parts: TracedTablesParts) {
    this.#parts = parts;
    const { platform, memory, shadow } = parts;
    const { decoded, translations } = platform.hart;
    decoded.onWritten = (physical, length) => this.#written(physical, length);
    translations.onInsert = (root, page) => {
      const space = shadow.spaceOf(root, page);
      if (space < 0 || memory.translations.lookup(space, page) >= 0) return;
      const leaf = shadow.leafOf(root, page);
      if (leaf >= 0) memory.translations.insert(space, page, shadow.level, leaf);
    };
  }

  /** Whether the guest may only read a frame. */
  guards(frame: number): boolean {
    const table = this.#tables.get(frame);
    return table !== undefined && table.read === undefined;
  }
  /** Traced frames, those out of sync left out. For tests. */
  *frames(): Generator<number> {
    for (const frame of this.#tables.keys()) if (this.guards(frame)) yield frame;
  }
  /** Whether an entry is one that stands for a leaf which its table does not say any more. For tests. */
  isStale(space: Root, page: number): boolean {
    return this.#stale.get(page)?.has(space) === true;
  }

  /** All shadow entries are gone: nothing that was read from any table matters. */
  clear(): void {
    this.#tables.clear();
    this.#unsynced.clear();
    this.#stale.clear();
  }

  /**
   * An entry is about to be made from a leaf of the guest's set: traces the tables that a walk for the page goes through.
   *
   * @param level The leaf's.
   */
  admit(space: Root, page: number, leaf: Leaf, level: number): void {
    const { memory } = this.#parts.platform;
    let table = tableOf(space);
    for (let at = topOf(space); at >= 0; at--) {
      const index = at === 3 ? Math.floor(page / 2 ** 27) : (page >>> (9 * at)) & 511;
      const physical = table * PAGE_BYTES + index * ENTRY_BYTES;
      if (!memory.guestHolds(physical, ENTRY_BYTES)) break;
      this.#note(table, { space, page: page - (page % pagesOf(at + 1)), level: at }, index);
      const word = memory.linear(physical) >>> 2;
      const [low, high] = [memory.u32[word]!, memory.u32[word + 1]!];
      if ((low & PTE.V) === 0) break;
      const frame = high * 2 ** 22 + (low >>> 10);
      if ((low & (PTE.R | PTE.X)) !== 0) {
        if (at === level && leafOf(frame, low & 0xff) === leaf) return;
        break;
      }
      table = frame;
    }
    this.#noteStale(space, page);
  }
  #noteStale(space: Root, page: number): void {
    let spaces = this.#stale.get(page);
    if (spaces === undefined) {
      spaces = new Set();
      this.#stale.set(page, spaces);
    }
    if (spaces.has(space)) return;
    spaces.add(space);
    const { log, position } = this.#parts.platform;
    const bits = space >= SV48 && topOf(space) === 3 ? 36 : 27;
    const signed = page >= 2 ** (bits - 1) ? page - 2 ** bits : page;
    const address = BigInt.asUintN(64, BigInt(signed) * BigInt(PAGE_BYTES));
    log.appendWords(STALE, position.step, Number(address & 0xffff_ffffn), Number(address >> 32n));
  }

  #note(frame: number, place: Place, index: number): void {
    const { shadow, work, platform } = this.#parts;
    let table = this.#tables.get(frame);
    if (table === undefined) {
      table = { frame, places: [], stores: 0, read: undefined };
      this.#tables.set(frame, table);
      const changed = shadow.protect(frame);
      work("protect", changed);
      if (changed > 0) platform.hart.fence();
    }
    table.stores = 0;
    const { read } = table;
    if (read !== undefined) {
      // Whoever has an entry from what stood here before holds it until a fence.
      const now = platform.memory.u64[(platform.memory.linear(frame * PAGE_BYTES) >>> 3) + index]!;
      if (now !== read[index]) this.#changed(table, index);
      read[index] = now;
    }
    const { space, page, level } = place;
    if (table.places.some((one) => one.space === space && one.page === page && one.level === level)) return;
    if (table.places.length === MOST_PLACES) {
      this.#dropBelow(table);
      table.places = [];
    }
    table.places.push(place);
    if (read !== undefined && !this.#maySlip(table)) this.#sync(table);
  }
  #maySlip({ places }: Table): boolean {
    return places.length <= MOST_UNSYNCED_PLACES && places.every(({ level }) => level === 0);
  }

  /**
   * A store is about to reach a frame that {@link guards}.
   *
   * @returns Whether the guest may write the frame from now on, so that it stores by itself; else the store is to be carried out.
   */
  release(frame: number): boolean {
    const table = this.#tables.get(frame)!;
    table.stores++;
    if (this.#parts.unsync && this.#unsynced.size < MOST_UNSYNCED && this.#maySlip(table)) {
      this.#slip(table);
      return true;
    }
    if (table.stores <= FLOOD) return false;
    this.#dropBelow(table);
    this.#tables.delete(frame);
    return true;
  }
  /** Lets a table get out of sync. What was kept of it is not what the guest would read from now on. */
  #slip(table: Table): void {
    const { platform, memory, shadow, work } = this.#parts;
    const start = platform.memory.linear(table.frame * PAGE_BYTES) >>> 3;
    table.read = platform.memory.u64.slice(start, start + ENTRIES);
    this.#unsynced.add(table);
    work("copy", ENTRIES);
    let dropped = 0;
    for (const { space, page } of table.places)
      for (const one of shadow.pagesOf(space, page))
        if (memory.translations.lookup(space, one) < 0) dropped += shadow.dropRange(space, one, 0);
    this.#dropped("unsync", dropped);
  }
  #sync(table: Table): void {
    const { platform, shadow, work } = this.#parts;
    const start = platform.memory.linear(table.frame * PAGE_BYTES) >>> 3;
    work("resync", ENTRIES);
    for (let index = 0; index < ENTRIES; index++)
      if (platform.memory.u64[start + index] !== table.read![index]) this.#changed(table, index);
    table.read = undefined;
    this.#unsynced.delete(table);
    const changed = shadow.protect(table.frame);
    work("protect", changed);
    if (changed > 0) platform.hart.fence();
  }

  /** RAM was written by whoever does not go through a shadow: an emulated store, a device, the machine's own marks of A and D. */
  #written(physical: number, length: number): void {
    const last = Math.floor((physical + length - 1) / PAGE_BYTES);
    for (let frame = Math.floor(physical / PAGE_BYTES); frame <= last; frame++) {
      const table = this.#tables.get(frame);
      if (table === undefined || table.read !== undefined) continue;
      const start = frame * PAGE_BYTES;
      const from = Math.floor((Math.max(physical, start) - start) / ENTRY_BYTES);
      const to = Math.ceil((Math.min(physical + length, start + PAGE_BYTES) - start) / ENTRY_BYTES);
      if (to - from > FLOOD) {
        this.#dropBelow(table);
        this.#tables.delete(frame);
        continue;
      }
      for (let index = from; index < to; index++) this.#changed(table, index);
    }
  }
  /** An entry has changed: what was made from it goes. */
  #changed({ places }: Table, index: number): void {
    const { shadow, work } = this.#parts;
    work("trace", places.length);
    let dropped = 0;
    for (const { space, page, level } of places)
      dropped += shadow.dropRange(space, page + index * pagesOf(level), level);
    this.#dropped("table-write", dropped);
  }
  #dropBelow({ places }: Table): void {
    let dropped = 0;
    for (const { space, page, level } of places) dropped += this.#parts.shadow.dropRange(space, page, level + 1);
    this.#dropped("untrace", dropped);
  }
  #dropped(cause: string, entries: number): void {
    if (entries === 0) return;
    const { hart, log, position } = this.#parts.platform;
    log.appendWords(DROP, position.step, log.name(cause), entries);
    hart.fence();
  }

  /** The guest fences everything: what is not as it was goes, the rest is kept. @returns How many entries went. */
  fence(): number {
    const { shadow } = this.#parts;
    for (const table of [...this.#unsynced]) this.#sync(table);
    let dropped = 0;
    for (const [page, spaces] of this.#stale) for (const space of spaces) dropped += shadow.dropRange(space, page, 0);
    this.#stale.clear();
    return dropped;
  }
  /** The guest fences one address. @returns How many entries went. */
  fencePage(low: number, high: number): number {
    const pages = [pageOf(0, low, high), pageOf(SV48, low, high)];
    const stale = pages.filter((page) => this.#stale.has(page));
    if (stale.length === 0 && !this.#outOfSync(pages)) return 0;
    for (const page of stale) this.#stale.delete(page);
    return this.#parts.shadow.dropPage(low, high);
  }
  #outOfSync(pages: readonly number[]): boolean {
    for (const { places } of this.#unsynced)
      for (const { page } of places) if (pages.some((one) => one >= page && one < page + ENTRIES)) return true;
    return false;
  }
}
