/** Rewriting a whole kernel: hutch runs as on the bare machine, on a strict and on a leaking one. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createMachine } from "../create.ts";
import { eventsOf } from "../event/record.ts";
import { RAM_BASE } from "../hart/memory.ts";
import { PTE } from "../hart/translations.ts";
import { leakyX86, type Profile, strict } from "../isa/profile.ts";
import type { Machine } from "../machine/machine.ts";
import { full } from "../techniques/full.ts";
import { native } from "../techniques/native.ts";
import { rewritingInline, rewritingTrap } from "../techniques/rewriting.ts";
import type { Technique } from "./technique.ts";
import type { Vmm } from "./vmm.ts";

describe("hutch", () => {
  const kernel = readFileSync(new URL("../../experiments/guests/hutch/prebuilt/hutch.elf", import.meta.url));
  const hutch = (append: string, technique: Technique, profile: Profile, logging = false) =>
    createMachine({ kernel, append, memoryBytes: 16 << 20, rtcSeconds: 0, machineMode: false, profile, technique, logging, unsound: true }); // biome-ignore format: one machine
  /** @returns The machine under the technique, and whether it was equal to the bare one to the end. */
  const follow = (append: string, technique: Technique, profile: Profile): readonly [Machine, boolean] => {
    const bare = hutch(append, native, profile);
    const virtual = hutch(append, technique, profile, true);
    for (;;) {
      const stops = [bare.run(bare.step + 20_011), virtual.run(virtual.step + 20_011)];
      const [left, right] = [bare.digest(), virtual.digest()];
      if (left.low !== right.low || left.high !== right.high) return [virtual, false];
      expect(stops[1]).toEqual(stops[0]);
      if (stops[0]!.kind !== "until") break;
    }
    expect(bare.parts.platform.end).toMatchObject({ reason: "poweroff", code: 0 });
    return [virtual, true];
  };

  test.each([
    ["null-syscall 50", strict],
    ["timer-tick 3", strict],
    ["irq-toggle 20", leakyX86],
    ["page-fault 50", leakyX86],
    ["fork-exec 3", leakyX86],
    ["pipe 5", strict],
    ["signal 5", leakyX86],
    ["context-switch 20", leakyX86],
  ] as const)(
    "runs %s as on the bare machine, and no sensitive instruction of its kernel as it stands",
    (append, on) => {
      for (const technique of [rewritingTrap, rewritingInline]) {
        const [machine, equal] = follow(append, technique, on);
        expect(equal, technique.variant).toBe(true);
        expect((machine.parts.execution as Vmm).leaked, technique.variant).toEqual({ user: 0, supervisor: 0 });
        // What is left to trap by itself is what traps in every mode.
        expect(exitsOf(machine)["privileged-instruction"], technique.variant).toBeUndefined();
      }
    },
  );

  /** Exits by reason. */
  const exitsOf = (machine: Machine): Record<string, number> => {
    const exits: Record<string, number> = {};
    for (const event of eventsOf(machine.log.drain()))
      if (event.kind === "vmm.exit") exits[event.reason] = (exits[event.reason] ?? 0) + 1;
    return exits;
  };
  /** Exits that each more unit of a workload takes, hidden faults aside. */
  const exitsEach = (workload: string, technique: Technique): Record<string, number> => {
    const [few, many] = [20, 120].map((count) => exitsOf(follow(`${workload} ${count}`, technique, strict)[0])) as [
      Record<string, number>,
      Record<string, number>,
    ];
    const each = Object.entries(many).map(([reason, count]) => [reason, (count - (few[reason] ?? 0)) / 100] as const);
    return Object.fromEntries(each.filter(([reason, count]) => reason !== "page-fault" && count > 0.1));
  };

  test("inline, a null system call leaves the guest twice, in and out, and flipping the interrupt flag never", () => {
    expect(exitsEach("null-syscall", rewritingInline)).toEqual({ "environment-call": 1, "rewritten-site": 1 });
    expect(exitsEach("irq-toggle", rewritingInline)).toEqual({});
    const switches = exitsEach("context-switch", rewritingInline);
    expect(Object.values(switches).reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(4);
  });

  test("executes copies in kernel roots and nothing else, reads none, and can write nothing that has one", () => {
    const machine = hutch("fork-exec 2", rewritingTrap, strict);
    const { shadow } = machine.parts.execution as Vmm;
    const guestEnd = (RAM_BASE + (16 << 20)) / 4096;
    let copies = 0;
    while (machine.run(machine.step + 10_007).kind === "until") {
      for (const { key, frame, flags } of shadow.leaves()) {
        const kernel = key.split("/")[1] === "1";
        const rights = flags & (PTE.R | PTE.W | PTE.X);
        if (frame >= guestEnd) {
          expect([kernel, rights], key).toEqual([true, PTE.X]);
          copies++;
        } else if (kernel) expect(rights & PTE.X, key).toBe(0);
      }
    }
    expect(copies).toBeGreaterThan(20);
  });

  test("goes astray under full virtualization on a leaking machine", () => {
    const [machine, equal] = follow("null-syscall 50", full, leakyX86);
    expect(equal).toBe(false);
    expect((machine.parts.execution as Vmm).leaked.supervisor).toBeGreaterThan(0);
  });
});
