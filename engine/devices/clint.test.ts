/** Offsets and rules are those of the FU540-C000 manual, chapter 9. */
import { expect, test } from "vitest";
import { BusError } from "../machine/device.ts";
import { Clint } from "./clint.ts";

function bench() {
  const line = () => ({
    asserted: false,
    set(level: boolean) {
      this.asserted = level;
    },
  });
  const software = line();
  const timer = line();
  const time = { now: 0, due: null as number | null };
  const clock = {
    now: () => time.now,
    schedule: (at: number | null) => {
      time.due = at;
    },
  };
  const clint = new Clint({ clock, software, timer, stepsPerTick: 10 });
  return { clint, software, timer, time };
}

test("msip raises and drops the software interrupt, and holds one bit", () => {
  const { clint, software } = bench();
  clint.write(0, 4, 0xffff_ffffn);
  expect(software.asserted).toBe(true);
  expect(clint.read(0, 4)).toBe(1n);
  clint.write(0, 4, 2n);
  expect(software.asserted).toBe(false);
});

test("mtime counts one tick every 10 steps, readable whole and by halves", () => {
  const { clint, time } = bench();
  time.now = 0x1_2345_6789 * 10 + 9;
  expect(clint.read(0xbff8, 8)).toBe(0x1_2345_6789n);
  expect(clint.read(0xbff8, 4)).toBe(0x2345_6789n);
  expect(clint.read(0xbffc, 4)).toBe(1n);
});

test("the timer interrupt comes at the first step of the tick, and goes when mtimecmp moves on", () => {
  const { clint, timer, time } = bench();
  time.now = 55;
  clint.write(0x4000, 8, 7n);
  expect(timer.asserted).toBe(false);
  expect(time.due).toBe(70);
  time.now = 70;
  clint.due();
  expect(timer.asserted).toBe(true);
  expect(time.due).toBeNull();
  clint.write(0x4000, 8, 8n);
  expect(timer.asserted).toBe(false);
  expect(time.due).toBe(80);
});

test("a compare value in the past interrupts at once, and the largest never", () => {
  const { clint, timer, time } = bench();
  time.now = 1000;
  clint.write(0x4000, 8, 3n);
  expect(timer.asserted).toBe(true);
  clint.write(0x4000, 8, 0xffff_ffff_ffff_ffffn);
  expect(timer.asserted).toBe(false);
  expect(time.due).toBeNull();
});

test("a 4-byte store changes half of mtimecmp", () => {
  const { clint } = bench();
  clint.write(0x4000, 8, 0x1111_1111_2222_2222n);
  clint.write(0x4004, 4, 0x3333_3333n);
  expect(clint.read(0x4000, 8)).toBe(0x3333_3333_2222_2222n);
  clint.write(0x4000, 4, 0x4444_4444n);
  expect(clint.read(0x4000, 8)).toBe(0x3333_3333_4444_4444n);
});

test("mtimecmp is 0 at the start and after a reset, so the timer interrupt is pending, as on QEMU", () => {
  const { clint, timer, software } = bench();
  expect(timer.asserted).toBe(true);
  clint.write(0x4000, 8, 99n);
  clint.write(0, 4, 1n);
  clint.reset();
  expect([timer.asserted, software.asserted]).toEqual([true, false]);
});

test("a store to mtime moves it, and the deadline with it", () => {
  const { clint, time } = bench();
  time.now = 500;
  clint.write(0x4000, 8, 1_000n);
  expect(time.due).toBe(10_000);
  clint.write(0xbff8, 8, 990n);
  expect(clint.mtime).toBe(990n);
  expect(time.due).toBe(600);
  time.now = 600;
  expect(clint.read(0xbff8, 8)).toBe(1_000n);
});

test("mtime wraps at 2^64", () => {
  const { clint, time, timer } = bench();
  clint.write(0x4000, 8, 0xffff_ffff_ffff_ffffn);
  clint.write(0xbff8, 8, 0xffff_ffff_ffff_fffen);
  expect(time.due).toBe(10);
  time.now = 10;
  clint.due();
  expect(timer.asserted).toBe(true);
  time.now = 20;
  expect(clint.mtime).toBe(0n);
});

test("registers of other harts read 0 and ignore writes", () => {
  const { clint, software } = bench();
  clint.write(4, 4, 1n);
  clint.write(0x4008, 8, 5n);
  expect(software.asserted).toBe(false);
  expect([clint.read(4, 4), clint.read(0x4008, 8), clint.read(0x8000, 4)]).toEqual([0n, 0n, 0n]);
});

test.each([
  [0, 1],
  [0, 2],
  [2, 4],
  [0x4004, 8],
])("an access at %i of %i bytes reaches no register", (offset, size) => {
  const { clint } = bench();
  expect(() => clint.read(offset, size)).toThrow(BusError);
  expect(() => clint.write(offset, size, 0n)).toThrow(BusError);
});
