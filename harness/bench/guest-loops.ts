/**
 * Guests for benchmarks: endless loops, assembled when they are needed.
 *
 * Each is a raw image. Those for the bare machine start in machine mode; `supervisor` ones run under a VMM too.
 *
 * @module
 */

import { assemble } from "../../engine/mod.ts";

/** Where raw images go: the start of RAM in machine mode, behind the firmware's place otherwise. */
const MACHINE_BASE = 0x8000_0000n;
const SUPERVISOR_BASE = 0x8020_0000n;

/** A loop of 16 instructions: sums, shifts, logic, a multiplication, branches of both kinds. */
const INTEGER = `
  li s0, 0x12345678
  li s1, 3
loop:
  add t0, s0, s1
  slli t1, t0, 13
  xor s0, s0, t1
  srli t1, s0, 7
  xor s0, s0, t1
  addi s1, s1, 5
  and t2, s0, s1
  or t3, t2, t0
  sltu t4, t3, s0
  sub t5, t3, t4
  mul t6, t5, s1
  beqz t4, skip
  addi s2, s2, 1
skip:
  addiw s3, s3, 1
  sraiw t0, s3, 2
  j loop
`;

/** Loads and stores of every size over 64 KiB, strided. */
const MEMORY = `
  li s0, 0x80100000
  li s1, 0
  li s4, 0xffff
loop:
  add t0, s0, s1
  ld t1, 0(t0)
  lw t2, 8(t0)
  lbu t3, 12(t0)
  add t1, t1, t2
  sd t1, 16(t0)
  sw t3, 24(t0)
  sb t1, 28(t0)
  lhu t4, 30(t0)
  add s5, s5, t4
  addi s1, s1, 72
  and s1, s1, s4
  andi s1, s1, -8
  j loop
`;

/** A trap for every eight instructions: an ecall, and a handler that returns behind it. */
const TRAPS = `
  la t0, handler
  csrw mtvec, t0
loop:
  addi s0, s0, 1
  ecall
  j loop
  .balign 4
handler:
  csrr t1, mepc
  addi t1, t1, 4
  csrw mepc, t1
  mret
`;

/** Sums, products, fused products, a division and conversions in double precision. */
const FLOATING = `
  li t0, 0x2000
  csrs mstatus, t0
  li t0, 3
  fcvt.d.l fa0, t0
  li t0, 7
  fcvt.d.l fa1, t0
  fdiv.d fa2, fa0, fa1
  fmv.d fa3, fa2
loop:
  fadd.d fa4, fa3, fa2
  fmul.d fa5, fa4, fa2
  fmadd.d fa6, fa5, fa2, fa0
  fsub.d fa7, fa6, fa1
  fmul.d fa3, fa7, fa2
  fmax.d fa3, fa3, fa2
  fmin.d fa3, fa3, fa1
  fcvt.l.d t1, fa6
  flt.d t2, fa3, fa0
  add s0, s0, t1
  add s0, s0, t2
  j loop
`;

/** Accesses to a CSR with effects and nothing else: on the bare machine each leaves wasm, under a VMM each leaves the guest. */
const SENSITIVE = `
loop:
  csrrw t0, scounteren, t1
  csrrw t1, scounteren, t0
  csrrw t0, scounteren, t1
  csrrw t1, scounteren, t0
  csrrw t0, scounteren, t1
  csrrw t1, scounteren, t0
  csrrw t0, scounteren, t1
  j loop
`;

const repeat = (lines: string, times: number): string => Array.from({ length: times }, () => lines).join("\n");

/** The exits that a kernel makes most, each alone in a round of sixteen; sret only with the two writes that prepare it. */
const HOT = {
  sstatus: repeat("csrci sstatus, 2\ncsrsi sstatus, 2", 8),
  sscratch: repeat("csrrw t0, sscratch, t0", 16),
  "sfence.vma": repeat("sfence.vma t2", 16),
  sepc: repeat("csrw sepc, t0", 16),
  sret: "la t0, back\ncsrs sstatus, t1\ncsrw sepc, t0\nsret\nback:",
} as const;

/** A benchmark's guest. */
export interface GuestLoop {
  readonly kernel: Uint8Array;
  readonly machineMode: boolean;
}

function machineLoop(source: string): GuestLoop {
  return { kernel: assemble(source, { base: MACHINE_BASE }).bytes, machineMode: true };
}

export const loops = {
  integer: () => machineLoop(INTEGER),
  memory: () => machineLoop(MEMORY),
  traps: () => machineLoop(TRAPS),
  floating: () => machineLoop(FLOATING),
  sensitive: (): GuestLoop => ({ kernel: assemble(SENSITIVE, { base: SUPERVISOR_BASE }).bytes, machineMode: false }),
  /** t2 is a page that nothing else uses, so that its fence drops nothing that must be filled again. */
  hot: (exit: keyof typeof HOT): GuestLoop => ({
    kernel: assemble(`li t1, 0x100\nli t2, 0x80400000\nloop:\n${HOT[exit]}\nj loop`, { base: SUPERVISOR_BASE }).bytes,
    machineMode: false,
  }),
} as const;

/** What a round of `hot` has: instructions that complete, and exits. */
export const HOT_ROUND = { alone: { steps: 17, exits: 16 }, sret: { steps: 6, exits: 3 } } as const;

/** Instructions of `sensitive` that exit, of those in a round. */
export const SENSITIVE_SHARE: number = 7 / 8;
