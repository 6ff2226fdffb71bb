import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Event, EventKind, EventOf } from "../../engine/event/mod.ts";
import { CAUSES } from "../comparison.ts";
import { sum, total } from "./counts.ts";
import { inOrder } from "./in-order.ts";
import { Pricing, priceRun } from "./price-run.ts";

/** An event with every field at nothing but those that are given. */
function at<K extends EventKind>(step: number, kind: K, fields: Partial<EventOf<K>> = {}): Event {
  return { ...BLANK, ...fields, kind, step, hart: 0 } as unknown as Event;
}
const BLANK = {
  cause: 0,
  pc: 0n,
  value: 0n,
  from: 0,
  to: 1,
  device: "uart",
  offset: 0,
  size: 1,
  bits: 0,
  count: 1,
  entries: 1,
  mode: 1,
  real: 0,
};

const exit = (step: number, reason: string, ...works: [string, number][]): Event[] => [
  at(step, "vmm.exit", { reason }),
  ...works.map(([work, count]) => at(step, "vmm.work", { work, count })),
  at(step, "vmm.resume", { mode: 1 }),
];
const price = Object.fromEntries(new Pricing(inOrder).prices.map(({ id, cycles }) => [id, cycles]));
const bareExit = price["trap.entry"]! + price["exit.save"]! + price["exit.restore"]! + price["trap.return"]!;

describe("pricing a run", () => {
  test("charges one cycle for each retired instruction, and none for a trap or an SBI call (T1)", () => {
    const run = priceRun([at(10, "guest.trap"), at(20, "guest.return"), at(30, "sbi"), at(40, "interrupt")], inOrder, {
      steps: 100,
    });
    expect(run.instructions).toBe(97);
    expect(run.byCause.guest).toBe(97);
    expect(run.byCause.trap).toBe(2 * price["trap.entry"]! + price["trap.return"]!);
    expect(run.byCause.syscall).toBe(bareExit + price["sbi.call"]!);
  });

  test("charges a trap that the VMM makes to its exit, not to the hardware", () => {
    const events = [at(10, "vmm.exit", { reason: "environment-call" }), at(10, "vmm.inject")];
    const run = priceRun([...events, at(10, "guest.trap"), at(10, "vmm.resume", { mode: 1 })], inOrder);
    expect(run.byCause.trap).toBe(0);
    expect(run.byCause.syscall).toBe(bareExit + price.inject!);
  });

  test.each([
    ["privileged-instruction", "privileged"],
    ["rewritten-site", "privileged"],
    ["code-access", "paging"],
    ["protected-access", "paging"],
    ["page-fault", "paging"],
    ["interrupt", "interrupt"],
    ["device-access", "device"],
    ["environment-call", "syscall"],
    ["hypercall", "syscall"],
    ["halt", "other"],
    ["toString", "other"],
  ] as const)("blames an exit for %s on %s", (reason, cause) => {
    const run = priceRun(exit(0, reason, ["decode", 1]), inOrder);
    expect(run.byCause[cause]).toBe(bareExit + price["work.decode"]!);
    expect(run.exits).toEqual({ total: 1, byReason: { [reason]: 1 } });
  });

  test("charges a return or an SBI call inside the VMM without the hardware's part, which its exit has", () => {
    const inside = (event: Event) => [at(9, "vmm.exit", { reason: "halt" }), event, at(9, "vmm.resume")];
    expect(priceRun(inside(at(9, "guest.return")), inOrder).byCause).toMatchObject({ trap: 0, other: bareExit });
    expect(priceRun(inside(at(9, "interrupt")), inOrder).byCause).toMatchObject({ trap: 0, other: bareExit });
    expect(priceRun(inside(at(9, "sbi")), inOrder).byCause).toMatchObject({
      syscall: 0,
      other: bareExit + price["sbi.call"]!,
    });
  });

  test("counts a hypercall as a step that retired nothing, and charges the work that it took", () => {
    const [begin, work, resume] = exit(9, "hypercall", ["call", 1]);
    const run = priceRun([begin!, work!, at(9, "hypercall"), resume!], inOrder, { steps: 20 });
    expect(run.instructions).toBe(19);
    expect(run.byCause.syscall).toBe(bareExit + price["work.call"]!);
  });

  test("charges a device's access on the bare machine and in the VMM alike", () => {
    const bare = priceRun([at(1, "device.read")], inOrder);
    expect(bare.byCause.device).toBe(price["device.access"]);
    const [begin, resume] = exit(1, "device-access");
    expect(priceRun([begin!, at(1, "device.write"), resume!], inOrder).byCause.device).toBe(
      bareExit + price["device.access"]!,
    );
  });

  test("charges a refill of the TLB with each switch of roots", () => {
    const run = priceRun([...exit(1, "privileged-instruction", ["root-switch", 1]), ...exit(2, "interrupt")], inOrder);
    expect(run.byCause.privileged).toBe(bareExit + price["work.root-switch"]! + price["tlb.refill"]!);
    expect(run.byCause.interrupt).toBe(bareExit);
  });

  test("charges what stubs ran to sensitive instructions, whatever exit it is logged in", () => {
    const inside = priceRun(exit(1, "device-access", ["stub", 7]), inOrder);
    expect([inside.byCause.privileged, inside.byCause.device]).toEqual([7 * price["work.stub"]!, bareExit]);
    const outside = priceRun([at(1, "vmm.work", { work: "stub", count: 5 })], inOrder);
    expect(outside.byCause.privileged).toBe(5 * price["work.stub"]!);
  });

  test("takes the resume that starts the guest, which no exit precedes, and only that one", () => {
    expect(priceRun([at(0, "vmm.resume")], inOrder).byCause.other).toBe(price["exit.restore"]! + price["trap.return"]!);
    expect(() => priceRun([at(0, "vmm.resume"), ...exit(1, "halt"), at(2, "vmm.resume")], inOrder)).toThrow(
      /the guest was running/,
    );
  });

  test("charges each dropped shadow entry, and one fence", () => {
    const run = priceRun([at(1, "shadow.drop", { cause: "satp", entries: 7 })], inOrder);
    expect(run.byCause.paging).toBe(7 * price["shadow.drop"]! + price.sfence!);
  });

  test("keeps the guest's cause the same under a technique that adds exits", () => {
    const native = priceRun([at(10, "guest.trap"), at(50, "guest.return")], inOrder, { steps: 99 });
    const full = priceRun(
      [...exit(5, "page-fault"), at(10, "guest.trap"), ...exit(20, "halt"), at(50, "guest.return")],
      inOrder,
      { steps: 99 },
    );
    expect(full.byCause.guest).toBe(native.byCause.guest);
    expect(full.total).toBeGreaterThan(native.total);
  });

  test("takes a checkpoint's instret only if it is what the steps say", () => {
    expect(priceRun([at(10, "guest.trap"), at(20, "checkpoint", { instret: 19n })], inOrder).instructions).toBe(19);
    expect(() => priceRun([at(10, "guest.trap"), at(20, "checkpoint", { instret: 20n })], inOrder)).toThrow(
      /20 steps hold 1 traps, interrupts and SBI calls, the hart says instret 20$/,
    );
  });

  test.each<[string, Event[], RegExp]>([
    [
      "a kind of work with no price",
      exit(7, "halt", ["juggle", 1]),
      /^Cannot charge work\.juggle at step 7 as model "inOrder" has no such price: it has .*work\.decode/,
    ],
    ["steps that fall", [at(5, "mark", { code: 0 }), at(4, "mark", { code: 0 })], /at step 4 as steps never fall/],
    [
      "an exit inside an exit",
      [at(5, "vmm.exit", { reason: "halt" }), at(6, "vmm.exit", { reason: "halt" })],
      /still works on halt since step 5/,
    ],
    ["a resume with no exit", [...exit(4, "halt"), at(5, "vmm.resume")], /the guest was running/],
  ])("refuses %s", (_, events, message) => {
    expect(() => priceRun(events, inOrder)).toThrow(message);
  });

  test("refuses a price for a kind of event that the log does not record, and names it", () => {
    const kinds: EventKind[] = ["guest.trap", "interrupt", "sbi", "guest.return"];
    expect(() => priceRun([], inOrder, { kinds })).toThrow(
      /^Cannot charge sfence as .* this log records no shadow\.drop$/,
    );
  });

  test("refuses a run that is shorter than its events, and events after its end", () => {
    expect(() => priceRun([at(9, "mark", { code: 0 })], inOrder, { steps: 8 })).toThrow(/one is at step 9/);
    const pricing = new Pricing(inOrder);
    pricing.finish();
    expect(() => pricing.add(at(1, "mark", { code: 0 }))).toThrow(TypeError);
  });
});

const REASONS = [
  "privileged-instruction",
  "page-fault",
  "interrupt",
  "device-access",
  "environment-call",
  "halt",
  "odd",
];
const WORKS = ["decode", "emulate", "walk-step", "shadow-fill", "root-switch", "copy", "scan", "patch", "device"];
const piece = fc.oneof(
  fc
    .constantFrom<EventKind>(
      "guest.trap",
      "guest.return",
      "interrupt",
      "sbi",
      "device.read",
      "dma",
      "idle",
      "device.path",
    )
    .map((kind) => [{ kind }]),
  fc.integer({ min: 0, max: 0x4ff }).map((code) => [{ kind: "mark", code }]),
  fc
    .tuple(
      fc.constantFrom(...REASONS),
      fc.array(fc.tuple(fc.constantFrom(...WORKS), fc.nat(9)), { maxLength: 4 }),
      fc.constantFrom(0, 1),
    )
    .map(([reason, works, mode]) => [
      { kind: "vmm.exit", reason },
      ...works.map(([work, count]) => ({ kind: "vmm.work", work, count })),
      { kind: "vmm.resume", mode },
    ]),
);
const log = fc.array(fc.tuple(fc.integer({ min: 1, max: 50 }), piece), { maxLength: 80 }).map((pieces) => {
  let step = 0;
  return pieces.flatMap(([gap, events]) => {
    step += gap;
    return events.map(({ kind, ...fields }: { kind: string }) => at(step, kind as EventKind, fields as Partial<Event>));
  });
});
const overrides = fc.dictionary(
  fc.constantFrom(...inOrder.prices.map((row) => row.id)),
  fc.double({ min: 0, max: 1e6, noNaN: true }),
  { maxKeys: 4 },
);

describe("any run, under any prices", () => {
  test("costs exactly the sum of its causes, within its band, with no NaN anywhere", () => {
    fc.assert(
      fc.property(log, overrides, (events, set) => {
        const run = priceRun(events, inOrder, { overrides: set });
        for (const cycles of [run, ...run.byMark.map((mark) => mark.cycles)]) {
          expect(cycles.total).toBe(CAUSES.reduce((cycles_, cause) => cycles_ + cycles.byCause[cause], 0));
          expect(cycles.total).toBe(total(cycles.byCause));
          expect(cycles.low).toBeLessThanOrEqual(cycles.total * (1 + 1e-12));
          expect(cycles.high).toBeGreaterThanOrEqual(cycles.total * (1 - 1e-12));
          for (const value of [cycles.low, cycles.high, ...Object.values(cycles.byCause)])
            expect(Number.isFinite(value)).toBe(true);
        }
        expect(run.exits.total).toBe(Object.values(run.exits.byReason).reduce((count, of) => count + of, 0));
        const { total: all, low, high, byCause } = run;
        expect(sum(run.pricedBy, new Pricing(inOrder, { overrides: set }).prices)).toEqual({
          total: all,
          low,
          high,
          byCause,
        });
      }),
      { numRuns: 150 },
    );
  });

  test("costs the same however its log is cut into pieces", () => {
    fc.assert(
      fc.property(log, fc.array(fc.nat(80)), (events, cuts) => {
        const pricing = new Pricing(inOrder, { overrides: { "trap.entry": 0.1, alu: 0.7 } });
        const places = [0, ...cuts.map((cut) => Math.min(cut, events.length)).sort((a, b) => a - b), events.length];
        places.slice(1).forEach((end, index) => {
          for (const event of events.slice(places[index], end)) pricing.add(event);
        });
        expect(pricing.finish()).toEqual(priceRun(events, inOrder, { overrides: { "trap.entry": 0.1, alu: 0.7 } }));
      }),
      { numRuns: 80 },
    );
  });

  test("costs nothing where every price is nothing, and twice as much where every price is doubled", () => {
    const scaled = (factor: number) =>
      Object.fromEntries(inOrder.prices.map((row) => [row.id, price[row.id]! * factor]));
    fc.assert(
      fc.property(log, (events) => {
        expect(priceRun(events, inOrder, { overrides: scaled(0) }).total).toBe(0);
        expect(priceRun(events, inOrder, { overrides: scaled(2) }).total).toBe(2 * priceRun(events, inOrder).total);
      }),
      { numRuns: 50 },
    );
  });
});
