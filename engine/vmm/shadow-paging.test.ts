/** What each way of shadow paging does at a fault, a fence, a store to a page table and a switch; and that the guest sees none of it. */
import { describe, expect, test } from "vitest";
import { boot, entry, LEAF, x } from "../boot.fixture.ts";
import { PTE } from "../hart/translations.ts";
import { strict, svadu } from "../isa/profile.ts";
import type { Machine } from "../machine/machine.ts";
import { full } from "../techniques/full.ts";
import { A, all, B, count, drops, exits, named, PAGES, READ, ran, work } from "./shadow.fixture.ts";
import { brokenShadow } from "./shadow-invariants.ts";
import type { Vmm } from "./vmm.ts";

describe.each(all)("the guest sees the bare machine: $name", ({ technique }) => {
  test("where entries change with and without a fence", () => {
    const { machine } = ran(
      `${PAGES}${READ}${entry(0, B, LEAF.readWrite)}ld s4, 0(t3)\nsfence.vma t3\nld s5, 0(t3)\n${entry(8, A, LEAF.read)}sfence.vma\nld s6, 0(a3)\nsd t3, 0(a3)`,
      technique,
    );
    expect([18, 19, 20, 21, 22].map((register) => x(machine, register))).toEqual([7n, 9n, 7n, 9n, 7n]);
    expect(x(machine, 27)).toBe(15n);
  });

  test("where a table of leaves is replaced by another, and a superpage by a table", () => {
    ran(
      `${PAGES}${READ}li t6, 0x80301000\nli t1, 0x200c1001\nli t2, 0x80304000\nli t4, 0x200140c7\nsd t4, 0(t2)\nsd t1, 0(t6)
       ${READ}sfence.vma\n${READ}li t1, 0x200000cf\nsd t1, 0(t6)\n${READ}sfence.vma t3\n${READ}li t1, 0x200c0801\nsd t1, 0(t6)\n${READ}sfence.vma\n${READ}`,
      technique,
    );
  });

  test("where a page table maps itself, and is written through that", () => {
    const self = `${entry(16, 0x8030_2000, LEAF.readWrite)}li a4, 0x40002000\n`;
    const { machine } = ran(
      `${PAGES}${self}${READ}li t1, ${(B / 4096) * 1024 + LEAF.readWrite}\nsd t1, 0(a4)\nld s4, 0(t3)\nsfence.vma\nld s5, 0(t3)\nld s6, 0(a4)\nsd t1, 8(a4)\nsfence.vma t3\nsfence.vma a3\n${READ}`,
      technique,
    );
    expect([x(machine, 20), x(machine, 21)]).toEqual([7n, 9n]);
  });

  test("where a fence leaves no leaf of the set but all of the pages, at the set's cap", () => {
    const profile = { ...strict, name: "four leaves", translationCap: 4 };
    const many = [2, 3, 4, 5].map((page) => entry(8 * page, A + 4096 * page, LEAF.readWrite)).join("");
    const touch = [0, 1, 2, 3, 4, 5].map((page) => `li t6, ${0x4000_0000 + 4096 * page}\nld s2, 0(t6)\n`).join("");
    ran(
      `${PAGES}${many}${touch}sfence.vma\n${touch}sfence.vma t3\n${touch}${entry(8, A, LEAF.readWrite)}${touch}`,
      technique,
      {
        profile,
      },
    );
  });

  test("where what was kept over a fence would fill the set to its cap", () => {
    const profile = { ...strict, name: "twenty leaves", translationCap: 20 };
    const pages = (from: number, to: number, act: (page: number) => string) =>
      Array.from({ length: to - from }, (_, i) => act(from + i)).join("");
    const map = pages(2, 20, (page) => entry(8 * page, A + 4096 * page, LEAF.readWrite));
    const touch = (page: number) => `li t6, ${0x4000_0000 + 4096 * page}\nld s2, 0(t6)\n`;
    const program = `${PAGES}${map}${pages(0, 4, touch)}sfence.vma\n${pages(4, 20, touch)}${pages(0, 4, touch)}${pages(0, 20, touch)}`;
    ran(program, technique, { profile });
  });

  test("where an entry changes that nobody has used since a fence, in a table that was stored to before", () => {
    const program = `${PAGES}${READ}sfence.vma\n${entry(64, A, LEAF.read)}${entry(0, B, LEAF.readWrite)}ld s4, 0(t3)\n`;
    expect(x(ran(program, technique).machine, 20)).toBe(9n);
  });

  test("where SUM and MXR go to and fro, and satp with them", () => {
    const user = entry(24, A, LEAF.readWrite | PTE.U) + entry(32, B, PTE.V | PTE.X | PTE.A | PTE.D);
    const look = "li t6, 0x40003000\nld s4, 0(t6)\nli t6, 0x40004000\nld s5, 0(t6)\n";
    ran(
      `${PAGES}${user}${READ}li s7, 0x40000\nli s8, 0x80000\n${look}csrs sstatus, s7\n${look}csrs sstatus, s8\n${look}csrc sstatus, s7\n${look}
       csrr s9, satp\ncsrw satp, zero\nld s2, 0(t0)\ncsrw satp, s9\n${look}sfence.vma\n${look}csrc sstatus, s8\n${look}`,
      technique,
    );
  });

  test("where A and D are the machine's to set, and the table is fenced again and again", () => {
    const pages = `${PAGES}${entry(0, A, 0x07)}${entry(8, B, 0x47)}`;
    ran(
      `${pages}${READ}sd t3, 8(t3)\nsfence.vma\n${READ}sd t3, 8(a3)\n${entry(0, A, 0x07)}sfence.vma t3\n${READ}sd t3, 16(t3)\nsfence.vma\n${READ}`,
      technique,
      { profile: svadu },
    );
  });

  test("where a device writes a page table", () => {
    const program = `${PAGES}${READ}sfence.vma\n${READ}${"nop\n".repeat(8)}`;
    const again = `${READ}sfence.vma\nld s4, 0(t3)\n`;
    const length = ran(program, technique).machine.step;
    // Page 0's entry becomes page 1's, some steps before the program's end.
    const bytes = [...new Uint8Array(BigUint64Array.of(BigInt((B / 4096) * 1024 + LEAF.readWrite)).buffer)];
    const dma = { step: length - 10, address: 0x8030_2000, bytes };
    expect(x(ran(`${program}${again}`, technique, { dma }).machine, 20)).toBe(9n);
  });
});

describe("an option claims exact and", () => {
  const touched = `${PAGES}${READ}`;
  test("keeps, where tables are traced, what a fence of everything leaves as it was", () => {
    const again = `${touched}${"sfence.vma\nld s2, 0(t3)\nld s3, 0(a3)\n".repeat(5)}`;
    const [plain, traced] = [ran(again, full), ran(again, named("traced"))];
    expect(exits(plain, "page-fault") - exits(traced, "page-fault")).toBeGreaterThanOrEqual(10);
    // Both are in the guest's set again, though nobody left for them.
    expect(traced.machine.parts.execution.translations.count).toBeGreaterThanOrEqual(3);
  });

  test("gives up what it kept before uses of that could fill the set", () => {
    const profile = { ...strict, name: "twenty leaves", translationCap: 20 };
    const touch = (page: number) => `li t6, ${0x4000_0000 + 4096 * page}\nld s2, 0(t6)\n`;
    const map = (page: number) => entry(8 * page, A + 4096 * page, LEAF.readWrite);
    const pages = (from: number, to: number, act: (page: number) => string) =>
      Array.from({ length: to - from }, (_, i) => act(from + i)).join("");
    const machine = boot(
      `${PAGES}${pages(2, 13, map)}${pages(0, 4, touch)}sfence.vma\n${pages(4, 13, touch)}end: j end`,
      { profile, technique: named("traced") },
    );
    const { shadow } = machine.parts.execution as Vmm;
    const drop = shadow.drop.bind(shadow);
    let drops = 0;
    shadow.drop = () => {
      drops++;
      return drop();
    };
    machine.run(300);
    expect(drops).toBe(1);
    expect(machine.parts.execution.translations.count).toBeLessThan(20);
  });

  test("carries out each store to a traced table, until there are too many", () => {
    const stores = (many: number) => `${touched}${entry(64, A, LEAF.read).repeat(many)}`;
    expect(exits(ran(stores(3), named("traced")), "table-write")).toBe(3);
    // The ninth gives the table up.
    expect(exits(ran(stores(30), named("traced")), "table-write")).toBe(9);
  });

  test("lets a table of leaves out of sync at its first store, until a fence of everything", () => {
    const run = ran(
      `${touched}${entry(64, A, LEAF.read).repeat(3)}sfence.vma\n${READ}${entry(72, A, LEAF.read)}`,
      named("unsync"),
    );
    expect(exits(run, "table-write")).toBe(2);
    expect([work(run, "resync"), work(run, "copy")]).toEqual([512, 1024]);
  });

  test("counts a use of a leaf whose entry has changed, once for each change", () => {
    const stale = `${touched}${entry(0, B, LEAF.readWrite)}${"ld s4, 0(t3)\n".repeat(3)}`;
    expect(count(ran(stale, named("traced")), "stale-translation")).toBe(1);
    expect(count(ran(`${stale}sfence.vma t3\nld s4, 0(t3)\n`, named("traced")), "stale-translation")).toBe(1);
    expect(
      count(
        ran(`${touched}${entry(0, B, LEAF.readWrite)}sfence.vma t3\nld s4, 0(t3)\n`, named("traced")),
        "stale-translation",
      ),
    ).toBe(0);
  });

  test.each(["traced", "unsync"])("comes to an end with an lr/sc pair and an amo on a page table: %s", (variant) => {
    const pair = "again: lr.d t1, (t0)\nori t1, t1, 64\nsc.d t2, t1, (t0)\nbnez t2, again\n";
    const run = ran(`${touched}${pair}amoor.d t1, t1, (t0)\n${READ}`, named(variant));
    expect(exits(run, "table-write")).toBeGreaterThan(0);
    expect(x(run.machine, 7)).toBe(0n);
  });

  test("sees a store that spans two traced tables as a change of both", () => {
    const two = `${PAGES}li t6, 0x80301000\nli t1, 0x200c0c01\nsd t1, 8(t6)\nli t0, 0x80303000\n${entry(0, A, LEAF.readWrite)}li a5, 0x40200000\n${READ}ld s4, 0(a5)\n`;
    const run = ran(
      `${two}li t0, 0x80302ffc\nli t1, -1\nsd t1, 0(t0)\nld s5, 0(a5)\nsfence.vma\nld s6, 0(a5)\n`,
      named("traced"),
    );
    expect(exits(run, "table-write")).toBe(1);
    // Its low half is gone: the entry is reserved.
    expect(x(run.machine, 27)).toBe(13n);
  });

  test("takes out, at a fence inside a splintered superpage, that superpage's pages alone", () => {
    const superpages = `${PAGES}li t6, 0x80301000\nli t1, 0x200000cf\nsd t1, 8(t6)\nli t1, 0x200000cf\nsd t1, 16(t6)
      li a4, 0x40240000\nli a5, 0x40440000\nld s4, 0(a4)\nld s5, 0(a5)\n${READ}`;
    const fenced = `${superpages}li t6, 0x40200000\nsfence.vma t6\nld s4, 0(a4)\nld s5, 0(a5)\n${READ}`;
    const [plain, remembered] = [ran(fenced, full), ran(fenced, named("splinters"))];
    expect(drops(remembered, "sfence-page")).toEqual([1]);
    // Under `full` all tables go, and the pages that are used behind the fence are filled again.
    expect(exits(plain, "page-fault") - exits(remembered, "page-fault")).toBeGreaterThanOrEqual(3);
    const notes = [...(remembered.machine.parts.execution as Vmm).shadow.leaves()].map(({ level }) => level);
    expect(new Set(notes)).toEqual(new Set([0, 1, 2]));
  });

  test("empties a shared root at each change of what it stands for", () => {
    const flips = `${touched}li s7, 0x40000\n${"csrs sstatus, s7\nld s2, 0(t3)\ncsrc sstatus, s7\nld s2, 0(t3)\n".repeat(3)}`;
    expect(drops(ran(flips, full), "root-shared")).toEqual([]);
    for (const variant of ["space-roots", "one-root"]) {
      const run = ran(flips, named(variant));
      expect(drops(run, "root-shared").length).toBeGreaterThanOrEqual(6);
      expect(work(run, "root-switch")).toBeLessThanOrEqual(2);
    }
  });

  test("fills what the guest has used around a fault, when all entries are gone", () => {
    // A leaf that replaces another takes all roots with it; the pages beside it are still the guest's.
    const replaced = `${PAGES}${entry(0, A, LEAF.read)}${READ}${entry(0, A, LEAF.readWrite)}sd t3, 0(t3)\nld s4, 0(a3)\n`;
    const [plain, prefetching] = [ran(replaced, full), ran(replaced, named("prefetch"))];
    expect(exits(plain, "page-fault") - exits(prefetching, "page-fault")).toBeGreaterThanOrEqual(1);
    expect(work(prefetching, "prefetch-fill")).toBeGreaterThan(0);
    expect(work(prefetching, "prefetch-look") % 15).toBe(0);
    expect(work(plain, "prefetch-look")).toBe(0);
  });

  test("tags roots, so that a switch flushes nothing", () => {
    const run = ran(`${touched}${"csrr s9, satp\ncsrw satp, zero\ncsrw satp, s9\n".repeat(4)}`, named("tagged"));
    expect([work(run, "root-switch"), work(run, "root-tag")]).toEqual([0, 9 + 1]);
  });

  test.each([
    ["the guest's own, where only it sets them", strict, 0],
    ["hidden, where the machine does", svadu, 1],
  ] as const)("tells faults for want of A or D apart: %s", (_, profile, hidden) => {
    const run = ran(`${PAGES}${entry(0, A, 0x07)}${entry(8, B, 0x47)}ld s2, 0(t3)\nsd t3, 0(a3)\n`, full, { profile });
    const seen = run.events.flatMap((event) =>
      event.kind === "shadow.accessed" ? [[event.address, event.hidden]] : [],
    );
    expect(seen).toEqual([
      [0x4000_0000n, hidden],
      [0x4000_1000n, hidden],
    ]);
  });
});

describe("what must hold of shadows is looked at:", () => {
  const machine = (variant: string): Machine => {
    const made = boot(`${PAGES}${READ}li t0, 0x80302000\nld s4, 0(t0)\nend: j end`, { technique: named(variant) });
    made.run(200);
    expect(brokenShadow(made)).toBeUndefined();
    return made;
  };
  /** Changes the entry of a page, as a defect would. */
  function change(made: Machine, page: number, to: (low: number) => number): void {
    const { memory } = made.parts.platform;
    const vmm = made.parts.execution as Vmm;
    const leaf = [...vmm.shadow.leaves()].find((one) => one.page === page)!;
    for (let word = memory.linear(0x8000_0000 + memory.guestBytes) >>> 2; ; word++) {
      if (memory.u32[word]! >>> 10 !== leaf.frame || (memory.u32[word]! & 0xff) !== leaf.flags) continue;
      memory.u32[word] = to(memory.u32[word]!);
      return;
    }
  }
  const TABLE = 0x8_0302;
  test.each([
    ["a frame that is no RAM", "traced", 0x4_0000, (low: number) => (low & 1023) + 0x1_0000 * 1024, /not guest RAM/],
    ["another frame than the leaf's", "traced", 0x4_0000, (low: number) => low + 1024, /another frame/],
    ["more than the leaf permits", "splinters", 0x4_0000, (low: number) => low | PTE.X, /permits more/],
    ["a page table that may be written", "traced", TABLE, (low: number) => low | PTE.W, /may be written/],
    ["an entry that is global", "prefetch", 0x4_0000, (low: number) => low | PTE.G, /other bits/],
    ["a note of another size", "splinters", 0x4_0000, (low: number) => low ^ 0x100, /another size/],
  ])("%s is found", (_, variant, page, to, message) => {
    const made = machine(variant);
    change(made, page, to);
    expect(brokenShadow(made)).toMatch(message);
  });

  test("an entry that stands for nothing is found", () => {
    const made = machine("prefetch");
    made.parts.execution.translations.clear();
    expect(brokenShadow(made)).toMatch(/stands for no translation/);
    const traced = machine("traced");
    traced.parts.execution.translations.clear();
    traced.parts.platform.memory.u8.fill(
      0,
      traced.parts.platform.memory.linear(0x8030_2000),
      traced.parts.platform.memory.linear(0x8030_2008),
    );
    expect(brokenShadow(traced)).toMatch(/no walk finds/);
  });
});
