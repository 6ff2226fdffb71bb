import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { countLines, effortOf } from "./effort.ts";

describe("lines of a source", () => {
  test.each([
    ["", 0, 0],
    ["int a;\n", 1, 1],
    ["int a;", 1, 1],
    ["/* why\n * so */\nint a; /* here */\n\n  // nothing\n", 5, 1],
    ["/* a */ int b; /* c\n*/ int d;\n", 2, 2],
    ["  li a0, 1 /* one */\n/*\n\n*/\n", 4, 1],
  ])("%j has %i lines, %i of code", (text, lines, code) => {
    expect(countLines(text)).toEqual({ lines, code });
  });
});

describe("the effort of hutch's ports", () => {
  const effort = effortOf();

  test("is each port's arch layer, and what all share stands apart", () => {
    const files = (port: string) => effort.ports.find((one) => one.port === port)!.files.map(({ path }) => path);
    expect(files("bare")).toEqual(["kernel/arch-bare/arch.h"]);
    expect(files("para")).toContain("kernel/arch-para/arch.h");
    expect(files("pre")).toEqual([]);
    const shared = effort.shared.files.map(({ path }) => path);
    expect(shared).toContain("kernel/trap.S");
    expect(shared.filter((path) => path.includes("arch-"))).toEqual([]);
    for (const { files: counted, lines, code } of [effort.shared, ...effort.ports]) {
      expect(lines).toBe(counted.reduce((sum, file) => sum + file.lines, 0));
      expect(code).toBeLessThanOrEqual(lines);
    }
    expect(effort.shared.code).toBeGreaterThan(1500);
  });

  test("both layers say the same names, so that the shared sources know neither", () => {
    const names = (port: string): Set<string> => {
      const text = readFileSync(
        new URL(`../experiments/guests/hutch/kernel/arch-${port}/arch.h`, import.meta.url),
        "utf8",
      );
      return new Set([
        ...[...text.matchAll(/^\.macro (ARCH_\w+)/gm)].map(([, name]) => name!),
        ...[...text.matchAll(/^(?:static inline )?(?:void|u64) (\w+)\(/gm)].map(([, name]) => name!),
      ]);
    };
    const own = (port: string) =>
      [...names(port === "bare" ? "para" : "bare")].filter((name) => !names(port).has(name));
    expect(own("para")).toEqual([]);
    expect(own("bare")).toEqual([
      "ARCH_RETURN",
      "hypercall",
      "hypercall_value",
      "arch_event",
      "tables_update",
      "table_queue",
      "arch_console_put",
    ]);
  });

  test("cannot be counted where there are no sources", () => {
    expect(() => effortOf("nowhere")).toThrow(/^Cannot count what ports took as .*: they are not; use a clone/);
  });
});
