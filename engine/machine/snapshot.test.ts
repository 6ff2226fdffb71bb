import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { BASE, boot, guestEvents, SHUTDOWN, setTimer, x } from "../boot.fixture.ts";
import { createMachine } from "../create.ts";
import { assemble } from "../isa/assemble.ts";
import { strict } from "../isa/profile.ts";
import { full } from "../techniques/full.ts";
import { native } from "../techniques/native.ts";
import type { Technique } from "../vmm/technique.ts";
import type { Machine } from "./machine.ts";

const kernel = readFileSync(new URL("../../experiments/guests/hutch/prebuilt/hutch.elf", import.meta.url));
const disk = readFileSync(new URL("../../experiments/guests/hutch/prebuilt/hutch.elf", import.meta.url)).subarray(
  0,
  65_536,
);

function hutch(append: string, technique: Technique): Machine {
  return createMachine({
    kernel,
    append,
    disk,
    memoryBytes: 16 << 20,
    rtcSeconds: 0,
    machineMode: false,
    profile: strict,
    technique,
    logging: true,
  });
}

const techniques = [native, full];
const pairs = techniques.flatMap((from) =>
  techniques.map((to) => ({ from, to, names: `${from.name}, then ${to.name}` })),
);

/** Where two states differ first; -1 where they do not. */
function difference(left: Uint8Array, right: Uint8Array): number {
  return left.length === right.length
    ? left.findIndex((byte, at) => byte !== right[at])
    : Math.min(left.length, right.length);
}

describe("a snapshot", () => {
  test.each(techniques)(
    "under $name gives the same bytes when it is saved, loaded and saved again, wherever it is taken",
    (technique) => {
      const machine = hutch("timer-tick 3", technique);
      const other = hutch("timer-tick 3", technique);
      for (const step of [0, 1, 997, 20_011, 50_021, 90_001]) {
        machine.run(step);
        const state = machine.save();
        other.load(state);
        expect(difference(other.save(), state), `step ${step}`).toBe(-1);
        expect(other.digest(), `step ${step}`).toEqual(machine.digest());
        // Saving and loading change nothing in the machine itself.
        machine.load(state);
        expect(difference(machine.save(), state), `step ${step}`).toBe(-1);
      }
    },
  );

  test.each(pairs)("goes on as the run that was never interrupted: $names", ({ from, to }) => {
    const cut = hutch("fork-exec 1", from);
    const whole = hutch("fork-exec 1", native);
    for (const step of [12_345, 33_333, 61_001]) {
      cut.run(step);
      whole.run(step);
      const rest = hutch("compute 1", to);
      rest.load(cut.save());
      guestEvents(whole);
      for (const distance of [1, 500, 9000]) {
        expect(rest.run(step + distance)).toEqual(whole.run(step + distance));
        expect(rest.digest(), `${distance} behind step ${step}`).toEqual(whole.digest());
      }
      expect(guestEvents(rest)).toEqual(guestEvents(whole));
    }
  });

  test.each(techniques)(
    "under $name keeps a timer that runs, a request in flight, input that waits and what was printed",
    (technique) => {
      // Asks the disk for its ID, prints, sets a timer, and waits: the input comes first, then the ID, then the timer.
      const register = (offset: number, value: number | string) => `li t1, ${value}\nsw t1, ${offset}(t0)\n`;
      const descriptor = (n: number, address: string, flagsAndLength: string) =>
        `li t1, ${address}\nsd t1, ${16 * n}(t2)\nli t1, ${flagsAndLength}\nsd t1, ${16 * n + 8}(t2)\n`;
      const source = `
      li t0, 0x10001000
      ${register(0x70, 3)}${register(0x24, 1)}${register(0x20, 1)}${register(0x70, 11)}${register(0x38, 8)}
      ${register(0x80, "0x80280000")}${register(0x90, "0x80281000")}${register(0xa0, "0x80282000")}${register(0x44, 1)}${register(0x70, 15)}
      li t2, 0x80284000
      li t1, 8
      sd t1, 0(t2)
      li t2, 0x80280000
      ${descriptor(0, "0x80284000", "0x1000100000010")}
      ${descriptor(1, "0x80283000", "0x2000300000014")}
      ${descriptor(2, "0x80283100", "0x200000001")}
      li t2, 0x80281000
      li t1, 1
      sh t1, 2(t2)
      sw x0, 0x50(t0)
      ${setTimer(700)}
      li a0, 0x4b
      li a7, 0x4442434e
      li a6, 2
      ecall
      li t1, 0x20
      csrw sie, t1
    wait:
      wfi
      li t0, 0x10000000
      lb s2, 0(t0)
      li t0, 0x80283000
      ld s3, 0(t0)
      csrr s4, sip
      ${SHUTDOWN}`;
      const wait = BigInt(assemble(source, { base: BASE }).labels.get("wait")!);
      const options = { technique, disk: new Uint8Array(512) };
      const machine = boot(source, options);
      machine.inputAt(4000, Uint8Array.of(0x41));
      while (machine.parts.platform.hart.pc !== wait) machine.run(machine.step + 1);
      expect(machine.time).toBeLessThan(500);
      expect([machine.waitingInputs, machine.console]).toEqual([1, Uint8Array.of(0x4b)]);
      const rest = boot("j .", options);
      rest.load(machine.save());
      expect([rest.waitingInputs, rest.console]).toEqual([1, Uint8Array.of(0x4b)]);
      for (const one of [machine, rest]) {
        expect(one.run(1000)).toEqual({ kind: "end", reason: "poweroff", code: 0 });
        expect(x(one, 18)).toBe(0x41n);
        expect(x(one, 19)).toBe(
          BigInt(new DataView(new TextEncoder().encode("trapline").buffer).getBigUint64(0, true)),
        );
        expect(x(one, 20)).toBe(0x20n);
      }
      expect(rest.digest()).toEqual(machine.digest());
    },
  );

  test("of a guest that has ended is of a guest that has ended, and one of a running guest is not", () => {
    const machine = boot(SHUTDOWN);
    const start = machine.save();
    const over = machine.run(100);
    expect(over).toEqual({ kind: "end", reason: "poweroff", code: 0 });
    const ended = machine.save();
    const other = boot("j .");
    other.load(ended);
    expect(other.run(200)).toEqual(over);
    other.load(start);
    expect([other.end, other.step]).toEqual([undefined, 0]);
    expect(other.run(3)).toEqual({ kind: "until" });
  });

  test("forgets why the machine stopped before", () => {
    const machine = boot(`slti x0, x0, 0x105\nli a0, 75\nli a7, 0x4442434e\nli a6, 2\necall\nj .`);
    const start = machine.save();
    machine.run(50);
    machine.load(start);
    machine.stopAtMarks = true;
    machine.stopAtConsole = true;
    expect(machine.run(0)).toEqual({ kind: "until" });
    expect(machine.run(50)).toEqual({ kind: "mark", code: 0x105 });
    expect(machine.run(50)).toEqual({ kind: "console" });
    expect(machine.run(50)).toEqual({ kind: "until" });
  });

  test("restores code that was run: what is decoded follows", () => {
    const machine = boot(
      "li t0, 0x80280000\nli t1, 0x00150513\nsw t1, 0(t0)\nli t1, 0x8067\nsw t1, 4(t0)\nloop: jalr t0\nj loop",
      {
        tier: "jit",
        threshold: 2,
      },
    );
    machine.run(9);
    const early = machine.save();
    // Later the same place holds another instruction, and has run so often that it is compiled.
    machine.parts.platform.deviceMemory("test").write(0x8028_0000n, Uint8Array.of(0x13, 0x05, 0x35, 0x00));
    machine.run(3000);
    machine.load(early);
    machine.parts.platform.hart.x[10] = 0n;
    machine.run(machine.step + 40);
    expect(x(machine, 10)).toBe(10n);
  });

  test("that is cut, of another machine, or no snapshot at all is refused", () => {
    const machine = boot("j .");
    const state = machine.save();
    for (const length of [0, 7, 8, 100, state.length - 1]) {
      expect(() => boot("j .").load(state.subarray(0, length)), `${length} bytes`).toThrow(
        /^Cannot load a snapshot as /,
      );
    }
    expect(() => boot("j .").load(state.map((byte) => byte ^ 0x55))).toThrow(RangeError);
    const kernel = assemble("j .", { base: BASE }).bytes;
    const larger = createMachine({
      kernel,
      memoryBytes: 8 << 20,
      rtcSeconds: 0,
      machineMode: false,
      profile: strict,
      technique: native,
      logging: false,
    });
    expect(() => larger.load(state)).toThrow(
      "Cannot load a snapshot as it must be of a machine with 8388608 bytes of memory: it is not",
    );
  });
});
