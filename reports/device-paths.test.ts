import { describe, expect, test } from "vitest";
import { devicePaths } from "./device-paths.ts";
import { COMPARISON } from "./golden/null-syscall.ts";

describe("the report on the ways to a device", () => {
  test("divides a lap's bytes by its exits, and a run by the recording that it replays", async () => {
    const { table } = await devicePaths({ bytes: 4096 }).render(COMPARISON);
    const column = (title: string) => table.columns.findIndex((one) => one.title === title);
    expect(table.rows).toHaveLength(COMPARISON.runs.length);
    const [bare] = COMPARISON.runs;
    for (const [index, run] of COMPARISON.runs.entries()) {
      const row = table.rows[index]!;
      const at = (title: string) => row[column(title)]!.value;
      const measured = run.marks.find(({ name }) => name === COMPARISON.measure)!;
      const base = bare!.marks.find(({ name }) => name === COMPARISON.measure)!;
      expect([at("disk"), at("exits/lap")]).toEqual([run.recording, measured.exits.total / measured.laps]);
      expect(at("bytes/exit")).toBe(measured.exits.total === 0 ? null : (4096 * measured.laps) / measured.exits.total);
      expect(at("slowdown")).toBeCloseTo(measured.cycles.total / measured.laps / (base.cycles.total / base.laps), 9);
      expect(at("identity")).toBe(run.identity === null ? "recorded" : run.identity.level);
    }
  });

  test("says which runs were not measured, and that a run differs", async () => {
    const identity = { level: "exact", equal: false, firstDifference: null } as const;
    const runs = [COMPARISON.runs[0]!, { ...COMPARISON.runs[1]!, marks: [], identity }];
    const { table, svg } = await devicePaths({ bytes: 1 }).render({ ...COMPARISON, runs });
    expect(table.rows[1]!.map(({ shown }) => shown)).toEqual(expect.arrayContaining(["different", "\u2013"]));
    expect(svg).toContain("not measured");
  });

  test("says how a ported kernel reaches the disk, where there is one", async () => {
    const runs = [COMPARISON.runs[0]!, { ...COMPARISON.runs[1]!, technique: "para" }];
    const captionOf = async (of: typeof COMPARISON) => (await devicePaths({ bytes: 1 }).render(of)).caption;
    expect(await captionOf({ ...COMPARISON, runs })).toContain("under para asks its VMM by hypercalls");
    expect(await captionOf({ ...COMPARISON, runs: runs.slice(0, 1) })).not.toContain("para");
  });

  test("is the same bytes when it is drawn again, and holds no broken number", async () => {
    const [once, again] = [0, 1].map(() => devicePaths({ bytes: 4096 }).render(COMPARISON));
    expect((await once)!.svg).toBe((await again)!.svg);
    expect((await once)!.svg).not.toMatch(/NaN|Infinity|\d\.\d{3}/);
  });

  test.each([0, -1, 1.5, Number.NaN])("is refused for %s bytes a lap", (bytes) => {
    expect(() => devicePaths({ bytes })).toThrow(/^Cannot report device paths as a lap moves a whole number of bytes/);
  });
});
