/**
 * Zicbom, Zicboz and Zawrs: cache blocks and waits on a reservation.
 *
 * Nothing is cached here, so cleaning, flushing and invalidating a block change nothing; whether they may, envcfg says, and whether they
 * can, the block's translation. A wait on a reservation may end for any reason, so it ends at once ("Zawrs": "the hart … may resume").
 *
 * Left out: Zicbop; its prefetches are HINTs (`ori` to x0) and do nothing on every machine.
 * Source: The RISC-V Instruction Set Manual, Volume I, "CMO Extensions for Base Cache Management Operation ISA" and "Zawrs".
 *
 * @module
 */
import type { BlockKind, Emit, RegisterField } from "./emit.ts";
import type { Semantics, Table } from "./table.ts";

// Control: they act on the machine beyond memory's contents, and envcfg decides who may.
// biome-ignore format: aligned like the manual
export const ZICBOM = {
  "cbo.inval": ["000000000000 rs1 010 00000 0001111", "control"],
  "cbo.clean": ["000000000001 rs1 010 00000 0001111", "control"],
  "cbo.flush": ["000000000010 rs1 010 00000 0001111", "control"],
} as const satisfies Table;

// biome-ignore format: aligned like the manual
export const ZICBOZ = {
  "cbo.zero":  ["000000000100 rs1 010 00000 0001111", "control"],
} as const satisfies Table;

// biome-ignore format: aligned like the manual
export const ZAWRS = {
  "wrs.nto": ["000000001101 00000 000 00000 1110011", "innocuous"],
  "wrs.sto": ["000000011101 00000 000 00000 1110011", "innocuous"],
} as const satisfies Table;

const block =
  (kind: BlockKind) =>
  <V>({ rs1 }: { readonly rs1: RegisterField }, e: Emit<V>) =>
    e.block(kind, e.x(rs1));

export const zicbom: Semantics<typeof ZICBOM> = {
  "cbo.inval": block("inval"),
  "cbo.clean": block("clean"),
  "cbo.flush": block("flush"),
};

export const zicboz: Semantics<typeof ZICBOZ> = {
  "cbo.zero": block("zero"),
};

export const zawrs: Semantics<typeof ZAWRS> = {
  "wrs.nto": (_, e) => e.fence(),
  "wrs.sto": (_, e) => e.fence(),
};
