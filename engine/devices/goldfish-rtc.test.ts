/** Registers are those of GOLDFISH-VIRTUAL-HARDWARE.TXT; where it is silent, of QEMU 7.2's hw/rtc/goldfish_rtc.c. */
import { expect, test } from "vitest";
import { BusError } from "../machine/device.ts";
import { GoldfishRtc } from "./goldfish-rtc.ts";

const START_SECONDS = 1_735_689_600; // 2025-01-01T00:00:00Z

function bench() {
  const line = {
    asserted: false,
    set(level: boolean) {
      this.asserted = level;
    },
  };
  const time = { now: 0, due: null as number | null };
  const clock = {
    now: () => time.now,
    schedule: (at: number | null) => {
      time.due = at;
    },
  };
  const rtc = new GoldfishRtc({ line, clock, startSeconds: START_SECONDS, nanosecondsPerStep: 10 });
  const get = (offset: number): bigint => rtc.read(offset, 4);
  const put = (offset: number, value: bigint): void => rtc.write(offset, 4, value & 0xffff_ffffn);
  return {
    rtc,
    line,
    time,
    get,
    put,
    /** As Linux's goldfish_rtc_read_time: low first, which keeps the high half. */
    readTime: () => get(0) | (get(4) << 32n),
    setAlarm: (nanoseconds: bigint) => {
      put(0x0c, nanoseconds >> 32n);
      put(0x08, nanoseconds);
      put(0x10, 1n);
    },
  };
}

const START = BigInt(START_SECONDS) * 1_000_000_000n;

test("the date is the constant start plus guest time, 10 ns a step", () => {
  const { readTime, time } = bench();
  expect(readTime()).toBe(START);
  time.now = 123;
  expect(readTime()).toBe(START + 1230n);
});

test("both halves are of the moment at which the low one was read", () => {
  const { get, time } = bench();
  const low = get(0);
  time.now = 2 ** 40;
  expect(low | (get(4) << 32n)).toBe(START);
});

test("setting the date moves it on from there, high half first as Linux writes it", () => {
  const { put, readTime, time } = bench();
  time.now = 77;
  const date = 0x1234_5678_9abc_def0n;
  put(4, date >> 32n);
  put(0, date);
  expect(readTime()).toBe(date);
  time.now = 87;
  expect(readTime()).toBe(date + 100n);
});

test("an alarm interrupts at its own step, stays until it is cleared, and runs once", () => {
  const { rtc, setAlarm, get, put, line, time } = bench();
  setAlarm(START + 1001n);
  expect(get(0x18)).toBe(1n);
  expect(get(0x08) | (get(0x0c) << 32n)).toBe(START + 1001n);
  expect(time.due).toBe(101); // The first step at which the date is not before it.
  time.now = 101;
  rtc.due();
  expect(line.asserted).toBe(true);
  expect(get(0x18)).toBe(0n);
  put(0x1c, 1n);
  expect(line.asserted).toBe(false);
  expect(time.due).toBeNull();
});

test("an alarm in the past interrupts at once; masked, it waits for IRQ_ENABLED", () => {
  const { put, line, setAlarm } = bench();
  setAlarm(1n);
  expect(line.asserted).toBe(true);
  put(0x10, 0n);
  expect(line.asserted).toBe(false);
  put(0x10, 1n);
  expect(line.asserted).toBe(true);
});

test("a cleared alarm never comes", () => {
  const { setAlarm, put, get, time } = bench();
  setAlarm(START + 1000n);
  put(0x14, 1n);
  expect(get(0x18)).toBe(0n);
  expect(time.due).toBeNull();
});

test("moving the date moves the alarm's step", () => {
  const { setAlarm, put, time } = bench();
  setAlarm(START + 1000n);
  put(0, START + 500n);
  expect(time.due).toBe(50);
});

test("an alarm beyond all guest time is not asked for", () => {
  const { setAlarm, time } = bench();
  setAlarm(0xffff_ffff_ffff_ffffn);
  expect(time.due).toBeNull();
});

test("at the start and after a reset no alarm is set, none interrupts, and the date is guest time's again", () => {
  const { rtc, get, put, setAlarm, line, readTime } = bench();
  const registers = [0x04, 0x08, 0x0c, 0x10, 0x18];
  expect(registers.map(get)).toEqual(registers.map(() => 0n));
  setAlarm(0x1_0000_0001n);
  put(4, 1n);
  rtc.reset();
  expect(registers.map(get)).toEqual(registers.map(() => 0n));
  expect(line.asserted).toBe(false);
  expect(readTime()).toBe(START);
});

test.each([
  [0, 8],
  [0, 1],
  [2, 4],
])("an access at %i of %i bytes reaches no register", (offset, size) => {
  const { rtc } = bench();
  expect(() => rtc.read(offset, size)).toThrow(BusError);
  expect(() => rtc.write(offset, size, 0n)).toThrow(BusError);
});
