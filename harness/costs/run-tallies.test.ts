import { describe, expect, test } from "vitest";
import type { Event } from "../../engine/event/mod.ts";
import { RunCounter } from "./run-tallies.ts";

const at = (step: number) => ({ step, hart: 0 });
const mark = (step: number, code: number): Event => ({ kind: "mark", ...at(step), code });
const exit = (step: number, reason: string, pc: bigint, bits = 0): Event => ({
  kind: "vmm.exit",
  ...at(step),
  reason,
  pc,
  bits,
});
const resume = (step: number, mode: number): Event => ({ kind: "vmm.resume", ...at(step), mode, real: 0 });
const work = (step: number, what: string, count: number): Event => ({
  kind: "vmm.work",
  ...at(step),
  work: what,
  count,
});
const fault = (step: number): Event => ({
  kind: "guest.trap",
  ...at(step),
  cause: 13,
  pc: 0x10n,
  value: 0n,
  from: 0,
  to: 1,
});

function counted(events: readonly Event[], steps: number) {
  const counter = new RunCounter({ 1: "syscall" });
  for (const event of events) counter.add(event);
  return counter.finish(steps, { place: (pc) => `at ${pc}`, instruction: (bits) => `bits ${bits}` });
}

describe("counts of a run", () => {
  test("tell what the hardware did from what the VMM did, and a hidden fault from one that the guest sees", () => {
    const { whole } = counted(
      [
        resume(0, 1),
        exit(5, "page-fault", 0x20n),
        work(5, "shadow-fill", 2),
        resume(5, 1),
        exit(6, "page-fault", 0x24n),
        fault(6),
        resume(7, 1),
        fault(9),
        exit(12, "privileged-instruction", 0x28n, 0x73),
        resume(13, 0),
        exit(14, "environment-call", 0x10n),
        resume(14, 1),
      ],
      20,
    );
    expect(whole.instructions).toBe(18);
    expect(whole.counts).toEqual({
      "guest.trap by the hardware": 1,
      "vmm.exit": 4,
      "vmm.resume": 5,
      "work shadow-fill": 2,
    });
    expect(whole.sites).toEqual([
      { reason: "environment-call", hidden: false, pc: "0x10", place: "user", instruction: "", count: 1 },
      { reason: "page-fault", hidden: true, pc: "0x20", place: "at 32", instruction: "", count: 1 },
      { reason: "page-fault", hidden: false, pc: "0x24", place: "at 36", instruction: "", count: 1 },
      {
        reason: "privileged-instruction",
        hidden: false,
        pc: "0x28",
        place: "at 40",
        instruction: "bits 115",
        count: 1,
      },
    ]);
  });

  test("are cut at the guest's marks, as the bill is", () => {
    const call = (step: number): Event[] => [exit(step, "environment-call", 0x10n), resume(step, 1)];
    const { marks, whole } = counted(
      [resume(0, 1), ...call(1), mark(2, 0x101), ...call(4), mark(6, 0x301), ...call(8), mark(9, 0x301), ...call(11), mark(12, 0x201)],
      15,
    ); // biome-ignore format: a run
    expect(marks.syscall).toMatchObject({ instructions: 7, counts: { "vmm.exit": 2, "vmm.resume": 2 }, more: 0 });
    expect(whole.counts["vmm.exit"]).toBe(4);
  });

  test("keep every place but those of hidden faults, of which they keep the busiest", () => {
    const events = Array.from({ length: 40 }, (_, place) => [
      ...Array.from({ length: place + 1 }, () => [exit(1, "page-fault", BigInt(place)), resume(1, 1)]).flat(),
      exit(1, "rewritten-site", BigInt(place)),
      resume(1, 1),
    ]).flat();
    const { whole } = counted([resume(0, 1), ...events], 1);
    const hidden = whole.sites.filter((site) => site.hidden);
    expect([hidden.length, hidden[0]!.count, hidden.at(-1)!.count]).toEqual([16, 40, 25]);
    expect(whole.sites.length - hidden.length).toBe(40);
    expect(whole.more).toBe((24 * 25) / 2);
  });
});
