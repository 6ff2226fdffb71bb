/** Random programs that begin in machine mode, with PMP, MPRV and delegation of all sorts, on the bare machine and under full virtualization. */
import { describe, expect, test } from "vitest";
import { guestEvents } from "../boot.fixture.ts";
import { createMachine } from "../create.ts";
import { EVENTS } from "../event/event.ts";
import { eventsOf } from "../event/record.ts";
import { RAM_BASE } from "../hart/memory.ts";
import { CSR } from "../hart/privileged.ts";
import { instruction, operand, Random } from "../hart/random-program.ts";
import { assemble } from "../isa/assemble.ts";
import { extended, type Profile, strict, svadu } from "../isa/profile.ts";
import type { Machine } from "../machine/machine.ts";
import { full } from "../techniques/full.ts";
import { native } from "../techniques/native.ts";
import { shadowed } from "../techniques/shadowed.ts";
import { brokenShadow } from "./shadow-invariants.ts";
import type { Technique } from "./technique.ts";

const CODE = RAM_BASE + 0x4000;
const SAVED = RAM_BASE + 0x8000;
const SAVED_BY_SUPERVISOR = SAVED + 0x100;
const DATA = RAM_BASE + 0x1_0000;
const ROOT = RAM_BASE + 0x2_0000;
const CLINT = 0x200_0000;
const MEMORY_BYTES = 1 << 20;
/** Where addresses point: data and code, page tables, pages that these map, device registers, both ends of RAM. */
const WINDOWS = [
  ...[DATA, DATA, DATA + 0xff8, DATA + 0x1ff8, CODE, CODE + 0xff8, ROOT, ROOT + 0x2000, RAM_BASE + MEMORY_BYTES - 8],
  ...[0x4000_0000, 0x4000_1000, 0x4000_2000, 0x4000_3000, 0x4001_0ff8],
  ...[0x1000_0000, CLINT, CLINT + 0x4000, CLINT + 0xbff8, 0x10_1000],
];

/**
 * A handler that steps over whatever trapped; a fetch that failed goes back to the program's start, and an interrupt turns them all off.
 * In machine mode, it works without MPRV and leaves that as it was; sepc tells it what it was, as nothing else is free.
 */
const handlerOf = (level: "m" | "s"): string => `
  csrrw t0, ${level}scratch, t0
  ${level === "m" ? `lui t0, 0x20\ncsrrc t0, mstatus, t0\ncsrw stval, t0\nli t0, ${SAVED}` : ""}
  sd t1, 0(t0)
  sd t2, 8(t0)
  csrr t1, ${level}cause
  bltz t1, mask${level}
  li t2, 1
  beq t1, t2, restart${level}
  li t2, 12
  beq t1, t2, restart${level}
  csrr t1, ${level}epc
  ld t2, 16(t0)
  bltu t1, t2, restart${level}
  li t2, ${CODE + 4096}
  bltu t2, t1, restart${level}
  addi t1, t1, 4
  csrw ${level}epc, t1
  j out${level}
mask${level}:
  csrw ${level}ie, x0
  j out${level}
restart${level}:
  ld t1, 16(t0)
  csrw ${level}epc, t1
out${level}:
  ${level === "m" ? "csrr t1, stval\nlui t2, 0x20\nand t1, t1, t2\ncsrs mstatus, t1" : ""}
  ld t1, 0(t0)
  ld t2, 8(t0)
  csrrw t0, ${level}scratch, t0
  ${level}ret
`;
const handlers = assemble(
  `.option norvc\nj machine\n.align 8\n${handlerOf("s")}\n.align 9\nmachine:\n${handlerOf("m")}`,
  {
    base: BigInt(RAM_BASE),
  },
);

/** An instruction: one in four is a load or store close to where its register points, and one in eight an access to a CSR of machine mode. */
function either(random: Random): number {
  const [rd, rs1, rs2, size, imm] = [random.below(32), random.below(32), random.below(32), random.below(4), 4 * random.below(4)]; // biome-ignore format: one draw
  switch (random.below(16)) {
    case 0:
    case 1:
      return (imm << 20) | (rs1 << 15) | (size << 12) | (rd << 7) | 0x03;
    case 2:
    case 3:
      return (rs2 << 20) | (rs1 << 15) | (size << 12) | (imm << 7) | 0x23;
    case 4:
      // csrrw, csrrs or csrrc of mstatus, mepc, pmpaddr0 to 3, or pmpcfg0.
      return (
        (random.pick([CSR.mstatus, CSR.mstatus, CSR.mepc, CSR.pmpaddr0 + random.below(4), CSR.pmpcfg0]) << 20) |
        (rs1 << 15) |
        ((1 + random.below(3)) << 12) |
        (rd << 7) |
        0x73
      );
    case 5:
      return random.pick([0x3020_0073, 0x1020_0073, 0x0000_0073, 0x1200_0073 | (rs1 << 15)]);
    default:
      return instruction(random);
  }
}

/** PMP registers: everything open, nothing said, or small ranges of all sorts in front of one that opens everything. */
function protect({ parts }: Machine, random: Random): void {
  const { guest } = parts.platform;
  const address = (n: number, physical: number) => guest.write(CSR.pmpaddr0 + n, physical >>> 2, 0);
  const kind = random.below(4);
  if (kind === 0) return;
  guest.write(CSR.pmpaddr0 + 7, 0xffff_ffff, 0x3f_ffff);
  const config = [0, 0, 0, 0, 0, 0, 0, random.pick([0x1f, 0x1f, 0x1f, 0x1d, 0x1c])];
  if (kind > 1) {
    for (let n = 0; n < 4; n++) {
      const window = random.pick([DATA, DATA, DATA + 0x1000, CODE, CODE, ROOT + 0x2000, ROOT, SAVED, CLINT, RAM_BASE]);
      address(n, window + 4 * random.below(random.pick([1, 16, 1024])));
      const match = random.pick([0x08, 0x10, 0x18]);
      config[n] = random.pick([0, 1, 3, 4, 5, 7]) | match | (random.below(6) === 0 ? 0x80 : 0);
    }
    if (random.below(2) === 0) guest.write(CSR.pmpaddr0 + 3, ((DATA >>> 2) | 0x1ff) >>> 0, 0);
  }
  const word = (from: number) => config.slice(from, from + 4).reduce((bits, byte, i) => bits | (byte << (8 * i)), 0);
  guest.write(CSR.pmpcfg0, word(0), word(4));
}

/** Puts one and the same random program, registers, CSRs, protection and page table into a machine. */
function scatter(machine: Machine, seed: number): void {
  const { parts } = machine;
  const random = new Random(seed);
  const { hart, guest, memory } = parts.platform;
  const put = (at: number, value: bigint, size: number) => {
    memory.write(at, size, value);
    hart.written(at, size);
  };
  for (let i = 0; i < 512; i++) put(CODE + 4 * i, BigInt(either(random) >>> 0), 4);
  // Some go on into the next page, at a halfword.
  put(CODE + 0xffe, BigInt(either(random) >>> 0), 4);
  for (let i = 0; i < 1024; i++) put(DATA + 8 * i, operand(random, WINDOWS), 8);
  const pte = (physical: number, flags: number) => BigInt(Math.floor(physical / 4096)) * 1024n + BigInt(flags);
  put(ROOT + 16, pte(RAM_BASE, random.pick([0xcf, 0xcf, 0xdf, 0xcb, 0x4f])), 8);
  put(ROOT + 8, pte(ROOT + 0x1000, 1), 8);
  put(ROOT + 0x1000, pte(ROOT + 0x2000, 1), 8);
  for (let i = 0; i < 512; i++) {
    const target = random.pick([DATA, DATA, CODE, DATA + 0x1000, ROOT + 0x2000, RAM_BASE + MEMORY_BYTES, CLINT]);
    put(ROOT + 0x2000 + 8 * i, pte(target, (random.word() & 0xff) | (random.below(4) === 0 ? 0 : 0xc1)), 8);
  }
  for (let i = 1; i < 32; i++)
    hart.x[i] = random.below(4) === 0 ? BigInt(random.pick(WINDOWS)) : operand(random, WINDOWS);
  for (let i = 0; i < 32; i++) hart.f[i] = operand(random, WINDOWS);
  hart.pc = BigInt(CODE + (random.below(8) === 0 ? 0xff0 : 0));
  guest.mode = random.pick([0, 1, 3, 3]);
  guest.write(CSR.mtvec, RAM_BASE, 0);
  guest.write(CSR.stvec, RAM_BASE + 0x100, 0);
  guest.write(CSR.medeleg, random.pick([0, 0xb1ff, random.word() & 0xb3ff]), 0);
  guest.write(CSR.mideleg, random.pick([0, 0x222]), 0);
  guest.write(CSR.mie, random.below(3) === 0 ? random.word() & 0xaaa : 0, 0);
  guest.write(CSR.mcounteren, random.word() & 7, 0);
  guest.write(CSR.scounteren, random.word() & 7, 0);
  guest.write(CSR.menvcfg, 0xf0, random.word() & 0xa000_0000);
  guest.write(CSR.senvcfg, 0xf0, 0);
  guest.write(CSR.satp, Math.floor(ROOT / 4096), random.below(3) === 0 ? 0 : 0x8000_0000);
  guest.write(0x340, SAVED, 0);
  guest.write(0x140, SAVED_BY_SUPERVISOR, 0);
  put(SAVED + 16, BigInt(CODE), 8);
  put(SAVED_BY_SUPERVISOR + 16, BigInt(CODE), 8);
  guest.write(CSR.mstatus, (random.word() & 0x7f_19aa) | random.pick([0, 0x2000, 0x6000]), 0);
  protect(machine, random);
  parts.execution.translations.clear();
  hart.forget();
  parts.execution.reset();
}

function made(technique: Technique, profile: Profile, tier: "interpreter" | "jit"): Machine {
  return createMachine({
    kernel: handlers.bytes,
    memoryBytes: MEMORY_BYTES,
    rtcSeconds: 0,
    machineMode: true,
    profile,
    technique,
    logging: true,
    disk: new Uint8Array(4096),
    tier,
    threshold: 3,
  });
}

describe("a virtual machine mode is the bare machine's", () => {
  const STEPS = 300;
  const choices: readonly (readonly [Technique, Profile, number])[] = [
    [full, strict, 24],
    [full, extended, 6],
    [full, svadu, 6],
    ...shadowed.map((technique) => [technique, strict, 4] as const),
  ];
  test.each(
    choices.map(([technique, profile, seeds]) => ({
      name: `${technique.name} ${technique.variant ?? ""}`.trim(),
      on: profile.name,
      technique,
      profile,
      seeds,
    })),
  )("after every step of random programs: $name on profile $on", ({ technique, profile, seeds }) => {
    let compared = 0;
    const seen = new Set<string>();
    const modes = new Set<number>();
    for (let seed = 1; seed <= seeds; seed++) {
      const bare = made(native, profile, "interpreter");
      const virtual = made(technique, profile, seed % 3 === 0 ? "jit" : "interpreter");
      scatter(bare, seed);
      scatter(virtual, seed);
      const { hart } = virtual.parts.platform;
      const run = hart.run.bind(hart);
      hart.run = (budget) => {
        modes.add(hart.context.mode);
        return run(budget);
      };
      const slice = seed % 4 === 0 ? 7 : 1;
      for (let i = 0; i < STEPS; i++) {
        const where = `seed ${seed}, step ${bare.step}`;
        const stop = bare.run(bare.step + slice);
        expect(virtual.run(virtual.step + slice), where).toEqual(stop);
        const [left, right] = [bare.parts.platform, virtual.parts.platform];
        if (left.hart.pc !== right.hart.pc || left.hart.x.some((value, n) => value !== right.hart.x[n]))
          expect([right.hart.pc, ...right.hart.x], where).toEqual([left.hart.pc, ...left.hart.x]);
        if (i % 25 === 0 || stop.kind !== "until") {
          expect(virtual.digest(), where).toEqual(bare.digest());
          expect(brokenShadow(virtual), where).toBeUndefined();
        }
        compared++;
        if (stop.kind !== "until") break;
      }
      const events = [...eventsOf(virtual.log.drain())];
      expect(
        events.filter(({ kind }) => EVENTS[kind].stream === "guest"),
        `seed ${seed}`,
      ).toEqual(guestEvents(bare));
      for (const event of events) {
        if (event.kind === "guest.trap") seen.add(`trap ${event.cause} to ${event.to}`);
        else if (event.kind === "guest.return") seen.add(`return to ${event.to}`);
        else if (event.kind === "vmm.exit") seen.add(event.reason);
        else seen.add(event.kind);
      }
    }
    expect([...modes]).toEqual([0]);
    expect(compared).toBeGreaterThan((seeds * STEPS) / 2);
    const everything = [
      "trap 1 to 3",
      "trap 13 to 1",
      "trap 15 to 3",
      "trap 11 to 3",
      "device-access",
      "interrupt",
      "return to 0",
    ];
    for (const kind of ["trap 2 to 3", "protected-access", ...(seeds > 10 ? everything : [])])
      expect(seen, kind).toContain(kind);
  });
});
