/**
 * How shadow page tables are kept: the choices that a technique makes, each independent of what the guest sees.
 *
 * Whatever is chosen, shadows are caches of the guest's translations (T10): a choice moves faults, drops and cycles, and nothing else.
 *
 * Left out: entries made from page tables that the guest has not used. Which leaves the guest has read is part of its state, and only an exit
 * would say that one of those was used first.
 *
 * @module
 */

/** What one shadow root stands for: a view, that is {address space, privilege, SUM, MXR}; an address space; or whatever the guest is in. */
export type Sharing = "view" | "space" | "one";

/** How shadows follow the guest's page tables. */
export type Coherency =
  /** As a TLB does: a fence takes out what it covers. */
  | "fence"
  /** The tables may only be read: each store to one is an exit, so that a fence need take out nothing that is as it was. */
  | "traced"
  /** The same, but a table of leaves that is stored to may be written until the next fence of everything, which compares. */
  | "unsync";

export interface ShadowOptions {
  readonly roots: Sharing;
  /** At a fault, entries of this many pages around it are made from leaves that the guest has used: a power of 2, or 0. */
  readonly prefetch: number;
  readonly coherency: Coherency;
  /** Whether a splintered superpage's size is remembered, so that a change of one takes out its own splinters, and not all roots. */
  readonly superpages: "forgotten" | "remembered";
  /** Address-space numbers that the hardware has for shadow roots; without, each switch between roots flushes the TLB. */
  readonly tags: number;
}

export const LAZY: ShadowOptions = { roots: "view", prefetch: 0, coherency: "fence", superpages: "forgotten", tags: 0 };
