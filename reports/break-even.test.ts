import { describe, expect, test } from "vitest";
import type { Comparison } from "../harness/comparison.ts";
import { breakEven } from "./break-even.ts";
import { COMPARISON } from "./golden/null-syscall.ts";

const WHOLE: Comparison = { ...COMPARISON, measure: null };
const baseline = { name: "native" };
const NOW = WHOLE.costModel.prices.find(({ id }) => id === "trap.entry")!.cycles;

/** What a run costs with another price of a trap, added up line by line. */
function costWith(run: Comparison["runs"][number], price: number): number {
  return run.pricedBy.reduce(
    (sum, { price: id, count, cycles }) => sum + (id === "trap.entry" ? count * price : cycles),
    0,
  );
}

describe("the report on where techniques meet", () => {
  test("names prices at which both sides cost the same, when the bill is added up again", async () => {
    const { table } = await breakEven({ baseline, prices: ["trap.entry"] }).render(WHOLE);
    const runs = new Map(
      WHOLE.runs.map((run) => [run.variant === "" ? run.technique : `${run.technique} ${run.variant}`, run]),
    );
    const native = runs.get("native")!;
    let solved = 0;
    for (const [, name, meets, at] of table.rows.map((row) => row.map(({ value }) => value))) {
      if (at === null) continue;
      solved++;
      const one = costWith(runs.get(String(name))!, Number(at));
      const other = runs.get(String(meets));
      const target = other === undefined ? 1.5 * costWith(native, Number(at)) : costWith(other, Number(at));
      expect(one / target, `${name} ${meets}`).toBeCloseTo(1, 9);
    }
    expect(table.rows.length).toBeGreaterThan(1);
    expect(solved).toBeGreaterThan(0);
  });

  test("changes several prices by one factor", async () => {
    const prices = ["trap.entry", "exit"];
    const { table, title } = await breakEven({ baseline, prices, ratio: 1.01 }).render(WHOLE);
    const now = prices.reduce((sum, id) => sum + WHOLE.costModel.prices.find((price) => price.id === id)!.cycles, 0);
    const scaled = (run: Comparison["runs"][number], factor: number) =>
      run.pricedBy.reduce((sum, { price, cycles }) => sum + cycles * (prices.includes(price) ? factor : 1), 0);
    for (const [, name, meets, at] of table.rows.map((row) => row.map(({ value }) => value))) {
      if (typeof at !== "number" || !String(meets).startsWith("1.01")) continue;
      const run = WHOLE.runs.find(
        (one) => (one.variant === "" ? one.technique : `${one.technique} ${one.variant}`) === name,
      )!;
      expect(scaled(run, at / now) / scaled(WHOLE.runs[0]!, at / now), String(name)).toBeCloseTo(1.01, 9);
    }
    expect(title).toBe("Break-even: the trap.entry + exit at which techniques meet");
  });

  test("says which is cheaper at the model's own price, and nothing where two lines never meet", async () => {
    const [run] = WHOLE.runs.filter(({ technique }) => technique !== "native");
    const dearer = {
      ...run!,
      technique: "para" as const,
      cycles: { ...run!.cycles, total: run!.cycles.total + 100 },
    };
    const { table } = await breakEven({ baseline, ratio: 2 }).render({
      ...WHOLE,
      runs: [WHOLE.runs[0]!, run!, dearer],
    });
    const pair = table.rows.find((row) => row[2]!.value === "para")!;
    expect([pair[3]!.value, pair[4]!.value]).toEqual([null, run!.technique]);
    expect(costWith(run!, NOW)).toBeCloseTo(run!.cycles.total, 3);
  });

  test("solves for every mark too where it is asked, each among runs of its own mark", async () => {
    const { table, text } = await breakEven({ baseline, everyMark: true }).render(WHOLE);
    const measures = table.rows.map((row) => row[0]!.value);
    expect([...new Set(measures)]).toEqual(["run", "syscall", "compute"]);
    expect(text.trim().split("\n").length - 2).toBe(measures.filter((measure) => measure === "run").length);
    // Nothing traps in compute, so its lines never meet.
    expect(table.rows.filter((row) => row[0]!.value === "compute" && row[3]!.value !== null)).toEqual([]);
    expect(table.rows.some((row) => row[0]!.value === "syscall" && row[3]!.value !== null)).toBe(true);
  });

  test("refuses a price that the model does not have", async () => {
    await expect(breakEven({ baseline, prices: ["luck"] }).render(WHOLE)).rejects.toThrow(
      /^Cannot solve for luck as it must be a price of the model: it has /,
    );
  });
});
