import { describe, expect, test } from "vitest";
import { createMachine } from "../create.ts";
import type { Tier } from "../hart/hart.ts";
import { assemble } from "../isa/assemble.ts";
import { strict } from "../isa/profile.ts";
import { native } from "../techniques/native.ts";
import { elf } from "./elf.fixture.ts";
import type { Machine } from "./machine.ts";

const BASE = 0x8000_0000n;
const TOHOST = 0x8000_1000n;
const TIERS = ["reference", "interpreter", "jit"] as const;

/** A program as bare-metal tests are: linked at the start of RAM, with `tohost` in a page of its own. */
function program(
  source: string,
  {
    tier = "jit",
    machineMode = true,
    symbol = TOHOST,
    virtual = BASE,
  }: { tier?: Tier; machineMode?: boolean; symbol?: bigint; virtual?: bigint } = {},
): Machine {
  const { bytes } = assemble(source, { base: virtual });
  const parts = [
    { physical: BASE, virtual, bytes },
    { physical: TOHOST, virtual: virtual + 0x1000n, bytes: new Uint8Array(64) },
  ];
  const kernel = elf(parts, virtual, [["tohost", symbol]]);
  return createMachine({
    kernel,
    memoryBytes: 1 << 20,
    rtcSeconds: 0,
    machineMode,
    profile: strict,
    technique: native,
    logging: false,
    tier,
    threshold: 2,
  });
}

describe("a bare-metal program with a tohost symbol", () => {
  test.each(TIERS)("passes by storing 1, in the %s, at the store itself", (tier) => {
    const machine = program("li t0, 0x80001000\nli t1, 1\nsd t1, 0(t0)\nloop: j loop", { tier });
    expect(machine.run(1_000_000)).toEqual({ kind: "end", reason: "tohost", code: 0 });
    expect(machine.step).toBe(5);
  });

  test.each(TIERS)("fails with the number of the case that it stores, in the %s", (tier) => {
    // As riscv-tests have it: (n << 1) | 1 in two halves, over and over.
    const source =
      "li t0, 0x80001000\nli gp, 17\nslli gp, gp, 1\nori gp, gp, 1\nwrite: sw gp, 0(t0)\nsw x0, 4(t0)\nj write";
    const machine = program(source, { tier });
    expect(machine.run(1_000_000)).toEqual({ kind: "end", reason: "tohost", code: 17, message: "test case 17 failed" });
  });

  test.each(TIERS)("may clear it, and use what lies beside it, in the %s", (tier) => {
    const source =
      "li t0, 0x80001000\nli t2, 500\nloop: sd x0, 0(t0)\nsd t2, 8(t0)\nsd t2, -8(t0)\naddi t2, t2, -1\nbnez t2, loop\nli t1, 3\namoor.d x0, t1, (t0)\nj .";
    const machine = program(source, { tier });
    expect(machine.run(1_000_000)).toMatchObject({ kind: "end", reason: "tohost", code: 1 });
    expect(machine.step).toBeGreaterThan(2500);
  });

  test("is watched where it lies in memory, wherever it is linked", () => {
    const machine = program("li t0, 0x80001000\nli t1, 1\nsd t1, 0(t0)\nj .", {
      virtual: 0x4000_0000n,
      symbol: 0x4000_1000n,
    });
    expect(machine.run(1000)).toMatchObject({ reason: "tohost", code: 0 });
  });

  test("says what it left there that is no result", () => {
    const machine = program("li t0, 0x80001000\nli t1, 0x80002040\nsd t1, 0(t0)\nj .");
    expect(machine.run(1000)).toEqual({
      kind: "end",
      reason: "tohost",
      code: 0x4000_1020,
      message: "the guest left 0x80002040 in tohost",
    });
  });

  test("ends the run at any store that reaches into the doubleword, and at none beside it", () => {
    const machine = program("li t0, 0x80001006\nli t1, 1\nsh t1, 0(t0)\nj .");
    expect(machine.run(1000)).toMatchObject({ kind: "end", reason: "tohost" });
    const beside = program("li t0, 0x80001008\nli t1, 1\nsb t1, 0(t0)\nsb t1, -9(t0)\nj .");
    expect(beside.run(1000)).toEqual({ kind: "until" });
  });

  test("is not watched under an SBI, whose guests end by a call", () => {
    const machine = program("li t0, 0x80001000\nli t1, 1\nsd t1, 0(t0)\nj .", { machineMode: false });
    expect(machine.run(1000)).toEqual({ kind: "until" });
  });

  test("must have it in RAM", () => {
    expect(() => program("j .", { symbol: 0x1000n })).toThrow(
      "Cannot watch tohost as it must lie in RAM: it is 0x1000",
    );
  });
});
