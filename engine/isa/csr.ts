/**
 * Control and status registers as rows: number, name, class, what a write may change, and which register it is a view of. The lowest mode
 * that may access a CSR and whether it is read-only are in its number ("CSR Address Mapping Conventions"). Effects are the hart's.
 *
 * Left out, so illegal to access: debug and trigger registers, Smepmp, AIA, Smstateen, the hypervisor's, further PMP entries.
 * Not the manual's, but numbered in its range for custom use: the region registers, on profiles that have them.
 * Source: The RISC-V Instruction Set Manual, Volume II, sections named at the rows.
 *
 * @module
 */
import type { Sensitivity } from "./table.ts";

export type CsrMode = "user" | "supervisor" | "machine";

/** A CSR whose bits are bits of another: it reads as `(other & mask) >> shift`. */
export interface CsrView {
  readonly of: string;
  readonly mask: bigint;
  readonly shift: number;
}

export interface Csr {
  readonly number: number;
  readonly name: string;
  /** The lowest privilege mode that may access it, counter enables, FS and TVM aside. */
  readonly mode: CsrMode;
  readonly readOnly: boolean;
  /** The bits that a write may change, as they stand in this register. The others keep their reset value or are set by hardware. */
  readonly writable: bigint;
  /** The bits that extensions make writable besides, by their names in an ISA string. */
  readonly extended: Readonly<Record<string, bigint>>;
  /** The extension without which there is no such CSR. */
  readonly extension: string | undefined;
  readonly reset: bigint;
  /** What makes an access sensitive in the sense of Popek and Goldberg (1974). */
  readonly sensitivity: Exclude<Sensitivity, "by-csr">;
  readonly view: CsrView | undefined;
  /** Whether a value may be written at all; if not, the whole write is ignored. Undefined: any. */
  readonly legal: ((value: bigint) => boolean) | undefined;
}

interface CsrOptions {
  readonly writable?: bigint;
  readonly extended?: Readonly<Record<string, bigint>>;
  readonly extension?: string;
  readonly reset?: bigint;
  readonly view?: readonly [of: string, mask: bigint, shift?: number];
  readonly legal?: (value: bigint) => boolean;
}
type CsrRow = readonly [number: number, name: string, sensitivity: Csr["sensitivity"], options?: CsrOptions];

const ALL = 2n ** 64n - 1n;
/** IALIGN is 16, so the low bit of an exception's pc is always 0. */
const PC = ALL - 1n;

/** Fields of mstatus, and of sstatus, in the manual's names ("Machine Status Registers"). */
export const STATUS = {
  SIE: 1n << 1n,
  MIE: 1n << 3n,
  SPIE: 1n << 5n,
  MPIE: 1n << 7n,
  SPP: 1n << 8n,
  MPP: 3n << 11n,
  FS: 3n << 13n,
  MPRV: 1n << 17n,
  SUM: 1n << 18n,
  MXR: 1n << 19n,
  TVM: 1n << 20n,
  TW: 1n << 21n,
  TSR: 1n << 22n,
  UXL: 3n << 32n,
  SXL: 3n << 34n,
  SD: 1n << 63n,
} as const;

const SUPERVISOR_STATUS =
  STATUS.SIE | STATUS.SPIE | STATUS.SPP | STATUS.FS | STATUS.SUM | STATUS.MXR | STATUS.UXL | STATUS.SD;
// SXL and UXL are fixed at 2 (64 bits); UBE, SBE, MBE, VS and XS are read-only 0; SD is FS = Dirty.
// SPP and MPP hold only modes that exist: that is the hart's to see to.
const WRITABLE_STATUS =
  STATUS.SIE |
  STATUS.MIE |
  STATUS.SPIE |
  STATUS.MPIE |
  STATUS.SPP |
  STATUS.MPP |
  STATUS.FS |
  STATUS.MPRV |
  STATUS.SUM |
  STATUS.MXR |
  STATUS.TVM |
  STATUS.TW |
  STATUS.TSR;

/** Interrupts by bit: SSI 1, MSI 3, STI 5, MTI 7, SEI 9, MEI 11 ("Machine Interrupt (mip and mie) Registers"). */
const SUPERVISOR_INTERRUPTS = 0x222n;
const MACHINE_INTERRUPTS = 0xaaan;

/** MXL 2, and letters A, C, D, F, I, M, S, U. */
const MISA = [..."ACDFIMSU"].reduce((bits, letter) => bits | (1n << BigInt(letter.charCodeAt(0) - 65)), 2n << 62n);

/** Direct (0) and vectored (1); a base is a multiple of 4 ("Machine Trap-Vector Base-Address (mtvec) Register"). */
const TRAP_VECTOR: CsrOptions = { writable: ALL - 2n, legal: (value) => (value & 3n) < 2n };

/**
 * How many region registers there are: as many as Linux and Xen on Itanium change at a switch of the address space, rr0 to rr4. Each holds the
 * frame number of a table for one GiB of the Sv39 address space, or 0 where the table in satp says all (`../hart/translations.ts`).
 */
export const REGIONS = 5;
/** satp's PPN. */
const TABLE = 2n ** 44n - 1n;

/** Bare (0), Sv39 (8), and Sv48 (9) where a profile has it; ASIDLEN is 0 ("Supervisor Address Translation and Protection (satp) Register"). */
const SATP: CsrOptions = {
  writable: (15n << 60n) | TABLE,
  legal: (value) => [0n, 8n, 9n].includes(value >> 60n),
};

/** Fields of menvcfg, and of senvcfg, in the manual's names ("Machine Environment Configuration (menvcfg) Register"). */
export const ENVCFG = {
  FIOM: 1n << 0n,
  CBIE: 3n << 4n,
  CBCFE: 1n << 6n,
  CBZE: 1n << 7n,
  ADUE: 1n << 61n,
  STCE: 1n << 63n,
} as const;
// CBIE = 2 is reserved, and leaves the field as it was: that is the hart's to see to.
const BLOCKS = { zicbom: ENVCFG.CBIE | ENVCFG.CBCFE, zicboz: ENVCFG.CBZE };

// biome-ignore format: aligned like the manual's tables
const ROWS: readonly CsrRow[] = [
  // "Unprivileged Floating-Point CSRs". Any mode may use them while FS is on, so they tell nothing.
  [0x001, "fflags", "innocuous", { writable: 0x1fn, view: ["fcsr", 0x1fn] }],
  [0x002, "frm",    "innocuous", { writable: 0x7n,  view: ["fcsr", 0xe0n, 5] }],
  [0x003, "fcsr",   "innocuous", { writable: 0xffn }],
  // "Unprivileged Counter/Timers". Guest time, whoever reads it (guest time rule T6), so they tell nothing.
  [0xc00, "cycle",   "innocuous", { view: ["mcycle", ALL] }],
  [0xc01, "time",    "innocuous"],
  [0xc02, "instret", "innocuous", { view: ["minstret", ALL] }],
  ...counters((n) => [0xc00 + n, `hpmcounter${n}`, "innocuous", { view: [`mhpmcounter${n}`, ALL] }]),

  // "Supervisor CSRs". Control: decides what later instructions may touch. Behaviour: holds what differs if someone else handles the traps.
  [0x100, "sstatus",    "control",   { writable: WRITABLE_STATUS & SUPERVISOR_STATUS, view: ["mstatus", SUPERVISOR_STATUS] }],
  [0x104, "sie",        "control",   { writable: SUPERVISOR_INTERRUPTS, view: ["mie", SUPERVISOR_INTERRUPTS] }],
  [0x105, "stvec",      "control",   TRAP_VECTOR],
  [0x106, "scounteren", "control",   { writable: 7n }],
  [0x10a, "senvcfg",    "control",   { writable: ENVCFG.FIOM, extended: BLOCKS }],
  [0x140, "sscratch",   "behaviour", { writable: ALL }],
  [0x141, "sepc",       "behaviour", { writable: PC }],
  [0x142, "scause",     "behaviour", { writable: ALL }],
  [0x143, "stval",      "behaviour", { writable: ALL }],
  // STIP and SEIP are set by firmware and interrupt controller ("Supervisor Interrupt (sip and sie) Registers").
  [0x144, "sip",        "control",   { writable: 2n, view: ["mip", SUPERVISOR_INTERRUPTS] }],
  // "Sstc Extension". It is reset to what never comes, so that enabling it raises nothing.
  [0x14d, "stimecmp",   "control",   { writable: ALL, reset: ALL, extension: "sstc" }],
  [0x180, "satp",       "control",   SATP],

  // Custom read/write CSRs begin at 0x5c0 ("CSR Address Mapping Conventions"): the table of each of the first regions of the address space.
  ...Array.from({ length: REGIONS }, (_, n): CsrRow => [0x5c0 + n, `sregion${n}`, "control", { writable: TABLE, extension: "xregions" }]),

  // "Machine CSRs".
  [0xf11, "mvendorid",  "behaviour"],
  [0xf12, "marchid",    "behaviour"],
  [0xf13, "mimpid",     "behaviour"],
  [0xf14, "mhartid",    "behaviour"],
  [0xf15, "mconfigptr", "behaviour"],
  [0x300, "mstatus",    "control",   { writable: WRITABLE_STATUS, reset: (2n << 34n) | (2n << 32n) }],
  [0x301, "misa",       "control",   { reset: MISA }],
  // Exceptions 0-9, 12, 13 and 15; bit 11, an ecall from M-mode, is read-only 0 ("Machine Trap Delegation Registers").
  [0x302, "medeleg",    "control",   { writable: 0xb3ffn }],
  [0x303, "mideleg",    "control",   { writable: SUPERVISOR_INTERRUPTS }],
  [0x304, "mie",        "control",   { writable: MACHINE_INTERRUPTS }],
  [0x305, "mtvec",      "control",   TRAP_VECTOR],
  // CY, TM and IR: the other counters may be read by M-mode only.
  [0x306, "mcounteren", "control",   { writable: 7n }],
  [0x30a, "menvcfg",    "control",   { writable: ENVCFG.FIOM, extended: { ...BLOCKS, svadu: ENVCFG.ADUE, sstc: ENVCFG.STCE } }],
  // Guest time never stops (guest time rule T6), and inhibiting may be left out ("Machine Counter-Inhibit (mcountinhibit) Register").
  [0x320, "mcountinhibit", "control"],
  ...counters((n) => [0x320 + n, `mhpmevent${n}`, "control"]),
  [0x340, "mscratch",   "behaviour", { writable: ALL }],
  [0x341, "mepc",       "behaviour", { writable: PC }],
  [0x342, "mcause",     "behaviour", { writable: ALL }],
  [0x343, "mtval",      "behaviour", { writable: ALL }],
  // MSIP, MTIP and MEIP belong to the CLINT and the PLIC.
  [0x344, "mip",        "control",   { writable: SUPERVISOR_INTERRUPTS }],
  // "Physical Memory Protection CSRs": R, W, X, A and L of 16 entries; addresses have 54 bits. Locks and W without R are the hart's to see to.
  ...[0, 2].map((n): CsrRow => [0x3a0 + n, `pmpcfg${n}`, "control", { writable: 0x9f9f_9f9f_9f9f_9f9fn }]),
  ...Array.from({ length: 16 }, (_, n): CsrRow => [0x3b0 + n, `pmpaddr${n}`, "control", { writable: 2n ** 54n - 1n }]),
  [0xb00, "mcycle",     "control",   { writable: ALL }],
  [0xb02, "minstret",   "control",   { writable: ALL }],
  // Counters of no event are read-only 0 ("Hardware Performance Monitor").
  ...counters((n) => [0xb00 + n, `mhpmcounter${n}`, "control"]),
];

/** One row for each of the 29 counters beyond cycle, time and instret. */
function counters(row: (n: number) => CsrRow): CsrRow[] {
  return Array.from({ length: 29 }, (_, index) => row(index + 3));
}

const MODES: readonly (CsrMode | undefined)[] = ["user", "supervisor", undefined, "machine"];

/** Every CSR that a machine may have, by the manual's tables, with the bits that are writable on all. */
export const CSRS: readonly Csr[] = ROWS.map(([number, name, sensitivity, options = {}]) => {
  const mode = MODES[(number >> 8) & 3];
  if (mode === undefined)
    throw new RangeError(`Cannot make ${name} a CSR as it would be the hypervisor's: number ${number}`);
  const [of, mask, shift = 0] = options.view ?? [];
  return {
    number,
    name,
    mode,
    readOnly: number >> 10 === 3,
    writable: options.writable ?? 0n,
    extended: options.extended ?? {},
    extension: options.extension,
    reset: options.reset ?? 0n,
    sensitivity,
    view: of === undefined || mask === undefined ? undefined : { of, mask, shift },
    legal: options.legal,
  };
});

const byNumber = new Map(CSRS.map((csr) => [csr.number, csr]));
const byName = new Map(CSRS.map((csr) => [csr.name, csr]));

/**
 * @param extensions Names as in an ISA string.
 * @returns The CSRs of a machine that has these extensions, with all that is writable there, and as sensitive as that makes them.
 */
export function csrsOf(extensions: readonly string[]): readonly Csr[] {
  return CSRS.filter(({ extension }) => extension === undefined || extensions.includes(extension)).map((csr) => {
    const present = Object.entries(csr.extended).filter(([extension]) => extensions.includes(extension));
    return {
      ...csr,
      writable: present.reduce((bits, [, more]) => bits | more, csr.writable),
      // What envcfg has without the fields that extensions add to it, FIOM, decides nothing: it orders accesses.
      sensitivity: present.length === 0 && Object.keys(csr.extended).length > 0 ? "behaviour" : csr.sensitivity,
    };
  });
}

/** @returns The CSR of a number, or undefined where there is none: accessing it is an illegal instruction. */
export function csrByNumber(number: number): Csr | undefined {
  return byNumber.get(number);
}

/** @returns The CSR of a name in the manual's spelling, or undefined. */
export function csrByName(name: string): Csr | undefined {
  return byName.get(name);
}
