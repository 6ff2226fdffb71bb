/** Programs that begin in machine mode: each runs the same on the bare machine and under full virtualization. */
import { describe, expect, test } from "vitest";
import { guestEvents } from "../boot.fixture.ts";
import { createMachine, type MachineConfig } from "../create.ts";
import { eventsOf } from "../event/record.ts";
import { enter, entries, OPEN, satp } from "../hart/bare.fixture.ts";
import { RAM_BASE } from "../hart/memory.ts";
import { assemble } from "../isa/assemble.ts";
import { extended, strict, svadu } from "../isa/profile.ts";
import { elf } from "../machine/elf.fixture.ts";
import type { Machine, MachineStop } from "../machine/machine.ts";
import { full } from "../techniques/full.ts";
import { native } from "../techniques/native.ts";
import type { Technique } from "./technique.ts";

const MEMORY_BYTES = 1 << 20;
const LOG = RAM_BASE + 0x8000;
const ROOT = RAM_BASE + 0x1_0000;
const DATA = RAM_BASE + 0x2_0000;
const CLINT = 0x200_0000;
const BUDGET = 3000;
const FINISHER = 0x10_0000;
const OVER: MachineStop = { kind: "end", reason: "poweroff", code: 0 };
const END = `\nend:\nli t3, ${FINISHER}\nli t4, 0x5555\nsw t4, 0(t3)\n`;

/**
 * Both handlers note cause and value where t6 points, the supervisor's causes plus 256, and step over what trapped; a failed fetch goes back to
 * s0, and an interrupt is switched off. t3 to t6 are theirs, and instructions are 4 bytes long.
 */
const handler = (level: "m" | "s") => `
  .align 3
${level}handler:
  csrr t3, ${level}cause
  csrr t4, ${level}tval
  ${level === "s" ? "addi t3, t3, 256" : ""}
  sd t3, 0(t6)
  sd t4, 8(t6)
  addi t6, t6, 16
  bltz t3, ${level}mask
  andi t3, t3, 0xff
  li t4, 1
  beq t3, t4, ${level}back
  li t4, 12
  beq t3, t4, ${level}back
  csrr t4, ${level}epc
  addi t4, t4, 4
  csrw ${level}epc, t4
  ${level}ret
${level}back:
  csrw ${level}epc, s0
  ${level}ret
${level}mask:
  csrw ${level}ie, x0
  ${level}ret
`;
const PRELUDE = `
  .option norvc
  j start
${handler("m")}${handler("s")}
  .align 3
start:
  li t6, ${LOG}
  la t3, mhandler
  csrw mtvec, t3
  la t3, shandler
  csrw stvec, t3
`;

function machineOf(kernel: Uint8Array, technique: Technique, options: Partial<MachineConfig> = {}): Machine {
  return createMachine({
    kernel,
    memoryBytes: MEMORY_BYTES,
    rtcSeconds: 0,
    machineMode: true,
    profile: strict,
    technique,
    logging: true,
    tier: "interpreter",
    ...options,
  });
}

interface Ran {
  readonly bare: Machine;
  /** Exits under full virtualization, by reason. */
  readonly exits: Readonly<Record<string, number>>;
  readonly stop: MachineStop;
  /** What the handlers noted: cause and value of each trap. */
  readonly traps: readonly (readonly [cause: number, value: bigint])[];
  x(register: number): bigint;
}

/** Runs raw bytes or an ELF on both machines, comparing all state and all events at every step, later at every 50. */
function compared(kernel: Uint8Array, options: Partial<MachineConfig> = {}): Ran {
  const bare = machineOf(kernel, native, options);
  const virtual = machineOf(kernel, full, options);
  const exits: Record<string, number> = {};
  for (;;) {
    const until = bare.step + (bare.step < 600 ? 1 : 50);
    const stop = bare.run(until);
    const where = `step ${bare.step}, pc 0x${bare.parts.platform.hart.pc.toString(16)}`;
    expect(virtual.run(until), where).toEqual(stop);
    expect(virtual.digest(), where).toEqual(bare.digest());
    const seen = [...eventsOf(virtual.log.drain())];
    expect(
      seen.filter(({ kind }) => !/^(vmm|shadow|device\.path)/.test(kind)),
      where,
    ).toEqual(guestEvents(bare));
    for (const event of seen) if (event.kind === "vmm.exit") exits[event.reason] = (exits[event.reason] ?? 0) + 1;
    if (stop.kind === "until" && bare.step < BUDGET) continue;
    const { hart, memory } = bare.parts.platform;
    const traps: (readonly [number, bigint])[] = [];
    for (let at = LOG; BigInt(at) < hart.x[31]! && at < DATA; at += 16)
      traps.push([Number(memory.read(at, 2)), memory.read(at + 8, 8)]);
    return { bare, exits, stop, traps, x: (register) => hart.x[register]! };
  }
}

/** Runs what a program does before it powers off. */
function ran(source: string, options: Partial<MachineConfig> = {}): Ran {
  const run = compared(assemble(PRELUDE + source + END, { base: BigInt(RAM_BASE) }).bytes, options);
  expect(run.stop).toEqual(OVER);
  return run;
}
const causes = ({ traps }: Ran) => traps.map(([cause]) => cause);

/** Identity for RAM and devices, and a root whose second gigabyte has a table of its own for 4-KiB pages at 0x40000000. */
const PAGES: readonly (readonly [number, number, number])[] = [
  [ROOT, 0, 0xc7],
  [ROOT + 16, RAM_BASE, 0xcf],
  [ROOT + 8, ROOT + 0x1000, 1],
  [ROOT + 0x1000, ROOT + 0x2000, 1],
];
const page = (n: number, physical: number, flags: number) => [ROOT + 0x2000 + 8 * n, physical, flags] as const;
/** mstatus.MPRV with MPP, and back. */
const as = (mode: 0 | 1, source: string, more = 0) =>
  `li t0, 0xe1800\ncsrc mstatus, t0\nli t0, ${0x2_0000 + (mode << 11) + more}\ncsrs mstatus, t0\n${source}\nli t0, 0x20000\ncsrc mstatus, t0\n`;
const [R, W, X, L, TOR, NA4, NAPOT] = [1, 2, 4, 0x80, 0x08, 0x10, 0x18];
/** Writes the first PMP entries: configuration bytes and addresses; the last is followed by one that opens everything. */
const protect = (...list: readonly (readonly [config: number, address: number])[]) => {
  const bytes = [...list.map(([config]) => config), R | W | X | NAPOT];
  return `${list.map(([, address], n) => `li t0, ${address >>> 2}\ncsrw pmpaddr${n}, t0\n`).join("")}
    li t0, -1\ncsrw pmpaddr${list.length}, t0
    li t0, ${bytes.reduce((word, byte, n) => word | (BigInt(byte) << BigInt(8 * n)), 0n)}\ncsrw pmpcfg0, t0\n`;
};
const inSupervisor = (source: string) => `${enter(1, "inside")}inside:\n${source}\nj end\n`;

describe("traps of a guest with a machine mode", () => {
  test("go where medeleg says, and machine mode's own never down", () => {
    const run = ran(`${OPEN}li t0, 0x10c\ncsrw medeleg, t0\nebreak\ncsrw 0x7c0, x0\necall\n
      ${inSupervisor(`ebreak\ncsrr a0, mstatus\necall\n${`la t0, user\ncsrw sepc, t0\nli t0, 0x100\ncsrc sstatus, t0\nsret\nuser:\nebreak\necall\ncsrr a0, sstatus`}`)}`);
    // In machine mode: breakpoint, illegal, ecall. In the supervisor: breakpoint and illegal are delegated, its ecall is not. The user's is.
    expect(causes(run)).toEqual([3, 2, 11, 3 + 256, 2 + 256, 9, 3 + 256, 8 + 256, 2 + 256]);
    expect(run.exits["environment-call"]).toBe(3);
  });

  test("return by mret to the mode in MPP, which becomes the user's, with MIE from MPIE", () => {
    const run = ran(`${OPEN}li t0, 0x80\ncsrs mstatus, t0\ncsrr s1, mstatus\n${enter(1, "inside")}
      inside:\necall\nli t0, 0x1800\nli t1, 0x100\n${`la t0, user\ncsrw sepc, t0\ncsrc sstatus, t1\nsret\nuser:\necall\nj end`}`);
    expect(causes(run)).toEqual([9, 8]);
    const returns = run.bare.parts.platform.guest.status;
    expect(returns & 0x1880).toBe(0x80);
  });

  test("find what mscratch holds for them, swapped with a register", () => {
    const run = ran(`${OPEN}la t0, swap\ncsrw mtvec, t0\nli t0, ${DATA}\ncsrw mscratch, t0\n
      ${enter(0, "user")}user:\nli sp, 0x1234\nli a0, 7\necall\nmv s1, a0\nj end
      .align 3
      swap: csrrw sp, mscratch, sp
      sd a0, 0(sp)\nld a0, 0(sp)\nslli a0, a0, 1\ncsrr t0, mepc\naddi t0, t0, 4\ncsrw mepc, t0
      csrrw sp, mscratch, sp\nmret`);
    expect([run.x(9), run.x(2)]).toEqual([14n, 0x1234n]);
  });

  test("are the guest's own where an instruction needs more than its mode", () => {
    const denied = [
      "csrr a0, mstatus",
      "csrw mepc, x0",
      "csrr a0, mhartid",
      "mret",
      "csrw pmpcfg0, x0",
      "csrr a0, stimecmp",
    ];
    const run = ran(`${OPEN}${inSupervisor(denied.join("\n"))}`);
    expect(causes(run)).toEqual(denied.map(() => 2));
    const machine = ran("csrw mhartid, x0\ncsrr a0, mhartid\ncsrr a1, misa\ncsrr a2, mvendorid\ncsrr a3, marchid");
    expect(causes(machine)).toEqual([2]);
  });

  test("come of TVM, TW and TSR in the supervisor, and not in machine mode", () => {
    const setup = `${OPEN}li t0, 0x700000\ncsrs mstatus, t0\nla t0, on\ncsrw sepc, t0\n`;
    const run = ran(`${setup}${inSupervisor("csrr a0, satp\nsfence.vma\nwfi\nsret\non:")}`);
    expect(causes(run)).toEqual([2, 2, 2, 2]);
    expect(causes(ran(`${setup}csrr a0, satp\nsfence.vma\nli t0, 0x80\ncsrs mie, t0\nwfi\nj end\non:`))).toEqual([]);
  });

  test("come of counters that mcounteren keeps from lower modes", () => {
    const run = ran(`${OPEN}csrwi mcounteren, 2\nrdcycle a0\n${inSupervisor("rdtime a1\nrdcycle a2\nrdinstret a3")}`);
    expect(causes(run)).toEqual([2, 2]);
  });
});

describe("interrupts of a guest with a machine mode", () => {
  const later = `li t0, ${CLINT + 0xbff8}\nld t1, 0(t0)\naddi t1, t1, 20\nli t0, ${CLINT + 0x4000}\nsd t1, 0(t0)\n`;

  test("of the CLINT's timer reach it while its supervisor runs with interrupts off", () => {
    const run = ran(`${OPEN}${later}li t0, 0x80\ncsrs mie, t0\n
      ${inSupervisor(`csrci sstatus, 2\nli s1, ${LOG}\nwait: beq t6, s1, wait`)}`);
    expect(causes(run)).toEqual([7]);
    expect(run.exits.interrupt).toBeGreaterThan(0);
  });

  test("wait for MIE in machine mode, and are taken at the instruction behind the one that sets it", () => {
    const run = ran(
      `li t0, ${CLINT}\nli t1, 1\nsw t1, 0(t0)\nli t0, 8\ncsrs mie, t0\nnop\ncsrsi mstatus, 8\nli s1, 1\ncsrr s2, mip`,
    );
    expect(causes(run)).toEqual([3]);
  });

  test("are handed down: machine mode makes the supervisor's pending, whose mode takes it", () => {
    const run = ran(`${OPEN}li t0, 0x222\ncsrw mideleg, t0\ncsrw mie, t0\nli t0, 0x20\ncsrs mip, t0\nnop\n
      ${inSupervisor("nop\ncsrsi sstatus, 2\nnop\ncsrr s1, sip")}`);
    expect(causes(run)).toEqual([5 + 256]);
    expect(run.x(9)).toBe(0x20n);
  });

  test("of stimecmp are the supervisor's by menvcfg.STCE and mcounteren.TM", () => {
    const setup = `${OPEN}li t0, 0x20\ncsrw mideleg, t0\ncsrw mie, t0\nli t0, 1\nslli t0, t0, 63\ncsrs menvcfg, t0\ncsrwi mcounteren, 2\n`;
    const run = ran(
      `${setup}${inSupervisor("rdtime t0\naddi t0, t0, 9\ncsrw stimecmp, t0\ncsrsi sstatus, 2\nwfi\ncsrr s1, sip")}`,
    );
    expect(causes(run)).toEqual([5 + 256]);
  });

  test("wake a wfi that they do not interrupt, as MIE is off", () => {
    const run = ran(`${later}li t0, 0x80\ncsrs mie, t0\nwfi\ncsrr s1, mip`);
    expect([causes(run), run.x(9), run.exits.halt]).toEqual([[], 0x80n, 1]);
  });
});

describe("loads and stores under MPRV", () => {
  test("go through the supervisor's translation while code does not", () => {
    const run = ran(`${OPEN}${entries(...PAGES, page(0, DATA, 0xc7), [DATA, 0x1234_5000, 0x77])}${satp(8)}
      li a0, 0x40000000
      ${as(1, "ld s1, 0(a0)\nsd a0, 8(a0)\namoadd.d s2, a0, (a0)\nlr.d s3, (a0)\nsc.d s4, a0, (a0)\nlbu s5, 1(a0)\nfence.i")}
      li a1, ${DATA}\nld s6, 0(a1)\nld s7, 8(a1)\nld s8, 0(a0)`);
    expect(run.x(9)).toBe(run.x(18));
    expect([run.x(20), run.x(22), run.x(23)]).toEqual([0n, 0x4000_0000n, 0x4000_0000n]);
    expect(run.traps).toEqual([[5, 0x4000_0000n]]);
    expect(run.exits["protected-access"]).toBe(6);
  });

  test("may find other bytes at an address than a fetch does, the instruction's own among them", () => {
    const here = 0x8000_0000 + 0x1000;
    // The page that the code lies in is mapped to another one.
    const run =
      ran(`${OPEN}${entries([ROOT + 16, ROOT + 0x1000, 1], [ROOT + 0x1000, ROOT + 0x2000, 1], page(1, DATA, 0xc7), [DATA, 0x1111_1000, 0x11])}${satp(8)}
      j there\n.align 12\nthere:\nli a0, ${here}\n${as(1, "ld s1, 0(a0)\nsd a0, 0(a0)\nld s2, 0(a0)")}ld s3, 0(a0)`);
    expect(run.x(18)).toBe(BigInt(here));
    expect(run.x(19)).not.toBe(BigInt(here));
    expect(run.x(9)).not.toBe(run.x(19));
  });

  test("need what the mode in MPP needs: U and SUM, MXR, A and D", () => {
    const source = `${OPEN}${entries(...PAGES, page(0, DATA, 0xd7), page(1, DATA, 0xc9), page(2, DATA, 0x07))}${satp(8)}li a0, 0x40000000\nli a1, 0x40001000\nli a2, 0x40002000\n`;
    const SUM = 0x4_0000;
    const MXR = 0x8_0000;
    const faults = (mode: 0 | 1, code: string, more = 0) => causes(ran(source + as(mode, code, more)));
    expect(faults(1, "ld s1, 0(a0)")).toEqual([13]);
    expect(faults(1, "ld s1, 0(a0)\nsd s1, 0(a0)", SUM)).toEqual([]);
    expect(faults(0, "ld s1, 0(a0)\nsd s1, 0(a0)\nld s1, 0(a1)")).toEqual([13]);
    expect(faults(1, "ld s1, 0(a1)")).toEqual([13]);
    expect(faults(1, "sd s1, 0(a1)")).toEqual([15]);
    expect(faults(1, "ld s1, 0(a1)", MXR)).toEqual([]);
    expect(faults(1, "ld s1, 0(a2)")).toEqual([13]);
    expect(faults(1, "sd s1, 0(a2)")).toEqual([15]);
  });

  test("reach devices through a page, and PMP is asked for the mode in MPP", () => {
    const run =
      ran(`${protect([0, DATA], [R | TOR, DATA + 0x1000])}${entries(...PAGES, page(0, 0x1000_0000, 0xc7), page(1, DATA, 0xc7))}${satp(8)}
      li a0, 0x40000000\nli a1, 0x40001000\nli a2, 65\n
      ${as(1, "sb a2, 0(a0)\nlbu s1, 5(a0)\nld s2, 0(a1)\nsd s2, 0(a1)")}li a3, ${DATA}\nsd a3, 0(a3)`);
    expect(run.traps).toEqual([[7, 0x4000_1000n]]);
    expect([...run.bare.console]).toEqual([65]);
  });

  test("are machine mode's own where MPP is machine mode, and end with the return to another", () => {
    const run =
      ran(`${OPEN}${entries(...PAGES)}${satp(8)}li a0, 0x40000000\nli t0, 0x21800\ncsrs mstatus, t0\nli a1, ${DATA}\nld s1, 0(a1)\nld s1, 0(a0)\n
      ${inSupervisor("ld s2, 0(a0)\ncsrr s3, sstatus\necall")}`);
    expect(causes(run)).toEqual([5, 13, 9]);
    expect(run.exits["protected-access"]).toBeUndefined();
  });
});

describe("physical memory protection", () => {
  const load = (at: number, how = "ld s1, 0(a0)") => `li a0, ${at}\n${how}\n`;

  test("denies as the guest's registers say, with its own access faults", () => {
    const jump = `li t0, ${DATA + 0x2000}\nli t1, 0x00040067\nsw t1, 0(t0)\n`; // jalr x0, 0(s0)
    const run =
      ran(`${jump}${protect([0, DATA], [R | TOR, DATA + 0x1000], [TOR, DATA + 0x2000], [X | TOR, DATA + 0x3000])}
      ${inSupervisor(`${load(DATA)}sd s1, 0(a0)\n${load(DATA + 0x1000)}${load(DATA + 0x2000)}la s0, on\njr a0\non:\nli a0, ${DATA + 0x1000}\nla s0, off\njr a0\noff:`)}`);
    expect(run.traps).toEqual([
      [7, BigInt(DATA)],
      [5, BigInt(DATA + 0x1000)],
      [5, BigInt(DATA + 0x2000)],
      [1, BigInt(DATA + 0x1000)],
    ]);
    expect(run.exits["protected-access"]).toBeUndefined();
  });

  test("binds machine mode by locked entries alone", () => {
    const run = ran(
      `${protect([0, DATA], [TOR, DATA + 0x1000], [TOR | L, DATA + 0x2000])}${load(DATA)}${load(DATA + 0x1000)}csrw pmpcfg0, x0\ncsrw pmpaddr2, x0\n${load(DATA + 0x1000)}`,
    );
    expect(run.traps).toEqual([
      [5, BigInt(DATA + 0x1000)],
      [5, BigInt(DATA + 0x1000)],
    ]);
  });

  test("may split a page: each access to it is looked at by itself", () => {
    const run = ran(`${protect([0, DATA + 0x100], [TOR, DATA + 0x104], [R | NA4, DATA + 0x104])}
      ${inSupervisor(`${load(DATA)}sd a0, 8(a0)\n${load(DATA + 0x100)}${load(DATA + 0x104, "lw s2, 0(a0)")}sw a0, 0(a0)\n${load(DATA + 0xfc)}ld s3, 0(a0)\n${load(DATA + 0xff9, "ld s4, 0(a0)")}${load(DATA + 0x0f9, "ld s4, 0(a0)")}${load(DATA + 0x0f8, "amoadd.d s4, a0, (a0)")}${load(DATA - 4, "ld s4, 0(a0)")}`)}`);
    expect(run.traps).toEqual([
      [5, BigInt(DATA + 0x100)],
      [7, BigInt(DATA + 0x104)],
      [5, BigInt(DATA + 0xfc)],
      [5, BigInt(DATA + 0xfc)],
      [5, BigInt(DATA + 0xf9)],
    ]);
    expect(run.exits["protected-access"]).toBeGreaterThan(6);
  });

  test("may split a page of code, at any halfword of an instruction, also in machine mode", () => {
    const code = DATA + 0xff6;
    // nop, c.nop, then a 4-byte nop across the page's end; and one whose second half may not be fetched.
    const place = (at: number, bytes: readonly number[]) =>
      bytes.map((byte, i) => `li t0, ${at + i}\nli t1, ${byte}\nsb t1, 0(t0)\n`).join("");
    const nop = [0x13, 0, 0, 0];
    const codeOf = (lock: number) =>
      `${place(code, [...nop, 1, 0, 0x73, 0x10, 0x80, 0x14, ...nop, 0x67, 0x80, 0, 0])}${protect(
        [lock | R | W | X | TOR, DATA + 0xff8],
        [lock | X | TOR, DATA + 0x1004],
        [lock | R | W | TOR, DATA + 0x1008],
      )}`;
    const go = `la ra, on\nla s0, on\nli a0, ${code}\njr a0\non:`;
    const machine = ran(`${codeOf(L)}${go}`);
    const supervisor = ran(`${codeOf(0)}${inSupervisor(go)}`);
    // 0x14801073, csrw sscratch... of the value of x0, is carried out; the nop at 0x1000 lies over the edge at 0x1004 by its second half.
    for (const run of [machine, supervisor]) {
      expect(run.traps.at(-1)).toEqual([1, BigInt(DATA + 0x1004)]);
      expect(run.exits["protected-access"]).toBeGreaterThan(2);
    }
  });

  test("keeps a pad from being fetched as any instruction, wherever the run is cut", () => {
    // Pads weigh nothing, so that a run which is cut before one stops behind it: but not behind one that faults.
    const pads = [0, 4, 8].map((at) => `li t0, ${DATA + at}\nli t1, 0x5a503013\nsw t1, 0(t0)\n`).join("");
    const closed = [
      [0, DATA + 4],
      [TOR, DATA + 8],
    ] as const;
    for (const lock of [0, L]) {
      const go = `la s0, on\nli a0, ${DATA}\njr a0\non:`;
      const protection = protect(closed[0], [lock | closed[1][0], closed[1][1]]);
      const run = ran(`${pads}${protection}${lock === 0 ? inSupervisor(go) : go}`);
      expect(run.traps).toEqual([[1, BigInt(DATA + 4)]]);
    }
    // Half of one will not do.
    const half = `li t0, ${DATA + 2}\nli t1, 0x5a503013\nsw t1, 0(t0)\nla s0, on\nli a0, ${DATA + 2}\njr a0\non:`;
    expect(
      ran(`${half.split("la s0")[0]}${protect(...closed)}${inSupervisor(`la s0${half.split("la s0")[1]}`)}`).traps,
    ).toEqual([[1, BigInt(DATA + 4)]]);
  });

  test("guards page tables against walks: an access fault, and no translation", () => {
    const run =
      ran(`${entries(...PAGES, page(0, DATA, 0xc7))}${protect([0, ROOT + 0x2000], [TOR, ROOT + 0x3000])}${satp(8)}
      ${inSupervisor(load(0x4000_0000))}`);
    expect(run.traps).toEqual([[5, 0x4000_0000n]]);
  });

  test("guards page tables against the machine's marks of A and D", () => {
    const setup = `${entries(...PAGES, page(0, DATA, 0x0f))}li t0, 5\nslli t0, t0, 61\ncsrs menvcfg, t0\n${satp(8)}`;
    const into = inSupervisor(`${load(0x4000_0000)}sd s1, 0(a0)`);
    const tables = (config: number) => protect([0, ROOT + 0x2000], [config | TOR, ROOT + 0x3000]);
    expect(ran(`${tables(R | W)}${setup}${into}`, { profile: svadu }).traps).toEqual([]);
    expect(ran(`${tables(R)}${setup}${into}`, { profile: svadu }).traps).toEqual([
      [5, 0x4000_0000n],
      [7, 0x4000_0000n],
    ]);
  });

  test("takes effect at once when a register changes, and again when it changes back", () => {
    const change = "li t0, 0x1f00\ncsrw pmpcfg0, t0\n";
    const run = ran(`${protect([0, DATA])}${load(DATA)}la t0, down\ncsrw mtvec, t0\n
      ${inSupervisor(`${load(DATA)}ecall\n${load(DATA, "ld s2, 0(a0)")}`)}
      .align 3
      down: la t0, mhandler\ncsrw mtvec, t0\ncsrr t0, mepc\naddi t0, t0, 4\ncsrw mepc, t0
      li t0, ${(DATA >>> 2) | 0x1ff}\ncsrw pmpaddr0, t0\nli t0, 0x1f18\ncsrw pmpcfg0, t0\n${load(DATA)}mret\n${change}`);
    expect(run.traps).toEqual([[5, BigInt(DATA)]]);
  });

  test("permits zeroing a block by all of its bytes", () => {
    const run = ran(
      `${protect([0, DATA + 0x20], [TOR, DATA + 0x24])}li t0, 0xf0\ncsrs menvcfg, t0\n${inSupervisor(`li a0, ${DATA + 8}\ncbo.zero (a0)\nli a0, ${DATA + 0x48}\ncbo.zero (a0)`)}`,
      { profile: extended },
    );
    expect(run.traps).toEqual([[7, BigInt(DATA + 8)]]);
  });
});

describe("a guest with a machine mode", () => {
  test("ends by its symbol tohost, whoever carries out the store", () => {
    const base = BigInt(RAM_BASE);
    const program = (source: string) => {
      const { bytes } = assemble(`${PRELUDE}${source}\nli a0, ${RAM_BASE + 0x4000}\nli a1, 1\nsd a1, 0(a0)\nj .`, {
        base,
      });
      const parts = [
        { physical: base, virtual: base, bytes },
        { physical: base + 0x4000n, virtual: base + 0x4000n, bytes: new Uint8Array(64) },
      ];
      return compared(elf(parts, base, [["tohost", base + 0x4000n]])).stop;
    };
    const passed = { kind: "end", reason: "tohost", code: 0 };
    expect(program("")).toEqual(passed);
    expect(
      program(
        `${OPEN}${entries(...PAGES)}${satp(8)}li t0, 0x1800\ncsrc mstatus, t0\nli t0, 0x20800\ncsrs mstatus, t0\n`,
      ),
    ).toEqual(passed);
  });

  test("makes marks at addresses on pages that PMP splits, once each time it is there", () => {
    const source = `${protect([0, DATA], [R | TOR, DATA + 4])}li t0, ${RAM_BASE + 0x4000}\nli t1, ${(RAM_BASE + 0x4000) >>> 2}\ncsrw pmpaddr0, t1\nli t1, 0x1f1190\ncsrw pmpcfg0, t1\nli s1, 3\nj there\n.align 12\n.align 14\nnop\nthere:\naddi s1, s1, -1\nbnez s1, there\n`;
    const { bytes } = assemble(`${PRELUDE}${source}${END}`, { base: BigInt(RAM_BASE) });
    const marks = [native, full].map((technique) => {
      const machine = machineOf(bytes, technique);
      machine.watch(BigInt(RAM_BASE + 0x4004), 0x101);
      expect(machine.run(BUDGET)).toEqual(OVER);
      return guestEvents(machine).filter(({ kind }) => kind === "mark");
    });
    expect(marks[0]).toHaveLength(3);
    expect(marks[1]).toEqual(marks[0]);
  });

  test("goes on under the other technique from where it was saved, its protection with it", () => {
    const { bytes } = assemble(
      `${PRELUDE}${protect([0, DATA + 0x100], [TOR, DATA + 0x104])}${inSupervisor(`li s1, 40\nloop: li a0, ${DATA}\nld s2, 0(a0)\nlw s3, 0x100(a0)\naddi s1, s1, -1\nbnez s1, loop`)}${END}`,
      { base: BigInt(RAM_BASE) },
    );
    for (const [first, second] of [
      [native, full],
      [full, native],
    ] as const) {
      const [before, after] = [machineOf(bytes, first), machineOf(bytes, second)];
      before.run(200);
      after.load(before.save());
      expect(after.run(BUDGET)).toEqual(before.run(BUDGET));
      expect(after.digest()).toEqual(before.digest());
      expect(before.end).toMatchObject({ reason: "poweroff" });
    }
  });

  test("cannot reach memory that is not its own, from any mode", () => {
    const end = RAM_BASE + MEMORY_BYTES;
    const reach = `li a0, ${end}\nld s1, 0(a0)\nsd s1, 0(a0)\nld s1, -4(a0)\nla s0, on\njr a0\non:`;
    const run =
      ran(`${OPEN}${reach}\n${entries(...PAGES, page(0, end, 0xcf))}${satp(8)}li a0, 0x40000000\n${as(1, "ld s1, 0(a0)")}${as(1, "sd s1, 0(a0)")}
      ${enter(1, "inside")}inside:\nli a0, 0x40000000\nld s1, 0(a0)\nsd s1, 0(a0)\nla s0, off\njr a0\noff: j end`);
    expect(causes(run)).toEqual([5, 7, 5, 1, 5, 7, 5, 7, 1]);
  });

  test("is not moved on by what looks like pads where the VMM has its memory", () => {
    const end = RAM_BASE + MEMORY_BYTES;
    const { bytes } = assemble(`${PRELUDE}la s0, end\nli a0, ${end}\njr a0\n${END}`, { base: BigInt(RAM_BASE) });
    const [bare, virtual] = [machineOf(bytes, native), machineOf(bytes, full)];
    for (;;) {
      virtual.parts.platform.memory.write(end, 8, 0x5a50_3013_5a50_3013n);
      const stop = bare.run(bare.step + 1);
      expect(virtual.run(virtual.step + 1)).toEqual(stop);
      expect(virtual.parts.platform.hart.pc, `step ${bare.step}`).toBe(bare.parts.platform.hart.pc);
      if (stop.kind === "end") break;
    }
    expect(virtual.digest()).toEqual(bare.digest());
  });

  test.each([
    ["whose handler lies nowhere", "li t0, 0x40000000\ncsrw mtvec, t0\necall"],
    ["whose handler traps itself", "la t0, trap\ncsrw mtvec, t0\ntrap: ecall\nj trap"],
    ["that locks itself out", "li t0, -1\ncsrw pmpaddr0, t0\nli t0, 0x98\ncsrw pmpcfg0, t0\nj ."],
    [
      "that writes every PMP register for ever",
      "li t0, -1\nl: addi t0, t0, 13\ncsrw pmpaddr0, t0\ncsrw pmpcfg0, t0\ncsrw pmpaddr9, t0\ncsrw pmpcfg2, t0\nj l",
    ],
    [
      "that changes MPRV and MPP for ever",
      `${OPEN}li t0, 0x21800\nli t1, 0x20800\nl: csrs mstatus, t0\nld s1, 0(t6)\ncsrc mstatus, t1\nld s1, 0(t6)\ncsrw mstatus, t1\nld s1, 0(t6)\nj l`,
    ],
    ["that waits for nothing", "wfi\nj ."],
  ])("%s runs to its budget, or waits", (_, source) => {
    const { stop } = compared(assemble(PRELUDE + source, { base: BigInt(RAM_BASE) }).bytes);
    expect(["until", "waiting"]).toContain(stop.kind);
  });

  test("may have any number of pads where each is fetched by itself", () => {
    // Sixteen words, each of which splits a page of pads that is otherwise machine mode's to run: 16,384 pads without a step.
    const pads = 16;
    const from = RAM_BASE + 0x8_0000;
    const source = `${PRELUDE}${Array.from({ length: pads }, (_, n) => `li t0, ${(from + 4096 * n + 2048) >>> 2}\ncsrw pmpaddr${n}, t0\n`).join("")}
      li t0, 0x9494949494949494\ncsrw pmpcfg0, t0\ncsrw pmpcfg2, t0\nli t0, ${from}\njr t0`;
    const { bytes } = assemble(source, { base: BigInt(RAM_BASE) });
    const image = new Uint8Array(from - RAM_BASE + 4096 * pads + 4);
    image.set(bytes);
    const view = new DataView(image.buffer);
    const pad = new DataView(assemble("sltiu x0, x0, 0x5a5", { base: 0n }).bytes.buffer).getUint32(0, true);
    for (let at = from - RAM_BASE; at < image.length - 4; at += 4) view.setUint32(at, pad, true);
    view.setUint32(image.length - 4, 0x0000_006f, true);
    const run = [native, full].map((technique) => {
      const machine = machineOf(image, technique);
      machine.run(400);
      return machine.digest();
    });
    expect(run[1]).toEqual(run[0]);
  });
});
