/**
 * What small kernels say in the words of each port: of the bare machine, or of Trapline's VMM (docs/hypercalls.md). Both ports give the same
 * names, so a kernel's source says what happens, and the port how.
 *
 * The kernel has interrupts closed unless it opens them, and one user program, which it gives back all registers as 0 but a0, s10 and s11: no port
 * shows in them. t5, t6 and a0 to a7 are whoever's is working: they hold nothing across an `open`.
 *
 * @module
 */
import { HYPERCALL, HYPERCALL_EXTENSION, type HypercallName, STATE_FIELDS } from "../../engine/mod.ts";
import { KERNEL_BASE } from "./small-kernel.ts";

/** Parts of a kernel's source. */
export interface Port {
  /** The first instructions: what must be there is looked for. */
  readonly start: string;
  /** Enters an address space by its satp value, with the kernel where it is. */
  enter(satp: bigint): string;
  /** Traps go to the label `trap`; the timer interrupt counts. */
  readonly traps: string;
  /** t0 becomes scause. */
  readonly cause: string;
  /** Register t1 becomes the pc of the trap. */
  readonly pc: string;
  /** Goes to user mode at the address in t1, with interrupts open there; a0 is kept. */
  readonly toUser: string;
  /** Returns into the kernel, where the trap came from. */
  readonly back: string;
}

/** Calls the platform's firmware, which is the same under every technique. */
export const firmware = (extension: number, call: number, ...values: readonly string[]): string =>
  `${values.join("\n")}\nli a7, ${extension}\nli a6, ${call}\necall\n`;
/** The timer comes due at the time in s6. */
export const SET_TIMER: string = firmware(0x5449_4d45, 0, "mv a0, s6");
export const NO_TIMER: string = firmware(0x5449_4d45, 0, "li a0, -1");
/** Powers off; a0 says whether something was wrong. */
export const POWER_OFF: string = firmware(0x5352_5354, 0, "snez a1, a0", "li a0, 0");

export const mark = (kind: "begin" | "end" | "lap", id: number): string =>
  `slti zero, zero, ${({ begin: 1, end: 2, lap: 3 }[kind] << 8) | id}\n`;

const [SPP, SPIE, STI] = [0x100, 0x20, 0x20] as const;
/** All but a0, a6 and a7; and s10 and s11, which the kernel may keep something in. */
const CLEARED = Array.from({ length: 32 }, (_, x) => x)
  .filter((x) => ![0, 10, 16, 17, 26, 27].includes(x))
  .map((x) => `li x${x}, 0`)
  .join("\n");

export const bare: Port = {
  start: "",
  enter: (satp) => `li t0, ${satp}\ncsrw satp, t0\nsfence.vma\n`,
  traps: `la t0, trap\ncsrw stvec, t0\nli t0, ${STI}\ncsrw sie, t0\n`,
  cause: "csrr t0, scause\n",
  pc: "csrr t1, sepc\n",
  toUser: `
    csrw sepc, t1
    li t0, ${SPP}
    csrc sstatus, t0
    li t0, ${SPIE}
    csrs sstatus, t0
    ${CLEARED}
    li a6, 0
    li a7, 0
    sret
  `,
  back: "sret\n",
};

const EXTENSION = Number(HYPERCALL_EXTENSION);
export const hypercall = (name: HypercallName, ...values: readonly string[]): string =>
  firmware(EXTENSION, HYPERCALL[name], ...values);
/** A field of the state page, as the operand of a load or store. */
export const field = (name: keyof typeof STATE_FIELDS): string => `${STATE_FIELDS[name].offset}(zero)`;

const RETURN = `sd zero, ${field("spill0")}\nsd zero, ${field("spill1")}\n${hypercall("return")}`;

export const para: Port = {
  start: `
    ${firmware(0x10, 3, `li a0, ${EXTENSION}`)}
    bnez a1, vmm
    li a0, 1
    ${POWER_OFF}
    vmm:
  `,
  enter: (satp) => hypercall("switch", `li a0, ${satp}`, "li a1, 0"),
  traps: hypercall("register", "la a0, trap") + hypercall("enable", `li a0, ${STI}`),
  cause: `ld t0, ${field("scause")}\n`,
  pc: `ld t1, ${field("sepc")}\n`,
  toUser: `
    sd t1, ${field("sepc")}
    li t0, ${SPIE}
    sd t0, ${field("status")}
    ${CLEARED}
    ${RETURN}
  `,
  back: RETURN,
};

const ALL = 0xcf;
const USER = 0x10;
/** Writes a page-table entry. */
export const entry = (at: number, physical: number, flags: number): string =>
  `li t0, ${at}\nli t1, ${(physical / 4096) * 1024 + flags}\nsd t1, 0(t0)\n`;
/** What an entry is, for who writes it by other means. */
export const leaf = (physical: number, user = false): number => (physical / 4096) * 1024 + ALL + (user ? USER : 0);

/** Where user code is seen. */
export const USER_TEXT = 0x4000_0000;
const KERNEL_PAGES = 64;

/**
 * Maps the kernel's pages at their own place, each by itself, with nothing below: stubs find room there (T17).
 *
 * @param table Where the table of the third GiB is to be; the one behind it is used too.
 * @returns Source; the root's entry is the caller's to write.
 */
export const mapKernel = (table: number): string => `
  ${entry(table + 8, table + 4096, 1)}
  li t0, ${table + 4096}
  li t1, ${leaf(KERNEL_BASE)}
  li t2, ${KERNEL_PAGES}
  map: sd t1, 0(t0)
  addi t0, t0, 8
  addi t1, t1, 1024
  addi t2, t2, -1
  bnez t2, map
`;
