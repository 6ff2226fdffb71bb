/**
 * The machine-mode program that takes a machine to a station: a privilege mode with its privileged state, and the same unprivileged state at
 * every station. It ends in that mode, waiting at the site where an instruction is put to be tried.
 *
 * There are three settings of the privileged state, and nearly every register differs between them, so that what depends on one is seen:
 * `bare` has no translation and all that may be switched on is on; `paged` translates, to other frames that hold the same; `locked` forbids
 * and delegates nothing that may be left out.
 *
 * @module
 */

/** Popek and Goldberg's M. */
export const MODES = ["machine", "supervisor", "user"] as const;
export type Mode = (typeof MODES)[number];
export const SETTINGS = ["bare", "paged", "locked"] as const;
export type Setting = (typeof SETTINGS)[number];

export const MODE_NUMBER: Readonly<Record<Mode, number>> = { machine: 3, supervisor: 1, user: 0 };

const RAM = 0x8000_0000;
/** Pages by what they are for. They are at their own place, or with translation on at `RELOCATED` behind it. */
const PAGE = {
  site: RAM + 0x4000,
  handlers: RAM + 0x5000,
  /** Read and written by the mode of the station. */
  data: RAM + 0x6000,
  /** Its page-table entry was changed behind a translation that is held. */
  stale: RAM + 0x7000,
  /** The other mode's: for the supervisor a user page, and the other way round. */
  other: RAM + 0x8000,
  executable: RAM + 0x9000,
  /** User code. */
  user: RAM + 0xa000,
  /** Supervisor code. */
  supervisor: RAM + 0xb000,
} as const;
export const RELOCATED = 0x1_0000;
/** Where `stale` leads once the translation is dropped, when it is on. */
const FRESH = RAM + 0x1_d000;
const SUPERVISOR_ROOT = RAM + 0x3_0000;
const USER_ROOT = RAM + 0x3_4000;
/** A table of nothing, for those who change satp. */
const EMPTY_ROOT = RAM + 0x3_8000;

export const SITE = PAGE.site + 0x800;
export const DATA = PAGE.data + 64;
/** Code that is entered below the mode of the station. */
export const USER_CODE = PAGE.user + 0x100;
export const SUPERVISOR_CODE = PAGE.supervisor + 0x100;
/** Where handlers are, of every setting; each does nothing for ever. */
export const HANDLERS = { from: PAGE.handlers, to: PAGE.handlers + 0x400 } as const;
/** Physical memory that a trial may change, and what it is filled with. */
export const FILLED = [PAGE.data, PAGE.data + RELOCATED] as const;
/** Frames that what is loaded tells apart. */
export const TOLD_APART = [PAGE.stale + RELOCATED, FRESH, PAGE.other + RELOCATED, PAGE.executable] as const;
/** Legal for satp and for a trap vector: Sv39 with a table that maps nothing. */
export const SATP_VALUE = (8n << 60n) | BigInt(EMPTY_ROOT / 4096);

/** Steps after which every station is reached. */
export const STATION_STEP = 4096;

const V = 1;
const [R, W, X, U, A, D] = [2, 4, 8, 16, 64, 128] as const;

function entry(at: number, physical: number, flags: number): string {
  return `li t0, ${at}\nli t1, ${(physical / 4096) * 1024 + flags}\nsd t1, 0(t0)\n`;
}

/** @param own The bit of pages of the mode that the table is for. */
function table(root: number, own: number): string {
  const others = U - own;
  const leaf = (page: number, flags: number) =>
    entry(root + 0x2000 + 8 * ((page - RAM) / 4096), page + RELOCATED, V | A | flags);
  return [
    entry(root + 16, root + 0x1000, V),
    entry(root + 0x1000, root + 0x2000, V),
    leaf(PAGE.site, R | X | own),
    leaf(PAGE.handlers, R | X),
    leaf(PAGE.data, R | W | D | own),
    leaf(PAGE.stale, R | W | D | own),
    leaf(PAGE.other, R | W | D | others),
    leaf(PAGE.executable, X | own),
    leaf(PAGE.user, R | X | U),
    leaf(PAGE.supervisor, R | X),
  ].join("");
}

/** Holds the translation of `stale` as the mode of the station has it, then changes the entry. */
function goStale(root: number, mode: Mode): string {
  const how = (1 << 17) | (MODE_NUMBER[mode === "user" ? "user" : "supervisor"] << 11);
  const at = root + 0x2000 + 8 * ((PAGE.stale - RAM) / 4096);
  const flags = V | R | W | D | A | (mode === "user" ? U : 0);
  return `
    li t0, ${how}
    csrs mstatus, t0
    li t1, ${PAGE.stale}
    ld t1, 0(t1)
    csrc mstatus, t0
    ${entry(at, FRESH, flags)}`;
}

interface Registers {
  readonly [csr: string]: number | bigint;
}
const ALL = 2n ** 64n - 1n;
const STCE = 1n << 63n;
const [SUM, MXR] = [1 << 18, 1 << 19];
const [TVM, TW, TSR] = [1 << 20, 1 << 21, 1 << 22];
const [SIE, SPIE, SPP] = [1 << 1, 1 << 5, 1 << 8];

/** The registers of a setting. `sie` and sstatus' SIE are such that no interrupt is taken at a station, and one is as soon as either changes. */
function registers(setting: Setting, mode: Mode, stepsPerTick: number): { csrs: Registers; status: number } {
  // The low five bits of stimecmp decide whether it has come due.
  const round = Math.floor(STATION_STEP / stepsPerTick / 32) * 32;
  switch (setting) {
    case "bare":
      return {
        csrs: {
          medeleg: 0xb1ff, mideleg: 0x222, mcounteren: 7, scounteren: 7, menvcfg: STCE | 0xf1n, senvcfg: 0xf1, stimecmp: round + 16,
          mtvec: PAGE.handlers, stvec: PAGE.handlers + 0x104, sscratch: 0x1111_2222, sepc: USER_CODE, scause: 2, stval: 0x1234,
          mscratch: 0x3333_4444, mcause: 3, mtval: 0x55, mie: 0, mip: 2, satp: 0,
        }, // biome-ignore format: a table
        status: SIE | (1 << 13),
      };
    case "paged":
      return {
        csrs: {
          medeleg: 0xb1ff, mideleg: 0x222, mcounteren: 7, scounteren: 0, menvcfg: STCE | 0xf0n, senvcfg: 0, stimecmp: round + 31,
          mtvec: PAGE.handlers + 0x40, stvec: PAGE.handlers + 0x200, sscratch: ALL - 7n, sepc: USER_CODE + 16, scause: (1n << 63n) | 9n,
          stval: 0x77, mscratch: ALL - 15n, mcause: (1n << 63n) | 11n, mtval: 0x99, mie: 0x222, mip: 0,
          satp: (8n << 60n) | BigInt((mode === "user" ? USER_ROOT : SUPERVISOR_ROOT) / 4096),
        }, // biome-ignore format: a table
        status: SIE | SPIE | SPP | SUM | MXR | (3 << 13),
      };
    case "locked":
      return {
        csrs: {
          medeleg: 0, mideleg: 0x222, mcounteren: 0, scounteren: 0, menvcfg: 0, senvcfg: 0,
          mtvec: PAGE.handlers + 0x80, stvec: PAGE.handlers + 0x300, sscratch: 5, sepc: USER_CODE + 32, scause: 12, stval: 0,
          mscratch: 6, mcause: 7, mtval: 8, mie: mode === "user" ? 0 : 2, mip: 2, satp: 0,
        }, // biome-ignore format: a table
        status: SPIE | TVM | TW | TSR,
      };
  }
}

/** Values of x5 to x31 at every station; probes count on those that have a name here. */
export const REGISTERS = {
  t0: USER_CODE,
  t1: 0x20,
  t2: SUPERVISOR_CODE,
  s0: DATA,
  s1: PAGE.stale + 8,
  a0: 0x1111_2222_3333_4444n,
  a1: DATA,
  a2: 0x0fed_cba9_8765_4321n,
  a3: 7,
  s2: PAGE.other + 8,
  s3: PAGE.executable + 8,
  s4: 0x100,
  s5: 0x1800,
  s6: 0x800,
} as const satisfies Readonly<Record<string, number | bigint>>;

/** @returns The source of the program, which starts at the first byte of RAM. Its last instruction stands at `SITE`. */
export function stationProgram(mode: Mode, setting: Setting, stepsPerTick: number): string {
  const { csrs, status } = registers(setting, mode, stepsPerTick);
  const translated = csrs.satp !== 0;
  const order = ["satp", ...Object.keys(csrs).filter((name) => name !== "satp")];
  return `
    li t0, -1
    csrw pmpaddr0, t0
    li t0, 0x1f
    csrw pmpcfg0, t0
    li t0, 0x6000
    csrs mstatus, t0
    ${Array.from({ length: 32 }, (_, f) => `li t0, ${0x4008_0000_0000_0000n + BigInt(f) * 0x1234_5678_9abcn}\nfmv.d.x f${f}, t0\n`).join("")}
    csrwi fcsr, 0
    ${translated ? table(SUPERVISOR_ROOT, 0) + table(USER_ROOT, U) : ""}
    ${order.map((name) => `li t0, ${csrs[name]}\ncsrw ${name}, t0\n`).join("\n")}
    ${translated ? goStale(mode === "user" ? USER_ROOT : SUPERVISOR_ROOT, mode) : ""}
    li t0, 0x6000
    csrc mstatus, t0
    li t0, ${status | (MODE_NUMBER[mode] << 11)}
    csrs mstatus, t0
    li t0, ${SITE - 4}
    csrw mepc, t0
    ${Object.entries(REGISTERS)
      .map(([name, value]) => `li ${name}, ${value}\n`)
      .join("")}
    mret
  `;
}

/** What stands in front of the site and at it: a reservation is made in the mode of the station, then nothing happens. */
export const AT_SITE = "lr.d zero, (a1)\nj .";
