import { describe, expect, test } from "vitest";
import type { Event } from "../../engine/event/mod.ts";
import { inOrder } from "./in-order.ts";
import { type PricingOptions, priceRun } from "./price-run.ts";

const [BEGIN, END, LAP] = [0x100, 0x200, 0x300];
const mark = (step: number, code: number): Event => ({ kind: "mark", step, hart: 0, code });
const trap = (step: number): Event => ({
  kind: "guest.trap",
  step,
  hart: 0,
  cause: 8,
  pc: 0n,
  value: 0n,
  from: 0,
  to: 1,
});
const back = (step: number): Event => ({ kind: "guest.return", step, hart: 0, pc: 0n, from: 1, to: 0 });
const exit = (step: number): Event[] => [
  { kind: "vmm.exit", step, hart: 0, reason: "page-fault", pc: 0n, bits: 0 },
  { kind: "vmm.resume", step, hart: 0, mode: 1, real: 0 },
];
const names = { marks: { 1: "syscall", 2: "switch" } };
const lapsOf = (events: Event[], options: PricingOptions = names) => priceRun(events, inOrder, options).byMark;

describe("laps", () => {
  test("run from the begin mark to the last lap mark: the loop's way out is none of them", () => {
    const [syscall] = lapsOf([mark(10, BEGIN | 1), mark(20, LAP | 1), mark(30, LAP | 1), mark(95, END | 1)]);
    expect(syscall).toMatchObject({ name: "syscall", laps: 2, steps: 20, cycles: { total: 20 } });
  });

  test("are one for each begin and end where the guest makes no lap marks", () => {
    const events = [mark(10, BEGIN | 1), mark(20, END | 1), mark(50, BEGIN | 1), mark(57, END | 1)];
    expect(lapsOf(events)).toMatchObject([{ laps: 2, steps: 17 }]);
  });

  test("hold the traps and exits inside them, and no others", () => {
    const [syscall] = lapsOf([
      trap(5),
      mark(10, BEGIN | 1),
      trap(12),
      ...exit(13),
      back(15),
      mark(20, END | 1),
      ...exit(25),
    ]);
    expect(syscall!.cycles.byCause).toMatchObject({ guest: 9, trap: 10 });
    expect(syscall!.exits).toEqual({ total: 1, byReason: { "page-fault": 1 } });
    expect(syscall!.cycles.byCause.paging).toBeGreaterThan(0);
  });

  test("of different names may overlap", () => {
    const events = [mark(0, BEGIN | 1), mark(10, BEGIN | 2), mark(20, END | 1), mark(40, END | 2)];
    expect(lapsOf(events).map(({ name, steps }) => [name, steps])).toEqual([
      ["syscall", 20],
      ["switch", 30],
    ]);
  });

  test("that the run's end cuts off are counted up to it", () => {
    expect(lapsOf([mark(10, BEGIN | 1), trap(30)])).toMatchObject([{ laps: 1, steps: 20 }]);
  });

  test("survive any order of marks that a guest chooses", () => {
    expect(lapsOf([mark(1, END | 1), mark(2, 0xfff), mark(3, 0)])).toEqual([]);
    expect(lapsOf([mark(5, LAP | 1), mark(9, LAP | 1)])).toMatchObject([{ laps: 1, steps: 4 }]);
    expect(lapsOf([mark(5, LAP | 1), trap(9)])).toEqual([]);
    expect(lapsOf([mark(5, LAP | 1), mark(9, END | 1)])).toEqual([]);
    expect(lapsOf([mark(5, BEGIN | 1), mark(6, BEGIN | 1), mark(9, END | 1)])).toMatchObject([{ laps: 1, steps: 4 }]);
  });

  test("are named by their number where the guest's descriptor has no name", () => {
    expect(lapsOf([mark(5, BEGIN | 9), mark(6, END | 9)], {})).toMatchObject([{ name: "mark-9" }]);
  });
});

describe("a timeline", () => {
  const sample = { ...names, sample: { mark: "syscall", laps: 2 } };
  const events = [
    mark(100, BEGIN | 1),
    trap(104),
    ...exit(106),
    back(108),
    mark(110, LAP | 1),
    mark(120, LAP | 1),
    trap(123),
    mark(130, LAP | 1),
  ];

  test("holds the first laps, from their begin, and nothing after them", () => {
    const { timeline } = priceRun([trap(3), back(7), ...events], inOrder, sample);
    expect(timeline).toEqual({
      mark: "syscall",
      laps: [10, 20],
      entries: [
        { step: 4, label: "ecall from U", cause: "trap", cycles: 5 },
        { step: 6, label: "page-fault", cause: "paging", cycles: 118 },
        { step: 8, label: "return", cause: "trap", cycles: 5 },
      ],
      modes: [
        { from: 0, to: 4, mode: 0 },
        { from: 4, to: 8, mode: 1 },
        { from: 8, to: 20, mode: 0 },
      ],
      dropped: 0,
    });
  });

  test("gives an exit the cycles of all its work", () => {
    const { timeline, byMark } = priceRun(events, inOrder, sample);
    expect(timeline!.entries[1]!.cycles).toBe(byMark[0]!.cycles.byCause.paging);
  });

  test("is null where the mark never began", () => {
    expect(priceRun([trap(1)], inOrder, sample).timeline).toBeNull();
  });

  test("stays small however much happens in a lap", () => {
    const many = Array.from({ length: 1000 }, (_, index) => trap(200 + index));
    const { timeline } = priceRun([mark(100, BEGIN | 1), ...many, mark(2000, LAP | 1)], inOrder, sample);
    expect(timeline!.entries.length + timeline!.dropped).toBe(1000);
    expect(timeline!.entries.length).toBe(400);
  });
});
