import { describe, expect, test } from "vitest";
import { createMachine } from "../create.ts";
import { assemble } from "../isa/assemble.ts";
import { INSTRUCTIONS } from "../isa/instructions.ts";
import { type Profile, strict, svadu } from "../isa/profile.ts";
import type { Machine } from "../machine/machine.ts";
import { native } from "../techniques/native.ts";
import type { Tier } from "./hart.ts";
import * as at from "./layout.ts";
import { RAM_BASE } from "./memory.ts";
import { CSR } from "./privileged.ts";
import { instruction, operand, Random } from "./random-program.ts";

const CODE = RAM_BASE + 0x4000;
const DATA = RAM_BASE + 0x10000;
const ROOT = RAM_BASE + 0x20000;
const WINDOWS = [DATA, DATA + 0x1000, DATA + 0xff8, CODE, RAM_BASE + 0x30000, 0x1000_0000, 0x4000_0000];

// The handler steps over whatever trapped; a fetch that failed goes back to the program's start.
const HANDLER = `
  csrrw t0, mscratch, t0
  sd t1, 0(t0)
  sd t2, 8(t0)
  csrr t1, mcause
  li t2, 1
  beq t1, t2, restart
  li t2, 12
  beq t1, t2, restart
  csrr t1, mepc
  ld t2, 16(t0)
  bltu t1, t2, restart
  addi t2, t2, 2047
  bgtu t1, t2, restart
  addi t1, t1, 4
  csrw mepc, t1
  j out
restart:
  ld t1, 16(t0)
  csrw mepc, t1
out:
  ld t1, 0(t0)
  ld t2, 8(t0)
  csrrw t0, mscratch, t0
  mret
`;

function machine(tier: Tier, profile: Profile = strict): Machine {
  const kernel = assemble(HANDLER.replaceAll("bgtu t1, t2", "bltu t2, t1"), { base: BigInt(RAM_BASE) }).bytes;
  return createMachine({
    kernel,
    memoryBytes: 1 << 20,
    rtcSeconds: 0,
    machineMode: true,
    profile,
    technique: native,
    logging: false,
    tier,
  });
}

/** Puts one and the same random program, registers and page table into a machine. */
function scatter(target: Machine, seed: number): void {
  const random = new Random(seed);
  const { hart, guest, memory } = target.parts.platform;
  const put = (address: number, value: bigint, size: number) => {
    memory.write(address, size, value);
    hart.written(address, size);
  };
  for (let i = 0; i < 512; i++) put(CODE + 4 * i, BigInt(instruction(random)), 4);
  for (let i = 0; i < 1024; i++) put(DATA + 8 * i, operand(random, WINDOWS), 8);
  // A page table: RAM once as a gigapage, and 4-KiB pages with all sorts of permissions elsewhere.
  const pte = (physical: number, flags: number) => BigInt(Math.floor(physical / 4096)) * 1024n + BigInt(flags);
  put(ROOT + 8 * 2, pte(RAM_BASE, random.pick([0xcf, 0xdf, 0xcb, 0x4f])), 8);
  put(ROOT + 8, pte(ROOT + 0x1000, 1), 8);
  put(ROOT + 0x1000, pte(ROOT + 0x2000, 1), 8);
  for (let i = 0; i < 512; i++)
    put(ROOT + 0x2000 + 8 * i, pte(random.pick([DATA, CODE, DATA + 0x1000]), random.word() & 0xff), 8);
  for (let i = 1; i < 32; i++) hart.x[i] = operand(random, WINDOWS);
  for (let i = 0; i < 32; i++) hart.f[i] = operand(random, WINDOWS);
  hart.pc = BigInt(CODE);
  guest.mode = random.pick([0, 1, 3, 3]);
  guest.write(CSR.mtvec, RAM_BASE, 0);
  guest.write(CSR.medeleg, 0, 0);
  guest.write(CSR.pmpcfg0, 0, 0);
  guest.write(CSR.pmpaddr0, 0xffff_ffff, 0x3f_ffff);
  guest.write(CSR.pmpcfg0, 0x1f, 0);
  guest.write(CSR.mstatus, random.word() & 0x7f_79aa, 0);
  // Sv48, which the strict machine does not take, has the same tables one level further down.
  put(ROOT, pte(ROOT + 0x3000, 1), 8);
  put(ROOT + 0x3000 + 8, pte(ROOT + 0x1000, 1), 8);
  put(ROOT + 0x3000 + 16, pte(RAM_BASE, random.pick([0xcf, 0x4f, 0x0f])), 8);
  guest.write(CSR.satp, 0, 0);
  guest.write(CSR.satp, Math.floor(ROOT / 4096), random.pick([0, 0x8000_0000, 0x9000_0000]));
  guest.write(CSR.menvcfg, random.word() & 0xf1, random.word() & 0xa000_0000);
  guest.write(CSR.senvcfg, random.word() & 0xf1, 0);
  guest.write(0x340, RAM_BASE + 0x8000, 0);
  put(RAM_BASE + 0x8010, BigInt(CODE), 8);
  hart.fence();
}

/** The hart's state as words; the hart block has pc, x, f, fcsr and the reservation. */
function state(target: Machine): Uint32Array[] {
  const { hart, guest, memory, position } = target.parts.platform;
  const words = (view: BigUint64Array) => new Uint32Array(view.buffer, view.byteOffset, view.length * 2);
  const scalars = [
    hart.pcLow,
    hart.pcHigh,
    memory.u32[at.FFLAGS >>> 2]!,
    memory.u32[at.FRM >>> 2]!,
    memory.u32[at.RESERVATION >>> 2]!,
    position.time,
  ];
  return [Uint32Array.from(scalars), words(hart.x), words(hart.f), guest.save()];
}
const same = (left: readonly Uint32Array[], right: readonly Uint32Array[]) =>
  left.every((part, i) => part.every((word, k) => word === right[i]![k]));

describe("the reference and the interpreter", () => {
  test("agree after every step of random programs, in every mode, with and without paging", () => {
    const pairs = [strict, svadu].map(
      (profile) => [machine("reference", profile), machine("interpreter", profile)] as const,
    );
    let steps = 0;
    for (let seed = 1; seed <= 330; seed++) {
      const [left, right] = pairs[seed % 2]!;
      scatter(left, seed);
      scatter(right, seed);
      for (let i = 0; i < 1000; i++) {
        const stops = [left.run(left.step + 1).kind, right.run(right.step + 1).kind];
        expect(stops[0]).toBe(stops[1]);
        if (!same(state(left), state(right))) expect(state(right), `seed ${seed}, step ${i}`).toEqual(state(left));
        if (stops[0] !== "until") break;
        steps++;
      }
      expect(right.digest(), `seed ${seed}`).toEqual(left.digest());
    }
    expect(steps).toBeGreaterThan(200_000);
  });

  test("agree however the interpreter's run is sliced", () => {
    let long = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const ends = [1, 7, 1000].map((slice) => {
        const target = machine("interpreter");
        scatter(target, seed);
        while (target.step < 840 && target.run(Math.min(target.step + slice, 840)).kind === "until");
        return { step: target.step, ...target.digest() };
      });
      if (ends[0]!.step === 840) long++;
      expect(ends[1], `seed ${seed}`).toEqual(ends[0]);
      expect(ends[2], `seed ${seed}`).toEqual(ends[0]);
    }
    expect(long).toBeGreaterThan(10);
  });

  test("meet every row of the table", () => {
    const random = new Random(7);
    const seen = new Set<string>();
    for (let i = 0; i < 20_000; i++) {
      const word = instruction(random);
      for (const row of INSTRUCTIONS) if ((word & row.mask) >>> 0 === row.match >>> 0) seen.add(row.mnemonic);
    }
    expect(INSTRUCTIONS.filter((row) => !seen.has(row.mnemonic)).map((row) => row.mnemonic)).toEqual([]);
  });
});
