/** The small kernels of the worked examples: what they do under each technique, and that they notice what they are there to notice. */
import { describe, expect, test } from "vitest";
import { type Event, eventsOf } from "../../engine/event/mod.ts";
import {
  createMachine,
  elfSections,
  full,
  type Machine,
  native,
  para,
  pre,
  readSites,
  regions,
  rewritingInline,
  rewritingTrap,
  SITE_SECTION,
  STATE_FIELDS,
  strict,
  symbolsOf,
  type Technique,
} from "../../engine/mod.ts";
import { inOrder } from "../costs/in-order.ts";
import { priceRun } from "../costs/price-run.ts";
import { record } from "../record.ts";
import { verify } from "../verify.ts";
import {
  ADDRESS_SPACE_MARKS,
  addressSpaceRemap,
  addressSpaceRemapAtOnce,
  addressSpaceSwitch,
  portedAddressSpaceSwitch,
} from "./address-space-switch.ts";
import type { Guest } from "./guest.ts";
import { INTERRUPT_FLAG_MARKS, interruptFlag, interruptFlagByCall, portedInterruptFlag } from "./interrupt-flag.ts";
import { KERNEL_BASE } from "./small-kernel.ts";

const LATE = 50;

interface Ran {
  readonly machine: Machine;
  readonly events: readonly Event[];
  readonly kernel: Uint8Array;
  /** Arguments of the user program's system calls. */
  readonly calls: readonly bigint[];
}
async function run(guest: Guest, technique: Technique, alter = (kernel: Uint8Array) => kernel): Promise<Ran> {
  const kernel = alter((await guest.load()).kernel);
  const profile = guest.binary!.startsWith("address") ? regions : strict;
  const machine = createMachine({
    kernel,
    memoryBytes: guest.memoryBytes!,
    rtcSeconds: 0,
    machineMode: false,
    profile,
    technique,
    logging: true,
  });
  const calls: bigint[] = [];
  machine.observe({ called: ({ x }) => calls.push(x[10]!), returned: () => {} });
  const events: Event[] = [];
  while (machine.run(machine.step + 5000).kind === "until" && machine.step < 200_000)
    events.push(...eventsOf(machine.log.drain()));
  events.push(...eventsOf(machine.log.drain()));
  return { machine, events, kernel, calls };
}
/** Per lap: exits, and machine instructions that the hart ran for the guest, stubs included. */
function perLap({ events }: Ran, marks: Readonly<Record<string, number>>, mark: string) {
  const names = Object.fromEntries(Object.entries(marks).map(([name, id]) => [id, name]));
  const { laps, exits, pricedBy } = priceRun(events, inOrder, { marks: names }).byMark.find(
    ({ name }) => name === mark,
  )!;
  const units = (id: string) => pricedBy.reduce((sum, { price, count }) => sum + (price === id ? count : 0), 0);
  return { laps, exits: exits.total / laps, instructions: (units("guest.instruction") + units("work.stub")) / laps };
}

const WAYS = [
  ["native", interruptFlag, native, 0, 0],
  ["full", interruptFlag, full, 2, 2],
  ["rewriting trap", interruptFlag, rewritingTrap, 2, 2],
  // What opens interrupts looks first, and leaves an interrupt that waits to the VMM.
  ["rewriting inline", interruptFlag, rewritingInline, 0, 1],
  ["pre", interruptFlag, pre, 0, 1],
  ["para, by stores", portedInterruptFlag(interruptFlag.workload), para, 0, 1],
  ["para, by calls", portedInterruptFlag(interruptFlagByCall.workload), para, 2, 1],
] as const;

describe("the interrupt flag", () => {
  test.each(WAYS)(
    "costs as many exits a pair, and with one that waits, as it must: %s",
    async (_, guest, technique, pair, late) => {
      const ran = await run(guest, technique);
      expect(ran.machine.end).toMatchObject({ reason: "poweroff", code: 0 });
      expect(perLap(ran, INTERRUPT_FLAG_MARKS, "pair")).toMatchObject({ laps: 1000, exits: pair });
      const waited = perLap(ran, INTERRUPT_FLAG_MARKS, "late");
      expect(waited.laps).toBe(LATE);
      // full and rewriting by traps count the exit of what opens, and the one of the handler's first sensitive instruction comes behind the lap.
      expect(waited.exits).toBe(late);
    },
  );

  test.each(WAYS.filter(([name]) => /pre|inline|stores/.test(name)))(
    "takes at most 12 machine instructions a pair: %s",
    async (_, guest, technique) => {
      expect(perLap(await run(guest, technique), INTERRUPT_FLAG_MARKS, "pair").instructions).toBeLessThanOrEqual(12);
    },
  );

  test.each(WAYS)(
    "lets no interrupt through while it is off, and each at the first boundary after: %s",
    async (_, guest, technique) => {
      const { events, kernel } = await run(guest, technique);
      const opened = symbolsOf(kernel, "kernel").get("opened");
      let waiting = false;
      let taken = 0;
      for (const event of events) {
        if (event.kind === "mark" && (event.code & 0xff) === INTERRUPT_FLAG_MARKS.late) {
          if (event.code >>> 8 === 1) waiting = true;
          else if (event.code >>> 8 === 2) expect(waiting, `step ${event.step}`).toBe(false);
        } else if (event.kind === "interrupt") {
          expect([waiting, event.pc], `step ${event.step}`).toEqual([true, opened]);
          waiting = false;
          taken++;
        }
      }
      expect(taken).toBe(LATE);
    },
  );

  test("is the same run on one binary, and the same to its user on the ports", async () => {
    for (const [guest, techniques] of [
      [interruptFlag, [full, rewritingTrap, rewritingInline, pre, para]],
      [interruptFlagByCall, [para]],
    ] as const) {
      const tape = await record({ guest });
      for (const technique of techniques) {
        const { identity } = await verify(tape, { technique });
        expect(identity, technique.name).toEqual({
          level: technique === para ? "observable" : "exact",
          equal: true,
          firstDifference: null,
        });
      }
    }
  });

  test("without the look at `pending` the wake-up is late, and the guest says so", async () => {
    const without = (kernel: Uint8Array): Uint8Array => {
      const out = kernel.slice();
      const view = new DataView(out.buffer);
      const look = (((STATE_FIELDS.pending.offset & 0xfff) << 20) | (4 << 12) | (6 << 7) | 3) >>> 0;
      let found = 0;
      for (let at = 0; at + 8 <= out.length; at += 4) {
        if (view.getUint32(at, true) !== look) continue;
        // beqz t1 becomes beqz zero, which is always taken.
        view.setUint32(at + 4, view.getUint32(at + 4, true) & ~(31 << 15), true);
        found++;
      }
      expect(found).toBe(4);
      return out;
    };
    const { machine } = await run(portedInterruptFlag(interruptFlag.workload), para, without);
    expect(machine.end).toMatchObject({ reason: "panic", code: 1 });
  });
});

describe("the switch of address spaces", () => {
  const ROWS = [
    [addressSpaceSwitch, 5, 1],
    [addressSpaceRemap, 9, 2],
    [addressSpaceRemapAtOnce, 9, 1],
  ] as const;

  test.each(ROWS)(
    "costs a trap for each write and fence, or as many calls as the port makes: $workload",
    async (guest, traps, calls) => {
      const ran = [
        await run(guest, native),
        await run(guest, full),
        await run(portedAddressSpaceSwitch(guest.workload), para),
      ];
      for (const { machine } of ran) expect(machine.end).toMatchObject({ reason: "poweroff", code: 0 });
      expect(ran.map((one) => perLap(one, ADDRESS_SPACE_MARKS, "switch").exits)).toEqual([0, traps, calls]);
      for (const one of ran) expect(perLap(one, ADDRESS_SPACE_MARKS, "switch").laps).toBe(200);
    },
  );

  test("the user sees the regions of one space and of the other in turn, and changed entries in theirs", async () => {
    const sum = (...values: readonly number[]) => values.reduce((all, value) => all * 32n + BigInt(value), 0n);
    const [first, second] = [sum(1, 2, 3, 4, 5), sum(9, 10, 11, 12, 13)];
    for (const [guest, technique] of [
      [addressSpaceSwitch, native],
      [addressSpaceSwitch, full],
      [portedAddressSpaceSwitch(addressSpaceSwitch.workload), para],
    ] as const) {
      const { calls } = await run(guest, technique);
      expect(calls.slice(0, 5)).toEqual([first, second, first, second, first]);
      expect(calls.length).toBe(209);
    }
    // The second region from the end shows its own frame, or that of the last one, in turns of two.
    const [moved, movedToo] = [sum(1, 2, 3, 5, 5), sum(9, 10, 11, 13, 13)];
    for (const guest of [addressSpaceRemap, addressSpaceRemapAtOnce]) {
      for (const ran of [
        await run(guest, native),
        await run(guest, full),
        await run(portedAddressSpaceSwitch(guest.workload), para),
      ])
        expect(ran.calls.slice(0, 8)).toEqual([first, second, moved, movedToo, first, second, moved, movedToo]);
    }
  });

  test("is the same run under full, and the same to its user on the port", async () => {
    for (const [guest] of ROWS) {
      const tape = await record({ guest, profile: "regions" });
      for (const technique of [full, para])
        expect((await verify(tape, { technique })).identity).toMatchObject({ equal: true });
    }
  });
});

describe("the file of a small kernel", () => {
  test("has its code, its labels, and a record of each sensitive instruction", async () => {
    const { kernel } = await interruptFlag.load();
    const sections = elfSections(kernel, "kernel");
    expect(sections.map(({ name, executable }) => [name, executable])).toEqual([
      ["", false],
      [".text", true],
      [SITE_SECTION, false],
      [".symtab", false],
      [".strtab", false],
      [".shstrtab", false],
    ]);
    expect(symbolsOf(kernel, "kernel").get("user")).toBe(BigInt(KERNEL_BASE + 0x1000));
    const sites = readSites(sections[2]!.bytes);
    const count = (name: string) => sites.filter(({ siteClass }) => siteClass === name).length;
    // Four of each kind in the two loops and around them, one of each on the way to user mode; and the two ways out of the kernel.
    expect([count("status-clear"), count("status-set"), count("trap-return"), count("wait")]).toEqual([5, 5, 2, 0]);
    expect(
      sites.every(({ treatment, padding, length }) => treatment === "annotated" && padding === 0 && length === 4),
    ).toBe(true);
  });
});
