/**
 * HINTs that mean something to this machine. Both are of those "designated for custom use", so they are no-ops on every other one.
 *
 * Source: The RISC-V Instruction Set Manual, Volume I, "HINT Instructions" (RV64I); guest time rule T3.
 *
 * @module
 */
import type { Semantics, Table } from "./table.ts";

// biome-ignore format: aligned like the manual
export const HINTS = {
  // sltiu x0, x0, 0x5a5: fills a site up to the length of what may replace its instruction. No step, no boundary.
  pad:  ["010110100101 00000 011 00000 0010011", "innocuous", { weight: 0, specialises: "sltiu" }],
  // slti x0, x0, code: a lap point that the guest makes.
  mark: ["imm12 00000 010 00000 0010011",        "innocuous", { specialises: "slti" }],
} as const satisfies Table;

export const hints: Semantics<typeof HINTS> = {
  pad: () => {},
  mark: (_, e) => e.mark(),
};
