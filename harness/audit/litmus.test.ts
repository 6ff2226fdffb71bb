/** What a hole does to a guest: each is seen, by an instruction of its own, and none where there is no hole. */
import { describe, expect, test } from "vitest";
import { leakyMin, leakySilent, leakyX86, type Profile, strict } from "../../engine/mod.ts";
import { audit } from "./audit.ts";
import { runLitmus } from "./litmus.ts";

/** Only what may leak: the rest is audited beside. */
const audited = (profile: Profile) =>
  audit(profile, ({ csr, instruction: { mnemonic } }) =>
    csr === null ? ["sfence.vma", "wfi"].includes(mnemonic) : profile !== leakyMin && csr.mode === "supervisor",
  );
const run = (profile: Profile) => runLitmus(profile, audited(profile));
const silent = audited(leakySilent);
const [x86, min] = [run(leakyX86), run(leakyMin)];

describe("litmus guests", () => {
  test.each([
    ["leaky-x86", x86, 50],
    ["leaky-silent", runLitmus(leakySilent, silent), 122],
    ["leaky-min", min, 1],
  ] as const)("see every hole of %s", (_, litmus, total) => {
    expect(litmus.filter(({ detected }) => !detected)).toEqual([]);
    expect(litmus).toHaveLength(total);
    expect(new Set(litmus.map(({ instruction }) => instruction)).size).toBe(total);
  });

  test("see nothing where there are none", () => {
    expect(runLitmus(strict, { ...silent, instructions: [] })).toEqual([]);
    for (const one of runLitmus(strict, silent))
      expect([one.detected, one.silent, one.difference, one.saw.full], one.instruction).toEqual([
        ...[false, null, null, one.saw.bare],
      ]);
  });

  test("show where it happened, and what the guest saw", () => {
    const [fence] = min;
    // The page is another one since its entry was changed, but not under a VMM that was not told.
    expect(fence).toMatchObject({
      mnemonic: "sfence.vma",
      csr: null,
      detected: true,
      saw: { bare: "0xb", full: "0xa" },
    });
    expect(fence!.silent).toMatchObject({ instruction: "sfence.vma zero,zero" });
    expect(fence!.difference!.step).toBeGreaterThan(fence!.silent!.step);
    expect(fence!.difference!.bare).toContain("a0 0xb");
  });

  test("see a critical section interrupted, and a handler read the VMM's trap for its own", () => {
    const of = (instruction: string) => x86.find((one) => one.instruction === instruction)!;
    expect(of("csrrci zero, sstatus, 2").difference!.full).toContain("interrupt  supervisor software interrupt");
    expect(of("csrrci zero, sstatus, 2").saw).toEqual({ bare: "0x0", full: "0x1" });
    expect(of("csrrs a0, scause, zero").saw.bare).toBe("0x5a");
  });

  test("say so where there is none for a hole", () => {
    const profile: Profile = { ...strict, name: "own", leaks: { csrs: {}, nops: ["sret"] } };
    const found = audit(profile, ({ instruction }) => instruction.mnemonic === "sret");
    expect(runLitmus(profile, found)).toMatchObject([
      { instruction: "sret", detected: false, saw: { bare: "no litmus" } },
    ]);
  });
});
