/**
 * Machine profiles: what the manual leaves to the implementation, and where a machine departs from the manual, as data.
 *
 * @module
 */

/** How U-mode reaches a CSR that the manual has trap there. */
export interface UserAccess {
  /** What a read gives: the bits of `userReadable` of the machine's own register, or zero. */
  readonly read: "trap" | "live" | "zero";
  readonly userReadable: bigint;
  /** What becomes of a write: it traps, or only the bits of `userWritable` change and nothing traps. */
  readonly write: "trap" | "silent";
  readonly userWritable: bigint;
}

/** Sensitive operations that do not trap in U-mode, as data: a CSR that is not listed traps there. Popek and Goldberg's theorem 1 needs both to be empty. */
export interface Leaks {
  /** By CSR name. */
  readonly csrs: Readonly<Record<string, UserAccess>>;
  /** Mnemonics that do nothing in U-mode where they should trap. */
  readonly nops: readonly string[];
}

/** A form of address translation, besides none. */
export type SatpMode = "sv39" | "sv48";

export interface Profile {
  readonly name: string;
  /**
   * In the order of an ISA string ("ISA Extension Naming Conventions"). `i`, `m`, `a`, `f`, `d`, `c`, `zicntr`, `zicsr` and `zifencei` are on every
   * machine; `zba`, `zbb`, `zbs`, `zicbom`, `zicboz`, `zawrs`, `sstc` and `svadu` decide what instructions and CSR fields there are. `svade` says
   * that page tables are the guest's alone to write, unless it asks for more by menvcfg.ADUE. `xregions` is not the manual's: five registers
   * that take part in translation, as Itanium's region registers do.
   */
  readonly extensions: readonly string[];
  /** The modes that satp takes besides Bare. Guests that probe choose the largest, and pay for its longer walks. */
  readonly satpModes: readonly SatpMode[];
  readonly physicalAddressBits: number;
  /** The most leaves that the set of translations holds before it is dropped (guest time rule T10). */
  readonly translationCap: number;
  /** Ticks of `time` in a second of guest time. */
  readonly timebaseHertz: number;
  /** Steps of guest time in one tick of `time`. */
  readonly stepsPerTick: number;
  /** Steps that wfi may wait in U-mode before it traps; 0: it always traps. */
  readonly wfiBound: number;
  readonly leaks: Leaks;
}

const BASE = ["i", "m", "a", "f", "d", "c"] as const;
const EXTENDED = [
  "zicbom",
  "zicboz",
  "zicntr",
  "zicsr",
  "zifencei",
  "zihpm",
  "zawrs",
  "zba",
  "zbb",
  "zbs",
  "sstc",
] as const;

/** The specification to the letter: every sensitive instruction is privileged. A step is 10 ns of guest time. */
export const strict: Profile = {
  name: "strict",
  extensions: [...BASE, "zicntr", "zicsr", "zifencei", "zihpm", "sstc", "svade"],
  satpModes: ["sv39"],
  physicalAddressBits: 56,
  translationCap: 2 ** 20,
  timebaseHertz: 10_000_000,
  stepsPerTick: 10,
  wfiBound: 0,
  leaks: { csrs: {}, nops: [] },
};

/** As strict, with four-level page tables beside those of three. */
export const sv48: Profile = { ...strict, name: "sv48", satpModes: ["sv39", "sv48"] };

/** Everything that there is: bit manipulation, cache blocks, waits on reservations, Sv48. Page tables are the guest's alone to write (Svade). */
export const extended: Profile = { ...sv48, name: "extended", extensions: [...BASE, ...EXTENDED, "svade"] };

/** As extended, but the machine sets the A and D bits of page-table entries (Svadu). */
export const svadu: Profile = { ...extended, name: "svadu", extensions: [...BASE, ...EXTENDED, "svadu"] };

/** As strict, with five region registers, so that a change of the address space takes as many writes as on Itanium. */
export const regions: Profile = { ...strict, name: "regions", extensions: [...strict.extensions, "xregions"] };

const ALL = 2n ** 64n - 1n;
/** A read does not trap and gives what is really there; a write traps. */
const READABLE: UserAccess = { read: "live", userReadable: ALL, write: "trap", userWritable: 0n };
/** FS and VS of sstatus: what user code decides itself, as it does IA-32's arithmetic flags. */
const UNIT_STATUS = (3n << 13n) | (3n << 9n);

/**
 * As strict, but with the holes of IA-32 (Robin and Irvine 2000): sstatus behaves as PUSHF and POPF do, the bases and fault registers as
 * SGDT, SIDT, SLDT, STR and SMSW do. What controls the machine still traps. Kernels on the bare machine see nothing of it.
 */
export const leakyX86: Profile = {
  ...strict,
  name: "leaky-x86",
  leaks: {
    csrs: {
      sstatus: { read: "live", userReadable: UNIT_STATUS, write: "silent", userWritable: UNIT_STATUS },
      sie: READABLE,
      stvec: READABLE,
      scounteren: READABLE,
      senvcfg: READABLE,
      sscratch: READABLE,
      sepc: READABLE,
      scause: READABLE,
      stval: READABLE,
      sip: READABLE,
      satp: READABLE,
    },
    nops: [],
  },
};

/** A read does not trap and gives 0; a write neither traps nor changes anything. */
const SILENT: UserAccess = { read: "zero", userReadable: 0n, write: "silent", userWritable: 0n };

/**
 * The worst case, as emulators that forgot a check have had it: nothing supervisor code does but sret traps in user mode, and nothing works
 * there. A site that a scanner of binaries misses leaves a stale shadow, and no sign of it.
 */
export const leakySilent: Profile = {
  ...strict,
  name: "leaky-silent",
  leaks: {
    csrs: {
      sstatus: SILENT,
      sie: SILENT,
      stvec: SILENT,
      scounteren: SILENT,
      senvcfg: SILENT,
      sscratch: SILENT,
      sepc: SILENT,
      scause: SILENT,
      stval: SILENT,
      sip: SILENT,
      stimecmp: SILENT,
      satp: SILENT,
    },
    nops: ["sfence.vma", "wfi"],
  },
};

/** One hole, which QEMU and Renode have each had: sfence.vma does nothing in user mode. One is enough. */
export const leakyMin: Profile = { ...strict, name: "leaky-min", leaks: { csrs: {}, nops: ["sfence.vma"] } };

/** All presets. */
export const PROFILES: readonly Profile[] = [strict, sv48, extended, svadu, regions, leakyX86, leakySilent, leakyMin];

/** @returns Names of the sensitive CSRs and instructions that do not trap in U-mode. */
export function leakNames({ leaks }: Profile): readonly string[] {
  return [...Object.keys(leaks.csrs), ...leaks.nops];
}

/** @returns The preset of a name, or undefined. */
export function profileByName(name: string): Profile | undefined {
  return PROFILES.find((profile) => profile.name === name);
}

/** @returns The ISA string of a profile, as device trees give it: `rv64imafdc_zicntr_zicsr_zifencei`. */
export function isaString({ extensions }: Profile): string {
  const letters = extensions.filter((extension) => extension.length === 1).join("");
  return [`rv64${letters}`, ...extensions.filter((extension) => extension.length > 1)].join("_");
}
