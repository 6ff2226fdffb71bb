import { expect, test } from "vitest";
import { BusError } from "../machine/device.ts";
import { TestFinisher } from "./test-finisher.ts";

function bench() {
  const ends: string[] = [];
  return { ends, finisher: new TestFinisher({ onFinish: (kind, code) => ends.push(`${kind} ${code}`) }) };
}

test.each([
  [0x5555n, "poweroff 0"],
  [0x7777n, "reboot 0"],
  [0x2a_3333n, "fail 42"],
  [0xffff_3333n, "fail 65535"],
  [0x3333n, "fail 0"],
])("a store of %i ends the run: %s", (value, end) => {
  const { ends, finisher } = bench();
  finisher.write(0, 4, value);
  expect(ends).toEqual([end]);
});

test("other values and other words end nothing, and all reads 0", () => {
  const { ends, finisher } = bench();
  finisher.write(0, 4, 0x1234n);
  finisher.write(4, 4, 0x5555n);
  expect(ends).toEqual([]);
  expect(finisher.read(0, 4)).toBe(0n);
});

test("takes 2 or 4 aligned bytes, as QEMU does", () => {
  const { ends, finisher } = bench();
  finisher.write(0, 2, 0x5555n);
  expect(ends).toEqual(["poweroff 0"]);
  for (const [offset, size] of [
    [0, 1],
    [0, 8],
    [2, 4],
  ] as const) {
    expect(() => finisher.read(offset, size)).toThrow(BusError);
    expect(() => finisher.write(offset, size, 0x5555n)).toThrow(BusError);
  }
});
