/**
 * Cases that QEMU 7.2 is known to answer otherwise, or that time decides: what is right is recorded here, with the rule that says so.
 *
 * A case runs in machine mode from the start of RAM, and calls its exceptions with `ra` holding where to go on; they leave their cause in s9,
 * their value in s10, their pc in s11, and machine mode on.
 * Rules `T…` are those of guest time; the other names are sections of the RISC-V specifications.
 *
 * @module
 */
import { assemble, createMachine, extended, type Machine, native, type Tier } from "../../engine/mod.ts";
import type { Kind, Ledger } from "./ledger.ts";

export interface Expectation {
  readonly name: string;
  readonly rule: string;
  /** What QEMU 7.2 does. */
  readonly qemu: string;
  /** The ledger's entries that it counts for. */
  readonly covers: readonly (readonly [Kind, string])[];
  readonly code: string;
  /** Page-table entries, by physical address. */
  readonly entries?: readonly (readonly [address: number, entry: bigint])[];
  /** Registers at the end, by ABI name. */
  readonly registers: Readonly<Record<string, bigint>>;
}

const RAM = 0x8000_0000;
const ROOT = RAM + 0x1_0000;
/** A table of 2-MiB leaves and one of 4-KiB leaves. */
const MIDDLE = RAM + 0x1_1000;
const LOWEST = RAM + 0x1_2000;
/** What leaves of every size map at offset 0x200000 of their gigabyte, or at their start. */
const PAGE = RAM + 0x20_0000;
const [V, R, W, X, U, A, D] = [1n, 2n, 4n, 8n, 16n, 64n, 128n];
const frame = (physical: number) => BigInt(physical / 4096) << 10n;
const ALL = 2n ** 64n - 1n;

/** A table whose entry 2 maps RAM for supervisors; virtual 4 GiB up leads to the two tables. */
const TABLE: readonly (readonly [number, bigint])[] = [
  [ROOT + 16, frame(RAM) | V | R | W | X | A | D],
  [ROOT + 32, frame(MIDDLE) | V],
  [MIDDLE, frame(LOWEST) | V],
];
/** The entry that a size's leaf is at, the physical address that it maps, and the virtual address of {@link PAGE} through it. */
const LEAVES = {
  "4K": [LOWEST, PAGE, 0x1_0000_0000n],
  "2M": [MIDDLE + 8, PAGE, 0x1_0020_0000n],
  "1G": [ROOT + 40, RAM, 0x1_4020_0000n],
} as const;

/** Enters a mode under the table; MPP is 0 before it. */
const enter = (mode: 0 | 1) => `
  li t0, ${mode << 11}
  csrs mstatus, t0
  la t0, inside
  csrw mepc, t0
  li t0, ${(8n << 60n) | BigInt(ROOT / 4096)}
  csrw satp, t0
  la ra, outside
  mret
inside:`;

const PROLOGUE = `
  j begin
.balign 4
trap:
  csrr s9, mcause
  csrr s10, mtval
  csrr s11, mepc
  jr ra
begin:
  la t0, trap
  csrw mtvec, t0
  li t0, -1
  csrw pmpaddr0, t0
  li t0, 0x1f
  csrw pmpcfg0, t0
  li t0, 0x6000
  csrs mstatus, t0
  li s9, -1
  la ra, outside
`;
const EPILOGUE = `
outside:
  li t0, 0x100000
  li t1, 0x5555
  sw t1, 0(t0)
`;

const PAGE_FAULT = { load: 13n, store: 15n, fetch: 12n } as const;
const ACCESS_FAULT = { load: 5n, store: 7n, fetch: 1n } as const;
type Access = keyof typeof PAGE_FAULT;
const ACCESS: Readonly<Record<Access, string>> = { load: "lw t2, 0(t1)", store: "sw t2, 0(t1)", fetch: "jr t1" };
const SIZES = ["4K", "2M", "1G"] as const;

function translated(
  name: string,
  entry: (size: (typeof SIZES)[number]) => bigint,
  cause: typeof PAGE_FAULT | typeof ACCESS_FAULT,
  accesses: readonly Access[],
  texts: { rule: string; qemu: string },
): Expectation[] {
  return SIZES.flatMap((size) =>
    accesses.map((access): Expectation => {
      const [at, , address] = LEAVES[size];
      return {
        name: `${access} through a ${size} entry: ${name}`,
        ...texts,
        covers: [
          ["flaw", `${size} ${name} ${access}`],
          ["exception", `${cause[access]} to M`],
        ],
        entries: [...TABLE, [at, entry(size)]],
        code: `${enter(1)}\nli t1, ${address}\n${ACCESS[access]}`,
        registers: { s9: cause[access], s10: address },
      };
    }),
  );
}

const full = V | R | W | X | A | D;
const ALL_ACCESSES = ["load", "store", "fetch"] as const;

const PAGING: readonly Expectation[] = [
  ...translated("accessed-clear", (size) => frame(LEAVES[size][1]) | (full & ~A), PAGE_FAULT, ALL_ACCESSES, {
    rule: "T11 (Svade)",
    qemu: "sets A",
  }),
  ...translated("dirty-clear", (size) => frame(LEAVES[size][1]) | (full & ~D), PAGE_FAULT, ["store"], {
    rule: "T11 (Svade)",
    qemu: "sets D",
  }),
  ...translated(
    "no-table",
    (size) => frame(size === "4K" ? 2 ** 32 : 2 ** 32) | (size === "4K" ? full : V),
    ACCESS_FAULT,
    ALL_ACCESSES,
    {
      rule: "Virtual Address Translation Process, step 2",
      qemu: "raises page faults",
    },
  ),
  {
    name: "a supervisor may not fetch from a user page that it has loaded from",
    rule: "Virtual Address Translation Process, step 6",
    qemu: "lets its TLB entry of the load serve the fetch",
    covers: [["exception", "12 to M"]],
    entries: [...TABLE, [LOWEST, frame(PAGE) | full | U]],
    code: `li t0, 0x40000\ncsrs mstatus, t0\n${enter(1)}\nli t1, 0x100000000\nlw t2, 0(t1)\njr t1`,
    registers: { s9: 12n, s10: 0x1_0000_0000n },
  },
  {
    name: "an access to two pages names the first byte that fails",
    rule: "T13",
    qemu: "checks the PMP for all of it at the first page",
    covers: [["exception", "5 to M"]],
    // Entry 0 closes the second page, entry 1 opens all.
    code: `li t0, ${(PAGE + 0x1000) / 4 + 511}\ncsrw pmpaddr0, t0\nli t0, -1\ncsrw pmpaddr1, t0\nli t0, 0x1f18\ncsrw pmpcfg0, t0\n
      la t0, inside\ncsrw mepc, t0\nmret\ninside:\nli t1, ${PAGE + 0xffc}\nld t2, 0(t1)`,
    registers: { s9: 5n, s10: BigInt(PAGE + 0x1000) },
  },
  {
    name: "a misaligned access where nothing is names its own address",
    rule: "Machine Trap Value (mtval) Register: the faulting virtual address",
    qemu: "names the aligned address",
    covers: [["exception", "5 to M"]],
    code: "li t1, 0x90000003\nlw t2, 0(t1)",
    registers: { s9: 5n, s10: 0x9000_0003n },
  },
  {
    name: "an access that reaches over a PMP entry on both sides fails",
    rule: "Physical Memory Protection CSRs: the entry that matches any byte decides, and must match all",
    qemu: "looks only at the first and the last byte",
    covers: [["exception", "7 to M"]],
    code: `li t0, ${PAGE}\naddi t1, t0, 4\nsrli t1, t1, 2\ncsrw pmpaddr0, t1\nli t1, 0x97\ncsrw pmpcfg0, t1\nsd t0, 1(t0)`,
    registers: { s9: 7n, s10: BigInt(PAGE) + 1n },
  },
  {
    name: "with every PMP entry off, user mode may access nothing",
    rule: "Physical Memory Protection CSRs: with an entry implemented and none matching, S and U accesses fail",
    qemu: "allows all",
    covers: [["exception", "1 to M"]],
    code: "csrw pmpcfg0, zero\nla t0, inside\ncsrw mepc, t0\nmret\ninside:\nnop",
    registers: { s9: 1n },
  },
];

/** Reads back what a register took of all ones. */
const readBack = (csr: string, value: bigint, wrote = ALL): Expectation => ({
  name: `${csr} holds what it can`,
  rule: "the row's WARL mask (engine/isa/csr.ts)",
  qemu: "has more bits, or fewer",
  covers: [
    ["csr", `${csr} written`],
    ["csr", `${csr} read`],
  ],
  code: `li t0, ${BigInt.asIntN(64, wrote)}\ncsrw ${csr}, t0\ncsrr a0, ${csr}`,
  registers: { a0: value, s9: ALL },
});

const COUNTED = Array.from({ length: 29 }, (_, i) => i + 3).flatMap((n) => [`mhpmcounter${n}`, `mhpmevent${n}`]);
const REGISTERS: readonly Expectation[] = [
  readBack("medeleg", 0xb3ffn),
  readBack("mideleg", 0x222n),
  readBack("mie", 0xaaan),
  readBack("mcounteren", 7n),
  readBack("scounteren", 7n),
  readBack("mcountinhibit", 0n),
  readBack("mepc", ALL - 1n),
  readBack("sepc", ALL - 1n),
  readBack("pmpaddr1", 2n ** 54n - 1n),
  readBack("satp", (8n << 60n) | (2n ** 44n - 1n), (8n << 60n) | (2n ** 60n - 1n)),
  {
    name: "counters of no event are 0, whatever is written to them",
    rule: "Hardware Performance Monitor: they may be read-only 0",
    qemu: "counts events in them",
    covers: COUNTED.flatMap(
      (csr) =>
        [
          ["csr", `${csr} written`],
          ["csr", `${csr} read`],
        ] as const,
    ),
    code: `li a0, 0\nli t0, -1\n${COUNTED.map((csr) => `csrw ${csr}, t0\ncsrr t1, ${csr}\nor a0, a0, t1\n`).join("")}`,
    registers: { a0: 0n, s9: ALL },
  },
  ...["marchid", "mimpid"].map(
    (csr): Expectation => ({
      name: `${csr} is 0`,
      rule: "0 says that the machine does not name it",
      qemu: "gives its version",
      covers: [["csr", `${csr} read`]],
      code: `csrr a0, ${csr}`,
      registers: { a0: 0n },
    }),
  ),
  {
    name: "MPP keeps its value where a write is of no mode, and UXL its width",
    rule: "Machine Status Registers: MPP and UXL are WARL",
    qemu: "takes both",
    covers: [["csr", "mstatus written"]],
    code: "li t0, 0x1800\ncsrc mstatus, t0\nli t0, 0x100001000\ncsrs mstatus, t0\ncsrr a0, mstatus\nli t0, 0x300001800\nand a0, a0, t0",
    registers: { a0: 0x2_0000_0000n },
  },
  {
    name: "W without R leaves a PMP entry as it was",
    rule: "Physical Memory Protection CSRs: R = 0 with W = 1 is reserved",
    qemu: "takes it",
    covers: [["csr", "pmpcfg0 written"]],
    code: "li t0, 0x1f1f\ncsrw pmpcfg0, t0\nli t0, 0x1a1b\ncsrw pmpcfg0, t0\ncsrr a0, pmpcfg0",
    registers: { a0: 0x1f1bn },
  },
  {
    name: "a write of no bits to a read-only register is illegal",
    rule: "Zicsr: csrrs with rs1 other than x0 attempts a write",
    qemu: "looks at the value of rs1",
    covers: [
      ["exception", "2 to M"],
      ["csr", "mhartid refused"],
    ],
    code: "li t1, 0\ncsrrs a0, mhartid, t1",
    registers: { s9: 2n, s10: 0xf143_2573n },
  },
  {
    name: "returns below machine mode clear MPRV",
    rule: "Machine Status Registers: MRET or SRET to a mode less privileged than M sets MPRV = 0",
    qemu: "keeps MPRV",
    covers: [
      ["mnemonic", "sret"],
      ["mnemonic", "mret"],
    ],
    code: `li t0, 0x20000\ncsrs mstatus, t0\nla t0, one\ncsrw sepc, t0\nla ra, 1f\nsret\none:\necall\n1:\ncsrr a0, mstatus\nli t0, 0x21800\ncsrc mstatus, t0
      li t0, 0x20000\ncsrs mstatus, t0\nla t0, two\ncsrw mepc, t0\nla ra, 2f\nmret\ntwo:\necall\n2:\ncsrr a1, mstatus\nli t0, 0x20000\nand a0, a0, t0\nand a1, a1, t0`,
    registers: { a0: 0n, a1: 0n, s9: 8n },
  },
  ...(["s", "d"] as const).flatMap((format) => {
    const raising = [
      ...["feq", "flt", "fle"].map((name) => `${name}.${format} t2, fa0, fa0`),
      ...["w", "wu", "l", "lu"].map((to) => `fcvt.${to}.${format} t2, fa0`),
    ];
    const silent = [
      `fclass.${format} t2, fa0`,
      format === "s" ? "fmv.x.w t2, fa0" : "fmv.x.d t2, fa0",
      `${format === "s" ? "fsw" : "fsd"} fa0, 0(t3)`,
    ];
    // FS is Initial before each; t0 is that, and t1 the field.
    const status = (instruction: string, fold: string) =>
      `csrc mstatus, t1\ncsrs mstatus, t0\n${instruction}\ncsrr t2, mstatus\nand t2, t2, t1\n${fold}\n`;
    const before = `fmv.d.x fa0, zero\nli t3, ${PAGE}\nli t0, 0x2000\nli t1, 0x6000\n`;
    return [
      {
        name: `instructions on ${format} that may raise a flag set FS to Dirty, whether they raise one or not`,
        rule: "T14",
        qemu: "leaves FS where no f register is written",
        covers: raising.map((text) => ["mnemonic", text.split(" ")[0]!] as const),
        code: `${before}li a0, -1\n${raising.map((text) => status(text, "and a0, a0, t2")).join("")}`,
        registers: { a0: 0x6000n },
      },
      {
        name: `instructions on ${format} that only read leave FS as it is`,
        rule: "T14",
        qemu: "leaves it as well",
        covers: silent.map((text) => ["mnemonic", text.split(" ")[0]!] as const),
        code: `${before}li a0, 0\n${silent.map((text) => status(text, "or a0, a0, t2")).join("")}`,
        registers: { a0: 0x2000n },
      },
    ] satisfies Expectation[];
  }),
  {
    name: "without STCE, stimecmp does not touch STIP",
    rule: "Sstc Extension: STIP is stimecmp's under menvcfg.STCE",
    qemu: "sets and clears it",
    covers: [
      ["csr", "stimecmp written"],
      ["csr", "mip read"],
    ],
    code: "csrw stimecmp, zero\ncsrr a0, mip\nli t0, 0x20\ncsrs mip, t0\nli t1, -1\ncsrw stimecmp, t1\ncsrr a1, mip\nand a0, a0, t0\nand a1, a1, t0",
    registers: { a0: 0n, a1: 0x20n },
  },
];

const COUNTING: readonly Expectation[] = [
  {
    name: "minstret does not count an ecall, nor any exception; mcycle counts its step",
    rule: "T1, T6",
    qemu: "counts the ecall in minstret",
    covers: [
      ["csr", "minstret read"],
      ["csr", "mcycle read"],
    ],
    // The handler's four instructions are counted: with rdinstret's own, five retire in between.
    code: "la ra, 1f\ncsrr a0, minstret\necall\n1: csrr a1, minstret\nsub a0, a1, a0\nla ra, 2f\ncsrr a1, mcycle\necall\n2: csrr a2, mcycle\nsub a1, a2, a1",
    registers: { a0: 5n, a1: 6n },
  },
  {
    name: "a counter that was written has the written value at the next instruction",
    rule: "Zicntr: the write takes effect after the instruction that makes it",
    qemu: "counts from the host's clock, without -icount",
    covers: [
      ["csr", "minstret written"],
      ["csr", "mcycle written"],
    ],
    code: "li t0, 1000\ncsrw minstret, t0\ncsrr a0, minstret\ncsrr a1, instret\ncsrw mcycle, t0\ncsrr a2, mcycle\ncsrr a3, mcycle\nsub a3, a3, a2",
    registers: { a0: 1000n, a1: 1001n, a3: 1n },
  },
  {
    name: "cycle and time read guest time, of which ten steps are a tick",
    rule: "T6",
    qemu: "reads the host's clocks",
    covers: [
      ["csr", "cycle read"],
      ["csr", "time read"],
      ["csr", "instret read"],
    ],
    // An even number of instructions between two reads a tick apart.
    code: `csrr a0, time\n${"nop\n".repeat(9)}csrr a1, time\nsub a0, a1, a0\ncsrr a1, cycle\nnop\nnop\ncsrr a2, cycle\nsub a1, a2, a1\ncsrr a2, instret\nnop\ncsrr a3, instret\nsub a2, a3, a2`,
    registers: { a0: 1n, a1: 3n, a2: 2n },
  },
  {
    name: "a pad has no weight",
    rule: "T3",
    qemu: "counts it",
    covers: [["mnemonic", "pad"]],
    code: "csrr a0, minstret\nsltiu zero, zero, 0x5a5\nsltiu zero, zero, 0x5a5\ncsrr a1, minstret\nsub a0, a1, a0",
    registers: { a0: 1n },
  },
];

const ATOMICS: readonly Expectation[] = [
  {
    name: "a reservation outlives the hart's own stores, and covers its doubleword",
    rule: "T12",
    qemu: "compares value and exact address",
    covers: [
      ["mnemonic", "sc.w"],
      ["mnemonic", "sc.d"],
    ],
    code: `li t1, ${PAGE}\nlr.d t2, (t1)\nli t3, 7\nsd t3, 0(t1)\nsc.d a0, t3, (t1)\nlr.d t2, (t1)\naddi t4, t1, 4\nsc.w a1, t3, (t4)\nld a2, 0(t1)`,
    registers: { a0: 0n, a1: 0n, a2: 0x7_0000_0007n },
  },
  {
    name: "sc faults before it fails",
    rule: "T12; PMP and page faults come with the address, reserved or not",
    qemu: "fails without looking at memory",
    covers: [
      ["mnemonic", "sc.w"],
      ["exception", "7 to M"],
    ],
    code: "li t1, 0x90000000\nsc.w a0, t2, (t1)",
    registers: { s9: 7n, s10: 0x9000_0000n },
  },
  ...(["sc.w", "sc.d", "amoadd.w", "amoswap.d"] as const).map(
    (mnemonic): Expectation => ({
      name: `${mnemonic} that is not aligned`,
      rule: "A Extension: misaligned atomics are not supported; they are store/AMO exceptions",
      qemu: "fails, or gives the load's cause",
      covers: [
        ["exception", "6 to M"],
        ["mnemonic", mnemonic],
      ],
      code: `li t1, ${PAGE + 2}\n${mnemonic} a0, t2, (t1)`,
      registers: { s9: 6n, s10: BigInt(PAGE + 2) },
    }),
  ),
  {
    name: "a misaligned amo is delegated as what it is",
    rule: "Machine Trap Delegation Registers",
    qemu: "gives the load's cause",
    covers: [["exception", "6 to S"]],
    code: `li t0, 0x40\ncsrw medeleg, t0\nla t0, trapped\ncsrw stvec, t0\nla t0, inside\ncsrw mepc, t0\nmret\ninside:\nli t1, ${PAGE + 1}\namoadd.d t2, t2, (t1)\n.balign 4\ntrapped:\ncsrr a0, scause\ncsrr a1, stval\necall`,
    registers: { a0: 6n, a1: BigInt(PAGE + 1), s9: 9n },
  },
  {
    name: "an amo that may not load raises the store's page fault",
    rule: "A Extension: AMOs raise store/AMO exceptions, whichever part fails",
    qemu: "raises a load page fault",
    covers: [
      ["exception", "15 to M"],
      ["mnemonic", "amoor.w"],
    ],
    entries: [...TABLE, [LOWEST, 0n]],
    code: `${enter(1)}\nli t1, 0x100000000\namoor.w a0, t2, (t1)`,
    registers: { s9: 15n, s10: 0x1_0000_0000n },
  },
];

const INSTRUCTIONS: readonly Expectation[] = [
  {
    name: "ctzw of a word of zeros is 32",
    rule: "Zbb: CTZW",
    qemu: "goes on counting in the high word",
    covers: [["mnemonic", "ctzw"]],
    code: "li t1, 0x7000000000000\nctzw a0, t1\nctzw a1, zero\nli t1, 0x80000000\nctzw a2, t1",
    registers: { a0: 32n, a1: 32n, a2: 31n },
  },
  {
    name: "cbo.zero clears a block of 64 bytes, and what is around it stays",
    rule: "Zicboz",
    qemu: "does not have it",
    covers: [["mnemonic", "cbo.zero"]],
    code: `li t1, ${PAGE + 0x100}\nli t2, -1\nsd t2, -8(t1)\nsd t2, 0(t1)\nsd t2, 56(t1)\nsd t2, 64(t1)\naddi t3, t1, 24\ncbo.zero (t3)\nld a0, -8(t1)\nld a1, 0(t1)\nld a2, 56(t1)\nld a3, 64(t1)`,
    registers: { a0: ALL, a1: 0n, a2: 0n, a3: ALL },
  },
  ...(["cbo.inval", "cbo.clean", "cbo.flush"] as const).map(
    (mnemonic): Expectation => ({
      name: `${mnemonic} leaves memory as it is`,
      rule: "Zicbom: there are no caches to see",
      qemu: "does not have it",
      covers: [["mnemonic", mnemonic]],
      code: `li t1, ${PAGE}\nli t2, 77\nsd t2, 0(t1)\n${mnemonic} (t1)\nld a0, 0(t1)`,
      registers: { a0: 77n, s9: ALL },
    }),
  ),
  ...(["cbo.zero", "cbo.clean"] as const).map(
    (mnemonic): Expectation => ({
      name: `${mnemonic} in user mode takes leave from envcfg`,
      rule: "Machine Environment Configuration (menvcfg) Register: CBZE and CBCFE",
      qemu: "does not have it",
      covers: [
        ["mnemonic", mnemonic],
        ["exception", "2 to M"],
      ],
      code: `la t0, inside\ncsrw mepc, t0\nmret\ninside:\nli t1, ${PAGE}\n${mnemonic} (t1)`,
      registers: { s9: 2n },
    }),
  ),
  ...(["wrs.nto", "wrs.sto"] as const).map(
    (mnemonic): Expectation => ({
      name: `${mnemonic} ends at once`,
      rule: "Zawrs: it may end for any reason",
      qemu: "does not have it",
      covers: [["mnemonic", mnemonic]],
      code: `li t1, ${PAGE}\nlr.d t2, (t1)\n${mnemonic}\nli a0, 1`,
      registers: { a0: 1n, s9: ALL },
    }),
  ),
];

export const EXPECTATIONS: readonly Expectation[] = [...PAGING, ...REGISTERS, ...COUNTING, ...ATOMICS, ...INSTRUCTIONS];

const NAMES = [
  ...["zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"],
  ...["s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6"],
];

/** @returns What differs, as text, or undefined where all is as recorded. */
export function check(
  { name, rule, code, entries = [], registers }: Expectation,
  tier: Tier,
  onMachine?: (machine: Machine) => void,
): string | undefined {
  const kernel = new Uint8Array(0x20_2000);
  kernel.set(assemble(PROLOGUE + code + EPILOGUE, { base: BigInt(RAM) }).bytes);
  const view = new DataView(kernel.buffer);
  for (const [address, entry] of entries) view.setBigUint64(address - RAM, entry, true);
  const machine = createMachine({
    kernel, memoryBytes: 4 << 20, rtcSeconds: 0, machineMode: true, profile: extended, technique: native, logging: false, tier,
  }); // biome-ignore format: a list
  onMachine?.(machine);
  const stop = machine.run(10_000);
  if (stop.kind !== "end") return `${name}: no end within 10,000 steps (${rule})`;
  const { x } = machine.parts.platform.hart;
  const wrong = Object.entries(registers).filter(([register, value]) => x[NAMES.indexOf(register)] !== value);
  if (wrong.length === 0) return undefined;
  const found = wrong.map(
    ([register, value]) => `${register} is 0x${x[NAMES.indexOf(register)]!.toString(16)}, not 0x${value.toString(16)}`,
  );
  return `${name}: ${found.join("; ")} (${rule})`;
}

/** Checks all cases. @returns What differs. */
export function checkAll(tier: Tier, ledger?: Ledger, onMachine?: (machine: Machine) => void): string[] {
  return EXPECTATIONS.flatMap((expectation) => {
    for (const [kind, entry] of expectation.covers) ledger?.expect(kind, entry);
    return check(expectation, tier, onMachine) ?? [];
  });
}
