import { expect, test } from "vitest";
import { COMPARISON } from "./golden/null-syscall.ts";
import { machineInstructions } from "./machine-instructions.ts";

const column = (title: string, titles: readonly { readonly title: string }[]) =>
  titles.findIndex((one) => one.title === title);

test("the report on machine instructions has a row for each mark that a run made, and counts none of the VMM's where there is no exit", async () => {
  const { table } = await machineInstructions().render(COMPARISON);
  const laps = COMPARISON.runs.flatMap(({ marks }) => marks.filter(({ laps }) => laps > 0));
  expect(table.rows.length).toBe(laps.length);
  const [exits, guest, vmm] = ["exits", "guest", "VMM"].map((title) => column(title, table.columns)) as [
    number,
    number,
    number,
  ];
  for (const row of table.rows) {
    expect(Number(row[guest]!.value)).toBeGreaterThan(0);
    // An exit saves and restores 30 registers at least.
    if (Number(row[exits]!.value) >= 1) expect(Number(row[vmm]!.value)).toBeGreaterThan(60);
    else if (Number(row[exits]!.value) === 0) expect(Number(row[vmm]!.value)).toBe(0);
  }
});

test("its guest instructions are those of the bill, each lap its share", async () => {
  const { table } = await machineInstructions().render(COMPARISON);
  const at = column("guest", table.columns);
  const billed = COMPARISON.runs.flatMap(({ marks }) =>
    marks.map(
      ({ laps, pricedBy }) =>
        pricedBy.filter(({ price }) => price === "guest.instruction").reduce((sum, { count }) => sum + count, 0) / laps,
    ),
  );
  expect(table.rows.map((row) => Number(row[at]!.value)).sort()).toEqual(billed.sort());
});
