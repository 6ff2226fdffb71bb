import { describe, expect, test } from "vitest";
import { CSRS, csrByName, csrByNumber, csrsOf, REGIONS, STATUS } from "./csr.ts";
import { extended, regions, strict, svadu } from "./profile.ts";

describe("the CSRs", () => {
  test("have a number and a name each, and are found by both", () => {
    expect(new Set(CSRS.map(({ number }) => number)).size).toBe(CSRS.length);
    expect(new Set(CSRS.map(({ name }) => name)).size).toBe(CSRS.length);
    for (const csr of CSRS) expect([csrByNumber(csr.number), csrByName(csr.name)]).toEqual([csr, csr]);
    expect([csrByNumber(0x3a1), csrByNumber(0x14e), csrByName("hstatus")]).toEqual([undefined, undefined, undefined]);
  });

  test("are reached from the mode, and written, as their number says", () => {
    expect(csrByName("fcsr")).toMatchObject({ mode: "user", readOnly: false });
    expect(csrByName("time")).toMatchObject({ number: 0xc01, mode: "user", readOnly: true });
    expect(csrByName("satp")).toMatchObject({ number: 0x180, mode: "supervisor", readOnly: false });
    expect(csrByName("mhartid")).toMatchObject({ number: 0xf14, mode: "machine", readOnly: true });
    expect(CSRS.filter(({ readOnly, writable }) => readOnly && writable !== 0n)).toEqual([]);
  });

  test("count 16 PMP entries and 29 further counters of each kind", () => {
    const named = (pattern: RegExp) => CSRS.filter(({ name }) => pattern.test(name)).map(({ number }) => number);
    expect(named(/^pmpcfg/)).toEqual([0x3a0, 0x3a2]);
    expect(named(/^pmpaddr/)).toEqual(Array.from({ length: 16 }, (_, n) => 0x3b0 + n));
    expect(named(/^hpmcounter/)).toEqual(Array.from({ length: 29 }, (_, n) => 0xc03 + n));
    expect(named(/^mhpmcounter/)).toEqual(Array.from({ length: 29 }, (_, n) => 0xb03 + n));
    expect(named(/^mhpmevent/)).toEqual(Array.from({ length: 29 }, (_, n) => 0x323 + n));
  });

  test.each([
    ["mstatus", 0x7e_79aan],
    ["sstatus", 0xc_6122n],
    ["medeleg", 0xb3ffn],
    ["mideleg", 0x222n],
    ["mie", 0xaaan],
    ["sie", 0x222n],
    ["mip", 0x222n],
    ["sip", 0x2n],
    ["mtvec", 0xffff_ffff_ffff_fffdn],
    ["stvec", 0xffff_ffff_ffff_fffdn],
    ["mepc", 0xffff_ffff_ffff_fffen],
    ["sepc", 0xffff_ffff_ffff_fffen],
    ["satp", 0xf000_0fff_ffff_ffffn],
    ["scounteren", 0x7n],
    ["senvcfg", 0x1n],
    ["misa", 0n],
    ["mcountinhibit", 0n],
    ["mhpmcounter3", 0n],
    ["pmpcfg0", 0x9f9f_9f9f_9f9f_9f9fn],
    ["pmpaddr15", 0x003f_ffff_ffff_ffffn],
    ["fcsr", 0xffn],
  ])("let a write change of %s the bits %i", (name, writable) => {
    expect(csrByName(name)?.writable).toBe(writable);
  });

  test("start with 64-bit modes and the extensions that there are", () => {
    expect(csrByName("mstatus")?.reset).toBe(0xa_0000_0000n);
    expect(csrByName("misa")?.reset).toBe(0x8000_0000_0014_112dn);
  });

  test("are views of others by mask and shift, never of another view", () => {
    expect(csrByName("sstatus")?.view).toEqual({ of: "mstatus", mask: 0x8000_0003_000c_6122n, shift: 0 });
    expect(csrByName("frm")?.view).toEqual({ of: "fcsr", mask: 0xe0n, shift: 5 });
    for (const { name, view } of CSRS) {
      if (view === undefined) continue;
      expect(csrByName(view.of), name).toBeDefined();
      expect(csrByName(view.of)?.view, name).toBeUndefined();
    }
    expect(csrByName("sstatus")!.view!.mask & (STATUS.MPP | STATUS.MIE | STATUS.SXL | STATUS.TVM)).toBe(0n);
  });

  test("take only modes of satp and of trap vectors that there are", () => {
    const legal = (name: string, value: bigint) => csrByName(name)!.legal!(value);
    const modes = Array.from({ length: 16 }, (_, mode) => mode).filter((mode) => legal("satp", BigInt(mode) << 60n));
    expect(modes).toEqual([0, 8, 9]);
    expect([0x8000_0000n, 0x8000_0001n, 0x8000_0002n, 0x8000_0003n].map((value) => legal("stvec", value))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  test("exist, and can be written, as the extensions have it", () => {
    const found = (extensions: readonly string[], name: string) => csrsOf(extensions).find((csr) => csr.name === name);
    const bare = ["i", "m", "a", "f", "d", "c"];
    expect(csrsOf(bare).length).toBe(CSRS.length - 1 - REGIONS);
    expect(found(bare, "stimecmp")).toBeUndefined();
    expect(found(strict.extensions, "sregion0")).toBeUndefined();
    expect(found(regions.extensions, "sregion4")).toMatchObject({
      number: 0x5c4,
      mode: "supervisor",
      readOnly: false,
      sensitivity: "control",
      writable: 2n ** 44n - 1n,
    });
    expect(found(strict.extensions, "stimecmp")).toMatchObject({
      number: 0x14d,
      mode: "supervisor",
      reset: 2n ** 64n - 1n,
    });
    const writable = (extensions: readonly string[]) =>
      ["menvcfg", "senvcfg"].map((name) => found(extensions, name)!.writable);
    expect(writable(bare)).toEqual([0x1n, 0x1n]);
    expect(writable(strict.extensions)).toEqual([0x8000_0000_0000_0001n, 0x1n]);
    expect(writable(extended.extensions)).toEqual([0x8000_0000_0000_00f1n, 0xf1n]);
    expect(writable(svadu.extensions)).toEqual([0xa000_0000_0000_00f1n, 0xf1n]);
    expect(writable([...bare, "zicboz"])).toEqual([0x81n, 0x81n]);
  });

  test("are sensitive unless any mode may use them and they tell nothing", () => {
    const innocuous = CSRS.filter(({ sensitivity }) => sensitivity === "innocuous");
    expect(innocuous.map(({ mode }) => mode)).toEqual(Array(6 + 29).fill("user"));
    expect(CSRS.filter(({ mode }) => mode === "user")).toEqual(innocuous);
  });
});
