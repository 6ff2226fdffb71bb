/**
 * The virtual windows of an image: one page of RAM seen through leaves of every size, with every combination of permissions, and through
 * entries that are broken in every way that the specification names.
 *
 * Entries whose A bit is clear, or whose D bit is clear where they may be written, are left out: QEMU 7.2 sets the bits itself where rule T11
 * has a page fault. So are pointers to where no memory is: QEMU 7.2 makes page faults of what are access faults. `expectations.ts` has both.
 *
 * Source: RISC-V privileged specification, "Virtual Address Translation Process".
 *
 * @module
 */
import type { Piece } from "./handlers.ts";
import {
  ALIAS,
  LEAF_TABLES,
  RAM,
  ROOT_S,
  ROOT_S_SV48,
  ROOT_U,
  ROOT_U_SV48,
  STRADDLING,
  WINDOW_PAGE,
  WINDOW_TABLE,
  WINDOWS,
} from "./memory-map.ts";
import type { Seeded } from "./seeded.ts";

const [V, R, W, X, U, G, A, D] = [1, 2, 4, 8, 16, 32, 64, 128] as const;
export type Size = "4K" | "2M" | "1G" | "512G";

/** A page of virtual addresses that maps the window page, or fails to. */
export interface Window {
  readonly address: number;
  readonly size: Size;
  /** The leaf's flag byte where there is a leaf that RAM lies behind. */
  readonly flags: number | undefined;
  /** `RWXU` with dashes for what is missing, or what is wrong with the entry. */
  readonly name: string;
}

/** The name of windows whose entry programs change; each begins invalid. */
export const CHANGING = "changing";
/** Where the entry of a changing window is: a physical address. */
export const entryOf = (window: Window): number =>
  LEAF_TABLES + 4096 * CHANGING_TABLE + ((window.address - WINDOWS) % 2 ** 21) / 512;
const CHANGING_TABLE = 2;

export interface Windows {
  readonly all: readonly Window[];
  readonly pieces: readonly Piece[];
}

/** The name of a leaf's permissions. */
export function permissions(flags: number): string {
  return [..."RWXU"].map((letter, i) => ((flags & (R << i)) !== 0 ? letter : "-")).join("");
}
/** Every combination of R, W, X and U, by name; those with W but without R are reserved. */
export const COMBINATIONS: readonly string[] = Array.from({ length: 16 }, (_, i) => permissions(i << 1));
/** What can be wrong with an entry, by name; not all of it at every level. */
export const FLAWS = ["invalid", "reserved-bit", "misaligned", "pointer-flags", "no-memory", "endless"] as const;
type Flaw = (typeof FLAWS)[number];
/** Whether a flaw can be had by an entry of a size. */
export function canHave(size: Size, flaw: Flaw): boolean {
  if (flaw === "misaligned") return size !== "4K";
  if (flaw === "endless") return size === "4K"; // A pointer at the last level.
  return true;
}
const FLAWS_OF = (size: Size): readonly Flaw[] => FLAWS.filter((flaw) => canHave(size, flaw));

const ABSENT = 0x1_0000_0000; // Physical, behind RAM.
const frame = (physical: number) => BigInt(Math.floor(physical / 4096)) << 10n;

export function makeWindows(random: Seeded): Windows {
  const all: Window[] = [];
  const tables = new Map<number, DataView>();
  const put = (table: number, index: number, entry: bigint) => {
    let view = tables.get(table);
    if (view === undefined) {
      view = new DataView(new ArrayBuffer(4096));
      tables.set(table, view);
    }
    view.setBigUint64(8 * index, entry, true);
  };
  const roots = [ROOT_S, ROOT_U];
  for (const root of roots) {
    put(root, RAM >>> 30, frame(RAM) | BigInt(V | R | W | X | A | D | (root === ROOT_U ? U : 0)));
    put(root, 511, frame(RAM) | BigInt(V | R | X | A));
    put(root, Math.floor(WINDOWS / 2 ** 30), frame(WINDOW_TABLE) | BigInt(V));
  }
  /** @param base The physical address that the leaf maps. @param order Chosen so that every combination comes up at every size. */
  const make = (
    size: Size,
    base: number,
    order: number,
  ): readonly [entry: bigint, flags: number | undefined, name: string] => {
    const combination = (order & 15) << 1;
    const writable = (combination & W) !== 0;
    const extra = (random.chance(30) ? G : 0) | A | (writable || random.chance(50) ? D : 0);
    const software = BigInt(random.below(4)) << 8n;
    if (order < (size === "1G" || size === "512G" ? 16 : 32)) {
      const flags = V | combination | extra;
      // No permission at all makes it a pointer, to a table of which A, D and U are reserved.
      if ((flags & (R | W | X)) === 0) return [frame(base) | BigInt(flags | U), undefined, "pointer-flags"];
      return [frame(base) | software | BigInt(flags), (flags & (R | W)) === W ? undefined : flags, permissions(flags)];
    }
    const flaw = FLAWS_OF(size)[order % FLAWS_OF(size).length]!;
    const full = BigInt(V | R | W | X | A | D | (random.chance(50) ? U : 0));
    switch (flaw) {
      case "invalid":
        return [frame(base) | BigInt(random.below(128) << 1), undefined, flaw];
      case "reserved-bit":
        return [(1n << BigInt(54 + random.below(10))) | frame(base) | full, undefined, flaw];
      case "misaligned":
        return [frame(base + 4096 * (1 + random.below(size === "2M" ? 511 : 0x3_ffff))) | full, undefined, flaw];
      case "pointer-flags":
        return [frame(LEAF_TABLES) | BigInt(V | random.pick([A, D, U, A | D | U])), undefined, flaw];
      case "no-memory":
        return [
          frame(size === "512G" ? 2 ** 39 : size === "1G" ? ABSENT : ABSENT + base - RAM) | full,
          undefined,
          flaw,
        ];
      case "endless":
        return [frame(LEAF_TABLES) | BigInt(V), undefined, flaw];
    }
  };
  const add = (table: number, index: number, size: Size, base: number, address: number, order: number) => {
    const [entry, flags, name] = make(size, base, order);
    put(table, index, entry);
    all.push({ address, size, flags, name });
  };
  for (let t = 0; t < 4; t++) {
    put(WINDOW_TABLE, t, frame(LEAF_TABLES + 4096 * t) | BigInt(V));
    for (let w = 0; w < 32; w++) {
      // Half of all are combinations, so that each comes up twice; the other half is flawed.
      const order = t < 2 ? w : 32 + w;
      if (t === CHANGING_TABLE && w < 4) {
        all.push({ address: WINDOWS + t * 2 ** 21 + w * 2 ** 16, size: "4K", flags: undefined, name: CHANGING });
        continue;
      }
      add(LEAF_TABLES + 4096 * t, w * 16, "4K", WINDOW_PAGE, WINDOWS + t * 2 ** 21 + w * 2 ** 16, order);
    }
  }
  const large = WINDOW_PAGE & ~0x1f_ffff;
  for (let index = 8; index < 72; index++) {
    const address = WINDOWS + index * 2 ** 21 + ((WINDOW_PAGE & 0x1f_ffff) >>> 0);
    add(WINDOW_TABLE, index, "2M", large >>> 0, address, index - 8);
  }
  for (let index = 5; index < 32; index++) {
    const address = index * 2 ** 30 + (WINDOW_PAGE - RAM);
    // Both roots hold the same.
    const [entry, flags, name] = make("1G", RAM, index - 5);
    for (const root of roots) put(root, index, entry);
    all.push({ address, size: "1G", flags, name });
  }
  const wide = [ROOT_S_SV48, ROOT_U_SV48];
  for (const [i, root] of wide.entries()) {
    // The lowest and the highest 512 GiB are as Sv39 has them.
    for (const index of [0, 511]) put(root, index, frame(roots[i]!) | BigInt(V));
  }
  for (let index = 1; index < 48; index++) {
    const [entry, flags, name] = make("512G", 0, index - 1);
    for (const root of wide) put(root, index, entry);
    all.push({ address: index * 2 ** 39 + WINDOW_PAGE, size: "512G", flags, name });
  }
  const pieces = [...tables].map(([address, view]) => ({ address, bytes: new Uint8Array(view.buffer) }));
  return { all, pieces: [...pieces, { address: WINDOW_PAGE, bytes: landings() }] };
}

/** The window page: `c.jr` through each register at its start, and an instruction that straddles at its end. */
function landings(): Uint8Array {
  const view = new DataView(new ArrayBuffer(2 * 4096));
  for (let register = 0; register < 32; register++)
    view.setUint16(8 * register, register === 0 ? 1 : 0x8002 | (register << 7), true);
  view.setUint16(STRADDLING, 0x0013, true); // The low half of a nop; its high half is zero, behind which:
  view.setUint16(0x1002, 0x8082, true); // c.jr ra
  return new Uint8Array(view.buffer);
}
/** Offset in a window of a landing that returns through a register other than x0. */
export const landing = (register: number): number => 8 * register;

/** Whether a leaf is user code. */
export const isUserCode = (flags: number | undefined): boolean => flags !== undefined && (flags & (U | X)) === (U | X);

/** Whether an access is permitted, by the leaf alone; undefined where the window has no leaf. */
export function permitted(
  window: Window,
  access: "load" | "store" | "fetch",
  as: { readonly mode: 0 | 1; readonly sum: boolean; readonly mxr: boolean },
): boolean {
  const { flags } = window;
  if (flags === undefined) return false;
  if (as.mode === 0 ? (flags & U) === 0 : (flags & U) !== 0 && (access === "fetch" || !as.sum)) return false;
  if (access === "load") return (flags & R) !== 0 || (as.mxr && (flags & X) !== 0);
  return (flags & (access === "store" ? W : X)) !== 0;
}

/** The address, in the alias, of what lies at a physical one. */
export const aliasOf = (physical: number): bigint => ALIAS + BigInt(physical - RAM);
