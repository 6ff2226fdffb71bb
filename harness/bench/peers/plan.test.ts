import { describe, expect, test } from "vitest";
import { GROUPS, ratioOf, spreadOf, WORKLOADS, workSeconds } from "./plan.ts";

describe("ratios", () => {
  test("compare what the larger size takes beyond the smaller, so that start-up cancels", () => {
    expect(workSeconds({ small: 0.5, large: 2.5 })).toBe(2);
    expect(ratioOf({ small: 0.5, large: 2.5 }, { small: 0.1, large: 3.1 })).toBe(1.5);
  });

  test("are above 1 where ours takes less time", () => {
    expect(ratioOf({ small: 0, large: 1 }, { small: 0, large: 2 })).toBeGreaterThan(1);
  });

  test("stay finite where noise makes the larger size the quicker one", () => {
    expect(ratioOf({ small: 0.4, large: 0.3 }, { small: 0, large: 1 })).toBe(1000);
  });

  test("are summed up by least, median and most, in whatever order they come", () => {
    expect(spreadOf([3, 1, 2])).toEqual({ min: 1, median: 2, max: 3 });
    expect(spreadOf([4, 1, 2, 3])).toEqual({ min: 1, median: 2.5, max: 4 });
    expect(spreadOf([7])).toEqual({ min: 7, median: 7, max: 7 });
    expect(() => spreadOf([])).toThrow("Cannot sum up a ratio as it must have been measured");
  });
});

describe("the plan", () => {
  test("compares every row that a target names", () => {
    const rows = GROUPS.flatMap(({ ours, mode, peers }) => peers.map((peer) => `${ours} ${mode} ${peer}`));
    expect(new Set(rows).size).toBe(rows.length);
    expect(rows).toEqual(
      expect.arrayContaining([
        "jit record qemu",
        "jit record qemu-icount",
        "jit record qemu-record",
        "jit replay self-record",
        "jit replay qemu-replay",
        "jit plain self-record",
        "interpreter record qemu-record",
      ]),
    );
  });

  test("gives every workload two sizes that differ by far more than the smaller", () => {
    for (const { work, quick, rounds } of WORKLOADS) {
      for (const [small, large] of Object.values(rounds)) expect(large, work).toBeGreaterThanOrEqual(10 * small);
      expect(quick, work).toBeLessThanOrEqual(rounds.jit[0]);
    }
  });
});
