/**
 * No VMM: the guest runs on the bare machine. The baseline that every technique is compared with.
 *
 * @module
 */
import type { Technique } from "../vmm/technique.ts";

export const native: Technique = { name: "native", port: "bare", requires: [] };
