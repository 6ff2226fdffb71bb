/**
 * The code around generated programs: boot, the machine-mode handler and the supervisor-mode one.
 *
 * Every section of a program begins with `ebreak`, on which the machine-mode handler switches to the section's environment. Of any other
 * exception it steps over the instruction, in the mode that raised it; a fetch that failed goes on at the next section, in machine mode.
 * The supervisor-mode handler calls the machine-mode one, which does the same with sepc.
 *
 * @module
 */
import { assemble } from "../../engine/mod.ts";
import { CLINT, CODE, ENVIRONMENTS, M_HANDLER, PLIC, RAM, S_HANDLER, SAVE, UART, UART_SOURCE } from "./memory-map.ts";

/** Fields of the save area, in bytes. */
const SAVED = { t1: 0, t2: 8, codeFrom: 16, codeTo: 24, call: 32, resume: 40, next: 48 } as const;

/** Fields of an environment, in bytes. */
export const FIELD = {
  mstatus: 0, satp: 8, stvec: 16, call: 24, medeleg: 32, mideleg: 40, mie: 48, resume: 56, start: 64, mtvec: 72, counteren: 80,
} as const; // biome-ignore format: a table
export const ENVIRONMENT_BYTES = 96;

/** Sixteen entries, for vectored interrupts; cause 0's is that of exceptions. */
const vector = (target: string) => `  j ${target}\n`.repeat(16);

/** Moves t2 behind the instruction at t2, or gives up where that is not in the program. */
const advance = (label: string) => `
  ld t1, ${SAVED.codeFrom}(t0)
  bltu t2, t1, resume
  ld t1, ${SAVED.codeTo}(t0)
  bgeu t2, t1, resume
  lhu t1, 0(t2)
  andi t1, t1, 3
  addi t1, t1, -3
  addi t2, t2, 2
  bnez t1, ${label}
  addi t2, t2, 2
${label}:`;

/** Of t1 = cause - 3: a switch, or a fetch that failed (causes 1 and 12). */
const classify = `
  beqz t1, switch
  addi t1, t1, 2
  beqz t1, resume
  addi t1, t1, -11
  beqz t1, resume`;

// Without STCE, a write of stimecmp would take STIP back on QEMU 7.2.
const clearTimer = `
  li t1, -1
  csrw stimecmp, t1`;
const clearInterrupts = (timed: boolean) => `${timed ? clearTimer : ""}
  csrw mip, zero
  lui t1, ${CLINT >>> 12}
  sw zero, 0(t1)
  lui t1, ${(CLINT >>> 12) + 4}
  li t2, -1
  sd t2, 0(t1)`;

const set = (csr: string, offset: number) => `
  ld t2, ${offset}(t1)
  csrw ${csr}, t2`;
const keep = (field: number, offset: number) => `
  ld t2, ${offset}(t1)
  sd t2, ${field}(t0)`;

const machine = (timed: boolean) => `
${vector("trap")}
trap:
  csrrw t0, mscratch, t0
  csrrc zero, mstatus, t0
  sd t1, ${SAVED.t1}(t0)
  sd t2, ${SAVED.t2}(t0)
  csrr t1, mcause
  csrr t2, mepc
  bltz t1, interrupt
  addi t1, t1, -9
  bnez t1, other
  ld t1, ${SAVED.call}(t0)
  beq t1, t2, delegated
  li t1, 0
other:
  addi t1, t1, 6
${classify}
${advance("to_program")}
  csrw mepc, t2
out:
  ld t1, ${SAVED.t1}(t0)
  ld t2, ${SAVED.t2}(t0)
  csrrw t0, mscratch, t0
  mret
interrupt:
  andi t1, t1, 63
  addi t1, t1, -11
  bnez t1, internal
  lui t1, ${UART >>> 12}
  sb zero, 1(t1)
  lui t1, ${(PLIC >>> 12) + 0x200}
  lw t2, 4(t1)
  sw t2, 4(t1)
internal:
${clearInterrupts(timed)}
  j out
resume:
  ld t2, ${SAVED.resume}(t0)
  csrw mepc, t2
  li t1, 0x1800
  csrs mstatus, t1
  j out
delegated:
  csrr t1, scause
  csrr t2, sepc
  bltz t1, delegated_interrupt
  addi t1, t1, -3
${classify}
${advance("to_supervisor")}
  csrw sepc, t2
behind_call:
  csrr t2, mepc
  addi t2, t2, 4
  csrw mepc, t2
  j out
delegated_interrupt:
${clearInterrupts(timed)}
  j behind_call
switch:
  ld t1, ${SAVED.next}(t0)
  addi t2, t1, ${ENVIRONMENT_BYTES}
  sd t2, ${SAVED.next}(t0)
${set("satp", FIELD.satp)}
${set("stvec", FIELD.stvec)}
${set("medeleg", FIELD.medeleg)}
${set("mideleg", FIELD.mideleg)}
${set("mie", FIELD.mie)}
${set("mtvec", FIELD.mtvec)}
${set("mcounteren", FIELD.counteren)}
  csrw scounteren, t2
${set("mepc", FIELD.start)}
${keep(SAVED.call, FIELD.call)}
${keep(SAVED.resume, FIELD.resume)}
${set("mstatus", FIELD.mstatus)}
  j out
`;

const SUPERVISOR = `
${vector("trap")}
trap:
  ecall
  sret
`;
/** Bytes from the S handler's start to its call. */
export const CALL_OFFSET = 64;

// The boot ROM leaves values of its own in a few registers.
const boot = (timed: boolean) => `
  li t0, ${M_HANDLER}
  csrw mtvec, t0
  li t0, ${SAVE}
  csrw mscratch, t0
${clearTimer}
${clearInterrupts(timed)}
  li t1, 1
  li t2, ${PLIC + 4 * UART_SOURCE}
  sw t1, 0(t2)
  slli t1, t1, ${UART_SOURCE}
  li t2, ${PLIC + 0x2000}
  sw t1, 0(t2)
  li t1, ${timed ? 1 : 0}
  slli t1, t1, 63
  csrw menvcfg, t1
  li t1, -1
  srli t1, t1, 10
  csrw pmpaddr15, t1
  li t1, 0x1f
  slli t1, t1, 56
  csrw pmpcfg2, t1
${Array.from({ length: 32 }, (_, i) => `  li x${i}, 0\n`).join("")}
  li t1, ${CODE}
  jr t1
`;

export interface Piece {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** @param codeTo The end of the programs. @param timed Whether stimecmp decides when the supervisor's timer interrupt is pending (menvcfg.STCE). */
export function handlers(codeTo: number, timed: boolean): Piece[] {
  const code = (address: number, text: string): Piece => ({
    address,
    bytes: assemble(text, { base: BigInt(address) }).bytes,
  });
  const save = new DataView(new ArrayBuffer(64));
  save.setBigUint64(SAVED.codeFrom, BigInt(CODE), true);
  save.setBigUint64(SAVED.codeTo, BigInt(codeTo), true);
  save.setBigUint64(SAVED.next, BigInt(ENVIRONMENTS), true);
  return [
    code(RAM, boot(timed)),
    code(M_HANDLER, machine(timed)),
    code(S_HANDLER, SUPERVISOR),
    { address: SAVE, bytes: new Uint8Array(save.buffer) },
  ];
}
