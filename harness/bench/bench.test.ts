import { describe, expect, test } from "vitest";
import { runBenchmarks } from "./mod.ts";

describe("the benchmarks", () => {
  test("give a positive figure each, in small sizes too", async () => {
    const said: string[] = [];
    const figures = await runBenchmarks({ quick: true, say: (line) => said.push(line) });
    expect(figures.map(({ name }) => name)).toEqual([
      "interpreter.integer",
      "interpreter.memory",
      "interpreter.traps.logging-on",
      "interpreter.traps.logging-off",
      "interpreter.floating",
      "jit.integer",
      "jit.memory",
      "jit.traps.logging-on",
      "jit.traps.logging-off",
      "jit.floating",
      "exit.typescript",
      "exit.vmm",
      "exit.sstatus",
      "exit.sscratch",
      "exit.sfence.vma",
      "exit.sepc",
      "exit.sret",
      "log.append",
      "logging.null-syscall",
      "trace.native",
      "trace.full",
    ]);
    for (const { name, value } of figures) {
      // Logging may be too cheap to be seen in small sizes.
      if (name !== "logging.null-syscall") expect(value, name).toBeGreaterThan(0);
    }
    expect(said.length).toBe(figures.length);
  });
});
