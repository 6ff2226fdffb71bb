/**
 * Supervisor programs for tests: assembled, booted under the platform's SBI as kernels are, on the bare machine or under a technique.
 *
 * @module
 */
import { createMachine, type MachineConfig } from "./create.ts";
import { EVENTS, type Event } from "./event/event.ts";
import { eventsOf } from "./event/record.ts";
import { assemble } from "./isa/assemble.ts";
import { strict } from "./isa/profile.ts";
import type { Machine } from "./machine/machine.ts";
import { native } from "./techniques/native.ts";

/** Where the program is loaded, and starts. */
export const BASE = 0x8020_0000n;
export const MEMORY_BYTES = 4 << 20;

/** Boots a program. Its a0 is 0 and its a1 the device tree's address; a0 to a7 are free where it does not look at them. */
export function boot(source: string, options: Partial<MachineConfig> = {}): Machine {
  return createMachine({
    kernel: assemble(source, { base: BASE }).bytes,
    memoryBytes: MEMORY_BYTES,
    rtcSeconds: 0,
    machineMode: false,
    profile: strict,
    technique: native,
    logging: true,
    tier: "interpreter",
    ...options,
  });
}

/** An x register by its number. */
export const x = ({ parts }: Machine, register: number): bigint => parts.platform.hart.x[register]!;

/** The guest stream since it was last taken. */
export function guestEvents(machine: Machine): Event[] {
  return [...eventsOf(machine.log.drain())].filter(({ kind }) => EVENTS[kind].stream === "guest");
}

/** An SBI call. */
export const sbi = (extension: number, call: number, a0: number | bigint = 0, a1: number | bigint = 0): string =>
  `li a7, ${extension}\nli a6, ${call}\nli a0, ${a0}\nli a1, ${a1}\necall\n`;
export const SHUTDOWN = sbi(0x53525354, 0);
export const setTimer = (tick: number | bigint): string => sbi(0x54494d45, 0, tick);

/** Begins a program: traps are noted in s10 (stval) and s11 (scause), and stepped over; instructions are 4 bytes long. */
export const NOTING_TRAPS = "la t6, handler\ncsrw stvec, t6\n.option norvc\n";
/** Ends such a program. */
export const HANDLER = `
.align 2
handler:
  csrr s10, stval
  csrr s11, scause
  csrr t6, sepc
  addi t6, t6, 4
  csrw sepc, t6
  sret
`;

/**
 * Turns Sv39 on: RAM is a gigapage for the supervisor; t0 is the address of the table whose first entry maps 0x40000000. The root is at
 * 0x80300000, the tables below it for 0x40000000 follow.
 */
export const PAGING = `
  li t0, 0x80300000
  li t1, 0x200000cf
  sd t1, 16(t0)
  li t1, 0x200c0401
  sd t1, 8(t0)
  li t0, 0x80301000
  li t1, 0x200c0801
  sd t1, 0(t0)
  li t0, 0x80302000
  li t1, 8
  slli t1, t1, 60
  li t2, 0x80300
  or t1, t1, t2
  csrw satp, t1
`;
/** Stores a page-table entry at `offset` from t0. */
export const entry = (offset: number, physical: number, flags: number): string =>
  `li t1, ${(physical / 4096) * 1024 + flags}\nsd t1, ${offset}(t0)\n`;
/** Flags of a leaf: V, R, W, X, U, A and D. */
export const LEAF = { read: 0x43, readWrite: 0xc7, all: 0xcf } as const;
