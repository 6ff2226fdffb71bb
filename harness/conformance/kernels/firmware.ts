/**
 * Generated firmware: a machine-mode program that sets the machine up in one of many ways, enters the kernel in supervisor mode, and then does what
 * firmware does: it hands on what it did not delegate, answers calls, and turns machine timer and software interrupts into the supervisor's.
 *
 * Left out: calls other than the timer's, and the end of the run.
 *
 * @module
 */
import { assemble } from "../../../engine/mod.ts";
import { Seeded } from "../seeded.ts";
import { LAYOUT } from "./constructs.ts";

/** Firmware, as the seed that it is made from. */
export type Firmware = number;

const BASE = 0x8000_0000;
/** Where the handler keeps the registers that it uses. */
const SAVED = BASE + 0x1_0000;

/** What medeleg and mideleg are set to: all that a kernel wants, less than that, nothing. */
const EXCEPTIONS = ["0xb1ff", "0xb1ff", "0xb1f3", "0x11ff", "0x0100", "0xb000", "0"];
const INTERRUPTS = ["0x222", "0x222", "0x222", "0x202", "0x20", "0"];
/** CSRs that firmware may find in any state when it sets the machine up; what the handler lives by is written after them. */
const CSRS = [
  ...["mstatus", "mie", "mip", "mepc", "mcause", "mtval", "mscratch", "mtvec", "misa", "mhartid", "mvendorid"],
  ...["medeleg", "mideleg", "mcycle", "minstret", "mhpmcounter3", "mhpmevent4", "pmpaddr7", "satp", "scause"],
];
const VALUES = ["0", "-1", "0x1888", "0x2222", "0xaaa", "0x80000005", "0x123456789abcdef", "0x8000000000000000"];

/** pmpaddr of a naturally aligned power of two. */
const napot = (base: number, size: number): string => `0x${(base / 4 + size / 8 - 1).toString(16)}`;
const ALL = "-1";
/** Ways of physical memory protection: entry by entry, its address and its configuration byte. */
const PROTECTIONS: readonly (readonly (readonly [address: string, config: number])[])[] = [
  [[ALL, 0x1f]],
  [[ALL, 0x1f]],
  // The firmware's own memory is nobody else's.
  [[napot(BASE, 0x2_0000), 0x18], [ALL, 0x1f]],
  // Half of a page may only be read.
  [[napot(LAYOUT.data + 0x800, 0x800), 0x19], [ALL, 0x1f]],
  // Four bytes of a page are nobody's.
  [[`0x${((LAYOUT.data + 0x1008) / 4).toString(16)}`, 0x10], [ALL, 0x1f]],
  // A range may only be read, from a page's start to the middle of the next.
  [[`0x${(LAYOUT.data / 4).toString(16)}`, 0], [`0x${((LAYOUT.data + 0x1800) / 4).toString(16)}`, 0x09], [ALL, 0x1f]],
  // A data page may be executed and not written; a page-table page may only be read.
  [[napot(LAYOUT.data + 0x2000, 0x1000), 0x1d], [napot(LAYOUT.window, 0x1000), 0x19], [ALL, 0x1f]],
  // Nothing of the text's second half may be executed.
  [[napot(LAYOUT.text + 0x800, 0x800), 0x1b], [ALL, 0x1f]],
]; // biome-ignore format: one way a line

const HANDLER = `
handler:
  csrrw tp, mscratch, tp
  sd t0, 0(tp)
  sd t1, 8(tp)
  sd t2, 16(tp)
  csrr t0, mcause
  csrr t1, mstatus
  bltz t0, interrupted
  srli t2, t1, 11
  andi t2, t2, 3
  li t1, 3
  beq t1, t2, behind
  li t1, 9
  beq t0, t1, call
  csrw scause, t0
  csrr t0, mtval
  csrw stval, t0
  csrr t0, mepc
  csrw sepc, t0
  csrr t1, mstatus
  li t0, 0x1922
  csrc mstatus, t0
  andi t1, t1, 2
  slli t1, t1, 4
  csrs mstatus, t1
  slli t2, t2, 8
  csrs mstatus, t2
  li t0, 0x800
  csrs mstatus, t0
  csrr t0, stvec
  andi t0, t0, -4
  csrw mepc, t0
  j out
call:
  li t0, 0x53525354
  beq a7, t0, off
  li t0, 0x54494d45
  beq a7, t0, timer
  li a0, -2
  li a1, 0
behind:
  csrr t0, mepc
  addi t0, t0, 4
  csrw mepc, t0
  j out
timer:
  li t0, 0x2004000
  sd a0, 0(t0)
  li t0, 0x20
  csrc mip, t0
  li t0, 0x80
  csrs mie, t0
  li a0, 0
  li a1, 0
  j behind
off:
  li t0, 0x100000
  li t1, 0x5555
  sw t1, 0(t0)
  j off
interrupted:
  li t1, 1
  sll t1, t1, t0
  csrc mie, t1
  andi t0, t0, 15
  li t1, 7
  bne t0, t1, software
  li t0, 0x20
  csrs mip, t0
  j out
software:
  li t1, 3
  bne t0, t1, out
  li t0, 0x2000000
  sw x0, 0(t0)
  csrsi mip, 2
out:
  ld t0, 0(tp)
  ld t1, 8(tp)
  ld t2, 16(tp)
  csrrw tp, mscratch, tp
  mret
`;

/** @returns What the firmware of a seed is, to be loaded at the start of RAM. */
export function firmwareOf(seed: Firmware): Uint8Array {
  const random = new Seeded(seed);
  const csr = (name: string, value: string): string => `li t0, ${value}\ncsrw ${name}, t0\n`;
  const setUp = Array.from({ length: random.below(12) }, () => {
    const access = random.pick(["csrrw", "csrrs", "csrrc"]);
    return `li t0, ${random.pick(VALUES)}\n${access} t1, ${random.pick(CSRS)}, t0\n`;
  });
  const protection = random.pick(PROTECTIONS);
  const config = protection.reduce((bytes, [, byte], entry) => bytes + byte * 2 ** (8 * entry), 0);
  const address = LAYOUT.data + random.pick([0, 0x7fc, 0x800, 0x1004, 0x1008, 0x2000]);
  // Under MPRV, data is accessed as the supervisor or the user would.
  const asOther = random.pick(["0x20800", "0x20000", "0x21800", "0xa0800"]);
  const source = `
  la t0, handler
  csrw mtvec, t0
  li tp, ${SAVED}
  csrw mscratch, tp
${setUp.join("")}  la t0, handler
  csrw mtvec, t0
  li tp, ${SAVED}
  csrw mscratch, tp
${csr("mie", random.pick(["0", "0x88", "0xaaa"]))}${csr("medeleg", random.pick(EXCEPTIONS))}${csr("mideleg", random.pick(INTERRUPTS))}${csr("mcounteren", random.pick(["-1", "0", "2", "7"]))}${csr("menvcfg", random.pick(["0", "-1", "0x8000000000000000", "0xf0"]))}${protection.map(([at], entry) => csr(`pmpaddr${entry}`, at)).join("")}${csr("pmpcfg0", `0x${config.toString(16)}`)}
${csr("satp", "0")}  li t1, 0x3a1800
  csrc mstatus, t1
  li t0, ${asOther}
  csrs mstatus, t0
  li t2, ${address}
  ld t1, 0(t2)
  sd t1, 8(t2)
  sw t1, 4(t2)
  li t1, 0xa1800
  csrc mstatus, t1
  li t0, 0x2004000
  li t1, ${random.pick([1, 20, 200, 2 ** 31])}
  sd t1, 0(t0)
  li t0, 0x2000000
  li t1, ${random.below(2)}
  sw t1, 0(t0)
  li t0, 0x800
  csrs mstatus, t0
  li t0, ${LAYOUT.text}
  csrw mepc, t0
  li a0, 0
  li tp, 0
  mret
${HANDLER}`;
  return assemble(source, { base: BigInt(BASE) }).bytes;
}
