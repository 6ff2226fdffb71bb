import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { exitsByReason } from "./exits-by-reason.ts";
import { COMPARISON } from "./golden/null-syscall.ts";
import { costPerMark, slowdown } from "./slowdown.ts";
import { timeline } from "./timeline.ts";

const reports = [
  slowdown({ baseline: { name: "native" } }),
  exitsByReason(),
  timeline({ between: "syscall", laps: 3 }),
  costPerMark({ baseline: "native" }),
];

describe("figures", () => {
  test.each(reports)(
    "$name has the bytes of its golden; look at the one ending in -changed.svg if not",
    async (report) => {
      const { svg } = await report.render(COMPARISON);
      const path = (end: string) => new URL(`golden/${report.name}${end}.svg`, import.meta.url);
      const golden = existsSync(path("")) ? readFileSync(path(""), "utf8") : "";
      // Seen by a person, then renamed over the golden by hand: a change of a figure is a decision.
      if (svg !== golden) writeFileSync(path("-changed"), svg ?? "");
      expect(svg === golden, `${report.name} differs from its golden`).toBe(true);
    },
  );

  test("are the same bytes when they are drawn again", async () => {
    for (const report of reports)
      expect((await report.render(COMPARISON)).svg).toBe((await report.render(COMPARISON)).svg);
  });

  test("hold no more than 3,000 elements, however long the runs", async () => {
    const sample = COMPARISON.runs[1]!.timeline!;
    const entries = Array.from({ length: 400 }, (_, step) => ({ ...sample.entries[0]!, step: step % 240 }));
    const runs = Array.from({ length: 6 }, () => ({ ...COMPARISON.runs[1]!, timeline: { ...sample, entries } }));
    const { svg } = await timeline({ between: "syscall", laps: 3 }).render({ ...COMPARISON, runs });
    expect(svg!.match(/<[a-z]/g)!.length).toBeLessThan(3000);
  });

  test("stay drawable when a guest makes every mark there is", async () => {
    const marks = Array.from({ length: 256 }, (_, id) => ({ ...COMPARISON.runs[1]!.marks[0]!, name: `mark-${id}` }));
    const runs = COMPARISON.runs.map((run) => ({ ...run, marks }));
    const { svg, table } = await costPerMark({ baseline: "native" }).render({ ...COMPARISON, runs });
    expect(svg).toContain("226 more in the table");
    expect(table.rows).toHaveLength(3 * 256);
  });

  test("have a role, a title and a description that their label points to", async () => {
    for (const report of reports) {
      const { svg, name } = await report.render(COMPARISON);
      expect(svg).toContain(`role="img" aria-labelledby="${name}-title ${name}-desc"`);
      expect(svg).toMatch(new RegExp(`<title id="${name}-title">[^<]+</title><desc id="${name}-desc">[^<]+</desc>`));
    }
  });

  test("hold no NaN, no infinity and no number of more than two decimals", async () => {
    for (const report of reports) {
      const { svg } = await report.render(COMPARISON);
      expect(svg).not.toMatch(/NaN|Infinity|\d\.\d{3}/);
    }
  });
});

describe("tables", () => {
  test("say in CSV what they say on a terminal, and more", async () => {
    const { csv, text } = await reports[0]!.render(COMPARISON);
    expect(text).toBe(
      [
        "| technique        | laps | exits/lap | cycles/lap | slowdown |   low |  high |",
        "| ---------------- | ---: | --------: | ---------: | -------: | ----: | ----: |",
        "| native           |   40 |         0 |         88 |    1.00× | 1.00× | 1.00× |",
        "| full             |   40 |        16 |      2,094 |    23.8× | 12.4× | 54.5× |",
        "| rewriting inline |   40 |         2 |        344 |    3.91× | 1.82× | 12.6× |",
        "",
      ].join("\n"),
    );
    expect(csv.split("\r\n").slice(0, 3)).toEqual([
      "workload,measure,technique,laps,steps/lap,exits/lap,cycles/lap,cycles low,cycles high,slowdown,low,high,guest,trap,privileged,paging,interrupt,device,syscall,other",
      "null-syscall,syscall,native,40,80,0,88,84,196,1,1,1,78,10,0,0,0,0,0,0",
      "null-syscall,syscall,full,40,80,16,2094,1938,5162,23.795454545454547,12.444444444444445,54.45238095238095,78,0,1798,80,0,0,138,0",
    ]);
  });
});
