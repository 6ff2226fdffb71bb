/**
 * Full virtualization with other ways of shadow paging, one choice apart from `full` each (`../vmm/shadow-options.ts`).
 *
 * All are exact: what a shadow shows is a cache of the guest's translations (T10), however it is kept.
 *
 * @module
 */
import type { ShadowOptions } from "../vmm/shadow-options.ts";
import type { Technique } from "../vmm/technique.ts";
import { full } from "./full.ts";

/**
 * `full` with other shadows.
 *
 * @param variant Its name: `full:VARIANT`. @param options What is chosen; the rest is as in `full`.
 */
export function shadowedBy(variant: string, options: Partial<ShadowOptions>): Technique {
  return {
    ...full,
    variant,
    prepare: (mechanisms) => mechanisms.shadowBy(options),
    on: {
      ...full.on!,
      // The guest stores to a page table that the VMM traces.
      "table-write": ({ released }, { vcpu }) => {
        if (released === true) return "again";
        return vcpu.emulateInstruction() ? "after" : "reflect";
      },
    },
  };
}

/** The variants by name, in the order in which they are listed. */
export const shadowed: readonly Technique[] = [
  // One root for an address space, emptied when privilege, SUM or MXR change.
  shadowedBy("space-roots", { roots: "space" }),
  // A single root, emptied when satp changes too.
  shadowedBy("one-root", { roots: "one" }),
  // A fault fills the 16 pages around it, as far as the guest has used their leaves.
  shadowedBy("prefetch", { prefetch: 16 }),
  // A fence of a superpage takes out that superpage.
  shadowedBy("splinters", { superpages: "remembered" }),
  // Switches between roots flush nothing: the hardware tells them apart.
  shadowedBy("tagged", { tags: 256 }),
  // Page tables are write-protected, and each store to one is carried out by the VMM.
  shadowedBy("traced", { coherency: "traced" }),
  // The same, but a table of leaves goes out of sync at the first store, until a fence of everything.
  shadowedBy("unsync", { coherency: "unsync" }),
  // What can be had at once.
  shadowedBy("combined", { coherency: "unsync", prefetch: 16, tags: 256 }),
];
