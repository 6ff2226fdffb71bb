/**
 * Units of generated programs that compute: integer, floating point, control flow and memory, in 32 and in 16 bits.
 *
 * @module
 */
import { COMPRESSED_PATTERNS, type CompressedPattern, findCompressed, type Instruction } from "../../engine/mod.ts";
import { ROWS } from "./compared.ts";
import {
  DATA,
  DATA_BYTES,
  ISLANDS,
  POOL,
  POOL_ENTRIES,
  PROTECTED,
  PROTECTED_BYTES,
  STORE_FROM,
  STORE_TO,
  STRADDLING,
  WINDOW_PAGE,
} from "./memory-map.ts";
import {
  address,
  fixed,
  type Item,
  item,
  loadFrom,
  lowerOf,
  number,
  type Place,
  type Probe,
  shifted,
  type Unit,
  upper,
  word,
} from "./program.ts";
import type { Seeded } from "./seeded.ts";
import { CHANGING, entryOf, isUserCode, landing, permitted, type Window } from "./windows.ts";

/** What generation knows of the state that a unit will run in. */
export interface Situation {
  readonly random: Seeded;
  readonly windows: readonly Window[];
  /** The mode of the section. */
  readonly mode: 0 | 1 | 3;
  /** Whether data accesses are translated; undefined where that depends on what ran before. */
  readonly translated: boolean | undefined;
  /** Whether stimecmp decides when the supervisor's timer interrupt is pending. */
  readonly timed: boolean;
  /** TVM: a supervisor may not fence. */
  readonly trapsFences: boolean;
  /** TW: a supervisor may not wait. */
  readonly trapsWaits: boolean;
  /** Whether a supervisor's software interrupt is its own. */
  readonly delegatesSoftware: boolean;
  /** SUM and MXR, or undefined once the section may have changed them. */
  readonly status: { readonly sum: boolean; readonly mxr: boolean } | undefined;
}

const isMemory = ({ effects }: Instruction) => (effects.loads || effects.stores) && !effects.reserves;
const isAtomic = ({ mnemonic }: Instruction) => mnemonic.startsWith("amo");
const isControl = ({ effects }: Instruction) =>
  effects.jumps || effects.branches || effects.csr !== undefined || effects.system !== undefined;
/** Rows that neither access memory nor change the flow; the pad has no step of its own, so QEMU cannot be asked about it. */
const PLAIN = ROWS.filter(
  (row) => !isMemory(row) && !row.effects.reserves && !isControl(row) && row.mnemonic !== "pad",
);
const FLOAT = PLAIN.filter(({ effects }) => effects.dirties !== undefined);
const INTEGER = PLAIN.filter(({ effects }) => effects.dirties === undefined);
const MEMORY = ROWS.filter((row) => isMemory(row) && !isAtomic(row));
const ATOMIC = ROWS.filter(isAtomic);
const BRANCHES = ROWS.filter(({ effects }) => effects.branches);
const plainCompressed = COMPRESSED_PATTERNS.filter(
  ({ instruction }) => !isMemory(instruction) && !isControl(instruction),
);
const memoryCompressed = COMPRESSED_PATTERNS.filter(({ instruction }) => isMemory(instruction));

const PAD = ROWS.find(({ mnemonic }) => mnemonic === "pad")!.match;

/** A row's bits with everything else random. */
function randomly(random: Seeded, row: Instruction): number {
  for (;;) {
    let bits = (row.match | (random.word() & ~row.mask)) >>> 0;
    // Reserved rounding modes are illegal: one in a few is enough.
    if (row.fields.includes("rm") && ((bits >>> 12) & 7) > 4 && random.chance(60)) bits |= 0x7000;
    if (bits >>> 0 !== PAD) return bits >>> 0;
  }
}

/** Values that rules of their own hold for, in one instruction. */
const SMALL = [-1, -1, -1, 0, 1, 2, -2, -2048, 63, 31];

/** Gives some of the x registers that an instruction reads fresh operands. */
function refreshed(random: Seeded, row: Instruction, bits: number, percent: number): Item[] {
  const items: Item[] = [];
  for (const [slot, at] of [
    ["rs1", 15],
    ["rs2", 20],
  ] as const) {
    const register = (bits >>> at) & 31;
    if (!row.effects.x.has(slot) || !row.fields.includes(slot) || register === 0 || !random.chance(percent)) continue;
    if (random.chance(40)) items.push(item("addi", { rd: register, imm: random.pick(SMALL) }));
    else items.push(...loadFrom(register, poolEntry(random)));
  }
  return items;
}

export function integerUnit({ random }: Situation): Unit {
  const row = random.pick(INTEGER);
  const bits = randomly(random, row);
  if (row.mnemonic !== "ctzw") return [...refreshed(random, row, bits, 35), fixed(bits)];
  // Of a word of zeros, QEMU 7.2 counts what lies above it.
  const rs1 = random.other();
  const some = item("ori", { rd: rs1, rs1, imm: 1 << random.below(11) });
  return [some, fixed(((bits & ~(31 << 15)) | (rs1 << 15)) >>> 0)];
}

/** A branch that is far from where it goes, in either direction, over code that is not run. */
export function farBranchUnit({ random }: Situation): Unit {
  const short = random.chance(40);
  const forward = random.chance(50);
  const [bits, size] = farBranch(random, short);
  // Behind the branch, or before it, as many bytes as the distance needs.
  const reach = short ? (bits(0) === C_J ? 2044 : 252) : 4092;
  const filler = 2 * random.below((reach - 16) / 2);
  const code: Item[] = Array.from({ length: filler / 2 }, () => fixed(C_EBREAK));
  const skip = (distance: number): Item => item("jal", { rd: 0, imm: distance });
  if (forward) return [{ size, bits: () => bits(size + 4 + filler) }, skip(4 + filler), ...code];
  // Over to the branch; the place that it goes to leads out.
  return [skip(8 + filler), skip(4 + filler + size), ...code, { size, bits: () => bits(-(4 + filler)) }];
}
const C_J = 0xa001;
const C_EBREAK = 0x9002;
/** A branch by its distance. */
function farBranch(random: Seeded, short: boolean): readonly [bits: (distance: number) => number, size: 2 | 4] {
  if (short) {
    const pattern = compressedPattern(random.pick(["c.j", "c.beqz", "c.bnez"]));
    const register = random.below(8);
    return [(distance) => compressedBranch(pattern, register, distance), 2];
  }
  const row = random.pick(BRANCHES);
  // Of a register with itself: taken or not for sure, half of each.
  const rs1 = random.register();
  const rs2 = random.chance(70) ? rs1 : random.register();
  return [(distance) => word(row.mnemonic, { rs1, rs2, imm: distance }), 4];
}

/** The instruction at an address of the islands: a return through one of the registers, in turn. */
export const returnAt = (address: number): number => 0x8002 | ((1 + ((address >>> 1) % 31)) << 7);

/** A jump as far as the immediate reaches, to a return. */
export function farJumpUnit({ random }: Situation): Unit {
  const [from, to] = random.pick(ISLANDS);
  const rd = random.other();
  // Of 31 halfwords in a row, one returns through rd.
  let target = from + 2 * random.below((to - from) / 2 - 31);
  while (returnAt(target) !== (0x8002 | (rd << 7))) target += 2;
  // From the far end of the code the island is out of reach: the jump then goes on behind itself.
  return [{ size: 4, bits: ({ at }) => word("jal", { rd, imm: Math.abs(target - at) < 2 ** 20 ? target - at : 4 }) }];
}

function randomHalf(random: Seeded, pattern: CompressedPattern): number {
  for (;;) {
    const half = pattern.match | (random.word() & 0xffff & ~pattern.mask);
    if (findCompressed(half) === pattern) return half;
  }
}
export const compressedUnit = ({ random }: Situation): Unit => [
  fixed(randomHalf(random, random.pick(plainCompressed))),
];

const poolEntry = (random: Seeded) => POOL + 8 * random.below(POOL_ENTRIES);
const floatPoolEntry = (random: Seeded) => POOL + 8 * (POOL_ENTRIES + random.below(POOL_ENTRIES));

/** Gives an x register a fresh operand. */
export const refreshUnit = ({ random }: Situation): Unit => loadFrom(random.other(), poolEntry(random));

function loadFloat(random: Seeded, register: number): Item[] {
  const target = floatPoolEntry(random);
  const base = random.other();
  return [
    upper(base, () => target),
    { size: 4, bits: (place) => word("fld", { rd: register, rs1: base, imm: lowerOf(place, target) }) },
  ];
}

/** A floating-point instruction on fresh operands, and often a look at fcsr. */
export function floatUnit(situation: Situation): Unit {
  const { random } = situation;
  const row = random.pick(FLOAT);
  const bits = randomly(random, row);
  const field = (at: number) => (bits >>> at) & 31;
  const items: Item[] = [];
  for (const [slot, at] of [
    ["rs1", 15],
    ["rs2", 20],
    ["rs3", 27],
  ] as const) {
    if (!row.fields.includes(slot) || random.chance(25)) continue;
    if (row.effects.f.has(slot)) items.push(...loadFloat(random, field(at)));
    else if (field(at) !== 0) items.push(...loadFrom(field(at), poolEntry(random)));
  }
  // Of two operands that are equal, or nearly, rules of their own hold.
  if (row.fields.includes("rs2") && random.chance(8)) {
    items.push(fixed((0x22000053 | (field(15) << 15) | (field(15) << 20) | (field(20) << 7)) >>> 0));
  }
  if (random.chance(30)) items.push(item("csrrwi", { rd: 0, zimm5: 0, imm: 0x001 }));
  items.push(fixed(bits));
  if (random.chance(70))
    items.push(item("csrrs", { rd: random.other(), rs1: 0, imm: random.pick([0x001, 0x001, 0x003]) }));
  return items;
}

/** Sets a rounding mode, one that does not exist now and then. */
export function roundingUnit({ random }: Situation): Unit {
  const mode = random.below(random.chance(15) ? 8 : 5);
  return [item("csrrwi", { rd: random.register(), zimm5: mode, imm: 0x002 })];
}

export function branchUnit({ random }: Situation): Unit {
  const ahead = 1 + random.below(3);
  const row = random.pick(BRANCHES);
  const [rs1, rs2] = [random.register(), random.register()];
  return [{ size: 4, bits: (place) => word(row.mnemonic, { rs1, rs2, imm: place.unit(ahead) - place.at }) }];
}

const compressedPattern = (name: string) => COMPRESSED_PATTERNS.find(({ mnemonic }) => mnemonic === name)!;

function compressedBranch(pattern: CompressedPattern, register: number, distance: number): number {
  let half = pattern.match | (pattern.registers.size > 0 ? register << 7 : 0);
  for (const run of pattern.immediate!.segments) half |= ((distance >>> run.bit) & (2 ** run.width - 1)) << run.at;
  return half;
}

/** `c.j`, `c.beqz` or `c.bnez`; to the next instruction where the unit meant is out of reach. */
export function compressedBranchUnit({ random }: Situation): Unit {
  const ahead = 1 + random.below(2);
  const pattern = compressedPattern(random.pick(["c.j", "c.beqz", "c.bnez"]));
  const register = random.below(8);
  const reach = 2 ** (pattern.immediate!.width - 1) - 2;
  return [
    {
      size: 2,
      bits: (place) => {
        const distance = place.unit(ahead) - place.at;
        return compressedBranch(pattern, register, distance <= reach ? distance : 2);
      },
    },
  ];
}

export function jumpUnit({ random }: Situation): Unit {
  const ahead = 1 + random.below(2);
  const rd = random.register();
  if (random.chance(40)) return [{ size: 4, bits: (place) => word("jal", { rd, imm: place.unit(ahead) - place.at }) }];
  const base = random.other();
  const target = (place: Place) => place.unit(ahead);
  // The low bit of the sum is cleared.
  const odd = random.below(2);
  if (random.chance(50)) {
    return [
      upper(base, target),
      { size: 4, bits: (place) => word("jalr", { rd, rs1: base, imm: lowerOf(place, target(place)) + odd }) },
    ];
  }
  return [...address(base, target), fixed((random.chance(50) ? 0x8002 : 0x9002) | (base << 7))];
}

/** A loop that ends. */
export function loopUnit(situation: Situation): Unit {
  const { random } = situation;
  const counter = random.other();
  const body: Item[] = [];
  for (let i = 1 + random.below(3); i > 0; i--) {
    const row = random.pick(INTEGER.filter(({ mnemonic }) => mnemonic !== "ctzw"));
    const bits = randomly(random, row);
    if (((bits >>> 7) & 31) === counter && row.writesX) continue;
    body.push(fixed(bits));
  }
  const bytes = body.reduce((sum, { size }) => sum + size, 0) + 4;
  return [
    ...number(counter, 1 + random.below(4)),
    ...body,
    item("addi", { rd: counter, rs1: counter, imm: -1 }),
    item("bne", { rs1: counter, rs2: 0, imm: -bytes }),
  ];
}

// ---- memory ----

/** An address in RAM that is mapped one to one; near the end of a page now and then. */
function dataAddress(random: Seeded, size: number): number {
  const page = DATA + 4096 * random.below(DATA_BYTES / 4096);
  if (random.chance(12)) return page + 4096 - random.below(9) - (page + 4096 === DATA + DATA_BYTES ? 16 : 0);
  // Few places, so that loads meet what stores left.
  const place = page + size * random.below(32);
  return random.chance(20) ? place + random.below(8) : place;
}

/**
 * An address in the pages under PMP rules. Of an access to two pages, QEMU 7.2 checks all of it when it looks at the first; and it looks only where
 * an access begins and ends, so none may reach over an entry of four bytes on both sides.
 */
const protectedAddress = (random: Seeded, size: number) => {
  const address =
    PROTECTED + 4096 * random.below(PROTECTED_BYTES / 4096) + random.below(random.chance(75) ? 96 : 4096 - 8);
  return size === 8 ? address - (address % 4) : address;
};

/** An offset into a window, and whether the access stays within its page. */
function windowOffset(random: Seeded, window: Window, stores: boolean): number {
  if (random.chance(10) && (!stores || window.size === "4K")) return 4094 - random.below(6);
  const offset = STORE_FROM + 8 * random.below((STORE_TO - STORE_FROM) / 8);
  return random.chance(20) ? offset + random.below(8) : offset;
}

/** Puts the address of a window's page into a register. Windows lie at multiples of 64 KiB. */
function windowBase(rd: number, window: Window, offset: number): Item[] {
  const unit = window.address / 2 ** 16;
  const start = unit < 2 ** 19 ? shifted(rd, unit, 4) : [...number(rd, unit), item("slli", { rd, rs1: rd, imm: 16 })];
  return [...start, ...(offset === 0 ? [] : [item("addi", { rd, rs1: rd, imm: offset })])];
}

const probeOf = (window: Window, access: Probe["access"]): Probe | undefined =>
  window.name === CHANGING ? undefined : { access, leaf: `${window.size} ${window.name}` };

const withProbe = (made: Item, probe: Probe | undefined): Item => (probe === undefined ? made : { ...made, probe });

/** Places that nothing answers at, or that are no addresses. */
function wildBase(random: Seeded, rd: number): Item[] {
  return random.pick([
    () => [item("addi", { rd, imm: random.pick([0, 8, -8, -2048]) })],
    () => shifted(rd, 0x40000, 20),
    () => shifted(rd, random.pick([0x90000, 0xfffff, 0x20000]), random.pick([12, 26, 27, 30])),
    () => [...number(rd, 1), item("slli", { rd, rs1: rd, imm: random.pick([33, 38, 39, 40, 55, 56, 57, 63]) })],
  ])();
}

/** Makes an access: `base` sets the register up, and the access takes `offset` from it, or, after {@link upper}, the lower part. */
type Access = (base: number, offset: number | ((place: Place) => number), probe?: Probe) => Item;

function fullAccess(random: Seeded): { readonly access: Access; readonly size: number; readonly stores: boolean } {
  const row = random.pick(MEMORY);
  const register = random.register();
  const size = { b: 1, h: 2, w: 4, d: 8 }[/[bhwd](?=u?$)/.exec(row.mnemonic)![0] as "b"];
  const access: Access = (base, offset, probe) => ({
    size: 4,
    bits: (place) =>
      word(row.mnemonic, {
        rd: register,
        rs1: base,
        rs2: register,
        imm: typeof offset === "number" ? offset : offset(place),
      }),
    ...(probe === undefined ? {} : { probe }),
  });
  return { access, size, stores: row.effects.stores };
}

/** Loads and stores in RAM. */
export function dataUnit({ random, mode }: Situation): Unit {
  const { access, size } = fullAccess(random);
  const base = random.other();
  // Each mode has pages under its own PMP rules to try.
  const target = random.chance(mode === 3 ? 10 : 20) ? protectedAddress(random, size) : dataAddress(random, size);
  if (random.chance(60)) return [upper(base, () => target), access(base, (place) => lowerOf(place, target))];
  const offset = random.below(4096) - 2048;
  return [...address(base, () => target - offset), access(base, offset)];
}

/** Loads and stores through a window. */
export function windowUnit(situation: Situation): Unit {
  const { random } = situation;
  const { access, stores } = fullAccess(random);
  // Where there is no translation, windows beyond 16 GiB would meet QEMU's PCI bus.
  const reachable =
    situation.translated === true ? situation.windows : situation.windows.filter((window) => window.address < 2 ** 34);
  const window = random.pick(random.chance(15) ? reachable.filter(({ name }) => name === CHANGING) : reachable);
  const base = random.other();
  const probe = situation.translated === true ? probeOf(window, stores ? "store" : "load") : undefined;
  // Of a misaligned access where nothing answers, QEMU 7.2 names the aligned address.
  const aligned = situation.translated !== true || window.name === "no-memory";
  const target = windowOffset(random, window, stores) & (aligned ? -8 : -1);
  const first = target < 2048 ? 0 : 2047;
  return [...windowBase(base, window, first), access(base, target - first, probe)];
}

/** Loads and stores where nothing is. */
export function wildUnit({ random }: Situation): Unit {
  const { access } = fullAccess(random);
  const base = random.other();
  return [...wildBase(random, base), access(base, random.pick([0, 0, 8, -8]))];
}

/** A 16-bit load or store in RAM. */
export function compressedMemoryUnit({ random }: Situation): Unit {
  const pattern = random.pick(memoryCompressed);
  const half = randomHalf(random, pattern);
  let offset = 0;
  for (const run of pattern.immediate!.segments) offset |= ((half >>> run.at) & (2 ** run.width - 1)) << run.bit;
  const place = pattern.registers.get("rs1'");
  const base = place === undefined ? 2 : 8 + ((half >>> place.at) & 7);
  const target = dataAddress(random, 8);
  return [...address(base, () => target - offset), fixed(half)];
}

/** A load-reserved and store-conditional pair; the second sometimes elsewhere, or after a trap, where it must fail. */
export function reservationUnit({ random }: Situation): Unit {
  const [letter, size] = random.pick([
    ["w", 4],
    ["d", 8],
  ] as const);
  const base = random.other();
  const target = DATA + size * random.below(DATA_BYTES / size);
  const order = () => ({ aq: random.below(2), rl: random.below(2) });
  const items: Item[] = [
    ...address(base, () => target),
    item(`lr.${letter}`, { rd: random.other(base), rs1: base, ...order() }),
  ];
  if (random.chance(30))
    items.push(item("addi", { rd: random.other(base), rs1: random.register(), imm: random.below(2048) }));
  if (random.chance(20)) items.push(fixed(0x73)); // ecall
  const elsewhere = random.chance(20);
  if (elsewhere) items.push(item("addi", { rd: base, rs1: base, imm: (target & 64) === 0 ? 64 : -64 }));
  const sc = () => item(`sc.${letter}`, { rd: random.other(base), rs1: base, rs2: random.register(), ...order() });
  items.push(sc());
  // A reservation serves once.
  if (random.chance(30)) items.push(sc());
  return items;
}

/** An atomic memory operation in RAM, or where translation is known in a window that may be read. */
export function atomicUnit({ random, windows, mode, translated, status }: Situation): Unit {
  const row = random.pick(ATOMIC);
  const size = row.mnemonic.endsWith(".w") ? 4 : 8;
  const base = random.other();
  const operation = (probe?: Probe): Item => ({
    ...item(row.mnemonic, {
      rd: random.register(),
      rs1: base,
      rs2: random.register(),
      aq: random.below(2),
      rl: random.below(2),
    }),
    ...(probe === undefined ? {} : { probe }),
  });
  if (translated === true && mode !== 3 && status !== undefined && random.chance(25)) {
    // QEMU 7.2 makes the load first: where that faults, it reports the load's cause.
    const window = random.pick(windows.filter((candidate) => permitted(candidate, "load", { mode, ...status })));
    return [...windowBase(base, window, STORE_FROM + size * random.below(64)), operation(probeOf(window, "store"))];
  }
  const target = DATA + size * random.below(random.chance(50) ? 32 : DATA_BYTES / size);
  return [...address(base, () => target), operation()];
}

/** A load-reserved that is not aligned. */
export function misalignedReservation(random: Seeded): Unit {
  const base = random.other();
  const target = DATA + 8 * random.below(64) + 1 + random.below(3);
  return [...address(base, () => target), item(random.pick(["lr.w", "lr.d"]), { rd: random.other(), rs1: base })];
}

// ---- through a given window ----

/** @param names Of instructions to choose from. */
function through(random: Seeded, window: Window, access: "load" | "store", names: readonly string[]): Unit {
  const base = random.other();
  const offset = STORE_FROM + 8 * random.below(64);
  const register = random.register();
  const made = item(random.pick(names), { rd: register, rs1: base, rs2: register, imm: offset });
  return [...windowBase(base, window, 0), withProbe(made, probeOf(window, access))];
}
export const loadThrough = (random: Seeded, window: Window): Unit =>
  through(random, window, "load", ["lb", "lhu", "lw", "ld", "fld"]);
export const storeThrough = (random: Seeded, window: Window): Unit =>
  through(random, window, "store", ["sb", "sh", "sw", "sd", "fsw"]);
export function fetchThrough(random: Seeded, window: Window): Unit {
  const rd = random.other();
  const base = random.other();
  return [
    ...windowBase(base, window, 0),
    withProbe(item("jalr", { rd, rs1: base, imm: landing(rd) }), probeOf(window, "fetch")),
  ];
}

/**
 * Changes the entry of a window, and fences: only its address, or all. A supervisor tries the window before and after, and stores through it.
 * Whoever runs it must reach the tables, and may fence.
 */
export function remapUnit({ random, windows, mode }: Situation): Unit {
  const window = random.pick(windows.filter(({ name }) => name === CHANGING));
  const value = random.other();
  const base = random.other(value);
  const page = random.other(value, base);
  // Valid, accessed and dirty, with any permissions; now and then invalid. No permission at all makes a pointer of it, which is a flaw there.
  const flags = 0xc0 | (random.below(16) << 1) | (random.chance(85) ? 1 : 0);
  const access = (name: string): Item => item(name, { rd: value, rs1: page, rs2: value, imm: STORE_FROM });
  const tries = (...names: readonly string[]): Item[] => (mode === 1 ? names.map(access) : []);
  return [
    ...windowBase(page, window, 0),
    ...tries("lw"),
    ...number(value, ((WINDOW_PAGE / 4096) << 10) | flags),
    ...address(base, () => entryOf(window)),
    item("sd", { rs1: base, rs2: value, imm: 0 }),
    item("sfence.vma", { rs1: random.chance(50) ? 0 : page, rs2: 0 }),
    ...tries("lb", "sw"),
  ];
}

// ---- at the end of a section ----

/** Runs code in a window, which comes back if it can be run. */
export function fetchUnit({ random, windows, mode, translated, trapsFences }: Situation): Unit {
  // A supervisor's load of a user page, SUM permitting, makes QEMU 7.2's TLB let it be fetched from as well: such pages need a fence first.
  const isOpen = ({ flags, name }: Window) =>
    mode === 1 && translated === true && (isUserCode(flags) || name === CHANGING);
  const window = random.pick(
    windows.filter(
      (candidate) => (translated === true || candidate.address < 2 ** 34) && !(trapsFences && isOpen(candidate)),
    ),
  );
  const fence = isOpen(window) ? [item("sfence.vma", { rs1: 0, rs2: 0 })] : [];
  const probe = mode !== 3 && translated === true ? probeOf(window, "fetch") : undefined;
  const straddling = random.chance(20);
  const rd = straddling ? 1 : random.other();
  const base = random.other();
  const offset = straddling ? STRADDLING - 2047 : landing(rd);
  const items = windowBase(base, window, straddling ? 2047 : 0);
  return [
    ...fence,
    ...items,
    { ...item("jalr", { rd, rs1: base, imm: offset }), ...(probe === undefined ? {} : { probe }) },
  ];
}

/** Jumps to where nothing is. */
export function wildJumpUnit({ random }: Situation): Unit {
  const base = random.other();
  return [
    ...wildBase(random, base),
    item("jalr", { rd: random.register(), rs1: base, imm: random.pick([0, 4, 2, -4, 1]) }),
  ];
}
