import { describe, expect, test } from "vitest";
import { MUTANTS } from "./mutants.ts";
import { plantAll } from "./mutation.ts";

describe("planted faults", () => {
  test("are many, of every area, and told apart by their names", () => {
    expect(MUTANTS.length).toBeGreaterThanOrEqual(50);
    for (const area of ["decoder", "alu", "fp", "csr", "mmu"])
      expect(MUTANTS.filter((mutant) => mutant.area === area).length, area).toBeGreaterThanOrEqual(10);
    expect(new Set(MUTANTS.map(({ area, name }) => `${area} ${name}`)).size).toBe(MUTANTS.length);
  });

  test("are found, one of each area, by a single image", async () => {
    const names = [
      "ld has an unsigned immediate",
      "addi: the immediate is not sign-extended",
      "fld: runs with FS off",
      "mtvec is always direct",
      "stores need only R",
    ];
    const chosen = names.map((name) => MUTANTS.findIndex((mutant) => mutant.name === name));
    const results = await plantAll([1], chosen, 2);
    for (const { name, found } of results) expect(found, name).toMatch(/^image 1, by step \d+$/);
    expect(results.map(({ name }) => name)).toEqual(names);
  });
});
