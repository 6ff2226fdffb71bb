/**
 * What must hold of shadow page tables at any moment at which the guest runs, however they are kept. Tests and the conformance run ask.
 *
 * 1. An entry shows guest RAM, or what a technique with pages of the VMM's own shows its kernel: code to be executed and nothing else, and the
 *    state page, never to be executed.
 * 2. It stands for a leaf: one that the guest holds (T10), or, where tables are traced, one that a walk would find now. It permits its view what
 *    that leaf does, the AND of which with all levels above is the leaf alone, as only leaves have permissions.
 * 3. A page table that is traced is shown writable to nobody.
 * 4. It is a user page with A and D set, is not global, and its note of the leaf's size is right.
 * 5. It permits no more than the guest's PMP does, in the view's mode and with the whole frame; under MPRV, only to execute.
 *
 * @module
 */
import type { Protection } from "../hart/hart.ts";
import { PAGE_BYTES } from "../hart/memory.ts";
import { ACCESS, permits, type Walk, walk } from "../hart/paging.ts";
import { readProtection } from "../hart/pmp.ts";
import { MACHINE, USER } from "../hart/privileged.ts";
import { frameOf, PAGES_IN, PTE, type Root, spaceOf } from "../hart/translations.ts";
import type { Machine } from "../machine/machine.ts";
import type { Platform } from "../machine/platform.ts";
import { Vmm } from "./vmm.ts";

const RWX = PTE.R | PTE.W | PTE.X;
const STATE_PAGE = 2 ** 27 - 1;

type ShadowLeaf = ReturnType<Vmm["shadow"]["leaves"]> extends Generator<infer Leaf> ? Leaf : never;

/** @returns What is wrong with a machine's shadows, or undefined; the bare machine has none. */
export function brokenShadow({ parts: { execution, platform } }: Machine): string | undefined {
  if (!(execution instanceof Vmm)) return undefined;
  const protection = readProtection(platform.guest);
  for (const leaf of execution.shadow.leaves()) {
    const wrong = problemOf(leaf, execution, platform) ?? problemOfProtection(leaf, protection);
    if (wrong === undefined) continue;
    const { key, page, frame, flags } = leaf;
    return `${wrong}: root ${key}, page 0x${page.toString(16)}, frame 0x${frame.toString(16)}, flags 0x${flags.toString(16)}`;
  }
  return undefined;
}

function problemOf({ key, page, frame, flags, level }: ShadowLeaf, vmm: Vmm, platform: Platform): string | undefined {
  const { memory } = platform;
  const [root, mode, sum, mxr, ...regions] = key.split("/").map(Number);
  if (!memory.guestHolds(frame * PAGE_BYTES, PAGE_BYTES)) {
    const allowed = page % 2 ** 27 === STATE_PAGE ? [0, PTE.R | PTE.W] : [PTE.X];
    return mode !== USER && allowed.includes(flags & RWX) ? undefined : "an entry shows what is not guest RAM";
  }
  const { traced } = vmm.policy ?? {};
  if (traced?.guards(frame) === true && (flags & PTE.W) !== 0) return "a traced page table may be written";
  if ((flags & (PTE.U | PTE.G | PTE.A | PTE.D)) !== (PTE.U | PTE.A | PTE.D)) return "an entry has other bits";
  if (root! < 0) return frame === page ? undefined : "an entry under Bare is not of its own frame";

  const space = spaceOf(root!, page, regions);
  let leaf = vmm.translations.lookup(space, page);
  let from = vmm.translations.level;
  if (leaf < 0) {
    if (traced === undefined) return "an entry stands for no translation of the guest's";
    if (traced.isStale(space, page)) return "an entry is kept that is stale";
    [leaf, from] = walked(platform, space, page);
    if (leaf < 0) return "an entry is kept that no walk finds";
  }
  if (frame !== frameOf(leaf) + (page % PAGES_IN[from]!)) return "an entry shows another frame than its leaf";
  const viewer = { user: mode === USER, sum: sum === 1, mxr: mxr === 1 };
  const permitted =
    (permits(leaf, ACCESS.load, viewer) ? PTE.R : 0) |
    (permits(leaf, ACCESS.store, viewer) ? PTE.W : 0) |
    (permits(leaf, ACCESS.fetch, viewer) ? PTE.X : 0);
  if ((flags & RWX & ~permitted) !== 0) return "an entry permits more than its leaf";
  return vmm.policy?.precise === true && level !== from ? "an entry has another size in its note" : undefined;
}

/** Under techniques that show pages of the VMM's own, the guest has no PMP to speak of. */
function problemOfProtection({ key, frame, flags }: ShadowLeaf, protection: Protection): string | undefined {
  const [, view] = key.split("/").map(Number);
  if (view! > MACHINE && (flags & RWX & ~PTE.X) !== 0)
    return "an entry permits a load or store that MPRV makes elsewhere";
  const mode = Math.min(view!, MACHINE);
  for (const [bit, access] of [[PTE.R, ACCESS.load], [PTE.W, ACCESS.store], [PTE.X, ACCESS.fetch]] as const) // biome-ignore format: a table
    if ((flags & bit) !== 0 && !protection.allows(frame * PAGE_BYTES, PAGE_BYTES, access, mode))
      return "an entry permits what PMP does not";
  return undefined;
}

function walked({ memory }: Platform, space: Root, page: number): readonly [leaf: number, level: number] {
  const out: Walk = { steps: 0, level: 0, entry: 0 };
  const leaf = walk(memory, space, page, out, (physical) => memory.guestHolds(physical, 8));
  return [leaf, out.level];
}
