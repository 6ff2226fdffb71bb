/** Region registers, on the profile that has them: what they do to translation, and who may touch them. */
import { describe, expect, test } from "vitest";
import { csrByName } from "../isa/csr.ts";
import { regions, strict } from "../isa/profile.ts";
import { csr, enter, entries, OPEN, ROOT, run, satp, TIERS, trap, x } from "./bare.fixture.ts";
import { RAM_BASE } from "./memory.ts";
import { levelsOf, NO_REGIONS, SV48, spaceOf, tableOf, topOf } from "./translations.ts";

const ALL = 1 | 2 | 4 | 8 | 64 | 128;
/** Tables of two regions, each a page of 4 KiB at offset 0, with frames that hold 0xa and 0xb. */
const [A, B] = [ROOT + 0x1000, ROOT + 0x3000];
const [A_PAGE, B_PAGE] = [RAM_BASE + 0x8000, RAM_BASE + 0x9000];
const hold = (at: number, value: number) => `li t0, ${at}\nli t1, ${value}\nsd t1, 0(t0)\n`;
const TABLES = `
  ${entries(
    [ROOT + 16, RAM_BASE, ALL],
    [ROOT + 8 * 256, RAM_BASE, ALL],
    [A, A + 0x1000, 1],
    [A + 0x1000, A_PAGE, ALL],
    [B, B + 0x1000, 1],
    [B + 0x1000, B_PAGE, ALL],
  )}
  ${hold(A_PAGE, 0xa)}${hold(B_PAGE, 0xb)}`;
const region = (n: number, table: number) => `li t0, ${table / 4096}\ncsrw ${0x5c0 + n}, t0\n`;
const GIB = 2 ** 30;
const load = (register: string, at: number) => `li t0, ${at}\nld ${register}, 0(t0)\n`;
const ran = (source: string, options: Parameters<typeof run>[1] = {}) =>
  run(`${OPEN}${TABLES}${satp(8)}${enter(1, "kernel")}kernel: ${source}stay: j stay\n`, {
    profile: regions,
    steps: 600,
    ...options,
  });

describe("numbers that stand for a region", () => {
  test("are those of its table, apart from every root, and have page numbers of the whole address", () => {
    const table = 0x123;
    const space = spaceOf(7, 2 ** 18 + 5, [0, table, 0, 0, 0]);
    expect([7, SV48 + 7, table, SV48 + table]).not.toContain(space);
    expect([tableOf(space), levelsOf(space), topOf(space)]).toEqual([table, 3, 1]);
    expect([topOf(7), topOf(SV48 + 7)]).toEqual([2, 3]);
  });

  test("are used for the pages of a region that has a table, under Sv39, and for no others", () => {
    const tables = [0, 0x123, 0, 0, 0x456];
    const roots = [0, 1, 2, 4, 5, 256, 511].map((n) => spaceOf(7, n * 2 ** 18, tables) === 7);
    expect(roots).toEqual([true, false, true, false, true, true, true]);
    expect(spaceOf(7, 2 ** 18, NO_REGIONS)).toBe(7);
    expect(spaceOf(SV48 + 7, 2 ** 18, tables)).toBe(SV48 + 7);
  });
});

describe.each(TIERS)("the registers (%s)", (tier) => {
  test("each name the table of one GiB; 0 leaves it to the root", () => {
    for (const n of [0, 1, 3, 4]) {
      const machine = ran(
        `${region(n, A)}${load("s2", n * GIB)}${region(n, B)}${load("s3", n * GIB)}${region(n, 0)}${load("s4", n * GIB)}`,
        { tier },
      );
      expect([x(machine, 18), x(machine, 19)], String(n)).toEqual([0xan, 0xbn]);
      expect(trap(machine).slice(0, 2), String(n)).toEqual([13n, BigInt(n * GIB)]);
    }
    // The third GiB is RAM's, where the program runs; it reaches the upper half by the root, whatever the registers say.
    const machine = ran(
      `la t1, high\nli t0, ${-(2 ** 38) - RAM_BASE}\nadd t1, t1, t0\njr t1\n
      high: ${region(2, A)}${load("s2", 2 * GIB)}${region(2, 0)}${load("s3", A_PAGE)}`,
      { tier },
    );
    expect([x(machine, 18), x(machine, 19)]).toEqual([0xan, 0xan]);
  });

  test("flush nothing: a leaf serves its region until a fence covers it, however often the register changed", () => {
    const change = entries([A + 0x1000, B_PAGE, ALL]);
    const machine = ran(
      `${region(0, A)}${load("s2", 0)}${change}${region(0, B)}${load("s3", 0)}${region(0, A)}${load("s4", 0)}
      sfence.vma zero, zero\n${load("s5", 0)}`,
      { tier, steps: 900 },
    );
    expect([18, 19, 20, 21].map((register) => x(machine, register))).toEqual([0xan, 0xbn, 0xan, 0xbn]);
    const one = ran(
      `${region(0, A)}${load("s2", 0)}${region(1, A)}${load("s3", GIB)}${change}li t0, ${GIB}\nsfence.vma t0\n${load("s4", 0)}${load("s5", GIB)}`,
      { tier, steps: 900 },
    );
    expect([18, 19, 20, 21].map((register) => x(one, register))).toEqual([0xan, 0xan, 0xan, 0xbn]);
  });

  test("mean nothing while satp is Bare", () => {
    const machine = ran(`csrw satp, zero\n${region(2, A)}${load("s2", A_PAGE)}`, { tier });
    expect(x(machine, 18)).toBe(0xan);
  });
});

describe("who may touch them", () => {
  test("supervisor and machine mode; user mode traps, and so does the supervisor under mstatus.TVM", () => {
    const bare = (mode: 0 | 1, tvm: boolean, source: string) =>
      trap(
        run(`${OPEN}${tvm ? "li t0, 0x100000\ncsrs mstatus, t0\n" : ""}${enter(mode, "at")}at: ${source}\necall\n`, {
          profile: regions,
        }),
      )[0];
    for (const source of ["csrr s2, 0x5c0", "csrw 0x5c4, zero", "csrsi 0x5c2, 1"]) {
      expect([bare(0, false, source), bare(1, false, source), bare(1, true, source)], source).toEqual([2n, 9n, 2n]);
    }
  });

  test("nobody on another profile, nor beyond the fifth", () => {
    expect(trap(run("csrw 0x5c0, zero", { profile: strict })).slice(0, 2)).toEqual([2n, 0x5c001073n]);
    expect(trap(run("csrr s2, 0x5c5", { profile: regions }))[0]).toBe(2n);
    expect([0, 4].map((n) => csrByName(`sregion${n}`)?.number)).toEqual([0x5c0, 0x5c4]);
  });

  test("a write keeps a frame number, 44 bits", () => {
    const machine = run("li t0, -1\ncsrw 0x5c3, t0\n", { profile: regions });
    expect(csr(machine, 0x5c3)).toBe(2n ** 44n - 1n);
  });
});

test("pads in a region have no boundary before them (T3): the leaf that shows them is the region's", () => {
  const machine = ran(
    `la t1, code\nsrli t1, t1, 2\naddi t1, t1, 0xcf\nli t0, ${A + 0x1000 + 8}\nsd t1, 0(t0)\n${region(0, A)}li t0, 4096\njr t0\n
    .align 12\ncode: li s2, 1\nsltiu zero, zero, 0x5a5\nsltiu zero, zero, 0x5a5\nli s3, 1\n`,
    { steps: 1 },
  );
  while (x(machine, 18) === 0n && machine.step < 600) machine.run(machine.step + 1);
  expect(machine.parts.platform.hart.pc).toBe(4096n + 12n);
});

test("digests and snapshots hold them, and what was found through them", () => {
  const machine = ran(`${region(0, A)}${load("s2", 0)}`);
  const [digest, state] = [machine.digest(), machine.save()];
  const other = ran(`${region(0, A)}${load("s2", 0)}li t0, ${B / 4096}\ncsrw 0x5c1, t0\n`);
  expect(other.digest()).not.toEqual(digest);
  other.load(state);
  expect(other.digest()).toEqual(digest);
  expect(csr(other, 0x5c0)).toBe(BigInt(A / 4096));
  expect(other.parts.platform.guest.regions).toEqual([A / 4096, 0, 0, 0, 0]);
  expect(other.parts.execution.translations.entries()).toEqual(machine.parts.execution.translations.entries());
});
