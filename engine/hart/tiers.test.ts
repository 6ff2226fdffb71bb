import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createMachine } from "../create.ts";
import { assemble } from "../isa/assemble.ts";
import { strict } from "../isa/profile.ts";
import type { Machine } from "../machine/machine.ts";
import { full } from "../techniques/full.ts";
import { native } from "../techniques/native.ts";
import type { Technique } from "../vmm/technique.ts";
import type { Tier } from "./hart.ts";
import { Random } from "./random-program.ts";

const kernel = readFileSync(new URL("../../experiments/guests/hutch/prebuilt/hutch.elf", import.meta.url));

interface Choice {
  readonly tier: Tier;
  readonly threshold?: number;
  readonly technique?: Technique;
}

function hutch(append: string, { technique = native, ...choice }: Choice): Machine {
  return createMachine({
    kernel,
    append,
    memoryBytes: 32 << 20,
    rtcSeconds: 0,
    machineMode: false,
    profile: strict,
    technique,
    logging: false,
    ...choice,
  });
}

/** Digests where a run stops if it is cut into pieces of random length, at the places that `stops` names. */
function digests(machine: Machine, stops: readonly number[], random: Random): string[] {
  return stops.map((stop) => {
    while (machine.step < stop && machine.run(Math.min(stop, machine.step + 1 + random.below(9000))).kind === "until");
    const { low, high } = machine.digest();
    return `${machine.step} ${low.toString(16)} ${high.toString(16)}`;
  });
}

describe("the tiers of the hart", () => {
  const stops = [1, 999, 30_011, 61_003, 61_004, 75_000, 99_991, 140_000];
  const choices: Choice[] = [
    { tier: "jit", threshold: 1 },
    { tier: "jit", threshold: 7 },
    { tier: "jit", threshold: 1000 },
    { tier: "jit", threshold: 3, technique: full },
    { tier: "interpreter", technique: full },
  ];
  test.each(["compute 20", "null-syscall 600", "fork-exec 2", "page-fault 40"])(
    "are in one state at every instruction count of %s, whatever the threshold, the slices and the technique",
    (append) => {
      const expected = digests(hutch(append, { tier: "interpreter" }), stops, new Random(1));
      for (const [i, choice] of choices.entries()) {
        const { technique, ...tier } = choice;
        expect(
          digests(hutch(append, choice), stops, new Random(i + 2)),
          JSON.stringify([tier, technique?.name]),
        ).toEqual(expected);
      }
    },
  );

  test("agree with the reference on a loop of everything that regions hold", () => {
    const source = `
      li s0, 0x80400000
      li s1, 2000
      li t0, 0x6000
      csrs sstatus, t0
      fcvt.d.l f1, s1
    loop:
      addi s1, s1, -1
      sd s1, 0(s0)
      ld t1, 0(s0)
      amoadd.d t2, t1, (s0)
      lr.w t3, (s0)
      sc.w t4, t2, (s0)
      mulhu t5, t1, s0
      div t6, t5, s1
      fcvt.d.l f2, s1
      fmadd.d f1, f1, f2, f2
      fsd f1, 8(s0)
      sw t2, 13(s0)
      lw a1, 13(s0)
      andi a0, s1, 7
      beqz a0, skip
      xor a2, a2, a1
      .word 0x5a503013
    skip:
      jal ra, leaf
      slti x0, x0, 0x301
      bnez s1, loop
      li a7, 0x53525354
      li a6, 0
      li a0, 0
      ecall
    leaf:
      add a3, a3, t6
      ret`;
    const image = assemble(source, { base: 0x8020_0000n }).bytes;
    const ends = [
      { tier: "reference" as const },
      { tier: "interpreter" as const },
      { tier: "jit" as const, threshold: 1 },
      { tier: "jit" as const, threshold: 50 },
    ].map((choice) => {
      const machine = createMachine({
        kernel: image,
        memoryBytes: 8 << 20,
        rtcSeconds: 0,
        machineMode: false,
        profile: strict,
        technique: native,
        logging: false,
        ...choice,
      });
      const seen: string[] = [];
      for (let stop = 5003; ; stop += 5003) {
        const { kind } = machine.run(stop);
        const { low } = machine.digest();
        seen.push(`${machine.step} ${low.toString(16)}`);
        if (kind !== "until") return seen;
      }
    });
    expect(ends[0]!.length).toBeGreaterThan(5);
    for (const end of ends) expect(end).toEqual(ends[0]);
  });

  test("see code change under a compiled region, at the next instruction", () => {
    const source = `
      la t0, site
      li s1, 400
      li t1, 0x00150513
    loop:
      addi s1, s1, -1
    site:
      addi a0, a0, 2
      andi t2, s1, 63
      bnez t2, next
      sw t1, 0(t0)
      xori t1, t1, 0
      xor t3, t3, t1
      li t4, 0x00300000
      xor t1, t1, t4
    next:
      bnez s1, loop
      j .`;
    const image = assemble(source, { base: 0x8020_0000n }).bytes;
    const results = [{ tier: "reference" as const }, { tier: "jit" as const, threshold: 1 }].map((choice) => {
      const machine = createMachine({
        kernel: image,
        memoryBytes: 8 << 20,
        rtcSeconds: 0,
        machineMode: false,
        profile: strict,
        technique: native,
        logging: false,
        ...choice,
      });
      machine.run(2600);
      return [machine.parts.platform.hart.x[10], machine.digest().low];
    });
    expect(results[1]).toEqual(results[0]);
  });
});
