/**
 * A small kernel that closes and opens interrupts, as critical sections do: the same two loops however that is done.
 *
 * A user program asks for each loop by a system call. `pair` measures closing and opening; each lap is one. `late` has a timer come due while
 * interrupts are closed, and opens them: a lap ends at the handler's first instruction. The kernel answers how many came, and how many of those
 * elsewhere than at the first boundary behind what opened; the user program fails if that is not all and none.
 *
 * There is one binary for the bare machine and two ports to Trapline's VMM: by the state page, or by hypercalls.
 *
 * @module
 */
import type { Guest } from "./guest.ts";
import { smallKernel } from "./small-kernel.ts";
import {
  bare,
  entry,
  field,
  hypercall,
  mapKernel,
  mark,
  NO_TIMER,
  POWER_OFF,
  type Port,
  para,
  SET_TIMER,
  USER_TEXT,
} from "./small-ports.ts";

export const INTERRUPT_FLAG_MARKS = { pair: 1, late: 2 } as const;

/** How often each loop runs. */
const [PAIRS, LATE] = [1000, 50] as const;
const ROOT = 0x8021_0000;
const SATP = (8n << 60n) | BigInt(ROOT / 4096);
const [FLIP, LATER, EXIT] = [1, 2, 3] as const;
/** From user mode. */
const ECALL = 8;

/** A way to close and open. The label `opened` is the first boundary behind what opens. */
interface Way extends Port {
  readonly close: string;
  readonly open: (label: string) => string;
}
const label = (name: string) => (name === "" ? "" : `${name}:`);

const trapping: Way = { ...bare, close: "csrci sstatus, 2\n", open: (name) => `csrsi sstatus, 2\n${label(name)}\n` };
const calling: Way = {
  ...para,
  close: hypercall("interrupts", "li a0, 0"),
  open: (name) => `${hypercall("interrupts", "li a0, 1")}${label(name)}\n`,
};
const storing: Way = {
  ...para,
  close: `sb zero, ${field("sieFlag")}\n`,
  // An interrupt that waited is the VMM's to bring: any call lets it.
  open: (name) => `
    li t1, 2
    sb t1, ${field("sieFlag")}
    lbu t1, ${field("pending")}
    beqz t1, 9f
    ${hypercall("yield")}
    ${label(name)}
    9:
  `,
};

const source = (way: Way): string => `
  ${way.start}
  ${mapKernel(ROOT + 0x1000)}
  ${entry(ROOT + 16, ROOT + 0x1000, 1)}
  ${entry(ROOT + 8, ROOT + 0x3000, 1)}
  ${entry(ROOT + 0x3000, ROOT + 0x4000, 1)}
  la t1, user
  srli t1, t1, 2
  addi t1, t1, 0x5b
  li t0, ${ROOT + 0x4000}
  sd t1, 0(t0)
  ${way.enter(SATP)}
  ${way.traps}
  li t1, ${USER_TEXT}
  li a0, 0
  leave: ${way.toUser}

  .align 2
  trap: ${way.cause}
  bltz t0, tick
  ${way.pc}
  mv s8, t1
  li t1, ${ECALL}
  bne t0, t1, broken
  li t1, ${LATER}
  beq a7, t1, later
  li t1, ${EXIT}
  beq a7, t1, exit

  mv s2, a0
  ${way.open("")}
  ${mark("begin", INTERRUPT_FLAG_MARKS.pair)}
  pair: ${way.close}
  ${way.open("")}
  ${mark("lap", INTERRUPT_FLAG_MARKS.pair)}
  addi s2, s2, -1
  bnez s2, pair
  ${mark("end", INTERRUPT_FLAG_MARKS.pair)}
  ${way.close}
  li a0, 0
  j return

  later: mv s2, a0
  li s4, 0
  li s5, 0
  la s7, opened
  ${way.open("")}
  one: ${way.close}
  csrr s6, time
  addi s6, s6, 20
  ${SET_TIMER}
  wait: csrr t0, time
  bgeu s6, t0, wait
  ${mark("begin", INTERRUPT_FLAG_MARKS.late)}
  ${way.open("opened")}
  ${mark("end", INTERRUPT_FLAG_MARKS.late)}
  addi s2, s2, -1
  bnez s2, one
  ${way.close}
  slli a0, s5, 32
  or a0, a0, s4
  j return

  tick: ${mark("lap", INTERRUPT_FLAG_MARKS.late)}
  addi s4, s4, 1
  ${way.pc}
  sub t1, t1, s7
  snez t1, t1
  add s5, s5, t1
  ${NO_TIMER}
  ${way.back}

  return: addi t1, s8, 4
  j leave
  broken: li a0, 1
  exit: ${POWER_OFF}

  .align 12
  user: li a7, ${FLIP}
  li a0, ${PAIRS}
  ecall
  li a7, ${LATER}
  li a0, ${LATE}
  ecall
  addi a0, a0, ${-LATE}
  li a7, ${EXIT}
  ecall
  text_end:
`;

const BINARY = "interrupt-flag";
const guestOf = (way: Way, binary: string, name: string): Guest =>
  smallKernel({ name, workload: name, binary, source: source(way), marks: INTERRUPT_FLAG_MARKS });

/** The kernel for the bare machine. Recordings of it are replayed under `para` on the port that keeps the flag in the state page. */
export const interruptFlag: Guest = guestOf(trapping, BINARY, BINARY);
/** The same, replayed under `para` on the port that changes the flag by hypercalls. */
export const interruptFlagByCall: Guest = guestOf(trapping, BINARY, `${BINARY}-by-call`);

/** @returns The port that stands for a workload. */
export function portedInterruptFlag(workload: string): Guest {
  const byCall = workload === interruptFlagByCall.workload;
  return guestOf(byCall ? calling : storing, `${BINARY}-para`, workload);
}
