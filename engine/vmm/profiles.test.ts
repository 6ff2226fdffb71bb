/** What profiles add, under a VMM: the guest must see the bare machine, whatever the VMM does for it. */
import { describe, expect, test } from "vitest";
import { createMachine } from "../create.ts";
import { SV48 } from "../hart/translations.ts";
import { assemble } from "../isa/assemble.ts";
import { extended, type Profile, sv48, svadu } from "../isa/profile.ts";
import { full } from "../techniques/full.ts";
import { native } from "../techniques/native.ts";
import type { Technique } from "./technique.ts";
import type { Vmm } from "./vmm.ts";

const BASE = 0x8020_0000n;
const ROOT = 0x8030_0000;
const DATA = 0x8031_0000;
const [V, R, W, X, U, A, D] = [1, 2, 4, 8, 16, 64, 128];
const ALL = V | R | W | X | A | D;
const SHUTDOWN = "li a7, 0x53525354\nli a6, 0\nli a0, 0\nli a1, 0\necall\n";
const entry = (at: number, physical: number, flags: number) =>
  `li t0, ${at}\nli t1, ${(BigInt(physical) >> 12n) * 1024n + BigInt(flags)}\nsd t1, 0(t0)\n`;

/** Four-level tables: RAM at its own place and at the top of the space, and pages of the data at 2^39, as `flags` says. */
const TABLES = (flags: number) => `
  ${entry(ROOT, ROOT + 0x1000, V)}
  ${entry(ROOT + 0x1000 + 16, 0x8000_0000, ALL)}
  ${entry(ROOT + 8 * 511, ROOT + 0x1000, V)}
  ${entry(ROOT + 8, ROOT + 0x2000, V)}
  ${entry(ROOT + 0x2000, ROOT + 0x3000, V)}
  ${entry(ROOT + 0x3000, ROOT + 0x4000, V)}
  ${[0, 1, 2, 3].map((page) => entry(ROOT + 0x4000 + 8 * page, DATA + 4096 * page, flags)).join("")}
  li t0, ${(9n << 60n) | BigInt(ROOT >>> 12)}
  csrw satp, t0
  sfence.vma
`;

/** Counts page faults in s11 and steps over what faulted. */
const HANDLER = `
  .align 2
handler:
  addi s11, s11, 1
  csrr t6, scause
  add s10, s10, t6
  csrr t6, sepc
  addi t6, t6, 4
  csrw sepc, t6
  sret
`;

function boot(source: string, technique: Technique, profile: Profile) {
  const kernel = assemble(source, { base: BASE }).bytes;
  return createMachine({
    kernel,
    memoryBytes: 8 << 20,
    rtcSeconds: 0,
    machineMode: false,
    profile,
    technique,
    logging: false,
    threshold: 4,
  });
}

/** Runs both ways, comparing digests at every few steps; gives both machines at their end. */
function compare(source: string, profile: Profile) {
  const bare = boot(source, native, profile);
  const virtual = boot(source, full, profile);
  for (;;) {
    const stops = [bare.run(bare.step + 7), virtual.run(virtual.step + 7)];
    expect(stops[1]).toEqual(stops[0]);
    expect(virtual.digest(), `step ${bare.step}`).toEqual(bare.digest());
    if (stops[0]!.kind === "until" && bare.step < 20_000) continue;
    expect(stops[0]).toMatchObject({ kind: "end", reason: "poweroff" });
    return { bare, virtual };
  }
}

const WORK = `
  la t0, handler
  csrw stvec, t0
  li s0, 5
loop:
  li s2, 0x8000000000
  ld t1, 0(s2)
  .option norvc
  sd s0, 8(s2)
  ld t1, 8(s2)
  add s3, s3, t1
  li s4, 0x8000000ffc
  sd s3, 0(s4)
  ld t2, 0(s4)
  sd s3, 0x7ff(s4)
  ld t3, 0x3c(s2)
  li t4, 0x8000009000
  ld t3, 0(t4)
  li t4, 0xffff800000000000
  ld t3, 0(t4)
  li t4, 0x0000800000000000
  sd t3, 0(t4)
  li t4, ${(511n << 39n) + 0xffff_0000_0000_0000n + 0x8031_0000n}
  lr.d t3, (t4)
  sc.d t5, s0, (t4)
  addi t0, s0, -2
  bnez t0, skip
  sfence.vma s2
  sfence.vma t4
  li t0, 0x40000000000000
  sfence.vma t0
skip:
  addi s0, s0, -1
  bnez s0, loop
  ${SHUTDOWN}
  ${HANDLER}
`;

describe("under a VMM", () => {
  test("Sv48 guests see the bare machine, over shadow tables of four levels", () => {
    const { bare, virtual } = compare(TABLES(ALL) + WORK, sv48);
    expect(bare.parts.platform.hart.x[27]).toBe(15n);
    const { shadow, translations } = virtual.parts.execution as Vmm;
    const leaves = [...shadow.leaves()];
    const roots = new Set(leaves.map(({ key }) => Number(key.split("/")[0])));
    expect([...roots].filter((root) => root >= 0)).toEqual([SV48 + ROOT / 4096]);
    expect(leaves.some(({ page }) => page >= 2 ** 35)).toBe(true);
    for (const { key, page } of leaves) {
      const root = Number(key.split("/")[0]);
      if (root >= 0) expect(translations.lookup(root, page), page.toString(16)).toBeGreaterThanOrEqual(0);
    }
  });

  test("guests that go from Sv39 to Sv48 and back on one table keep both sets of leaves", () => {
    const source = `${TABLES(ALL)}
      ${entry(ROOT + 16, 0x8000_0000, ALL)}
      li s5, ${(8n << 60n) | BigInt(ROOT >>> 12)}
      li s6, ${(9n << 60n) | BigInt(ROOT >>> 12)}
      li s2, ${DATA}
      li s0, 20
      again: csrw satp, s5
      sd s0, 0(s2)
      csrw satp, s6
      ld t1, 0(s2)
      add s3, s3, t1
      addi s0, s0, -1
      bnez s0, again
      ${SHUTDOWN}`;
    expect(compare(source, sv48).virtual.parts.platform.hart.x[19]).toBe(210n);
  });

  test("the machine's A and D bits (Svadu) are set at the same steps, and Svade's faults come at the same ones", () => {
    const flags = (machine: ReturnType<typeof boot>) =>
      [0, 1, 2, 3].map((page) => Number(machine.parts.platform.memory.read(ROOT + 0x4000 + 8 * page, 1)));
    const set = compare(TABLES(V | R | W) + WORK, svadu);
    expect(flags(set.bare)).toEqual([V | R | W | A | D, V | R | W | A | D, V | R | W, V | R | W]);
    expect(flags(set.virtual)).toEqual(flags(set.bare));
    expect(set.bare.parts.platform.hart.x[27]).toBe(15n);
    const left = compare(TABLES(V | R | W) + WORK, extended);
    expect(flags(left.virtual)).toEqual(Array(4).fill(V | R | W));
    expect(left.bare.parts.platform.hart.x[27]).toBeGreaterThan(15n);
  });

  test("cache blocks are zeroed where the guest's environment and pages allow it, by kernel and user alike", () => {
    const source = (senvcfg: number) => `${TABLES(ALL)}
      ${entry(ROOT + 0x1000 + 24, 0x8000_0000, ALL | U)}
      la t0, handler
      csrw stvec, t0
      li t0, ${senvcfg}
      csrw senvcfg, t0
      .option norvc
      li s2, 0x8000000000
      li t1, -1
      sd t1, 0(s2)
      sd t1, 64(s2)
      addi t2, s2, 9
      cbo.zero (t2)
      cbo.flush (s2)
      cbo.inval (s2)
      li t2, 0x8000009000
      cbo.zero (t2)
      cbo.clean (t2)
      li t2, 0x10001000
      la t0, user
      li t1, 0x40000000
      add t0, t0, t1
      csrw sepc, t0
      li t1, 0x100
      csrc sstatus, t1
      sret
      user: li s3, ${0x4000_0000 + DATA + 64}
      cbo.zero (s3)
      cbo.inval (s3)
      cbo.zero (s2)
      ecall
      ${HANDLER.replace("addi s11", "csrr t6, scause\nli t5, 8\nbeq t6, t5, done\naddi s11")}
      done: ${SHUTDOWN}`;
    for (const [senvcfg, faults] of [
      [0xf0, 3n],
      [0x30, 4n],
      [0, 5n],
    ] as const) {
      const { bare } = compare(source(senvcfg), extended);
      // Two at the hole, one at the kernel's page; and what the environment forbids.
      expect(bare.parts.platform.hart.x[27], String(senvcfg)).toBe(faults);
      expect(bare.parts.platform.memory.read(DATA, 8)).toBe(0n);
      expect(bare.parts.platform.memory.read(DATA + 64, 8)).toBe(senvcfg === 0xf0 ? 0n : 2n ** 64n - 1n);
    }
  });
});
