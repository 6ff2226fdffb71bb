/**
 * Pads: what an afterburner leaves room by. They weigh nothing and no step boundary lies before them (guest time rule T3), so whoever looks at
 * a hart from outside first lets it run the pads at pc.
 *
 * @module
 */
import { findInstruction } from "../isa/instructions.ts";
import type { Hart, Protection } from "./hart.ts";
import { ACCESS, permits, physicalOf } from "./paging.ts";
import { readProtection } from "./pmp.ts";
import type { Privileged } from "./privileged.ts";
import { canonical, pageOf, type Regions, type Root, spaceOf, type Translations } from "./translations.ts";

const PAD_BITS = findInstruction("pad")!.match;

/** What the guest's instructions are fetched by. */
export interface Fetching extends Pick<Privileged, "protection"> {
  readonly mode: number;
  readonly root: Root;
  readonly regions: Regions;
}

/**
 * Runs the pads at pc. Owners call it wherever the outside may look: before an interrupt and before they return. It looks only where looking
 * changes nothing: at pages whose translation is held already. A pad that the guest may not fetch is none: it faults there, however the run is cut.
 *
 * @param hart Whose pc is moved behind them.
 * @param translations The guest's set.
 * @param guest What it fetches by.
 */
export function settle(hart: Hart, translations: Translations, guest: Fetching): void {
  const { memory } = hart;
  const { mode, root, regions } = guest;
  let protection: Protection | undefined;
  for (;;) {
    const { pcLow: low, pcHigh: high } = hart;
    if ((low & 4095) > 4092) return;
    let physical = (high >>> 0) * 2 ** 32 + low;
    if (mode !== 3 && root >= 0) {
      if (!canonical(root, high)) return;
      const page = pageOf(root, low, high);
      const leaf = translations.lookup(spaceOf(root, page, regions), page);
      if (leaf < 0 || !permits(leaf, ACCESS.fetch, { user: mode === 0, sum: false, mxr: false })) return;
      physical = physicalOf(leaf, translations.level, low, high);
    }
    // What is behind the guest's RAM is nothing to the guest, whoever is there.
    if (!memory.guestHolds(physical, 4) || Number(memory.read(physical, 4)) !== PAD_BITS) return;
    protection ??= readProtection(guest);
    if (!protection.allows(physical, 2, ACCESS.fetch, mode) || !protection.allows(physical + 2, 2, ACCESS.fetch, mode))
      return;
    hart.watches.reached(hart.pc, hart.position.step);
    hart.pc = BigInt.asUintN(64, hart.pc + 4n);
  }
}
