/**
 * Generates programs from seeds.
 *
 * @module
 */
import { CODE, POOL, TEST_FINISHER } from "./memory-map.ts";
import {
  type Environment,
  type Item,
  item,
  lowerOf,
  number,
  type Program,
  type Section,
  type Unit,
  upper,
  word,
} from "./program.ts";
import { Seeded } from "./seeded.ts";
import * as system from "./system-units.ts";
import * as units from "./units.ts";
import type { Window } from "./windows.ts";

const SUM = 1n << 18n;
const MXR = 1n << 19n;
const MPRV = 1n << 17n;
const FS = 3n << 13n;
const TVM = 1n << 20n;
const TW = 1n << 21n;

/** UXL is 64 bits; SXL keeps its value. */
const UXL = 2n << 32n;

function makeEnvironment(random: Seeded): Environment {
  const mode = random.weighted<Environment["mode"]>([
    [3, 3],
    [4, 1],
    [3, 0],
  ]);
  const translation = random.chance(35)
    ? "bare"
    : mode === 0
      ? "user"
      : mode === 1
        ? "supervisor"
        : random.pick(["user", "supervisor"] as const);
  let mstatus = UXL | (BigInt(mode) << 11n);
  const flag = (bit: bigint, percent: number) => {
    if (random.chance(percent)) mstatus |= bit;
  };
  // FS is Off or Dirty: which instructions make it Dirty is pinned in the rows (rule T14), and QEMU 7.2 differs in a few.
  flag(FS, 88);
  flag(SUM, 40);
  flag(MXR, 40);
  if (mode === 3) flag(MPRV, 25);
  // Returns take the flags from here, and put these in their place.
  for (const bit of [1n << 5n, 1n << 7n, 1n << 8n]) flag(bit, 50);
  const delegates = random.chance(50);
  if (!delegates) flag(1n << 22n, 40); // TSR would keep the S handler from returning.
  flag(TVM, 25);
  flag(TW, 50);
  return {
    mode,
    mstatus,
    translation,
    levels: random.chance(30) ? 4 : 3,
    vectored: random.chance(50),
    machineVectored: random.chance(50),
    medeleg: delegates ? random.word() & 0xb1ff & ~(1 << 9) : 0,
    mideleg: delegates ? random.word() & 0x222 : 0,
    mie: random.chance(60) ? random.word() & 0xaaa : 0,
    counteren: random.below(8),
  };
}

type Make = (situation: units.Situation) => Unit;
const COMPUTING: readonly (readonly [number, Make])[] = [
  [24, units.integerUnit],
  [12, units.compressedUnit],
  [16, units.floatUnit],
  [2, units.roundingUnit],
  [9, units.refreshUnit],
  [6, units.branchUnit],
  [3, units.compressedBranchUnit],
  [4, units.jumpUnit],
  [2, units.loopUnit],
  [1, units.farBranchUnit],
  [1, units.farJumpUnit],
  [10, units.dataUnit],
  [6, units.compressedMemoryUnit],
  [1, units.wildUnit],
  [8, system.csrUnit],
  [1, system.ecallUnit],
  [2, system.illegalUnit],
  [2, system.privilegedUnit],
];

/**
 * Made only where it is known whether data accesses are translated: QEMU 7.2's order of an atomic's checks must not show, and with MPRV on
 * its TLB still allows stores to code that it has fetched.
 */
const KNOWN: readonly (readonly [number, Make])[] = [
  [3, units.reservationUnit],
  [6, units.atomicUnit],
  [1, system.rewriteUnit],
];

function makeSection(random: Seeded, all: readonly Window[], environment: Environment, timed: boolean): Section {
  const { mode } = environment;
  const paged = environment.translation !== "bare";
  // The largest leaves take four levels to find.
  const windows = paged && environment.levels === 4 ? all : all.filter(({ size }) => size !== "512G");
  let status: units.Situation["status"] = {
    sum: (environment.mstatus & SUM) !== 0n,
    mxr: (environment.mstatus & MXR) !== 0n,
  };
  // In machine mode it is MPRV that decides, and a trap clears it.
  let translated: boolean | undefined = mode === 3 ? ((environment.mstatus & MPRV) !== 0n ? undefined : false) : paged;
  const trapsFences = (environment.mstatus & TVM) !== 0n;
  const trapsWaits = (environment.mstatus & TW) !== 0n;
  const delegatesSoftware = (environment.mideleg & 2) !== 0;
  const makes: (readonly [number, Make])[] = [...COMPUTING];
  if (paged) makes.push([mode === 3 ? 3 : 12, units.windowUnit]);
  if (mode === 3) makes.push([4, system.interruptUnit], [1, system.waitUnit]);
  if (mode === 1) makes.push([2, system.interruptUnit]);
  const remaps = paged && (mode === 3 || (mode === 1 && !trapsFences));
  const made: Unit[] = [];
  for (let count = 30 + random.below(50); count > 0; count--) {
    const known = translated !== undefined && random.chance(10);
    const make = known && remaps && random.chance(20) ? units.remapUnit : random.weighted(known ? KNOWN : makes);
    made.push(make({ random, windows, mode, translated, status, trapsFences, trapsWaits, delegatesSoftware, timed }));
    if (make === system.csrUnit && mode !== 0) {
      status = undefined;
      if (mode === 3) translated = undefined;
    }
  }
  if (mode === 3 && random.chance(40)) made.unshift(system.protectionUnit(random, false));
  const end = random.weighted<Make | undefined>([
    [2, undefined],
    [paged ? 5 : 1, units.fetchUnit],
    [1, units.wildJumpUnit],
    [mode === 0 ? 0 : 2, system.returnUnit],
  ]);
  if (end !== undefined)
    made.push(end({ random, windows, mode, translated, status, trapsFences, trapsWaits, delegatesSoftware, timed }));
  return { environment, units: made };
}

/** Machine mode, everything off but FS. */
export const PLAIN: Environment = {
  mode: 3, mstatus: UXL | (3n << 11n) | FS, translation: "bare", levels: 3, vectored: false, machineVectored: false, medeleg: 0, mideleg: 0, mie: 0, counteren: 0,
}; // biome-ignore format: a list

/** Fills all registers from the pool. */
function fill(random: Seeded): Unit[] {
  const first = random.below(900);
  const base = 31;
  const load = (mnemonic: string, rd: number, offset: number): Item => item(mnemonic, { rd, rs1: base, imm: offset });
  const items: Unit[] = [
    [
      upper(base, () => POOL + 8 * first),
      { size: 4, bits: (place) => word("addi", { rd: base, rs1: base, imm: lowerOf(place, POOL + 8 * first) }) },
    ],
  ];
  // The pool of f registers lies behind that of x registers, out of the immediate's reach: integers make f operands here.
  for (let i = 0; i < 32; i++) items.push([load("fld", i, 8 * (32 + i))]);
  for (let i = 1; i < 32; i++) items.push([load("ld", i, 8 * i)]);
  return items;
}

/** Sections in a program. */
const SECTIONS = 7;

/** @param timed Whether the image has STCE set. */
export function generate(seed: number, windows: readonly Window[], timed: boolean): Program {
  const random = new Seeded(seed);
  const sections: Section[] = [{ environment: PLAIN, units: fill(random) }];
  for (let i = 0; i < SECTIONS; i++) sections.push(makeSection(random, windows, makeEnvironment(random), timed));
  return { seed, sections };
}

/** Tells the test finisher that all is done: the end of an image. */
export const finish: Section = {
  environment: PLAIN,
  units: [[...number(5, TEST_FINISHER), ...number(6, 0x5555), item("sw", { rs1: 5, rs2: 6, imm: 0 })]],
};
export const START = CODE;
