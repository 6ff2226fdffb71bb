import { describe, expect, test } from "vitest";
import { elfSections, readSites, SITE_SECTION } from "../../engine/mod.ts";
import { type Guest, hutch, hutchPre } from "../guests/mod.ts";
import { record } from "../record.ts";

const { kernel } = await hutchPre.running("true").load();
const padded = readSites(elfSections(kernel, "hutch-pre").find(({ name }) => name === SITE_SECTION)!.bytes).filter(
  ({ padding }) => padding > 0,
);
const LAP = 3 << 8;

/** What a workload executes on the bare machine: instructions that retire, and pads besides. */
async function executed(guest: Guest): Promise<{ readonly instret: number; readonly pads: number }> {
  const marks = guest.binary === "hutch-pre" ? padded : [];
  const tape = await record({
    guest: {
      ...guest,
      memoryBytes: 16 << 20,
      marks: {},
      addressMarks: Object.fromEntries(marks.map(({ address }, index) => [`m${index}`, `0x${address.toString(16)}`])),
    },
  });
  const ids = new Map(tape.trace().header.marks.map(({ id, name }) => [id, name]));
  let pads = 0;
  for (const event of tape.events()) {
    if (event.kind !== "mark" || (event.code & 0xf00) !== LAP) continue;
    const name = ids.get(event.code & 0xff);
    if (name !== undefined) pads += marks[Number(name.slice(1))]!.padding / 4;
  }
  return { instret: tape.instret, pads };
}

describe("the afterburned hutch on the bare machine", () => {
  test("executes at most 1.5 % more machine instructions on compute, pads included", async () => {
    const [original, annotated] = [
      await executed(hutch.running("compute 5")),
      await executed(hutchPre.running("compute 5")),
    ];
    expect(annotated.pads).toBeGreaterThan(0);
    expect((annotated.instret + annotated.pads) / original.instret).toBeLessThanOrEqual(1.015);
  });

  test.each(["null-syscall 50", "context-switch 20", "irq-toggle 50", "timer-tick 3", "page-fault 20", "disk-read 2"])(
    "does the same work on %s: what it executes more is the pads at its sites",
    async (command) => {
      const [original, annotated] = [await executed(hutch.running(command)), await executed(hutchPre.running(command))];
      expect(annotated.instret).toBe(original.instret);
      expect(annotated.pads).toBeGreaterThan(0);
    },
  );
});
