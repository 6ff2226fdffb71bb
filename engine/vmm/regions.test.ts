/** Region registers under a VMM: the guest sees the bare machine's, whatever its shadow does, and a ported kernel changes all by one call. */
import { describe, expect, test } from "vitest";
import { BASE, boot, SHUTDOWN, x } from "../boot.fixture.ts";
import { regions } from "../isa/profile.ts";
import type { Machine } from "../machine/machine.ts";
import { full } from "../techniques/full.ts";
import { para } from "../techniques/para.ts";
import { rewritingInline } from "../techniques/rewriting.ts";
import { shadowed } from "../techniques/shadowed.ts";
import {
  type Argument,
  call,
  INVALID_ADDRESS,
  INVALID_PARAM,
  NOT_SUPPORTED,
  ported,
  put,
  RAM_END,
  STAY,
} from "./hypercalls.fixture.ts";
import { CALL } from "./hypercalls.ts";
import { brokenShadow } from "./shadow-invariants.ts";
import type { Technique } from "./technique.ts";
import type { Vmm } from "./vmm.ts";

const ALL = 1 | 2 | 4 | 8 | 64 | 128;
const ROOT = 0x8030_0000;
/** Tables of regions: each shows one page, of frames that hold their index. */
const SPACES = [0, 1, 2].map((index) => ({
  table: ROOT + 0x1000 + 0x2000 * index,
  page: ROOT + 0x10000 + 0x1000 * index,
}));
const pte = (at: number, physical: number, flags: number) =>
  put(BigInt(at), (BigInt(physical) >> 12n) * 1024n + BigInt(flags));
const TABLES = [
  pte(ROOT + 16, 0x8000_0000, ALL),
  ...SPACES.map(({ table, page }, index) =>
    [pte(table, table + 0x1000, 1), pte(table + 0x1000, page, ALL), put(BigInt(page), BigInt(index + 1))].join(""),
  ),
].join("");
const SATP = (8n << 60n) | BigInt(ROOT / 4096);
const set = (n: number, index: number) => `li t0, ${SPACES[index]!.table / 4096}\ncsrw ${0x5c0 + n}, t0\n`;
const GIB = 2 ** 30;

/** Loads from all regions but RAM's, stores to two, with the registers set in turn, and a leaf that changes behind the machine's back. */
const WORK = `
  ${TABLES}
  li t0, ${SATP}
  csrw satp, t0
  li s0, 12
  loop:
  ${[0, 1, 3, 4].map((n, at) => set(n, at % 3)).join("")}
  ${[0, 1, 3, 4].map((n) => `li t0, ${n * GIB}\nld t1, 0(t0)\nadd s2, s2, t1\nslli s2, s2, 1\nsd s2, 8(t0)\n`).join("")}
  ${[0, 1, 3, 4].map((n, at) => set(n, (at + 1) % 3)).join("")}
  ${[0, 1, 3, 4].map((n) => `li t0, ${n * GIB}\nld t1, 8(t0)\nxor s2, s2, t1\n`).join("")}
  csrr t0, 0x5c3
  add s2, s2, t0
  andi t0, s0, 3
  bnez t0, next
  ${pte(SPACES[1]!.table + 0x1000, SPACES[2]!.page, ALL)}
  li t0, ${GIB}
  sfence.vma t0
  next: addi s0, s0, -1
  bnez s0, loop
  ${SHUTDOWN}`;

function compare(technique: Technique): { readonly bare: Machine; readonly virtual: Machine } {
  const options = { profile: regions, logging: false, tier: "jit", threshold: 4 } as const;
  const [bare, virtual] = [boot(WORK, options), boot(WORK, { ...options, technique })];
  for (;;) {
    const stops = [bare.run(bare.step + 7), virtual.run(virtual.step + 7)];
    expect(stops[1]).toEqual(stops[0]);
    expect(virtual.digest(), `step ${bare.step}`).toEqual(bare.digest());
    expect(brokenShadow(virtual), `step ${bare.step}`).toBeUndefined();
    if (stops[0]!.kind === "until" && bare.step < 20_000) continue;
    expect(stops[0]).toMatchObject({ kind: "end", reason: "poweroff" });
    return { bare, virtual };
  }
}

describe.each([full, rewritingInline, para])("a guest that knows nothing of the VMM, under $name", (technique) => {
  test("sees the bare machine's regions at every step, and its shadow shows each view by a root of its own", () => {
    const { virtual } = compare(technique);
    const { shadow } = virtual.parts.execution as Vmm;
    const keys = new Set([...shadow.leaves()].map(({ key }) => key.split("/").slice(4).join()));
    expect(keys.size).toBeGreaterThan(4);
    for (const { key, page, frame } of shadow.leaves()) {
      const n = Math.floor(page / 2 ** 18);
      const table = Number(key.split("/")[4 + n] ?? 0);
      const space = SPACES.findIndex((one) => one.table / 4096 === table);
      // The second space's page is the third's after the change.
      if (space >= 0) expect([SPACES[space]!.page, SPACES[2]!.page].map((at) => at / 4096)).toContain(frame);
    }
  });
});

describe.each(shadowed)("however shadows are kept, $name:$variant", (technique) => {
  test("the regions seen are the bare machine's at every step, and each entry stands for a leaf", () => {
    const { virtual } = compare(technique);
    expect(virtual.parts.platform.guest.regions).not.toEqual([]);
  });
});

describe("the hypercall `regions`", () => {
  const ARRAY = BigInt(ROOT + 0x2_0000);
  const array = (...values: Argument[]) => values.map((value, i) => put(ARRAY + BigInt(8 * i), BigInt(value))).join("");
  const ran = (source: string, steps = 600): Machine => {
    const machine = ported(`${source}\n${STAY}`, { profile: regions });
    machine.run(steps);
    return machine;
  };
  const held = (machine: Machine): readonly number[] => [...machine.parts.platform.guest.regions];
  const tables = SPACES.map(({ table }) => table / 4096);
  const five = [tables[0]!, tables[1]!, 0, tables[2]!, tables[0]!];

  test("sets all five in one exit, and the kernel sees by them at once", () => {
    const machine = ran(
      `${TABLES}${array(...five)}${call("switch", SATP)}${call("regions", ARRAY)}mv s2, a0\nli t0, ${GIB}\nld s3, 0(t0)\nli t0, ${4 * GIB}\nld s4, 0(t0)\n`,
    );
    expect([18, 19, 20].map((register) => x(machine, register))).toEqual([0n, 2n, 1n]);
    expect(held(machine)).toEqual(five);
  });

  test("works as part of a multicall, in front of the update of a table that it brings", () => {
    const [calls, batch] = [ARRAY + 0x100n, ARRAY + 0x200n];
    const leaf = BigInt(SPACES[1]!.table + 0x1000);
    const machine = ran(
      `${TABLES}${array(...five)}
      ${put(batch, leaf)}${put(batch + 8n, (BigInt(SPACES[2]!.page) >> 12n) * 1024n + BigInt(ALL))}
      ${put(calls, BigInt(CALL.regions))}${put(calls + 8n, ARRAY)}
      ${put(calls + 48n, BigInt(CALL.update))}${put(calls + 56n, batch)}${put(calls + 64n, 1n)}
      ${call("switch", SATP)}${call("regions", ARRAY)}li t0, ${GIB}\nld s3, 0(t0)\n
      ${call("guard", leaf & ~0xfffn)}${call("multicall", calls, 2)}mv s2, a1\nli t0, ${GIB}\nld s4, 0(t0)\n`,
      900,
    );
    expect([18, 19, 20].map((register) => x(machine, register))).toEqual([2n, 2n, 3n]);
  });

  test.each([
    ["an array in front of RAM", 0x7fff_fff8n, five, INVALID_ADDRESS],
    ["an array across the end of RAM", RAM_END - 32n, five, INVALID_ADDRESS],
    ["an array at the end of the address space", -8, five, INVALID_ADDRESS],
    ["an array that is not aligned", ARRAY + 4n, five, INVALID_ADDRESS],
    ["a table outside RAM, behind good ones", ARRAY, [tables[0]!, 0, 0, 0, RAM_END >> 12n], INVALID_ADDRESS],
    ["a table of the VMM's", ARRAY, [(RAM_END >> 12n) + 1n, 0, 0, 0, 0], INVALID_ADDRESS],
    ["bits beyond a frame number", ARRAY, [tables[0]!, 0, 0, 1n << 44n, 0], INVALID_PARAM],
    ["all bits", ARRAY, [0, 0, 0, 0, -1], INVALID_PARAM],
  ] as const)("refuses %s, and sets none", (_, address, values, error) => {
    const machine = ran(
      `${array(...values.map((value) => BigInt.asUintN(64, BigInt(value))))}${call("regions", address)}`,
    );
    expect([x(machine, 10), x(machine, 11), held(machine)]).toEqual([error, 0n, []]);
  });

  test("is not supported where there are no such registers", () => {
    const machine = ported(`${call("regions", BASE)}${STAY}`);
    machine.run(60);
    expect(x(machine, 10)).toBe(NOT_SUPPORTED);
  });
});
