import { describe, expect, test } from "vitest";
import { full, para, pre, rewritingInline, type Technique } from "../engine/mod.ts";
import type { Tallied } from "./comparison.ts";
import { RunCounter } from "./costs/run-tallies.ts";
import { executedPath } from "./executed-path.fixture.ts";
import { HUTCH_MARKS } from "./guests/hutch.ts";
import { type Guest, hutch, hutchPre } from "./guests/mod.ts";
import { countPads } from "./pads.ts";
import { record } from "./record.ts";
import { replay } from "./replay.ts";

const small = (guest: Guest): Guest => ({ ...guest, memoryBytes: 16 << 20 });

/** What was counted of a mark's laps under a technique. */
async function tallied(guest: Guest, technique: Technique, mark: keyof typeof HUTCH_MARKS): Promise<Tallied> {
  const run = await replay(await record({ guest: small(guest) }), { technique });
  const counter = new RunCounter({ [HUTCH_MARKS[mark]]: mark });
  for (const event of run.events()) counter.add(event);
  return counter.finish(run.steps).marks[mark]!;
}

describe("under full virtualization", () => {
  test.each([
    ["null-syscall 40", "syscall", 7],
    ["irq-toggle 40", "irq", undefined],
    ["context-switch 20", "switch", 10],
  ] as const)(
    "the guest leaves in %s once for each sensitive instruction on its path, as its disassembly has them",
    async (command, mark, each) => {
      const path = await executedPath(hutch.running(command), HUTCH_MARKS[mark]);
      const { sites } = await tallied(hutch.running(command), full, mark);
      const trapped = sites.filter(({ reason }) => reason === "privileged-instruction");
      expect(new Map(trapped.map(({ pc, count }) => [BigInt(pc), count]))).toEqual(path.sensitive);
      // Beside them it leaves for its system calls, and in nothing else that is no hidden fault.
      const others = sites.filter(({ hidden, reason }) => !hidden && reason !== "privileged-instruction");
      expect(others.map(({ reason }) => reason)).toEqual(["environment-call"]);
      expect(others[0]!.count).toBe(path.calls);
      const all = [...path.sensitive.values()].reduce((sum, count) => sum + count, 0);
      if (each !== undefined) expect(all).toBe(path.calls * each);
      else expect(all).toBeGreaterThanOrEqual(2 * 40);
    },
  );
});

describe("a pair of irq-toggle, which closes interrupts and opens them again", () => {
  /** Machine instructions of a pair, stubs included, and exits. */
  const pair = async (guest: typeof hutch | typeof hutchPre, technique: Technique) => {
    const [few, many] = [
      await tallied(guest.running("irq-toggle 40"), technique, "irq"),
      await tallied(guest.running("irq-toggle 140"), technique, "irq"),
    ];
    const each = (of: (run: Tallied) => number) => (of(many) - of(few)) / 100;
    return {
      guest: each(({ instructions }) => instructions),
      stubs: each(({ counts }) => counts["work stub"] ?? 0),
      exits: each(({ counts }) => counts["vmm.exit"] ?? 0),
    };
  };

  test("takes at most 12 machine instructions in para and pre, and leaves the guest in none", async () => {
    const [ported, patched] = [await pair(hutch, para), await pair(hutchPre, pre)];
    expect(ported).toEqual({ guest: 8, stubs: 0, exits: 0 });
    // Of the guest's four two are sites: three in place, and a jump to a stub of five and a jump back.
    expect(patched).toEqual({ guest: 4, stubs: 8, exits: 0 });
    for (const { guest, stubs } of [ported, patched]) expect(guest + stubs).toBeLessThanOrEqual(12);
  });

  test("takes two more where no pads leave room, in rewriting", async () => {
    expect(await pair(hutch, rewritingInline)).toEqual({ guest: 4, stubs: 10, exits: 0 });
  });
});

describe("the afterburned hutch on the bare machine", () => {
  test.each(["compute 2", "null-syscall 20", "context-switch 4"])(
    "executes in %s as many instructions as the original, and besides the pads of its sites as often as it comes to them",
    async (command) => {
      const original = await executedPath(hutch.running(command), null);
      const padded = await executedPath(hutchPre.running(command), null);
      expect([original.pads, padded.instructions]).toEqual([0, original.instructions]);
      expect(padded.pads).toBeGreaterThan(0);
      // Sites times how often each is come to, counted by marks at them, is what was seen step by step.
      expect((await countPads(small(hutchPre.running(command))))!.whole).toBe(padded.pads);
    },
  );

  test("executes at most 1.5 % more machine instructions in the laps of compute, pads included", async () => {
    const [original, padded] = [
      await executedPath(hutch.running("compute 3"), HUTCH_MARKS.compute),
      await executedPath(hutchPre.running("compute 3"), HUTCH_MARKS.compute),
    ];
    expect(original.laps).toBe(3);
    expect((padded.instructions + padded.pads) / original.instructions).toBeLessThanOrEqual(1.015);
  });

  test("has no pads to count where no afterburner was at work", async () => {
    expect(await countPads(small(hutch.running("true")))).toBeUndefined();
  });
});
