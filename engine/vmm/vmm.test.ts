import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createMachine } from "../create.ts";
import { RAM_BASE } from "../hart/memory.ts";
import { PTE } from "../hart/translations.ts";
import { strict } from "../isa/profile.ts";
import type { Machine } from "../machine/machine.ts";
import { full } from "../techniques/full.ts";
import { native } from "../techniques/native.ts";
import type { Technique } from "./technique.ts";
import type { Vmm } from "./vmm.ts";

const kernel = readFileSync(new URL("../../experiments/guests/hutch/prebuilt/hutch.elf", import.meta.url));
const MEMORY = 64 << 20;

function hutch(append: string, technique: Technique): Machine {
  return createMachine({
    kernel,
    append,
    memoryBytes: MEMORY,
    rtcSeconds: 0,
    machineMode: false,
    profile: strict,
    technique,
    logging: false,
  });
}

describe("full virtualization", () => {
  test("runs the guest's kernel in user mode of the real hart, at every resume", () => {
    const machine = hutch("null-syscall 20", full);
    const vmm = machine.parts.execution as Vmm;
    const { guest, hart } = machine.parts.platform;
    const virtualModes = new Set<number>();
    const realModes = new Set<number>();
    const run = hart.run.bind(hart);
    hart.run = (budget) => {
      virtualModes.add(guest.mode);
      realModes.add(vmm.realMode);
      return run(budget);
    };
    expect(machine.run(Number.MAX_SAFE_INTEGER)).toMatchObject({ kind: "end", reason: "poweroff" });
    expect([...virtualModes].sort()).toEqual([0, 1]);
    expect([...realModes]).toEqual([0]);
  });

  test.each([
    "null-syscall 50",
    "timer-tick 3",
    "irq-toggle 20",
    "page-fault 50",
    "fork-exec 3",
    "pipe 5",
    "compute 20",
  ])("shows the guest the bare machine at every thousandth step of %s", (append) => {
    const bare = hutch(append, native);
    const virtual = hutch(append, full);
    for (;;) {
      const stops = [bare.run(bare.step + 5003), virtual.run(virtual.step + 5003)];
      expect(stops[1]).toEqual(stops[0]);
      expect([virtual.step, virtual.instret, virtual.time]).toEqual([bare.step, bare.instret, bare.time]);
      expect(virtual.digest(), `step ${bare.step}`).toEqual(bare.digest());
      if (stops[0]!.kind !== "until") break;
    }
    expect(bare.parts.platform.end).toMatchObject({ reason: "poweroff", code: 0 });
  });

  test("shadows only what the guest's own translations allow, and nothing of the VMM's", () => {
    const machine = hutch("fork-exec 2", full);
    const vmm = machine.parts.execution as Vmm;
    let checked = 0;
    while (machine.run(machine.step + 20_011).kind === "until") {
      for (const { key, page, frame, flags } of vmm.shadow.leaves()) {
        const root = Number(key.split("/")[0]);
        expect(frame * 4096).toBeGreaterThanOrEqual(RAM_BASE);
        expect(frame * 4096).toBeLessThan(RAM_BASE + MEMORY);
        if (root < 0) continue;
        const leaf = vmm.translations.lookup(root, page);
        expect(leaf, `${key} ${page.toString(16)}`).toBeGreaterThanOrEqual(0);
        const guestFlags = leaf % 256;
        expect(flags & PTE.W & ~guestFlags).toBe(0);
        expect(flags & PTE.X & ~guestFlags).toBe(0);
        expect(flags & PTE.U).toBe(PTE.U);
        checked++;
      }
    }
    expect(checked).toBeGreaterThan(50);
  });
});
