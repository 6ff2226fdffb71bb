import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createMachine } from "../create.ts";
import type { Event } from "../event/event.ts";
import { eventsOf, IS_GUEST, KIND_NUMBER } from "../event/record.ts";
import { assemble } from "../isa/assemble.ts";
import { strict } from "../isa/profile.ts";
import { symbolsOf } from "../machine/image.ts";
import type { Machine } from "../machine/machine.ts";
import { full } from "../techniques/full.ts";
import { native } from "../techniques/native.ts";
import { rewritingTrap } from "../techniques/rewriting.ts";
import type { Technique } from "../vmm/technique.ts";
import type { Tier } from "./hart.ts";

const hutch = readFileSync(new URL("../../experiments/guests/hutch/prebuilt/hutch.elf", import.meta.url));

interface Choice {
  readonly tier: Tier;
  readonly threshold?: number;
  readonly technique?: Technique;
}
const CHOICES: readonly Choice[] = [
  { tier: "reference" },
  { tier: "interpreter" },
  { tier: "jit", threshold: 1 },
  { tier: "jit", threshold: 7 },
  { tier: "reference", technique: full },
  { tier: "interpreter", technique: full },
  { tier: "jit", threshold: 1, technique: full },
  { tier: "jit", threshold: 3, technique: rewritingTrap },
];

function make(kernel: Uint8Array, { technique = native, ...choice }: Choice, append?: string): Machine {
  return createMachine({
    kernel,
    memoryBytes: 16 << 20,
    rtcSeconds: 0,
    machineMode: false,
    profile: strict,
    technique,
    logging: true,
    ...(append === undefined ? {} : { append }),
    ...choice,
  });
}

/** Runs to a step, in slices, and says all that must be equal, with the steps at which it stopped for a mark. */
function outcome(machine: Machine, until: number, { slice = until, stops = false } = {}) {
  const events: Event[] = [];
  const stopped: number[] = [];
  machine.stopAtMarks = stops;
  for (;;) {
    const { kind } = machine.run(Math.min(until, machine.step + slice));
    if (kind === "mark") stopped.push(machine.step);
    events.push(...eventsOf(machine.log.drain()));
    if (kind === "end" || kind === "waiting" || machine.step >= until) break;
  }
  const { low, high } = machine.digest();
  return {
    digest: [low, high],
    step: machine.step,
    stream: events.filter(({ kind }) => IS_GUEST[KIND_NUMBER[kind]] === 1),
    stopped,
  };
}

/** A supervisor program with something of each kind to watch, each forty times, on three pages. */
const SOURCE = `
    j start
    .align 2
  handler:
    csrr t0, sepc
    lhu t1, 0(t0)
    andi t1, t1, 3
    addi t1, t1, -3
    addi t0, t0, 2
    bnez t1, resume
    addi t0, t0, 2
  resume:
    csrw sepc, t0
    sret
  start:
    la t0, handler
    csrw stvec, t0
    li s0, 0x80400000
    li s1, 40
    li s2, 4096
  loop:
    addi s1, s1, -1
  load:
    ld a1, 0(s0)
  store:
    sd s1, 8(s0)
    add s0, s0, s2
  csr:
    csrrs a2, sscratch, s1
  trap:
    ebreak
  illegal:
    .word 0xffffffff
  pad:
    .word 0x5a503013
  behind:
    .word 0x5a503013
    addi a3, a3, 1
  mark:
    slti x0, x0, 0x37f
    jal ra, far
    bnez s1, loop
  stop:
    li a7, 0x53525354
    li a6, 0
    li a0, 0
    ecall
    .align 12
    .zero 4088
  far:
    addi a4, a4, 1
    c.nop
  straddle:
    addi a5, a5, 1
    ret`;
const LABELS = [
  "loop",
  "load",
  "store",
  "csr",
  "trap",
  "illegal",
  "pad",
  "behind",
  "mark",
  "far",
  "straddle",
  "resume",
];

describe("watched addresses", () => {
  const { bytes, labels } = assemble(SOURCE, { base: 0x8020_0000n });
  const watched = (choice: Choice, names: readonly string[]) => {
    const machine = make(bytes, choice);
    for (const name of names) machine.watch(labels.get(name)!, 0x300 | LABELS.indexOf(name));
    return machine;
  };
  const plain = outcome(make(bytes, { tier: "reference" }), 4000);
  const expected = outcome(watched({ tier: "reference" }, LABELS), 4000);
  const added = (event: Event): boolean => event.kind === "mark" && event.code !== 0x37f;

  test("make a mark each time the guest comes there, and change nothing else", () => {
    expect(labels.get("straddle")! & 4095n).toBe(4094n);
    expect(expected.step).toBeLessThan(4000);
    const counts = LABELS.map((_, at) => expected.stream.filter((e) => e.kind === "mark" && e.code === (0x300 | at)));
    // Two traps a turn.
    expect(counts.map(({ length }) => length)).toEqual(LABELS.map((name) => (name === "resume" ? 80 : 40)));
    expect(expected.digest).toEqual(plain.digest);
    expect(expected.stream.filter((event) => !added(event))).toEqual(plain.stream);
  });

  test.each(CHOICES)("make the same marks, whatever runs the guest: %j", (choice) => {
    for (const [slice, stops] of [
      [4000, false],
      [4000, true],
      [7, false],
      [13, true],
    ] as const) {
      const seen = outcome(watched(choice, LABELS), 4000, { slice, stops });
      expect([seen.digest, seen.stream], `slices of ${slice}`).toEqual([expected.digest, expected.stream]);
      if (!stops) continue;
      // A stop stands in front of what is watched, and behind a mark of the guest's own.
      const steps = seen.stream.flatMap((event) =>
        event.kind === "mark" ? [added(event) ? event.step : event.step + 1] : [],
      );
      expect(seen.stopped).toEqual(steps);
    }
    if (choice.tier === "reference" || choice.threshold === 1) return;
    for (const label of ["load", "behind"]) {
      const { digest, stream } = outcome(watched(choice, [label]), 4000);
      const one = (event: Event) =>
        !added(event) || (event.kind === "mark" && event.code === (0x300 | LABELS.indexOf(label)));
      expect([digest, stream], label).toEqual([expected.digest, expected.stream.filter(one)]);
    }
  });

  test.each(["fork-exec 1", "timer-tick 3"])("are found in every address space: hutch, %s", (append) => {
    const symbols = symbolsOf(hutch);
    const run = (choice: Choice, names: readonly string[]) => {
      const machine = make(hutch, choice, append);
      for (const [at, name] of names.entries()) machine.watch(symbols.get(name)!, 0x3c8 + at);
      return outcome(machine, 400_000);
    };
    const names = ["trap_entry", "trap_return", "space_fault", "timer_interrupt", "memset"];
    const [bare, seen] = [run({ tier: "jit" }, []), run({ tier: "jit" }, names)];
    const own = (event: Event) => event.kind !== "mark" || event.code < 0x3c8;
    expect([seen.digest, seen.stream.filter(own)]).toEqual([bare.digest, bare.stream]);
    // The first one, into the high half, goes to another handler.
    const traps = seen.stream.filter(({ kind }) => kind === "guest.trap" || kind === "interrupt").length;
    const entries = seen.stream.filter((event) => event.kind === "mark" && event.code === 0x3c8).length;
    expect([entries, entries > 15]).toEqual([traps - 1, true]);
    for (const choice of CHOICES.filter(({ threshold }) => threshold !== 1)) {
      if (choice.tier === "reference") continue;
      const other = run(choice, names);
      expect([other.digest, other.stream], JSON.stringify(choice)).toEqual([seen.digest, seen.stream]);
    }
  });

  test("count anew in a state that was restored", () => {
    const machine = watched({ tier: "jit" }, ["loop"]);
    const reset = machine.save();
    // So far that the last mark is at the step that the next one will be at.
    const end = expected.stream.find((event) => event.kind === "mark" && event.code === 0x300)!.step + 1;
    const first = outcome(machine, end);
    machine.load(reset);
    expect(outcome(machine, end)).toEqual(first);
    expect(first.stream.length).toBe(1);
  });

  test("are refused where no instruction can stand, twice, and once the run has begun", () => {
    const machine = make(bytes, { tier: "interpreter" });
    expect(() => machine.watch(0x8020_0001n, 1)).toThrow(
      /^Cannot watch 0x80200001 as an instruction has an even address/,
    );
    expect(() => machine.watch(1n << 64n, 1)).toThrow(RangeError);
    expect(() => machine.watch(0x8020_0000n, 4096)).toThrow("from 0 to 4095: it is 4096");
    machine.watch(0x8020_0000n, 1);
    expect(() => machine.watch(0x8020_0000n, 2)).toThrow(/watched already$/);
    machine.run(1);
    expect(() => machine.watch(0x8020_0004n, 1)).toThrow("as a run is watched from its start: it is at step 1");
  });
});
