/**
 * Sv39 and Sv48: the page-table walk and the permissions of a leaf.
 *
 * Svade: a leaf whose A bit is clear, or whose D bit is clear at a store, does not permit the access; only the guest writes its tables (T11).
 * Under Svadu the machine sets these bits in the entry, once everything else permits the access.
 *
 * Left out: Sv57 (its satp mode is not taken), Svnapot and Svpbmt (their bits are reserved, and fault).
 * Source: RISC-V privileged specification, "Virtual Address Translation Process".
 *
 * @module
 */
import type { MachineMemory } from "./memory.ts";
import { flagsOf, frameOf, type Leaf, leafOf, PAGES_IN, PTE, type Root, tableOf, topOf } from "./translations.ts";

export const ACCESS = { load: 0, store: 1, fetch: 2 } as const;
export type Access = (typeof ACCESS)[keyof typeof ACCESS];

/** A walk's or a translation's answer where there is no address. */
export const PAGE_FAULT = -1;
export const ACCESS_FAULT = -2;

/** What decides whether a leaf permits an access, besides the leaf. */
export interface Viewer {
  /** Whether the access is made with user privilege. */
  readonly user: boolean;
  readonly sum: boolean;
  readonly mxr: boolean;
}

/** Whether the leaf's bits permit the access. */
export function permits(leaf: Leaf, access: Access, viewer: Viewer): boolean {
  const flags = flagsOf(leaf);
  if ((flags & PTE.A) === 0) return false;
  if ((flags & PTE.U) !== 0) {
    // Supervisor code never executes user pages, whatever SUM says.
    if (!viewer.user && (access === ACCESS.fetch || !viewer.sum)) return false;
  } else if (viewer.user) return false;
  switch (access) {
    case ACCESS.load:
      return (flags & PTE.R) !== 0 || (viewer.mxr && (flags & PTE.X) !== 0);
    case ACCESS.store:
      return (flags & PTE.W) !== 0 && (flags & PTE.D) !== 0;
    case ACCESS.fetch:
      return (flags & PTE.X) !== 0;
  }
}

/** The leaf as the machine makes it for an access under Svadu: accessed, and for a store dirty. */
export function updated(leaf: Leaf, access: Access): Leaf {
  return leafOf(frameOf(leaf), flagsOf(leaf) | PTE.A | (access === ACCESS.store ? PTE.D : 0));
}

/** Where a leaf sends an address. A superpage's low frame bits come from the address. */
export function physicalOf(leaf: Leaf, level: number, low: number, high: number): number {
  // At most 27 bits of the page number lie inside a page of any level.
  const within = (((high & 0x7f) << 20) | (low >>> 12)) & (PAGES_IN[level]! - 1);
  return (frameOf(leaf) + within) * 4096 + (low & 4095);
}

export interface Walk {
  /** Reads of page-table entries that walks took. */
  steps: number;
  /** Of the last walk: the level of its leaf, and the physical address of the leaf's entry. */
  level: number;
  entry: number;
}

/**
 * Walks a page table.
 *
 * @param page Virtual page number.
 * @param out Gets the leaf's level and entry, and the number of entries read.
 * @param readable Whether a physical doubleword may be read (PMP, or a guest's bounds).
 * @returns The leaf, or {@link PAGE_FAULT}, or {@link ACCESS_FAULT} where a table lies outside memory.
 */
export function walk(
  memory: MachineMemory,
  root: Root,
  page: number,
  out: Walk,
  readable: (physical: number) => boolean,
): Leaf {
  let table = tableOf(root);
  for (let level = topOf(root); level >= 0; level--) {
    // A shift sees the low 32 bits, which hold all of the index below level 3.
    const index = level === 3 ? Math.floor(page / 2 ** 27) : (page >>> (9 * level)) & 511;
    const physical = table * 4096 + index * 8;
    if (!memory.holds(physical, 8) || !readable(physical)) return ACCESS_FAULT;
    const word = memory.linear(physical) >>> 2;
    const low = memory.u32[word]!;
    const high = memory.u32[word + 1]!;
    out.steps++;
    if ((low & PTE.V) === 0 || (low & (PTE.R | PTE.W)) === PTE.W) return PAGE_FAULT;
    // Bits 63 to 54 belong to extensions that this machine does not have.
    if (high >>> 22 !== 0) return PAGE_FAULT;
    const frame = high * 2 ** 22 + (low >>> 10);
    if ((low & (PTE.R | PTE.X)) !== 0) {
      if (level > 0 && frame % PAGES_IN[level]! !== 0) return PAGE_FAULT;
      out.level = level;
      out.entry = physical;
      return leafOf(frame, low & 0xff);
    }
    // A, D and U are reserved in an entry that points to a table.
    if ((low & (PTE.A | PTE.D | PTE.U)) !== 0) return PAGE_FAULT;
    table = frame;
  }
  return PAGE_FAULT;
}
