import { expect, test } from "vitest";
import { check, checkAll, EXPECTATIONS } from "./expectations.ts";

test.each(["interpreter", "reference"] as const)(
  "what QEMU 7.2 answers otherwise is as recorded, in the %s",
  (tier) => {
    expect(checkAll(tier)).toEqual([]);
  },
);

test("a wrong expectation is told, with its rule", () => {
  const [first] = EXPECTATIONS;
  expect(check({ ...first!, registers: { s9: 99n } }, "interpreter")).toMatch(
    /^load through a 4K entry: accessed-clear: s9 is 0xd, not 0x63 \(T11/,
  );
});

test("a case that does not end is told", () => {
  expect(check({ ...EXPECTATIONS[0]!, code: "here: j here" }, "interpreter")).toContain("no end within 10,000 steps");
});

test("every case names its rule, and what QEMU does", () => {
  for (const { name, rule, qemu, covers } of EXPECTATIONS) {
    expect(rule, name).not.toBe("");
    expect(qemu, name).not.toBe("");
    expect(covers.length, name).toBeGreaterThan(0);
  }
});
