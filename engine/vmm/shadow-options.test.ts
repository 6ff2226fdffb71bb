/** Ways of shadow paging: each shows the guest the bare machine, at every exit of which its shadows are what they must be. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createMachine } from "../create.ts";
import { strict } from "../isa/profile.ts";
import type { Machine } from "../machine/machine.ts";
import { full } from "../techniques/full.ts";
import { native } from "../techniques/native.ts";
import { shadowed } from "../techniques/shadowed.ts";
import { brokenShadow } from "./shadow-invariants.ts";
import type { Technique } from "./technique.ts";

const kernel = readFileSync(new URL("../../experiments/guests/hutch/prebuilt/hutch.elf", import.meta.url));

function hutch(append: string, technique: Technique): Machine {
  return createMachine({
    kernel,
    append,
    memoryBytes: 64 << 20,
    rtcSeconds: 0,
    machineMode: false,
    profile: strict,
    technique,
    logging: false,
  });
}

/** Looks at all shadows each time that the guest is about to run, or at every so many of them. */
function watched(machine: Machine, every: number): Machine {
  const { platform } = machine.parts;
  const run = platform.hart.run.bind(platform.hart);
  let runs = 0;
  platform.hart.run = (budget) => {
    if (runs++ % every === 0) {
      const wrong = brokenShadow(machine);
      if (wrong !== undefined) throw new Error(wrong);
    }
    return run(budget);
  };
  return machine;
}

const techniques = [full, ...shadowed].map((technique) => ({ name: technique.variant ?? "full", technique }));

describe.each(techniques)("shadows of hutch under $name", ({ technique }) => {
  test.each(["fork-exec 3", "page-fault 50", "context-switch 20"])("show the bare machine: %s", (append) => {
    const bare = hutch(append, native);
    const virtual = watched(hutch(append, technique), 37);
    for (;;) {
      const stops = [bare.run(bare.step + 9001), virtual.run(virtual.step + 9001)];
      expect(stops[1]).toEqual(stops[0]);
      expect(virtual.digest(), `step ${bare.step}`).toEqual(bare.digest());
      if (stops[0]!.kind !== "until") break;
    }
    expect(bare.parts.platform.end).toMatchObject({ reason: "poweroff", code: 0 });
  });
});
