/**
 * Units of generated programs that touch the privileged architecture: CSRs, traps, returns, interrupts, fences, and code that changes.
 *
 * What QEMU 7.2 is known to do otherwise is not generated here; `expectations.ts` has it, each with its rule.
 *
 * @module
 */
import { type Csr, decode, findCompressed } from "../../engine/mod.ts";
import { REGISTERS, ROWS } from "./compared.ts";
import { CLINT, POOL, POOL_ENTRIES, PROTECTED, PROTECTED_BYTES, UART } from "./memory-map.ts";
import { address, fixed, type Item, item, loadFrom, number, type Unit, word } from "./program.ts";
import type { Seeded } from "./seeded.ts";
import type { Situation } from "./units.ts";

const numberOf = (name: string): number => {
  const csr = REGISTERS.find((row) => row.name === name);
  if (csr === undefined) throw new RangeError(`Cannot generate an access as the table must have the CSR: ${name}`);
  return csr.number;
};

/** Registers of 64 writable bits: any value, by any instruction. mscratch is the handler's. */
const FREE = { machine: ["mepc", "mcause", "mtval"], supervisor: ["sscratch", "sepc", "scause", "stval"] } as const;

/** Fields that both machines have, and that take nothing away from the test: MPP is set or cleared whole, as 2 is no mode. */
const MSTATUS = [
  1 << 1,
  1 << 3,
  1 << 5,
  1 << 7,
  1 << 8,
  3 << 11,
  3 << 13,
  1 << 17,
  1 << 18,
  1 << 19,
  1 << 20,
  1 << 21,
  1 << 22,
];
const SSTATUS = [1 << 1, 1 << 5, 1 << 8, 3 << 13, 1 << 18, 1 << 19];
/** Causes that may be delegated: a supervisor's ecall is the S handler's way out. */
const DELEGABLE = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 15].map((cause) => 1 << cause);
const INTERRUPTS = [1, 3, 5, 7, 9, 11].map((cause) => 1 << cause);
const SUPERVISOR_INTERRUPTS = [1, 5, 9].map((cause) => 1 << cause);

const some = (random: Seeded, masks: readonly number[], percent: number): number =>
  masks.reduce((sum, mask) => (random.chance(percent) ? sum | mask : sum), 0);

/** Any access to a register that holds what is written to it. */
function free(random: Seeded, csr: string): Item[] {
  // QEMU 7.2 keeps the low bit of an epc, which is read-only 0.
  const epc = csr === "mepc" || csr === "sepc";
  if (random.chance(30)) {
    const zimm5 = random.below(32) & (epc ? -2 : -1);
    return [item(random.pick(IMMEDIATE_FORMS), { rd: random.register(), zimm5, imm: numberOf(csr) })];
  }
  const rs1 = random.other();
  const even = epc ? [item("andi", { rd: rs1, rs1: random.register(), imm: -2 })] : [];
  return [...even, item(random.pick(REGISTER_FORMS), { rd: random.register(), rs1, imm: numberOf(csr) })];
}

const REGISTER_FORMS = ["csrrw", "csrrs", "csrrc"] as const;
const IMMEDIATE_FORMS = ["csrrwi", "csrrsi", "csrrci"] as const;

/** A write of some of the bits given, by any form. */
function masked(random: Seeded, csr: string, masks: readonly number[]): Item[] {
  const value = some(random, masks, 100 / masks.length + 15);
  const base = random.other();
  return [
    ...number(base, value),
    item(random.pick(REGISTER_FORMS), { rd: random.register(), rs1: base, imm: numberOf(csr) }),
  ];
}

/** Puts a random value into a register and takes it out again, where the value in between would take the test's ground away. */
function exchanged(random: Seeded, csr: string, value: (rd: number) => Item[]): Item[] {
  const old = random.other();
  const fresh = random.other(old);
  return [
    item("csrrci", { rd: 0, zimm5: 8, imm: numberOf("mstatus") }), // No interrupt in between.
    ...value(fresh),
    item("csrrw", { rd: old, rs1: fresh, imm: numberOf(csr) }),
    item("csrrw", { rd: random.other(old), rs1: old, imm: numberOf(csr) }),
  ];
}

const anything = (random: Seeded) => (rd: number) => loadFrom(rd, POOL + 8 * random.below(POOL_ENTRIES));
/** A satp value: any mode but Sv57, which QEMU has, no ASID, which QEMU has too, and any root. */
const anyRoot = (random: Seeded) => (rd: number) => [
  item("lui", { rd, imm: (random.pick([0, 1, 2, 5, 7, 8, 8, 9, 11, 13, 15]) << 28) | 0 }),
  item("slli", { rd, rs1: rd, imm: 32 }),
  item("addi", { rd, rs1: rd, imm: random.below(2048) }),
];

const read = (random: Seeded, csr: string): Item[] => [
  item(random.pick(["csrrs", "csrrc"]), { rd: random.register(), rs1: 0, imm: numberOf(csr) }),
];
/** An access that gives no value: of counters, and of what names the machine. */
const touch = (csr: string): Item[] => [item("csrrs", { rd: 0, rs1: 0, imm: numberOf(csr) })];

const COUNTERS = ["cycle", "time", "instret"] as const;
const COUNTED = REGISTERS.filter(({ name }) => /^m?hpm|^mhpmevent/.test(name)).map(({ name }) => name);
const MACHINE_NAMES = ["marchid", "mimpid"];

/** One access that is legal in machine mode, and its write if it has one. */
function machineAccess(random: Seeded, timed: boolean): Item[] {
  return random.weighted<() => Item[]>([
    [4, () => masked(random, "mstatus", MSTATUS)],
    [1, () => masked(random, "sstatus", SSTATUS)],
    [2, () => masked(random, "mie", INTERRUPTS)],
    [1, () => masked(random, "sie", SUPERVISOR_INTERRUPTS)],
    [3, () => masked(random, "mip", SUPERVISOR_INTERRUPTS)],
    [1, () => masked(random, "sip", [2])],
    [1, () => exchanged(random, "medeleg", (rd) => number(rd, some(random, DELEGABLE, 50)))],
    [1, () => exchanged(random, "mideleg", (rd) => number(rd, some(random, SUPERVISOR_INTERRUPTS, 50)))],
    [2, () => exchanged(random, random.pick(["mtvec", "stvec", "mscratch"]), anything(random))],
    [2, () => exchanged(random, "satp", anyRoot(random))],
    [9, () => free(random, random.pick([...FREE.machine, ...FREE.supervisor]))],
    [
      2,
      () => [
        item(random.pick(IMMEDIATE_FORMS), {
          rd: random.register(),
          zimm5: random.below(8),
          imm: numberOf(random.pick(["mcounteren", "scounteren"])),
        }),
      ],
    ],
    [
      1,
      () => [
        item(random.pick(IMMEDIATE_FORMS), { rd: random.register(), zimm5: random.below(2), imm: numberOf("senvcfg") }),
      ],
    ],
    // STCE stays as the image has it.
    [
      1,
      () => [
        item(random.pick(["csrrsi", "csrrci"]), {
          rd: random.register(),
          zimm5: random.below(2),
          imm: numberOf("menvcfg"),
        }),
      ],
    ],
    [timed ? 1 : 0, () => timer(random)],
    [
      3,
      () =>
        read(
          random,
          random.pick([
            "misa",
            "mvendorid",
            "mhartid",
            "mconfigptr",
            "mcountinhibit",
            "mip",
            "mie",
            "medeleg",
            "mideleg",
            "satp",
            "stvec",
            "mtvec",
            "sstatus",
            "mstatus",
            "sie",
            "sip",
          ]),
        ),
    ],
    [2, () => read(random, random.pick(REGISTERS.filter(({ name }) => /^pmp/.test(name))).name)],
    [2, () => read(random, random.pick(COUNTED))],
    [2, () => touch(random.pick([...COUNTERS, "mcycle", "minstret", ...MACHINE_NAMES]))],
  ])();
}

/** Sets the supervisor's timer to what never comes. */
function timer(random: Seeded): Item[] {
  const rd = random.other();
  return [
    item("addi", { rd, rs1: 0, imm: -1 - random.below(1000) }),
    item("csrrw", { rd: random.register(), rs1: rd, imm: numberOf("stimecmp") }),
  ];
}

/** One access that is legal in supervisor mode, TVM and counter enables permitting. */
function supervisorAccess(random: Seeded): Item[] {
  return random.weighted<() => Item[]>([
    [3, () => masked(random, "sstatus", SSTATUS)],
    [2, () => masked(random, "sie", SUPERVISOR_INTERRUPTS)],
    [3, () => masked(random, "sip", [2])],
    [8, () => free(random, random.pick(FREE.supervisor))],
    [
      1,
      () => [
        item(random.pick(IMMEDIATE_FORMS), {
          rd: random.register(),
          zimm5: random.below(8),
          imm: numberOf("scounteren"),
        }),
      ],
    ],
    [2, () => read(random, random.pick(["satp", "stvec", "sstatus", "sie", "sip"]))],
    [2, () => touch(random.pick(COUNTERS))],
    [1, () => timer(random)],
  ])();
}

/** Numbers that neither machine has a CSR at; QEMU's own (debug, hypervisor, seed) are not among them. */
const NOWHERE = [
  0x000,
  0x008,
  0x044,
  0x0ff,
  0x180 + 1,
  0x1ff,
  0x3ff,
  0x5c1,
  0x7c0,
  0x7ff,
  0x800,
  0x8ff,
  0x9c0,
  0xbc0,
  0xbff,
  0xcc0,
  0xfc0,
];

export function csrUnit({ random, mode, timed }: Situation): Unit {
  const legal = random.weighted<() => Item[]>([
    [mode === 3 ? 12 : 0, () => machineAccess(random, timed)],
    [mode === 1 ? 12 : 0, () => supervisorAccess(random)],
    [mode === 0 ? 3 : 1, () => touch(random.pick(COUNTERS))],
    [3, () => floatStatus(random)],
    [mode === 3 ? 1 : 4, () => forbidden(random, mode)],
    [
      1,
      () => [
        item(random.pick(REGISTER_FORMS), { rd: random.register(), rs1: random.register(), imm: random.pick(NOWHERE) }),
      ],
    ],
    [1, () => written(random, random.pick(READ_ONLY))],
  ]);
  return legal();
}

function floatStatus(random: Seeded): Item[] {
  const csr = random.pick([0x001, 0x002, 0x003]);
  if (random.chance(50))
    return [item(random.pick(IMMEDIATE_FORMS), { rd: random.register(), zimm5: random.below(32), imm: csr })];
  return [item(random.pick(REGISTER_FORMS), { rd: random.register(), rs1: random.register(), imm: csr })];
}

const READ_ONLY = REGISTERS.filter(({ readOnly }) => readOnly);

/** A write to a register that is read-only; of other bits than none, as QEMU 7.2 lets a write of no bits pass. */
function written(random: Seeded, csr: Csr): Item[] {
  if (random.chance(30))
    return [
      item(random.pick(IMMEDIATE_FORMS), { rd: random.register(), zimm5: 1 + random.below(31), imm: csr.number }),
    ];
  const base = random.other();
  return [
    ...number(base, random.pick([1, -1, 1 << 20])),
    item(random.pick(REGISTER_FORMS), { rd: random.register(), rs1: base, imm: csr.number }),
  ];
}

/** An access that the mode does not permit. */
function forbidden(random: Seeded, mode: number): Item[] {
  if (mode === 3) return written(random, random.pick(READ_ONLY));
  const csr = random.pick(REGISTERS.filter(({ number }) => ((number >> 8) & 3) > mode));
  return [item(random.pick(REGISTER_FORMS), { rd: random.register(), rs1: random.register(), imm: csr.number })];
}

export const ecallUnit = (): Unit => [fixed(0x73)];

/** A return, wait or fence that the mode may forbid. */
export function privilegedUnit({ random, mode, trapsWaits, delegatesSoftware }: Situation): Unit {
  const fence = item("sfence.vma", { rs1: random.register(), rs2: 0 });
  if (mode === 3) return [fence];
  // In user mode all are illegal, wfi too where there is a supervisor mode; a supervisor may not mret.
  const illegal = mode === 0 ? ["sret", "mret", "wfi"] : trapsWaits ? ["mret", "wfi"] : ["mret"];
  if (mode === 1 && !trapsWaits && delegatesSoftware && random.chance(30)) return supervisorWait;
  return random.chance(40) ? [fence] : [item(random.pick(illegal), {})];
}

/** Words and halfwords that are no instruction. */
export function illegalUnit({ random }: Situation): Unit {
  for (;;) {
    if (random.chance(25)) return [fixed(random.pick(RESERVED_HALVES))];
    // QEMU decodes nothing more than this machine in these opcodes either.
    const opcode = random.pick([
      0x03, 0x13, 0x1b, 0x23, 0x33, 0x3b, 0x63, 0x67, 0x73, 0x2f, 0x53, 0x0b, 0x2b, 0x5b, 0x7b,
    ]);
    const bits = ((random.word() & ~0x7f) | opcode) >>> 0;
    if (decode(bits) === undefined && !elsewhere(bits)) return [fixed(bits)];
  }
}
/** Every halfword that is neither a 16-bit instruction nor the beginning of a longer one. */
const RESERVED_HALVES = Array.from({ length: 2 ** 16 }, (_, half) => half).filter(
  (half) => (half & 3) !== 3 && findCompressed(half) === undefined,
);

/** What QEMU 7.2 may take for an instruction of an extension that this machine does not have. */
const elsewhere = (bits: number): boolean => (bits & 0x7f) === 0x73 && ((bits >>> 12) & 7) === 4;

/**
 * Words that are one bit off an instruction, and no other: those whose number is `rest` modulo `of`.
 *
 * @returns A unit each.
 */
export function nearMisses(random: Seeded, rest: number, of: number): Unit[] {
  const units: Unit[] = [];
  let count = 0;
  for (const { mask, match } of ROWS) {
    // The opcode's bits lead to other opcodes.
    for (let bit = 12; bit < 32; bit++) {
      if ((mask & (1 << bit)) === 0 || count++ % of !== rest) continue;
      const bits = ((match | (random.word() & ~mask)) ^ (1 << bit)) >>> 0;
      if (decode(bits) === undefined && !elsewhere(bits)) units.push([fixed(bits)]);
    }
  }
  return units;
}

/** Makes an interrupt pending; whether it is taken is the environment's to say. */
export function interruptUnit({ random, mode, timed }: Situation): Unit {
  // A time that has come: pending at once, until the handler puts it off.
  if (timed && random.chance(25)) return [item("csrrw", { rd: random.register(), rs1: 0, imm: numberOf("stimecmp") })];
  if (mode === 1) return [item("csrrsi", { rd: 0, zimm5: 2, imm: numberOf("sip") })];
  const base = random.other();
  return random.pick([
    () => masked(random, "mip", SUPERVISOR_INTERRUPTS),
    () => [item("lui", { rd: base, imm: CLINT }), ...one(random.other(base), base)],
    () => [item("lui", { rd: base, imm: CLINT + 0x4000 }), item("sd", { rs1: base, rs2: 0, imm: 0 })],
    // The UART's transmitter is always empty, and says so as soon as that may interrupt; the handler claims it from the PLIC.
    () => {
      const enable = random.other(base);
      return [
        item("lui", { rd: base, imm: UART }),
        item("addi", { rd: enable, imm: 2 }),
        item("sb", { rs1: base, rs2: enable, imm: 1 }),
      ];
    },
    () => masked(random, "mie", INTERRUPTS),
  ])();
}
const one = (register: number, base: number): Item[] => [
  item("addi", { rd: register, imm: 1 }),
  item("sw", { rs1: base, rs2: register, imm: 0 }),
];

/** A wait that has something to wake for: pending and enabled one by one, but not taken. */
export const waitUnit = (): Unit => [
  item("csrrci", { rd: 0, zimm5: 8, imm: numberOf("mstatus") }),
  item("csrrsi", { rd: 0, zimm5: 2, imm: numberOf("mip") }),
  item("csrrsi", { rd: 0, zimm5: 2, imm: numberOf("mie") }),
  item("wfi", {}),
  item("csrrci", { rd: 0, zimm5: 2, imm: numberOf("mip") }),
];

const supervisorWait: Unit = [
  item("csrrci", { rd: 0, zimm5: 2, imm: numberOf("sstatus") }),
  item("csrrsi", { rd: 0, zimm5: 2, imm: numberOf("sip") }),
  item("csrrsi", { rd: 0, zimm5: 2, imm: numberOf("sie") }),
  item("wfi", {}),
  item("csrrci", { rd: 0, zimm5: 2, imm: numberOf("sip") }),
];

/** Overwrites the instruction behind it, fences, and runs it. */
export function rewriteUnit({ random }: Situation): Unit {
  const [base, value] = [random.other(), 0];
  const source = random.other(base);
  const rd = random.register();
  const patched = word("addi", { rd, rs1: random.register(), imm: random.below(4096) - 2048 });
  const load = number(source, patched);
  const fence = random.chance(70) ? [item("fence.i", {})] : [];
  // The slot lies behind the store and the fence.
  const distance = 4 * (2 + fence.length);
  const at = { size: 4 as const, bits: () => word("auipc", { rd: base, imm: value }) };
  return [
    ...load,
    at,
    item("sw", { rs1: base, rs2: source, imm: distance }),
    ...fence,
    item("andi", { rd: random.register(), rs1: rd, imm: 0 }),
  ];
}

/**
 * Sets PMP entries over the protected pages; the configuration last, as QEMU 7.2 forgets its TLB only then. Entry 0 is never top-of-range,
 * which would begin at address 0, and W comes with R: QEMU 7.2 takes the reserved combination.
 *
 * @param lock Whether entry 0 is locked, for good.
 */
export function protectionUnit(random: Seeded, lock: boolean): Unit {
  const items: Item[] = [];
  const value = random.other();
  let configuration = 0;
  for (let entry = 0; entry < 4; entry++) {
    const matching = entry > 0 ? random.below(4) : lock ? random.pick([2, 3]) : random.pick([0, 2, 3, 3]);
    // Close to where accesses go, so that some meet only a part.
    let start = PROTECTED + 4096 * random.below(PROTECTED_BYTES / 4096) + 4 * random.below(20);
    // A natural alignment is written as trailing ones.
    const size = random.pick([8, 16, 64, 4096]);
    if (matching === 3) start = (start & -size) + size / 2 - 4;
    items.push(
      ...number(value, start >>> 2),
      item("csrrw", { rd: random.register(), rs1: value, imm: numberOf("pmpaddr0") + entry }),
    );
    configuration |=
      (random.pick([0, 1, 3, 4, 5, 7]) | (matching << 3) | (lock && entry === 0 ? 0x80 : 0)) << (8 * entry);
  }
  return [
    ...items,
    ...number(value, configuration),
    item("csrrw", { rd: random.register(), rs1: value, imm: numberOf("pmpcfg0") }),
  ];
}

/** Ends a section with a return to the next, in the mode that the status register holds. */
export function returnUnit({ random, mode }: Situation): Unit {
  const base = random.other();
  const supervisor = mode === 1 || random.chance(30);
  const [epc, status, name] = supervisor
    ? (["sepc", "sstatus", "sret"] as const)
    : (["mepc", "mstatus", "mret"] as const);
  const previous = supervisor ? 1 << 8 : 3 << 11;
  // QEMU 7.2's returns leave MPRV as it is.
  const noMprv =
    mode === 3 ? [...number(base, 1 << 17), item("csrrc", { rd: 0, rs1: base, imm: numberOf("mstatus") })] : [];
  return [
    ...noMprv,
    ...number(base, previous),
    item(random.pick(["csrrs", "csrrc"]), { rd: 0, rs1: base, imm: numberOf(status) }),
    ...address(base, (place) => place.next),
    item("csrrw", { rd: 0, rs1: base, imm: numberOf(epc) }),
    item(name, {}),
  ];
}
