import { describe, expect, test } from "vitest";
import { causeOfExit } from "../harness/comparison.ts";
import { costPerExit } from "./cost-per-exit.ts";
import { COMPARISON } from "./golden/null-syscall.ts";

const WHOLE = { ...COMPARISON, measure: null };

describe("the report on the cost of an exit", () => {
  test("divides the bill of a cause by its exits, so that exits times cost are the cause's cycles again", async () => {
    const { table } = await costPerExit().render(WHOLE);
    for (const run of WHOLE.runs.filter(({ exits }) => exits.total > 0)) {
      const label = run.variant === "" ? run.technique : `${run.technique} ${run.variant}`;
      const rows = table.rows.filter((row) => row[1]!.value === label);
      const exits = rows.reduce((sum, row) => sum + Number(row[3]!.value), 0);
      expect(exits, label).toBe(run.exits.total);
      const causes = new Set(Object.keys(run.exits.byReason).map(causeOfExit));
      const cycles = rows.reduce((sum, row) => sum + Number(row[3]!.value) * Number(row[4]!.value), 0);
      const billed = [...causes].reduce((sum, cause) => sum + run.cycles.byCause[cause], 0);
      expect(cycles).toBeCloseTo(billed, 6);
      for (const row of rows) {
        const [each, low, high] = [4, 5, 6].map((column) => Number(row[column]!.value));
        expect(low! <= each! && each! <= high!, `${label} ${row[2]!.value}`).toBe(true);
      }
    }
  });

  test("leaves out what has no exits, and says nothing of nothing", async () => {
    const { svg, table } = await costPerExit().render({ ...WHOLE, runs: WHOLE.runs.slice(0, 1) });
    expect([table.rows, svg!.includes("No run has exits.")]).toEqual([[], true]);
  });

  test("is the same bytes when it is drawn again, and holds no broken number", async () => {
    const [once, again] = [await costPerExit().render(COMPARISON), await costPerExit().render(COMPARISON)];
    expect(once.svg).toBe(again.svg);
    expect(once.svg).not.toMatch(/NaN|Infinity|\d\.\d{3}/);
  });
});
