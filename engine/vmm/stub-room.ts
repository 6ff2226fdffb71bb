/**
 * Where the guest leaves room for stubs: addresses that its page tables do not map, and the tables that say so.
 *
 * A guest that maps such an address has its own code or data there from that store on, as an entry that does not permit an access is read again
 * for each (T10). The sites whose stubs lie there must trap before (T17). So each store to such a table is seen, wherever it comes from.
 *
 * Left out: tables higher up. A guest that makes an entry point to another table, where it pointed to one before, must fence before it may rely on
 * that ("Supervisor Memory-Management Fence Instruction"), and the fence drops what the shadow shows.
 *
 * @module
 */
import { type MachineMemory, PAGE_BYTES } from "../hart/memory.ts";
import { type Walk, walk } from "../hart/paging.ts";
import type { Root } from "../hart/translations.ts";

/** Stores to a table after which it is let go, and the copies with it: it may be no table any longer. */
const MOST_STORES = 64;

interface Place {
  /** The guest's frame whose copy has its stubs there. */
  readonly frame: number;
  readonly root: Root;
  /** Number of the virtual page. */
  readonly page: number;
  /** The frame of the table whose entry leaves it unmapped. */
  table: number;
}

/** Who is told of what. */
export interface RoomEvents {
  /** The stubs of a frame's copy have no room any longer. */
  mapped(frame: number): void;
  /** A frame may not be written unseen from now on. */
  guarded(table: number): void;
}

export class StubRoom {
  readonly #memory: MachineMemory;
  readonly #on: RoomEvents;
  readonly #places = new Map<string, Place>();
  /** Stores so far, by the frames of tables. */
  readonly #tables = new Map<number, number>();

  constructor(memory: MachineMemory, on: RoomEvents) {
    this.#memory = memory;
    this.#on = on;
  }

  /** Whether a frame may not be written unseen. */
  guards(frame: number): boolean {
    return this.#tables.has(frame);
  }

  /** Says that the stubs of a frame's copy are at a page that the guest leaves unmapped. */
  add(frame: number, root: Root, page: number): void {
    const key = `${root}/${page}/${frame}`;
    if (this.#places.has(key)) return;
    const table = this.#tableOf(root, page);
    if (table < 0) return;
    this.#places.set(key, { frame, root, page, table });
    this.#guard(table);
  }
  #guard(table: number): void {
    if (this.#tables.has(table)) return;
    this.#tables.set(table, 0);
    this.#on.guarded(table);
  }
  /** The frame of the table whose entry leaves a page unmapped, or -1 where it is mapped. */
  #tableOf(root: Root, page: number): number {
    const out: Walk = { steps: 0, level: 0, entry: 0 };
    let last = 0;
    const found = walk(this.#memory, root, page, out, (at) => {
      last = at;
      return this.#memory.guestHolds(at, 8);
    });
    return found >= 0 ? -1 : Math.floor(last / PAGE_BYTES);
  }

  /** Bytes of RAM changed. */
  written(physical: number, length: number): void {
    if (this.#tables.size === 0) return;
    const last = Math.floor((physical + length - 1) / PAGE_BYTES);
    for (let frame = Math.floor(physical / PAGE_BYTES); frame <= last; frame++)
      if (this.#tables.has(frame)) this.#look(frame);
  }
  /** Looks again at what a table left unmapped. */
  #look(table: number): void {
    for (const [key, place] of [...this.#places]) {
      if (place.table !== table) continue;
      place.table = this.#tableOf(place.root, place.page);
      if (place.table >= 0) {
        this.#guard(place.table);
        continue;
      }
      this.#places.delete(key);
      this.#on.mapped(place.frame);
    }
    if (![...this.#places.values()].some((place) => place.table === table)) this.#tables.delete(table);
  }

  /** Counts a store to a table. */
  stored(table: number): void {
    const stores = this.#tables.get(table);
    if (stores === undefined) return;
    this.#tables.set(table, stores + 1);
    if (stores + 1 < MOST_STORES) return;
    this.#tables.delete(table);
    for (const [key, place] of [...this.#places]) {
      if (place.table !== table) continue;
      this.#places.delete(key);
      this.#on.mapped(place.frame);
    }
  }

  clear(): void {
    this.#places.clear();
    this.#tables.clear();
  }
}
