import { describe, expect, test } from "vitest";
import type { Comparison } from "../harness/comparison.ts";
import { answer } from "./answer.ts";
import { exitsByReason } from "./exits-by-reason.ts";
import { COMPARISON } from "./golden/null-syscall.ts";
import { renderReport } from "./render-report.ts";
import { costPerMark, slowdown } from "./slowdown.ts";
import { timeline } from "./timeline.ts";

const all = [
  slowdown({ baseline: "native" }),
  exitsByReason(),
  timeline({ between: "syscall", laps: 3 }),
  costPerMark({ baseline: "native" }),
];
const page = async (comparison: Comparison) =>
  new TextDecoder().decode((await renderReport(comparison, all)).files[0]!.bytes);
const differing: Comparison = {
  ...COMPARISON,
  runs: COMPARISON.runs.map((run) =>
    run.technique === "full"
      ? {
          ...run,
          identity: {
            level: "exact",
            equal: false,
            firstDifference: { event: 18_204, step: 7, message: "event 18,204 differs" },
          },
        }
      : run,
  ),
};

describe("the answer", () => {
  test("is told in numbers, run by run, and says that the runs are the same execution", () => {
    expect(answer(COMPARISON)).toEqual([
      "Under native, one lap of syscall (null-syscall) costs 88 cycles.",
      "Under full it costs 2,094 cycles, 23.8× as much (12.4× to 54.5× within the prices' bands), with 16 exits; 86 % of that is for privileged instructions.",
      "Under rewriting inline it costs 344 cycles, 3.91× as much (1.82× to 12.6× within the prices' bands), with 2 exits; 40 % of that is for environment calls.",
      "2 replays are equal to the recorded run instruction by instruction.",
    ]);
  });

  test("says first what is wrong when a run is another execution", () => {
    expect(answer(differing)[0]).toBe(
      "Not the same execution: null-syscall under full differs from the recorded run, so its numbers answer another question.",
    );
  });

  test("is about whole runs where nothing is measured", () => {
    expect(answer({ ...COMPARISON, measure: null })[0]).toBe(
      "Under native, one run (null-syscall) costs 9,120 cycles.",
    );
  });

  test("names a mark that was never made, and never divides by nothing", async () => {
    const comparison = { ...COMPARISON, measure: "nothing" };
    expect(answer(comparison)[1]).toBe("Under full, null-syscall made no lap of nothing.");
    expect(await page(comparison)).not.toMatch(/NaN|Infinity/);
  });
});

describe("a report", () => {
  test("is one page, a figure and a table for each report", async () => {
    const { files } = await renderReport(COMPARISON, all);
    expect(files.map(({ path }) => path)).toEqual([
      "report.html",
      "figures/slowdown.svg",
      "tables/slowdown.csv",
      "figures/exits-by-reason.svg",
      "tables/exits-by-reason.csv",
      "figures/timeline.svg",
      "tables/timeline.csv",
      "figures/cost-per-mark.svg",
      "tables/cost-per-mark.csv",
    ]);
  });

  test("has every id once, also when a report is asked for twice", async () => {
    const { files } = await renderReport(COMPARISON, [
      ...all,
      slowdown({ baseline: "full" }),
      slowdown({ baseline: "rewriting" }),
    ]);
    expect(files.map(({ path }) => path)).toContain("figures/slowdown-again-2.svg");
    const ids = [...new TextDecoder().decode(files[0]!.bytes).matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("loads nothing: its policy allows its own style, and no address is in it but that of SVG", async () => {
    const text = await page(COMPARISON);
    expect(text).toContain(
      `content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"`,
    );
    expect(new Set(text.match(/https?:\/\/[^"'\s)]+/g))).toEqual(new Set(["http://www.w3.org/2000/svg"]));
    expect(text).not.toMatch(/<script(?! type="application\/json")/);
  });

  test("gives each price with its status and its source", async () => {
    const text = await page(COMPARISON);
    for (const { id, status } of COMPARISON.costModel.prices)
      expect(text).toMatch(new RegExp(`<code>${id}</code></td>.*<td>${status}</td>`));
    expect(text).toContain("made up for exit (20 alu, 60 load)");
  });

  test("shows where a run first differs", async () => {
    expect(await page(differing)).toContain(`<td class="wide differs">differs: event 18,204 differs</td>`);
  });

  test("can be made of no runs at all", async () => {
    expect(await page({ ...COMPARISON, runs: [] })).toContain("Nothing was run.");
  });

  test("refuses laps that cannot be counted", () => {
    expect(() => timeline({ between: "syscall", laps: 0 })).toThrow(
      "Cannot draw a timeline as it needs a whole number of laps >= 1: 0",
    );
  });
});
