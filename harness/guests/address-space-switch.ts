/**
 * A small kernel that switches between two address spaces, each of five regions (profile `regions`), as often as its user program asks.
 *
 * The program loads from each region and passes what it found to a system call; the kernel switches and returns behind it. `switch` is the part
 * that changes the address space. There are three workloads: the registers alone; the registers and some page-table entries of the space that is
 * entered; and the same, where the port to Trapline's VMM makes it one call.
 *
 * @module
 */
import { HYPERCALL } from "../../engine/mod.ts";
import type { Guest } from "./guest.ts";
import { KERNEL_BASE, smallKernel } from "./small-kernel.ts";
import { bare, entry, hypercall, leaf, mapKernel, mark, POWER_OFF, type Port, para, USER_TEXT } from "./small-ports.ts";

export const ADDRESS_SPACE_MARKS = { switch: 1 } as const;

/** Switches that are measured, and those before them, at which shadow page tables are filled. */
const [SWITCHES, FIRST] = [200, 8] as const;
/** Page-table entries that a switch changes, where it does. */
const CHANGED = 4;
const ECALL = 8;

const GIB = 2 ** 30;
const REGIONS = [0, 1, 2, 3, 4] as const;
const SPACES = [0, 1] as const;
/** The region whose entries change. */
const MOVING = 3;

/** Where the kernel is seen, so that the regions are the user's: the upper half of the address space. */
const HIGH = -(2 ** 38) - 0x8000_0000;
const ROOT = KERNEL_BASE + 0x1_0000;
const SATP = (8n << 60n) | BigInt(ROOT / 4096);
/** A region's table, with the one behind it that it points to; and the frame that its page shows. */
const tableOf = (space: number, region: number) => KERNEL_BASE + 0x1_4000 + (5 * space + region) * 0x2000;
const frameOf = (space: number, region: number) => KERNEL_BASE + 0x2_8000 + (5 * space + region) * 0x1000;
/** What the registers of a space are set to; entries to change and calls that do both, by space and by turn. */
const [SETS, BATCHES, CALLS] = [KERNEL_BASE + 0x3_2000, KERNEL_BASE + 0x3_2100, KERNEL_BASE + 0x3_2400] as const;
const [SET_BYTES, BATCH_BYTES] = [64, 128] as const;
const DATA_PAGE = 1;

const put = (at: number, ...values: readonly number[]): string =>
  values.map((value, i) => `li t0, ${at + 8 * i}\nli t1, ${value}\nsd t1, 0(t0)\n`).join("");

/** The space's regions: a page of data each, behind a first page that is the program's in the second. */
const region = (space: number, n: number): string => {
  const table = tableOf(space, n);
  return [
    entry(table, table + 4096, 1),
    put(table + 4096 + 8 * DATA_PAGE, leaf(frameOf(space, n), true)),
    put(frameOf(space, n), 8 * space + n + 1),
    n === USER_TEXT / GIB
      ? `la t1, user\nsrli t1, t1, 2\naddi t1, t1, 0x5b\nli t0, ${table + 4096}\nsd t1, 0(t0)\n`
      : "",
  ].join("");
};
/** In turn, pages of the moving region show the frame of another. */
const batch = (turn: number): string => {
  const space = turn % 2;
  const at = BATCHES + BATCH_BYTES * turn;
  const entries = Array.from({ length: CHANGED }, (_, i) => [
    tableOf(space, MOVING) + 4096 + 8 * (DATA_PAGE + i),
    leaf(frameOf(space, turn < 2 ? MOVING : MOVING + 1), true),
  ]);
  return put(at, ...entries.flat());
};
const both = (turn: number): string =>
  put(CALLS + BATCH_BYTES * turn, HYPERCALL.regions, SETS + SET_BYTES * (turn % 2)) +
  put(CALLS + BATCH_BYTES * turn + 48, HYPERCALL.update, BATCHES + BATCH_BYTES * turn, CHANGED);

/** How a port switches: s4 is the space's set of registers, s5 the batch and s6 the calls, where they are in physical memory. */
interface Way extends Port {
  /** Tables that are changed by calls are the VMM's to guard. */
  readonly prepare: string;
  readonly registers: string;
  readonly registersAndEntries: string;
}
const fiveWrites = `
  li t1, ${HIGH}
  add t1, s4, t1
  ${REGIONS.map((n) => `ld t0, ${8 * n}(t1)\ncsrw ${0x5c0 + n}, t0\n`).join("")}`;
const trapping: Way = {
  ...bare,
  prepare: "",
  registers: fiveWrites,
  registersAndEntries: `
    ${fiveWrites}
    li t2, ${HIGH}
    add t1, s5, t2
    li t3, ${MOVING * GIB + 4096 * DATA_PAGE}
    li t4, ${CHANGED}
    1: ld t0, 0(t1)
    ld t5, 8(t1)
    add t0, t0, t2
    sd t5, 0(t0)
    sfence.vma t3
    addi t1, t1, 16
    li t0, 4096
    add t3, t3, t0
    addi t4, t4, -1
    bnez t4, 1b
  `,
};
const oneCall = hypercall("regions", "mv a0, s4");
const calling: Way = {
  ...para,
  prepare: SPACES.map((space) => hypercall("guard", `li a0, ${tableOf(space, MOVING) + 4096}`)).join(""),
  registers: oneCall,
  registersAndEntries: oneCall + hypercall("update", "mv a0, s5", `li a1, ${CHANGED}`),
};
const batching: Way = { ...calling, registersAndEntries: hypercall("multicall", "mv a0, s6", "li a1, 2") };

const source = (way: Way, change: "registers" | "registersAndEntries"): string => `
  ${way.start}
  ${mapKernel(ROOT + 0x1000)}
  ${entry(ROOT + 16, ROOT + 0x1000, 1)}
  ${entry(ROOT + 8 * 256, ROOT + 0x1000, 1)}
  ${SPACES.flatMap((space) => REGIONS.map((n) => region(space, n))).join("")}
  ${SPACES.map((space) => put(SETS + SET_BYTES * space, ...REGIONS.map((n) => tableOf(space, n) / 4096))).join("")}
  ${[0, 1, 2, 3].map((turn) => batch(turn) + both(turn)).join("")}
  ${way.enter(SATP)}
  la t0, high
  li t1, ${HIGH}
  add t0, t0, t1
  jr t0
  high: ${way.traps}
  ${way.prepare}
  li s4, ${SETS}
  ${way.registers}
  li s10, ${FIRST + SWITCHES}
  li s11, 0
  li t1, ${USER_TEXT}
  li a0, 0
  leave: ${way.toUser}

  .align 2
  trap: ${way.cause}
  ${way.pc}
  addi s8, t1, 4
  li t1, ${ECALL}
  bne t0, t1, broken
  beqz s10, done
  addi s10, s10, -1
  addi s11, s11, 1
  andi t0, s11, 3
  slli t0, t0, 7
  li s5, ${BATCHES}
  add s5, s5, t0
  li s6, ${CALLS}
  add s6, s6, t0
  andi t0, s11, 1
  slli t0, t0, 6
  li s4, ${SETS}
  add s4, s4, t0
  li t0, ${SWITCHES}
  bltu s10, t0, measured
  ${way[change]}
  j back
  measured: ${mark("begin", ADDRESS_SPACE_MARKS.switch)}
  ${way[change]}
  ${mark("lap", ADDRESS_SPACE_MARKS.switch)}
  ${mark("end", ADDRESS_SPACE_MARKS.switch)}
  back: mv t1, s8
  li a0, 0
  j leave
  done: li a0, 0
  j exit
  broken: li a0, 1
  exit: ${POWER_OFF}

  .align 12
  user: li a0, 0
  ${REGIONS.map((n) => `li t0, ${n * GIB + 4096 * DATA_PAGE}\nld t1, 0(t0)\nslli a0, a0, 5\nadd a0, a0, t1\n`).join("")}
  li a7, 1
  ecall
  j user
  text_end:
`;

const BINARY = "address-space-switch";
const WORKLOADS: Readonly<Record<string, { readonly change: "registers" | "registersAndEntries"; readonly way: Way }>> =
  {
    [BINARY]: { change: "registers", way: calling },
    [`${BINARY}-and-remap`]: { change: "registersAndEntries", way: calling },
    [`${BINARY}-and-remap-at-once`]: { change: "registersAndEntries", way: batching },
  };
const guestOf = (workload: string, ported: boolean): Guest => {
  const { change, way } = WORKLOADS[workload]!;
  const binary = ported ? `${BINARY}-para` : BINARY;
  return smallKernel({
    name: workload,
    workload,
    binary,
    source: source(ported ? way : trapping, change),
    marks: ADDRESS_SPACE_MARKS,
  });
};

/** Five registers are changed. */
export const addressSpaceSwitch: Guest = guestOf(BINARY, false);
/** Five registers and some page-table entries are changed; the port makes a call for each. */
export const addressSpaceRemap: Guest = guestOf(`${BINARY}-and-remap`, false);
/** The same; the port makes one call for both. */
export const addressSpaceRemapAtOnce: Guest = guestOf(`${BINARY}-and-remap-at-once`, false);

/** @returns The port that stands for a workload. */
export function portedAddressSpaceSwitch(workload: string): Guest {
  return guestOf(workload, true);
}
