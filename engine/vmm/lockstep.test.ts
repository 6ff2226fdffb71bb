/** Random supervisor and user programs, with page tables of all sorts, on the bare machine and under each technique that runs it as it is. */
import { describe, expect, test } from "vitest";
import { boot, guestEvents } from "../boot.fixture.ts";
import { RAM_BASE } from "../hart/memory.ts";
import { CSR } from "../hart/privileged.ts";
import { instruction, operand, Random } from "../hart/random-program.ts";
import { assemble } from "../isa/assemble.ts";
import { extended, type Profile, strict, svadu } from "../isa/profile.ts";
import type { Machine } from "../machine/machine.ts";
import { full } from "../techniques/full.ts";
import { native } from "../techniques/native.ts";
import { rewritingTrap } from "../techniques/rewriting.ts";
import type { Technique } from "./technique.ts";

const CODE = RAM_BASE + 0x4000;
const SAVED = RAM_BASE + 0x8000;
const DATA = RAM_BASE + 0x1_0000;
const ROOT = RAM_BASE + 0x2_0000;
/** Where addresses point: data and code, the page tables themselves, pages that these map, devices, the end of RAM, nothing. */
const WINDOWS = [
  ...[
    DATA,
    DATA,
    DATA + 0x1000,
    DATA + 0xff8,
    CODE,
    ROOT,
    ROOT + 0x2000,
    RAM_BASE,
    RAM_BASE + 0x2f_fff8,
    RAM_BASE + 0x30_0000,
  ],
  ...[0x4000_0000, 0x4000_1000, 0x4000_2000, 0x4000_3000, 0x4001_0ff8, 0x4020_0000],
  ...[0x1000_0000, 0x200_0000, 0x200_4000, 0x1000_1000, 0x10_1000, 0xc00_0000, 0xc00_2080, 0xc20_1000],
];
const DEVICES = [0x1000_0000, 0x1000_1000, 0x4000_0000];
const SBI_EXTENSIONS = [0x10n, 0x5449_4d45n, 0x73_5049n, 0x5246_4e43n, 0x48_534dn, 0x4442_434en];

// The handler steps over whatever trapped; a fetch that failed goes back to the program's start, and an interrupt turns them all off.
const HANDLER = `
  csrrw t0, sscratch, t0
  sd t1, 0(t0)
  sd t2, 8(t0)
  csrr t1, scause
  bltz t1, mask
  li t2, 1
  beq t1, t2, restart
  li t2, 12
  beq t1, t2, restart
  csrr t1, sepc
  ld t2, 16(t0)
  bltu t1, t2, restart
  addi t2, t2, 2047
  bltu t2, t1, restart
  addi t1, t1, 4
  csrw sepc, t1
  j out
mask:
  csrw sie, x0
  j out
restart:
  ld t1, 16(t0)
  csrw sepc, t1
out:
  ld t1, 0(t0)
  ld t2, 8(t0)
  csrrw t0, sscratch, t0
  sret
`;
const handler = assemble(HANDLER, { base: BigInt(RAM_BASE) }).bytes;

/** An instruction: one in four is a load or store close to where its register points, and one in sixteen a fence of single addresses. */
function either(random: Random): number {
  const [rd, rs1, rs2, size, imm] = [
    random.below(32),
    random.below(32),
    random.below(32),
    random.below(4),
    4 * random.below(4),
  ];
  switch (random.below(16)) {
    case 0:
    case 1:
      return (imm << 20) | (rs1 << 15) | (size << 12) | (rd << 7) | 0x03;
    case 2:
    case 3:
      return (rs2 << 20) | (rs1 << 15) | (size << 12) | (imm << 7) | 0x23;
    case 4:
      return 0x1200_0073 | (rs1 << 15);
    default:
      return instruction(random);
  }
}

/** Puts one and the same random program, registers, CSRs and page table into a machine. */
function scatter({ parts }: Machine, seed: number): void {
  const random = new Random(seed);
  const { hart, guest, memory } = parts.platform;
  const put = (address: number, value: bigint, size: number) => {
    memory.write(address, size, value);
    hart.written(address, size);
  };
  handler.forEach((byte, offset) => {
    put(RAM_BASE + offset, BigInt(byte), 1);
  });
  for (let i = 0; i < 512; i++) put(CODE + 4 * i, BigInt(either(random) >>> 0), 4);
  for (let i = 0; i < 1024; i++) put(DATA + 8 * i, operand(random, WINDOWS), 8);
  const pte = (physical: number, flags: number) => BigInt(Math.floor(physical / 4096)) * 1024n + BigInt(flags);
  put(ROOT + 16, pte(RAM_BASE, random.pick([0xcf, 0xcf, 0xdf, 0xcb, 0x4f])), 8);
  put(ROOT + 8, pte(ROOT + 0x1000, 1), 8);
  put(ROOT + 0x1000, pte(ROOT + 0x2000, 1), 8);
  put(ROOT + 0x1008, pte(RAM_BASE, random.word() & 0xff), 8);
  for (let i = 0; i < 512; i++) {
    const target = random.pick([DATA, DATA, CODE, DATA + 0x1000, ROOT + 0x2000, RAM_BASE + 0x30_0000, ...DEVICES]);
    put(ROOT + 0x2000 + 8 * i, pte(target, (random.word() & 0xff) | (random.below(4) === 0 ? 0 : 0xc1)), 8);
  }
  // Half of what points somewhere points at its beginning, where device registers are.
  for (let i = 1; i < 32; i++)
    hart.x[i] = random.below(4) === 0 ? BigInt(random.pick(WINDOWS)) : operand(random, WINDOWS);
  if (random.below(4) === 0) hart.x[17] = random.pick(SBI_EXTENSIONS);
  for (let i = 0; i < 32; i++) hart.f[i] = operand(random, WINDOWS);
  hart.pc = BigInt(CODE);
  guest.mode = random.pick([0, 1, 1]);
  guest.write(CSR.stvec, RAM_BASE, 0);
  guest.write(CSR.sie, random.below(3) === 0 ? random.word() & 0x222 : 0, 0);
  guest.write(CSR.scounteren, random.word() & 7, 0);
  guest.write(CSR.senvcfg, 0xf0, 0);
  guest.write(CSR.sstatus, (random.word() & 0xc_0122) | (random.below(3) === 0 ? 0 : 0x6000), 0);
  guest.write(CSR.satp, Math.floor(ROOT / 4096), random.below(3) === 0 ? 0 : 0x8000_0000);
  guest.write(0x140, SAVED, 0);
  put(SAVED + 16, BigInt(CODE), 8);
  parts.execution.translations.clear();
  hart.forget();
  parts.execution.reset();
}

describe("a virtual machine shows a guest the bare machine", () => {
  const SEEDS = 12;
  const STEPS = 400;
  const choices: readonly (readonly [Technique, Profile])[] = [
    ...[strict, extended, svadu].map((profile) => [full, profile] as const),
    ...[strict, svadu].map((profile) => [rewritingTrap, profile] as const),
  ];
  test.each(
    choices.map(([technique, profile]) => ({
      name: `${technique.name} on profile ${profile.name}`,
      technique,
      profile,
    })),
  )("after every step of random programs: $name", ({ technique, profile }) => {
    let compared = 0;
    const seen = new Set<string>();
    for (let seed = 1; seed <= SEEDS; seed++) {
      const options = { memoryBytes: 3 << 20, profile, disk: new Uint8Array(4096), threshold: 3 };
      const bare = boot("j .", { ...options, technique: native });
      const virtual = boot("j .", { ...options, technique, tier: seed % 3 === 0 ? "jit" : "interpreter" });
      scatter(bare, seed);
      scatter(virtual, seed);
      const slice = seed % 4 === 0 ? 7 : 1;
      for (let i = 0; i < STEPS; i++) {
        const where = `seed ${seed}, step ${bare.step}`;
        const stop = bare.run(bare.step + slice);
        expect(virtual.run(virtual.step + slice), where).toEqual(stop);
        const [left, right] = [bare.parts.platform, virtual.parts.platform];
        if (left.hart.pc !== right.hart.pc || left.hart.x.some((value, n) => value !== right.hart.x[n]))
          expect([right.hart.pc, ...right.hart.x], where).toEqual([left.hart.pc, ...left.hart.x]);
        if (i % 25 === 0 || stop.kind !== "until") expect(virtual.digest(), where).toEqual(bare.digest());
        compared++;
        if (stop.kind !== "until") break;
      }
      const events = guestEvents(bare);
      expect(guestEvents(virtual), `seed ${seed}`).toEqual(events);
      for (const event of events) seen.add(event.kind === "guest.trap" ? `trap ${event.cause}` : event.kind);
    }
    expect(compared).toBeGreaterThan((SEEDS * STEPS) / 2);
    for (const kind of [
      "trap 2",
      "trap 5",
      "trap 7",
      "trap 13",
      "trap 15",
      "guest.return",
      "device.read",
      "device.write",
      "sbi",
    ])
      expect(seen, kind).toContain(kind);
  });
});
