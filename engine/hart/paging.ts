/**
 * Sv39: the page-table walk and the permissions of a leaf.
 *
 * Svade: a leaf whose A bit is clear, or whose D bit is clear at a store, does not permit the access; only the guest writes its tables (T11).
 *
 * Left out: Sv48 and Sv57 (their satp modes are not taken), Svnapot and Svpbmt (their bits are reserved, and fault).
 * Source: RISC-V privileged specification, "Virtual Address Translation Process".
 *
 * @module
 */
import type { MachineMemory } from "./memory.ts";
import { flagsOf, type Leaf, leafOf, PTE } from "./translations.ts";

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

export interface Walk {
  /** Reads of page-table entries that the walk took. */
  steps: number;
  level: number;
}

/**
 * Walks a page table.
 *
 * @param root Frame number of the root table. @param page Virtual page number, 27 bits.
 * @param out Gets the leaf's level and the number of entries read.
 * @param readable Whether a physical doubleword may be read (PMP, or a guest's bounds).
 * @returns The leaf, or {@link PAGE_FAULT}, or {@link ACCESS_FAULT} where a table lies outside memory.
 */
export function walk(memory: MachineMemory, root: number, page: number, out: Walk, readable: (physical: number) => boolean): Leaf {
  let table = root;
  for (let level = 2; level >= 0; level--) {
    const physical = table * 4096 + ((page >>> (9 * level)) & 511) * 8;
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
      if (frame % 2 ** (9 * level) !== 0) return PAGE_FAULT;
      out.level = level;
      return leafOf(frame, low & 0xff);
    }
    // A, D and U are reserved in an entry that points to a table.
    if ((low & (PTE.A | PTE.D | PTE.U)) !== 0) return PAGE_FAULT;
    table = frame;
  }
  return PAGE_FAULT;
}
