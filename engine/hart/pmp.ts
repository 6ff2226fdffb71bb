/**
 * Physical memory protection: which accesses the PMP registers allow.
 *
 * Source: RISC-V privileged specification, "Physical Memory Protection CSRs".
 *
 * @module
 */
import type { Protection } from "./hart.ts";
import { ACCESS, type Access } from "./paging.ts";
import { MACHINE, type Privileged } from "./privileged.ts";

interface Region {
  /** First byte, and first byte behind. */
  readonly from: number;
  readonly to: number;
  readonly config: number;
}

const ENTRIES = 16;
const LOCK = 0x80;
/** The A field: how an entry's address is matched. */
const TOR = 1;
const NA4 = 2;

/** Behind the last byte of a region that a top-of-range address can give; nothing answers at the few that are left of 2^56. */
const ALL = 2 ** 56 - 4;

/** Reads the PMP registers into something quick to ask. Addresses beyond 2^53 are cut off there: nothing answers at them. */
export function readProtection(privileged: Pick<Privileged, "protection">): Protection {
  const regions: Region[] = [];
  let below = 0;
  for (let entry = 0; entry < ENTRIES; entry++) {
    const { config, address } = privileged.protection(entry);
    const start = Number(address) * 4;
    const match = (config >> 3) & 3;
    if (match === TOR) {
      if (start > below) regions.push({ from: below, to: start, config });
    } else if (match === NA4) regions.push({ from: start, to: start + 4, config });
    else if (match !== 0) {
      // NAPOT: the trailing ones say how large the naturally aligned region is.
      let ones = 0;
      for (let rest = address; (rest & 1n) === 1n; rest >>= 1n) ones++;
      const size = 2 ** (ones + 3);
      const from = Number(address >> BigInt(ones + 1)) * size;
      regions.push({ from, to: from + size, config });
    }
    below = start;
  }
  const [first] = regions;
  // What kernels' firmware sets up: nothing is protected.
  if (first !== undefined && first.from === 0 && first.to >= ALL && (first.config & 7) === 7)
    return { allows: () => true };
  return {
    allows(physical: number, size: number, access: Access, mode: number): boolean {
      const end = physical + size;
      for (const { from, to, config } of regions) {
        if (end <= from || physical >= to) continue;
        // The first entry that matches any byte decides, and must match all.
        if (physical < from || end > to) return false;
        if (mode === MACHINE && (config & LOCK) === 0) return true;
        return (config & (access === ACCESS.load ? 1 : access === ACCESS.store ? 2 : 4)) !== 0;
      }
      return mode === MACHINE;
    },
  };
}
