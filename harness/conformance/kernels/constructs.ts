/**
 * What a generated kernel is made of: each construct turns three small numbers into a few instructions.
 *
 * Whatever a construct does, it is over at its end: a trap's handler goes on there (`s9`), an interrupt's takes the interrupt's enable away. So any
 * sequence of constructs is a kernel, any part of it is one too, and a failing one can be made small by leaving constructs out.
 *
 * Registers: s8 counts passes, s9 is where a trap goes on, s10, s11 and tp are the handler's, t6 is a construct's own, ra its calls'.
 *
 * Left out: writes of stvec and satp that leave the kernel without its handler, or without its text: it would trap until its budget ends, and
 * show nothing more. Accesses to the last page of the address space that are not relative to x0: where sites work on the state page, a guest that
 * reaches for it may find it (guest time rule T17), and only what is relative to x0 is seen beforehand.
 *
 * @module
 */

/** Where a kernel runs: under Bare; in a gigapage that maps RAM as it is; or high, with nothing below its text. */
export const PLACES = ["high", "low", "bare"] as const;
export type Place = (typeof PLACES)[number];

/** A construct and its numbers, each from 0 to 65535. */
export type Item = readonly [construct: number, a: number, b: number, c: number];
export const NUMBERS = 1 << 16;

/** What a construct is told. */
export interface Site {
  /** Makes labels unique. */
  readonly id: number;
  readonly place: Place;
  /** User code may read what is sensitive: on a machine that leaks it sees the VMM's, which is no fault of the technique's. */
  readonly userReadsCsrs: boolean;
}
/** Instructions of the kernel; and what it has in its user page. */
export interface Code {
  readonly kernel: string;
  readonly user?: string;
}
type Construct = (numbers: readonly [a: number, b: number, c: number], site: Site) => string | Code;

/** Guest-physical addresses of what every kernel has. */
export const LAYOUT = {
  text: 0x8020_0000,
  /** Four frames of data, each with a function at {@link FUNCTION}. */
  data: 0x8028_0000,
  root: 0x8030_0000,
  window: 0x8030_2000,
  high: 0x8030_3000,
  fourLevels: 0x8030_4000,
  /** From a table of the first address space to that of the second. */
  second: 0x1_0000,
  end: 0x8040_0000,
} as const;
/** Virtual addresses: 16 pages whose entries change, then the user's code; and RAM from the kernel's text on, as one superpage. */
export const WINDOW = 0x4000_0000;
export const USER_TEXT = 0x4001_0000;
const SUPERPAGE = 0x4020_0000;
/** Where a page has a function that may be called: in data frames and in the kernel's first page. */
export const FUNCTION = 16;
export const VIRTUAL_TEXT = 0xffff_ffff_8020_0000n;

const pick = <T>(items: readonly T[], number: number): T => items[number % items.length]!;

const REGISTERS = [
  ...["a0", "a1", "zero", "t0", "t1", "a2", "a3", "s0", "s1", "sp", "gp", "t2", "t5"],
  ...["a4", "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "t3", "t4"],
];
const VALUES = [
  ...[
    "0",
    "-1",
    "1",
    "2",
    "0x20",
    "0x200",
    "0x222",
    "0x100",
    "0x122",
    "0x2000",
    "0x6000",
    "0x40000",
    "0x80000",
    "0xc0122",
  ],
  ...[
    "0x8000000000000000",
    "0x123456789abcdef",
    "0x8000000000000005",
    "0x80200001",
    "0x40000010",
    "0xffffffff80200010",
  ],
];
/** satp and stvec have constructs of their own. */
const CSRS = [
  ...[
    "sscratch",
    "sepc",
    "scause",
    "stval",
    "sstatus",
    "sie",
    "sip",
    "scounteren",
    "senvcfg",
    "stimecmp",
    "fcsr",
    "frm",
  ],
  ...["time", "cycle", "instret", "fflags", "hpmcounter3", "mstatus", "mhartid", "mepc"],
];
const ACCESSES = ["csrrw", "csrrs", "csrrc", "csrrwi", "csrrsi", "csrrci"];
const TRANSLATION = "0x8";

/** satp's value for a root. */
const satp = (root: number, mode = TRANSLATION): string => `${mode}${(root / 4096).toString(16).padStart(15, "0")}`;
const SATPS = [
  satp(LAYOUT.root),
  satp(LAYOUT.root + LAYOUT.second),
  satp(LAYOUT.fourLevels, "0x9"),
  // No such mode, so that nothing is written.
  satp(LAYOUT.root, "0x5"),
];

const FRAMES = [
  ...[0, 1, 2, 3].map((frame) => LAYOUT.data + 4096 * frame),
  ...[LAYOUT.text, LAYOUT.window, 0x1000_0000, 0xc00_0000, 0x4000_0000],
  // Behind the guest's RAM, where a VMM's own memory is.
  ...[LAYOUT.end, LAYOUT.end + 0x1_0000],
];
/** RWX, RW, R, RX, X; the same for the user; without A, D, V; a table; W without R; global; for software. */
const FLAGS = [
  ...[0xcf, 0xc7, 0xc3, 0xcb, 0xc9, 0xdf, 0xd7, 0xd3, 0xd9, 0x0f, 0x4f, 0x8f, 0xce, 0x01, 0xc5, 0xef, 0x3c7, 0x5f],
];

const window = (place: Place, page: number, offset: number): number =>
  place === "bare" ? LAYOUT.data + 4096 * (page % 4) + offset : WINDOW + 4096 * (page % 16) + offset;
const OFFSETS = [32, 16, 40, 0xff8, 0xffc, 0xfff, 24];
const WHERE = ["", "la t5, start", "li t5, 0x80200000"];

/** Loads, stores, atomics and calls at t6, of a register. */
const DATA_ACCESSES: readonly ((register: string) => string)[] = [
  (r) => `ld ${r}, 0(t6)`,
  (r) => `sd ${r}, 0(t6)`,
  (r) => `lbu ${r}, 0(t6)`,
  (r) => `sb ${r}, 0(t6)`,
  (r) => `sw ${r}, 0(t6)`,
  (r) => `lh ${r}, 0(t6)`,
  (r) => `amoadd.d ${r}, ${r}, (t6)`,
  (r) => `amoswap.w ${r}, ${r}, (t6)`,
  (r) => `lr.d ${r}, (t6)\nsc.d t5, ${r}, (t6)`,
  (r) => `lr.w t5, (t6)\nebreak\nsc.w ${r}, t5, (t6)`,
  () => "fld fa0, 0(t6)",
  () => "fsd fa1, 0(t6)",
  () => `srli t6, t6, 12\nslli t6, t6, 12\njalr ra, ${FUNCTION}(t6)`,
];

const FENCES: readonly ((page: number) => string)[] = [
  () => "sfence.vma",
  () => "",
  (page) => `li t6, ${WINDOW + 4096 * page}\nsfence.vma t6`,
  (page) => `li t6, ${WINDOW + 4096 * page}\nsfence.vma t6, a1`,
  () => "sfence.vma zero, a1",
  (page) => `li t6, ${WINDOW + 4096 * (page + 1)}\nsfence.vma t6`,
  (page) => `li a2, ${WINDOW + 4096 * page}\nli a3, 4096\n${sbi(0x52464e43, 1, "1", "0")}`,
];

function sbi(extension: number, call: number, a0?: string, a1?: string): string {
  const set = (register: string, value?: string) => (value === undefined ? "" : `li ${register}, ${value}\n`);
  return `${set("a0", a0)}${set("a1", a1)}li a7, ${extension}\nli a6, ${call}\necall`;
}

/** Words that code writes into code. The last two are compressed pairs, and half a site. */
const WORDS = [
  ...["0x00128293", "0x140022f3", "0x14029073", "0x10016573", "0x10017573", "0x100022f3", "0x00100073", "0x141022f3"],
  ...["0xffffffff", "0x14251573", "0x00010001", "0x140022f3"],
];

const DEVICES: readonly (readonly [address: number, size: string, write: boolean])[] = [
  [0x1000_0005, "b", false],
  [0x1000_0007, "b", true],
  [0x1000_0007, "b", false],
  [0x1000_0000, "b", true],
  [0x1000_0002, "b", false],
  [0x1000_0001, "b", true],
  [0x1000_0005, "w", false],
  [0x10_1000, "w", false],
  [0x10_1004, "w", false],
  [0x10_1008, "w", true],
  [0x10_1010, "w", true],
  [0xc00_0028, "w", true],
  [0xc00_2080, "w", true],
  [0xc00_2080, "w", false],
  [0xc20_1000, "w", true],
  [0xc20_1004, "w", false],
  [0xc20_1004, "w", true],
  [0xc00_1000, "w", false],
  [0x1000_1000, "w", false],
  [0x200_bff8, "d", false],
  [0x1000_0007, "d", true],
];

const TRAPS = [
  ...["ebreak", ".word 0xffffffff", ".half 0", "mret", "csrr a0, mstatus", "csrw time, a0", ".word 0x30200073"],
  ...[
    "li t6, 0x80280004\namoadd.d a0, a1, (t6)",
    "li t6, 0x80280002\nlr.w a0, (t6)",
    "li t6, 0x40000000000\nld a0, 0(t6)",
  ],
  ...[
    "li t6, 0xc0000000\nsd a0, 0(t6)",
    "li t6, 0xc0000000\njalr ra, 0(t6)",
    "li t6, 0x10000000\njalr ra, 0(t6)",
    "ld a0, -2048(zero)",
    "sd a0, -1936(zero)",
  ],
  ...["li t6, 0x80400000\nld a0, 0(t6)", "li t6, 0x803ffffc\nld a0, 0(t6)", "li t6, -4096\njalr ra, 0(t6)", "c.ebreak"],
];

const FLOATS = [
  ...["fmv.x.d a2, fa0", "fmv.d.x fa0, a1", "fadd.d fa0, fa0, fa1", "fcvt.d.l fa1, a0", "fdiv.d fa2, fa0, fa1"],
  ...[
    "fcvt.w.d a3, fa0, rtz",
    "frflags a4",
    "fsrmi 2",
    "fsflagsi 0",
    "fsqrt.d fa3, fa1",
    "csrr a5, sstatus",
    "fscsr a1",
  ],
  ...[
    "csrrwi zero, frm, 7\nfadd.d fa0, fa0, fa1",
    "li t6, 0x6000\ncsrc sstatus, t6",
    "li t6, 0x2000\ncsrs sstatus, t6",
  ],
];

/** What a user program does; its end is a system call. */
const USER: readonly ((a: number, sensitive: boolean) => string)[] = [
  () => "addi a0, a0, 1",
  (a, sensitive) => (sensitive ? `csrr a0, ${pick(CSRS, a)}` : "csrr a0, mstatus"),
  () => ".word 0xffffffff",
  () => "ebreak",
  (a) => `li t6, ${WINDOW + 4096 * (a % 16) + 32}\nld a1, 0(t6)`,
  (a) => `li t6, ${WINDOW + 4096 * (a % 16) + 32}\nsd a1, 0(t6)`,
  (a) => `li t6, ${LAYOUT.data + (a % 64)}\nld a1, 0(t6)`,
  () => "ld a1, -2048(zero)",
  (a) => pick(["rdtime a2", "rdcycle a2", "rdinstret a2"], a),
  () => "fadd.d fa0, fa0, fa1",
  (_, sensitive) => (sensitive ? "sfence.vma" : "mret"),
  (_, sensitive) => (sensitive ? "csrrsi a0, sstatus, 2" : "nop"),
  () => "la t6, .\nlw a2, 0(t6)\nsw a2, 0(t6)\nfence.i",
  () => "slti x0, x0, 0x105",
  (a, sensitive) => (sensitive ? pick(["wfi", "sret", "csrw sscratch, a0"], a) : "ebreak"),
  (a) => `li t6, ${LAYOUT.end + 8 * (a % 512)}\nsd a1, 0(t6)`,
];

const named: Readonly<Record<string, Construct>> = {
  add: ([a, b]) => `addi ${pick(REGISTERS, a)}, ${pick(REGISTERS, b)}, 1`,

  "load a value": ([a, b]) => `li ${pick(REGISTERS, a)}, ${pick(VALUES, b)}`,

  "access a CSR": ([a, b, c]) => {
    const access = pick(ACCESSES, b);
    const operand = access.endsWith("i") ? String(c % 32) : pick(REGISTERS, c >> 5);
    return `${access} ${pick(REGISTERS, b >> 3)}, ${pick(CSRS, a)}, ${operand}`;
  },

  "keep trap registers": ([a, b, c]) => {
    const csr = pick(["sscratch", "sepc", "scause", "stval"], a);
    const [to, from] = [pick(REGISTERS, b), pick(REGISTERS, c)];
    return [
      `csrw ${csr}, ${from}\ncsrr ${to}, ${csr}`,
      `csrrw ${to}, ${csr}, ${from}`,
      `csrr ${to}, ${csr}`,
      `csrrw ${to}, ${csr}, ${to}\ncsrw ${csr}, zero`,
      `csrwi ${csr}, 0\ncsrr ${to}, ${csr}\ncsrr ${from}, sstatus`,
    ][(a >> 2) % 5]!;
  },

  "flip interrupts": ([a, b]) =>
    [
      "csrsi sstatus, 2",
      "csrci sstatus, 2",
      `csrrci ${pick(REGISTERS, b)}, sstatus, 2`,
      `csrrsi ${pick(REGISTERS, b)}, sstatus, 2\ncsrr ${pick(REGISTERS, b >> 5)}, sstatus`,
      "li t6, 2\ncsrrs t5, sstatus, t6\nli t6, 0x222\ncsrs sie, t6",
    ][a % 5]!,

  "write sstatus": ([a, b]) =>
    `li t6, ${pick(VALUES, a)}\n${pick(["csrw", "csrs", "csrc"], b)} sstatus, t6\ncsrr ${pick(REGISTERS, b >> 2)}, sstatus`,

  trap: ([a]) => pick(TRAPS, a),

  "call the SBI": ([a, b]) =>
    [
      sbi(0x10, b % 8, "0x54494d45"),
      sbi(0x4442434e, 2, String(65 + (b % 26))),
      sbi(0x4442434e, 0, "4", String(LAYOUT.data + (b % 64))),
      sbi(0x735049, 0, "1", "0"),
      sbi(0x52464e43, b % 3, "1", "0"),
      sbi(0xdead, 0),
      sbi(0x4442434e, 0, "16", String(LAYOUT.end - (b % 32))),
    ][a % 7]!,

  "map a page": ([a, b, c]) => {
    const page = a % 16;
    const table = LAYOUT.window + ((a >> 4) % 4 === 3 ? LAYOUT.second : 0);
    const bits = (pick(FRAMES, b) / 4096) * 1024 + pick(FLAGS, b >> 4);
    const set = `li t6, ${table + 8 * page}\nli t5, ${bits}\nsd t5, 0(t6)\n${pick(FENCES, c)(page)}`;
    return (c >> 4) % 2 === 0 ? `${set}\nli t6, ${WINDOW + 4096 * page + 32}\nld a0, 0(t6)` : set;
  },

  "map the superpage": ([a, b, c]) =>
    `li t6, ${LAYOUT.window - 4096 + 8}\nli t5, ${(pick([LAYOUT.text, 0x8000_0000, 0x8020_1000], b) / 4096) * 1024 + pick(FLAGS, a)}
    sd t5, 0(t6)\n${pick(FENCES, c)(512)}\nli t6, ${SUPERPAGE + 0x8_0020 + 4096 * (b % 4)}\n${pick(DATA_ACCESSES, c >> 4)("a3")}`,

  "touch the window": ([a, b, c], { place }) =>
    `li t6, ${window(place, a, pick(OFFSETS, b))}\n${pick(DATA_ACCESSES, c)(pick(REGISTERS.slice(3), c >> 4))}`,

  fence: ([a, b]) => pick(FENCES, a)(b % 16),

  "switch address spaces": ([a, b, c], { place }) => {
    const roots = place === "high" ? SATPS : [...SATPS, "0"];
    const first = `li t6, ${pick(roots, a)}\ncsrrw ${pick(REGISTERS, b)}, satp, t6\n${pick(["", "sfence.vma"], b >> 5)}`;
    const look = `li t6, ${window(place, c, 32)}\nld a0, 0(t6)\ncsrr a1, satp`;
    return `${first}\n${look}${(c >> 4) % 2 === 0 ? `\nli t6, ${SATPS[0]}\ncsrw satp, t6` : ""}`;
  },

  "look at memory with SUM and MXR": ([a, b, c], { place }) =>
    `li t6, ${pick(["0x40000", "0x80000", "0xc0000"], a)}\n${pick(["csrs", "csrc"], b)} sstatus, t6
    li t6, ${window(place, c, 32)}\n${pick(DATA_ACCESSES, c >> 4)("a4")}`,

  "access a device": ([a, b, c]) => {
    const [address, size, write] = pick(DEVICES, a);
    const register = pick(REGISTERS.slice(3), c);
    return `li t6, ${address}\n${write ? `li t5, ${b % 64}\ns${size} t5` : `l${size} ${register}`}, 0(t6)`;
  },

  "let a device interrupt": ([a]) =>
    `li t5, ${a % 2 === 0 ? 1 : 7}\nli t6, 0xc000028\nsw t5, 0(t6)\nli t5, 0xc00\nli t6, 0xc002080\nsw t5, 0(t6)\nli t6, 0xc201000\nsw zero, 0(t6)
    li t6, 0x10000001\nli t5, 2\nsb t5, 0(t6)\nli t6, 0x200\ncsrs sie, t6\n${pick(["csrsi sstatus, 2", "csrr a0, sip"], a >> 1)}
    nop\nli t6, 0xc201004\nlw t5, 0(t6)\nsw t5, 0(t6)\nli t6, 0x10000001\nsb zero, 0(t6)`,

  "set the timer": ([a, b, c]) =>
    `rdtime a0\naddi a0, a0, ${a % 12}
    ${(a >> 4) % 4 === 3 ? "csrw stimecmp, a0" : sbi(0x54494d45, 0)}
    li t6, 0x20\ncsrs sie, t6\n${pick(["csrsi sstatus, 2", "csrci sstatus, 2", ""], b)}
    ${"addi a3, a3, 1\ncsrr a4, sscratch\n".repeat(c % 16)}`,

  "raise a software interrupt": ([a, b]) =>
    `${pick(["csrsi sie, 2", "csrci sie, 2", "csrw sie, zero"], b)}\n${pick(["csrsi sip, 2", sbi(0x735049, 0, "1", "0"), "csrci sip, 2"], a)}
    csrr a0, sip\n${pick(["csrsi sstatus, 2", ""], b >> 3)}\naddi a1, a1, 1`,

  // Open, and with the deadline just before wfi, it waits for ever: the handler has taken the enable away.
  "wait for an interrupt": ([a, b]) =>
    `csrci sstatus, 2\nrdtime a0\naddi a0, a0, ${a % 30}\n${sbi(0x54494d45, 0)}\nli t6, 0x20\n${b % 16 === 15 ? "csrsi sstatus, 2\n" : ""}csrs sie, t6
    wfi\ncsrr a3, sip\n${pick(["csrsi sstatus, 2", "csrr a4, scause"], b >> 4)}`,

  "run a user program": ([a, b, c], { id, place, userReadsCsrs }) => {
    const body = [a >> 3, b, b >> 6, c].map((number) => pick(USER, number)(number >> 4, userReadsCsrs)).slice(a % 5);
    const address = place === "bare" ? "" : `la t5, user_base\nsub t6, t6, t5\nli t5, ${USER_TEXT}\nadd t6, t6, t5\n`;
    return {
      kernel: `la t6, user_${id}\n${address}csrw sepc, t6\nli t6, 0x100\ncsrc sstatus, t6\nli t6, 0x20\n${pick(["csrs", "csrc"], c >> 8)} sstatus, t6\nsret`,
      user: `user_${id}:\n${body.join("\n")}\necall\n`,
    };
  },

  "return to itself": ([a, b], { id }) =>
    `la t6, back_${id}\ncsrw sepc, t6\nli t6, ${a % 2 === 0 ? "0x100" : "0x120"}\ncsrs sstatus, t6\nsret\nebreak\nback_${id}: csrr ${pick(REGISTERS, b)}, sstatus`,

  "change its own code": ([a, b, c], { id }) =>
    `la t6, place_${id}\n${c % 2 === 0 ? "" : `la t5, start\nsub t6, t6, t5\nli t5, ${LAYOUT.text}\nadd t6, t6, t5\n`}li t5, ${pick(WORDS, a)}
    ${pick(["sw t5, 0(t6)", "sh t5, 0(t6)", "srli t5, t5, 16\nsh t5, 2(t6)", "sw t5, 0(t6)"], b)}\n${pick(["fence.i", ""], c >> 1)}
    ${pick(["", "c.nop"], b >> 2)}
    place_${id}: .word ${pick(WORDS, c >> 2)}
    addi a0, a0, 1`,

  "read its own code": ([a, b, c], { id }) =>
    `text_${id}: csrrw a0, sscratch, a0\n${pick(WHERE.slice(1), a)}\nla t6, text_${id}\n${pick(DATA_ACCESSES.slice(0, 1).concat(DATA_ACCESSES.slice(2, 3)), b)("a1")}
    addi t5, t5, ${8 * (c % 256)}\nld a2, 0(t5)\ncsrrw a0, sscratch, a0`,

  // On a profile without cache blocks these are illegal instructions. Of t6: clean, flush, inval, zero.
  "work on a cache block": ([a, b], { place }) =>
    `li t6, ${pick(["0xf0", "0x10", "0x80", "0"], a >> 2)}\ncsrw senvcfg, t6\nli t6, ${window(place, b, 64)}
    ${pick([".word 0x001fa00f", ".word 0x002fa00f", ".word 0x000fa00f", ".word 0x004fa00f"], a)}`,

  calculate: ([a, b]) => `${pick(FLOATS, a)}\n${pick(FLOATS, b)}\ncsrr a0, sstatus`,

  // csrw sscratch, s0 has c.addi4spn s1, sp, 544 in its second half; a5 in its place makes another of it.
  "jump into the middle of a site": ([a], { id }) =>
    `la t6, site_${id}\naddi t6, t6, 2\n${a % 3 === 0 ? "" : "csrrw a0, sscratch, a1\n"}jr t6
    site_${id}: csrw sscratch, ${pick(["s0", "a0", "zero"], a >> 2)}\nc.nop\nc.nop`,

  "stand on odd halfwords": ([a, b]) =>
    `c.nop\ncsrr ${pick(REGISTERS, a)}, sscratch\n${pick(["", "csrw sepc, a0\nc.nop"], b)}`,

  "cross a page": ([a], { id }) =>
    `j cross_${id}\n.balign 4096\n.zero 4094\ncross_${id}: ${pick(["csrr a0, sscratch", "csrrsi a0, sstatus, 2", "ebreak", "addi a0, a0, 1", "ecall", "csrrw a0, sscratch, a1"], a)}`,

  "move the vector": ([a, b]) =>
    `csrci sstatus, 2\nli t6, ${pick(VALUES, a)}\ncsrrw a0, stvec, t6\ncsrr ${pick(REGISTERS, b)}, stvec\nla t6, vector\n${b % 2 === 0 ? "" : "addi t6, t6, 1\n"}csrw stvec, t6`,

  repeat: ([a, b, c], { id }) =>
    `li t6, ${2 + (a % 40)}\nrepeat_${id}: ${pick(["csrrw a0, sscratch, a0", "csrrsi a1, sstatus, 2\ncsrci sstatus, 2", "csrr a2, sepc", "ecall", "sfence.vma", "csrr a1, satp", "csrr a4, sie"], b)}
    addi a1, a1, 1\n${pick(["", "fadd.d fa0, fa0, fa1", "csrr a3, sip", "csrr a3, stval"], c)}\naddi t6, t6, -1\nbnez t6, repeat_${id}`,
};

/** What may be in a kernel. */
export const CONSTRUCTS = Object.entries(named).map(([name, code]) => ({ name, code }));
