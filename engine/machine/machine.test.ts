import { describe, expect, test } from "vitest";
import { boot, guestEvents, HANDLER, NOTING_TRAPS, PAGING, SHUTDOWN, setTimer, x } from "../boot.fixture.ts";
import { full } from "../techniques/full.ts";
import { native } from "../techniques/native.ts";
import type { Machine } from "./machine.ts";

/** Counts, stores, traps and sleeps, for ever. */
const BUSY = `${NOTING_TRAPS}${PAGING}li s0, 0x80280000
loop:
  addi s1, s1, 1
  sd s1, 0(s0)
  ld s2, 0(s0)
  amoadd.d s3, s1, (s0)
  ebreak
  csrw sscratch, s1
  fence
  j loop
${HANDLER}`;

describe("a run", () => {
  test("stops at a whole number of steps, and at no other", () => {
    const machine = boot("j .");
    for (const until of [0.5, Number.NaN, Number.NEGATIVE_INFINITY])
      expect(() => machine.run(until)).toThrow(`Cannot run as a stop must be a whole number of steps: ${until}`);
    expect(machine.run(10)).toEqual({ kind: "until" });
    expect(machine.run(5)).toEqual({ kind: "until" });
    expect(machine.step).toBe(10);
    expect(boot(SHUTDOWN).run(Number.POSITIVE_INFINITY)).toEqual({ kind: "end", reason: "poweroff", code: 0 });
  });

  test("takes input at a whole guest time, and not at any other", () => {
    const machine = boot("j .");
    for (const time of [1.5, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => machine.inputAt(time, Uint8Array.of(1))).toThrow(
        `Cannot take input as guest time is a whole number: ${time}`,
      );
    expect(machine.waitingInputs).toBe(0);
  });

  test("that has ended stays ended, at its step", () => {
    const machine = boot(`nop\n${SHUTDOWN}`);
    const over = machine.run(1000);
    const { step } = machine;
    expect(over).toMatchObject({ kind: "end", reason: "poweroff" });
    expect([machine.run(2000), machine.run(0)]).toEqual([over, over]);
    machine.input(Uint8Array.of(1));
    expect([machine.run(3000), machine.step]).toEqual([over, step]);
  });

  test.each([native, full])(
    "under $name, waits for input that wakes the guest, and goes on behind its wfi",
    (technique) => {
      // Priority, enable and threshold of the UART's source 10 for the supervisor; the UART's own enable; sie.
      const machine = boot(
        `li t0, 0xc000028\nli t1, 1\nsw t1, 0(t0)\nli t0, 0xc002080\nli t1, 0x400\nsw t1, 0(t0)\nli t0, 0x10000000\nli t1, 1\nsb t1, 1(t0)\nli t1, 0x200\ncsrw sie, t1\nwfi\nlb s2, 0(t0)\n${SHUTDOWN}`,
        { technique },
      );
      expect(machine.run(1000)).toEqual({ kind: "waiting" });
      const { step, time } = machine;
      expect(machine.run(1000)).toEqual({ kind: "waiting" });
      expect([machine.step, machine.time]).toEqual([step, time]);
      machine.input(Uint8Array.of(0x5a));
      expect(machine.run(1000)).toMatchObject({ kind: "end" });
      expect(x(machine, 18)).toBe(0x5an);
      expect(guestEvents(machine).map(({ kind }) => kind)).toContain("input.console");
    },
  );

  test.each([native, full])("under $name, does not go beyond the step at which something comes due", (technique) => {
    const source = `${setTimer(20)}li t0, 0x20\ncsrw sie, t0\nla t0, late\ncsrw stvec, t0\ncsrsi sstatus, 2\nloop: j loop\n.align 2\nlate: rdcycle s2\n${SHUTDOWN}`;
    const machine = boot(source, { technique });
    machine.run(100_000);
    // The interrupt is the step at guest time 200, and the handler's first instruction the one behind it.
    expect(x(machine, 18)).toBe(201n);
  });
});

describe("T22: two runs are compared by what each has computed", () => {
  const STOPS = [100, 101, 250, 1000, 1777];
  /** Digests at the stops, with a change made behind the guest's back at one step. */
  function digests(technique: typeof native, change: (machine: Machine) => void = () => {}, atStep = 200): string[] {
    const machine = boot(BUSY, { technique, memoryBytes: 4 << 20 });
    let changed = false;
    return STOPS.map((stop) => {
      if (!changed && stop >= atStep) {
        machine.run(atStep);
        change(machine);
        changed = true;
      }
      machine.run(stop);
      const { low, high } = machine.digest();
      return `${machine.step} ${low.toString(16)} ${high.toString(16)}`;
    });
  }
  const expected = digests(native);

  test("the same at every stop where nothing was changed, and no two stops alike", () => {
    expect(digests(full)).toEqual(expected);
    expect(digests(native)).toEqual(expected);
    expect(new Set(expected).size).toBe(STOPS.length);
  });

  const changes: Record<string, (machine: Machine) => void> = {
    "one bit of a register": ({ parts }) => {
      parts.platform.hart.x[9]! ^= 1n;
    },
    "one bit of RAM that nobody reads": ({ parts }) => parts.platform.memory.write(0x8003_0001, 1, 0x10n),
    "one bit of a CSR": ({ parts }) => parts.platform.guest.write(0x105, parts.platform.guest.word(0x105) ^ 0x100, 0),
    "one bit of an f register": ({ parts }) => {
      parts.platform.hart.f[31]! ^= 1n << 40n;
    },
    "a field of a device": ({ parts }) => {
      parts.platform.bus.write(0x1000_0007, 1, 1n);
    },
    "an instruction too early": ({ parts }) => parts.platform.position.retire(1),
    "an instruction skipped": ({ parts }) => {
      parts.platform.hart.pc += 4n;
    },
    "a leaf forgotten": ({ parts }) =>
      parts.execution.translations.restore(parts.execution.translations.entries().slice(4)),
    "a deadline": ({ parts }) => {
      const { schedule } = parts.platform;
      schedule.load(schedule.save().fill(2 ** 40));
    },
    "a byte of output": ({ parts }) => parts.platform.print(Uint8Array.of(10)),
  };
  test.each(
    [native, full].flatMap((technique) =>
      Object.keys(changes).map((what) => ({ what, technique, name: technique.name })),
    ),
  )("under $name, $what is noticed at the next stop, and not before", ({ what, technique }) => {
    const found = digests(technique, changes[what]);
    expect(found.slice(0, 2)).toEqual(expected.slice(0, 2));
    expect(found[2]).not.toBe(expected[2]);
  });
  test("a run that is skipped is noticed", () => {
    const machine = boot(BUSY);
    const { low, high } = machine.digest();
    expect(expected).not.toContain(`${machine.step} ${low.toString(16)} ${high.toString(16)}`);
  });
});
