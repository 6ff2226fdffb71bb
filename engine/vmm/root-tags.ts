/**
 * Address-space numbers of the hardware, given out to shadow roots: a switch to a root that has one flushes nothing.
 *
 * The guest sees none (ASIDLEN is 0, T10), so these are the VMM's alone. When all are given out, the TLB is flushed once and giving out begins anew.
 * The simulated hart keeps TLB banks by root in either case: this says which switches are priced as a flush.
 *
 * Source: RISC-V privileged specification, "Supervisor Address Translation and Protection (satp) Register".
 *
 * @module
 */
import type { Root } from "../hart/translations.ts";

export class RootTags {
  readonly #most: number;
  readonly #given = new Set<Root>();

  /** @param most How many numbers the hardware has; without any, each switch is a flush. */
  constructor(most: number) {
    this.#most = most;
  }

  /** @returns What a switch to a root is: `root-tag` where the TLB keeps what it has. */
  switchTo(root: Root): "root-switch" | "root-tag" {
    if (this.#most === 0) return "root-switch";
    if (this.#given.has(root)) return "root-tag";
    const full = this.#given.size === this.#most;
    if (full) this.#given.clear();
    this.#given.add(root);
    return full ? "root-switch" : "root-tag";
  }

  /** All roots are gone, and the TLB was flushed. */
  clear(): void {
    this.#given.clear();
  }
}
