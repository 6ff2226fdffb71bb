/** What user programs execute, instruction by instruction: the same under each technique as on the bare machine. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createMachine } from "../create.ts";
import { USER } from "../hart/privileged.ts";
import { strict } from "../isa/profile.ts";
import { full } from "../techniques/full.ts";
import { native } from "../techniques/native.ts";
import { rewritingInline, rewritingTrap } from "../techniques/rewriting.ts";
import type { Technique } from "./technique.ts";

const kernel = readFileSync(new URL("../../experiments/guests/hutch/prebuilt/hutch.elf", import.meta.url));

/** The user instructions of a run of hutch: how many, and a hash of their addresses, one by one, with the registers that they find. */
function userStream(append: string, technique: Technique): { readonly count: number; readonly hash: number } {
  const machine = createMachine({ kernel, append, memoryBytes: 16 << 20, rtcSeconds: 0, machineMode: false, profile: strict, technique, logging: false, tier: "interpreter" }); // biome-ignore format: one machine
  const { hart, guest, memory } = machine.parts.platform;
  const registers = new Uint32Array(memory.wasm.buffer, hart.x.byteOffset, 64);
  let [count, hash] = [0, 0x811c9dc5];
  let stop = machine.run(1);
  while (stop.kind === "until") {
    if (guest.mode === USER) {
      count++;
      hash = Math.imul(hash ^ hart.pcLow, 0x0100_0193) ^ hart.pcHigh;
      for (const word of registers) hash = Math.imul(hash ^ word, 0x0100_0193);
    }
    stop = machine.run(machine.step + 1);
  }
  expect(machine.parts.platform.end, technique.name).toMatchObject({ reason: "poweroff" });
  return { count, hash };
}

describe("user programs", () => {
  test.each(["null-syscall 200", "signal 30", "fork-exec 5"])(
    "execute the same in %s, under each technique",
    (append) => {
      const bare = userStream(append, native);
      expect(bare.count).toBeGreaterThan(1000);
      for (const technique of [full, rewritingTrap, rewritingInline])
        expect(userStream(append, technique), `${technique.name} ${technique.variant ?? ""}`).toEqual(bare);
    },
  );
});
