import { describe, expect, test } from "vitest";
import { extended, strict, sv48, svadu } from "../isa/profile.ts";
import { csr, enter, entries, OPEN, ROOT, run, satp, TIERS, trap, x } from "./bare.fixture.ts";
import { RAM_BASE } from "./memory.ts";
import { physicalOf } from "./paging.ts";
import { canonical, leafOf, levelsOf, pageOf, SV48, Translations, tableOf } from "./translations.ts";

const [V, R, W, X, A, D] = [1, 2, 4, 8, 64, 128];
const ALL = V | R | W | X | A | D;
const [L2, L1, L0] = [ROOT + 0x1000, ROOT + 0x2000, ROOT + 0x3000];
const DATA = RAM_BASE + 0x8000;
const words = (address: bigint): [number, number] => [
  Number(address & 0xffff_ffffn),
  Number((address >> 32n) & 0xffff_ffffn),
];

describe("addresses", () => {
  test("have 39 bits under Sv39 and 48 under Sv48; the others equal the highest of them", () => {
    const valid = (root: number, address: bigint) => canonical(root, words(address)[1] | 0);
    for (const [root, bits] of [
      [5, 39n],
      [SV48 + 5, 48n],
    ] as const) {
      const half = 1n << (bits - 1n);
      expect(
        [0n, half - 1n, half, 2n ** 64n - half - 1n, 2n ** 64n - half, 2n ** 64n - 1n].map((address) =>
          valid(root, address),
        ),
      ).toEqual([true, true, false, false, true, true]);
    }
  });

  test("have page numbers of 27 and of 36 bits", () => {
    expect(pageOf(5, ...words(0xffff_ffff_ffff_f000n))).toBe(2 ** 27 - 1);
    expect(pageOf(SV48 + 5, ...words(0xffff_ffff_ffff_f000n))).toBe(2 ** 36 - 1);
    expect(pageOf(SV48 + 5, ...words(0x0000_1234_5678_9abcn))).toBe(0x1_2345_6789);
    expect(pageOf(SV48 + 5, ...words(0xffff_8000_0000_0000n))).toBe(2 ** 35);
  });

  test("go where their leaf sends them, with the low frame bits of a superpage", () => {
    const leaf = leafOf(0x4_0000, ALL);
    const at = (level: number) => physicalOf(leaf, level, ...words(0x0000_7fab_cdef_1234n));
    expect([0, 1, 2, 3].map(at)).toEqual([0x4000_0234, 0x400f_1234, 0x4def_1234, 0x2b_cdef_1234 + 0x4000_0000]);
  });

  test("name their address space by one number: table and mode", () => {
    expect([levelsOf(-1), levelsOf(2 ** 44 - 1), levelsOf(SV48)]).toEqual([3, 3, 4]);
    expect([tableOf(7), tableOf(SV48 + 7), tableOf(SV48 + 2 ** 44 - 1)]).toEqual([7, 7, 2 ** 44 - 1]);
  });
});

describe("the set of translations (T10)", () => {
  const upper = 0xffff_8000_0000_0000n;

  test("keeps the spaces of one table apart by mode", () => {
    const set = new Translations(100);
    set.insert(7, 3, 0, leafOf(1, ALL));
    set.insert(SV48 + 7, 3, 0, leafOf(2, ALL));
    expect([set.lookup(7, 3), set.lookup(SV48 + 7, 3), set.count]).toEqual([leafOf(1, ALL), leafOf(2, ALL), 2]);
  });

  test("tells pages apart by all their bits", () => {
    const root = SV48 + 7;
    for (let bit = 0; bit < 36; bit++) {
      const set = new Translations(100);
      set.insert(root, 0, 0, leafOf(1, ALL));
      expect(set.lookup(root, 2 ** bit), `bit ${bit}`).toBe(-1);
    }
  });

  test("finds leaves of all four levels in both halves of a space", () => {
    for (const base of [0n, upper]) {
      for (let level = 0; level < 4; level++) {
        const set = new Translations(100);
        const first = base + (3n << BigInt(12 + 9 * level));
        const size = 1n << BigInt(12 + 9 * level);
        const page = (address: bigint) => pageOf(SV48 + 7, ...words(address));
        set.insert(SV48 + 7, page(first), level, leafOf(0, ALL));
        expect(
          [first - 1n, first, first + size - 1n, first + size].map(
            (address) => set.lookup(SV48 + 7, page(address)) >= 0,
          ),
        ).toEqual([false, true, true, false]);
        expect(set.level).toBe(level);
        expect(set.fence(...words(first + size))).toBe(-1);
        expect(set.fence(...words(first + size - 1n))).toBe(level);
        expect(set.count).toBe(0);
      }
    }
  });

  test("puts a leaf in place of those that it overlaps, larger and smaller", () => {
    const set = new Translations(100);
    const root = SV48 + 7;
    const page = 2 ** 35 + 5 * 2 ** 18;
    for (const [level, at] of [
      [0, page],
      [0, page + 1],
      [1, page + 512],
      [0, page + 2 ** 18],
      [2, page - 2 ** 18],
    ] as const)
      set.insert(root, at, level, leafOf(level, ALL));
    expect(set.count).toBe(5);
    set.insert(root, page, 2, leafOf(2 ** 18, ALL));
    expect(set.count).toBe(3);
    set.insert(root, 2 ** 35 + 77, 3, leafOf(0, ALL));
    expect(set.count).toBe(1);
    set.insert(root, page, 0, leafOf(9, ALL));
    expect([set.count, set.lookup(root, 2 ** 35 + 77)]).toEqual([1, -1]);
  });

  test("forgets an address in every space that it is one of, and in no other", () => {
    const set = new Translations(100);
    const address = 0x7f_ffff_f000n;
    set.insert(SV48 + 7, pageOf(SV48 + 7, ...words(address)), 0, leafOf(1, ALL));
    // The same low 27 bits of page number, at the top of the Sv39 space: another address.
    set.insert(7, pageOf(7, ...words(address)), 0, leafOf(2, ALL));
    expect([set.fence(...words(address)), set.count]).toEqual([0, 1]);
    expect([set.fence(...words(0xffff_ffff_ffff_f000n)), set.count]).toEqual([0, 0]);
  });

  test("is restored as it was", () => {
    const set = new Translations(100);
    for (const [root, page, level] of [
      [SV48 + 7, 2 ** 35 + 1, 0],
      [SV48 + 7, 2 ** 27, 3],
      [7, 5, 0],
      [7, 512, 1],
    ] as const)
      set.insert(root, page, level, leafOf(level, ALL));
    const other = new Translations(100);
    other.restore(set.entries());
    expect(other.entries()).toEqual(set.entries());
    expect(other.lookup(SV48 + 7, 2 ** 27 + 5)).toBe(leafOf(3, ALL));
  });
});

/** RAM by a 512-GiB leaf of its own is not to be had: frames would be misaligned. So a gigapage of the supervisor's, by two tables. */
const TABLES = entries([ROOT, L2, V], [L2 + 16, RAM_BASE, ALL]);

// Privileged specification, "Sv48: Page-Based 48-bit Virtual-Memory System".
describe.each(TIERS)("Sv48, in the %s", (tier) => {
  /** The supervisor loads from an address of a root entry's own half, with further page-table entries. */
  const load = (address: bigint, tables: string, body = "ld s1, 0(t1)") =>
    run(
      `${OPEN}li t0, ${DATA}\nli t1, 0x1234\nsd t1, 0(t0)\n${TABLES}${tables}${satp(9)}${enter(1, "inside")}inside:\nli t1, ${address}\n${body}\nli s2, 1\necall`,
      { tier, profile: sv48 },
    );

  test("finds a 4-KiB page by four levels, in the lower and in the upper half", () => {
    for (const [entry, address] of [
      [1, 1n << 39n],
      [255, 255n << 39n],
      [256, 0xffff_8000_0000_0000n],
      [511, 0xffff_ff80_0000_0000n],
    ] as const) {
      const tables = entries(
        [ROOT + 8 * entry, L1, V],
        [L1 + 8 * 3, L0, V],
        [L0 + 8 * 5, L0 + 0x1000, V],
        [L0 + 0x1000 + 8 * 7, DATA, ALL],
      );
      const inside = address + (3n << 30n) + (5n << 21n) + (7n << 12n);
      const machine = load(inside, tables);
      expect([x(machine, 9), trap(machine)[0]], `entry ${entry}`).toEqual([0x1234n, 9n]);
      expect(trap(load(inside + 4096n, tables)).slice(0, 2)).toEqual([13n, inside + 4096n]);
    }
  });

  test("has leaves of 2 MiB, 1 GiB and 512 GiB, aligned to their size", () => {
    const at = (1n << 39n) + 0x8000n;
    expect(x(load(at, entries([ROOT + 8, L1, V], [L1, L0, V], [L0, RAM_BASE, ALL])), 9)).toBe(0x1234n);
    expect(x(load(at, entries([ROOT + 8, L1, V], [L1, RAM_BASE, ALL])), 9)).toBe(0x1234n);
    // RAM is 2 GiB into the first 512 GiB.
    expect(x(load(at + 0x8000_0000n, entries([ROOT + 8, 0, ALL])), 9)).toBe(0x1234n);
    for (const tables of [
      entries([ROOT + 8, RAM_BASE, ALL]),
      entries([ROOT + 8, L1, V], [L1, RAM_BASE + 0x20_0000, ALL]),
      entries([ROOT + 8, L1, V], [L1, L0, V], [L0, RAM_BASE + 0x1000, ALL]),
    ]) {
      expect(trap(load(at, tables)).slice(0, 2)).toEqual([13n, at]);
    }
  });

  test("faults at addresses that are not sign-extended, and where a fourth table would be needed", () => {
    expect(trap(load(1n << 47n, "")).slice(0, 2)).toEqual([13n, 1n << 47n]);
    expect(trap(load(0xffff_7fff_ffff_fff8n, "")).slice(0, 2)).toEqual([13n, 0xffff_7fff_ffff_fff8n]);
    const at = 1n << 39n;
    const deep = entries([ROOT + 8, L1, V], [L1, L0, V], [L0, L0 + 0x1000, V], [L0 + 0x1000, DATA, V]);
    expect(trap(load(at, deep)).slice(0, 2)).toEqual([13n, at]);
  });

  test("runs code, and stores, in the upper half", () => {
    const at = 0xffff_ffff_ffff_8000n;
    const tables = `li t0, ${DATA}\nli t1, 0x00110113\nsw t1, 0(t0)\nli t1, 0x8082\nsh t1, 4(t0)\n${entries([ROOT + 8 * 511, L1, V], [L1 + 8 * 511, L0, V], [L0 + 8 * 511, L0 + 0x1000, V], [L0 + 0x1000 + 8 * 504, DATA, ALL])}`;
    const machine = load(at, tables, "li sp, 41\njalr t1\nsd sp, 8(t1)\nld s1, 8(t1)");
    expect([trap(machine)[0], x(machine, 2), x(machine, 9)]).toEqual([9n, 42n, 42n]);
    expect(machine.parts.platform.memory.read(DATA + 8, 8)).toBe(42n);
  });

  test("and Sv39 of the same table are two address spaces, each with its own leaves", () => {
    // Entry 2 of the root is RAM under Sv39; under Sv48 the same place is entry 2 of the table below.
    const source = `${OPEN}${entries([ROOT + 16, RAM_BASE, ALL], [ROOT + 8, RAM_BASE, ALL])}${TABLES}${entries([L2 + 8, RAM_BASE, ALL])}li t0, ${DATA}\nli t1, 7\nsd t1, 0(t0)\n${satp(8)}${enter(1, "inside")}inside:\nli t1, 0x40008000\nld s1, 0(t1)\nli t0, ${(9n << 60n) | BigInt(ROOT >>> 12)}\ncsrw satp, t0\nld s2, 0(t1)\nli t0, ${(8n << 60n) | BigInt(ROOT >>> 12)}\ncsrw satp, t0\nld s3, 0(t1)\necall`;
    const machine = run(source, { tier, profile: sv48 });
    expect([trap(machine)[0], x(machine, 9), x(machine, 18), x(machine, 19)]).toEqual([9n, 7n, 7n, 7n]);
    const roots = [...machine.parts.execution.translations.entries()].filter((_, i) => i % 4 === 0);
    expect(new Set(roots)).toEqual(new Set([ROOT >>> 12, SV48 + (ROOT >>> 12)]));
  });

  test("is not taken by a machine without it: satp keeps its value", () => {
    const source = `li t0, ${(8n << 60n) | 5n}\ncsrw satp, t0\nli t0, ${(9n << 60n) | 6n}\ncsrw satp, t0\ncsrr s1, satp\nj stop`;
    expect(x(run(source, { tier, profile: strict }), 9)).toBe((8n << 60n) | 5n);
    expect(x(run(source, { tier, profile: sv48 }), 9)).toBe((9n << 60n) | 6n);
  });
});

// "Svade Extension" and "Svadu Extension".
describe.each(TIERS)("A and D bits, in the %s", (tier) => {
  const AT = 0x4000_0000;
  const ADUE = 1n << 61n;
  const program = (flags: number, body: string, menvcfg: bigint, prepare = "") =>
    `${OPEN}${prepare}li t0, ${menvcfg}\ncsrw menvcfg, t0\n${entries([ROOT + 16, RAM_BASE, ALL], [ROOT + 8, L1, V], [L1, L0, V], [L0, DATA, flags])}${satp(8)}${enter(1, "inside")}inside:\nli t1, ${AT}\n${body}\necall`;
  /** The cause that the program ends in, and the flags of the page after it. */
  const outcome = (flags: number, body: string, { profile = svadu, menvcfg = ADUE, prepare = "" } = {}) => {
    const machine = run(program(flags, body, menvcfg, prepare), { tier, profile });
    return [trap(machine)[0], Number(machine.parts.platform.memory.read(L0, 1))];
  };
  const CLEAR = V | R | W | X;

  test("are set by the machine under Svadu: A at any access, D at a store, an atomic, and a store-conditional", () => {
    expect(outcome(CLEAR, "ld s1, 0(t1)")).toEqual([9n, CLEAR | A]);
    expect(outcome(CLEAR, "lr.d s1, (t1)")).toEqual([9n, CLEAR | A]);
    expect(outcome(CLEAR, "sd s1, 0(t1)")).toEqual([9n, CLEAR | A | D]);
    expect(outcome(CLEAR, "ld s1, 0(t1)\nsd s1, 0(t1)")).toEqual([9n, CLEAR | A | D]);
    expect(outcome(CLEAR, "amoadd.w s1, s2, (t1)")).toEqual([9n, CLEAR | A | D]);
    expect(outcome(CLEAR, "sc.d s1, s2, (t1)")).toEqual([9n, CLEAR | A | D]);
    expect(outcome(CLEAR, `li t2, ${DATA}\nli t3, 0x8082\nsh t3, 0(t2)\njalr t1`)).toEqual([9n, CLEAR | A]);
  });

  test("are left alone where the access is not permitted for another reason", () => {
    expect(outcome(V | R, "sd s1, 0(t1)")).toEqual([15n, V | R]);
    expect(outcome(V | R | W | 16, "ld s1, 0(t1)")).toEqual([13n, V | R | W | 16]);
    expect(outcome(R | W, "ld s1, 0(t1)")).toEqual([13n, R | W]);
  });

  test("are the guest's alone (Svade) until menvcfg.ADUE is set, and where there is no such bit", () => {
    expect(outcome(CLEAR, "ld s1, 0(t1)", { menvcfg: 0n })).toEqual([13n, CLEAR]);
    expect(outcome(CLEAR | A, "sd s1, 0(t1)", { menvcfg: 0n })).toEqual([15n, CLEAR | A]);
    expect(outcome(CLEAR, "ld s1, 0(t1)", { profile: extended })).toEqual([13n, CLEAR]);
  });

  test("need a page table that PMP lets the machine write: an access fault otherwise", () => {
    // The table's page is readable only; everything else is open.
    const prepare = `li t0, ${(L0 / 4) | 0x1ff}\ncsrw pmpaddr0, t0\nli t0, -1\ncsrw pmpaddr1, t0\nli t0, 0x1f19\ncsrw pmpcfg0, t0\n`;
    expect(outcome(CLEAR, "ld s1, 0(t1)", { prepare })).toEqual([5n, CLEAR]);
    expect(outcome(CLEAR | A, "ld s1, 0(t1)", { prepare })).toEqual([9n, CLEAR | A]);
  });

  test("are seen by the guest at once", () => {
    const machine = run(
      program(CLEAR, `ld s1, 0(t1)\nli t2, ${L0}\nlbu s2, 0(t2)\nsd s1, 0(t1)\nlbu s3, 0(t2)`, ADUE),
      { tier, profile: svadu },
    );
    expect([x(machine, 18), x(machine, 19)]).toEqual([BigInt(CLEAR | A), BigInt(CLEAR | A | D)]);
    expect(csr(machine, 0x30a)).toBe(ADUE);
  });
});
