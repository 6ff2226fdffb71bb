import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { COUNTED_CAUSES, differences, unexplainedShare } from "../../reports/decomposition.ts";
import { breakEven, exitsPerOperation, identityMatrix, padding, slowdown, type Table } from "../../reports/mod.ts";
import type { Comparison, RunSummary, Tallied } from "../comparison.ts";
import { resolvePrices } from "../costs/model.ts";
import type { Experiment } from "../experiment.ts";
import { loadExperiment } from "../load-experiment.ts";
import { recostResults } from "../recost-results.ts";
import { runExperiment } from "../run-experiment.ts";
import { Terminal } from "./cli.fixture.ts";

const folder = mkdtempSync(join(tmpdir(), "trapline-all-"));
const terminal = new Terminal();
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  terminal.remove();
});

let comparison: Comparison;
let experiment: Experiment;
beforeAll(async () => {
  const loaded = await loadExperiment("all-techniques");
  experiment = loaded.experiment;
  const result = await runExperiment(loaded, { folder });
  expect(result.differences).toEqual([]);
  comparison = result.comparison;
}, 240_000);

const runOf = (recording: string, technique: string, variant = ""): RunSummary =>
  comparison.runs.find((run) => run.recording === recording && run.technique === technique && run.variant === variant)!;
const cells = ({ rows }: Table): (string | number | null)[][] => rows.map((row) => row.map(({ value }) => value));

describe("the comparison of all techniques", () => {
  test("is exact within a binary, observable across binaries, and says why a pair is missing", async () => {
    const { table } = await identityMatrix().render(comparison);
    expect(table.columns.map(({ title }) => title)).toEqual([
      "binary",
      "native",
      "full",
      "rewriting trap",
      "rewriting inline",
      "para",
      "pre",
    ]);
    const vmm = "not run: a ported kernel needs its VMM";
    expect(cells(table)).toEqual([
      ["hutch", "recorded", "exact", "exact", "exact", "not run: needs a ported kernel", "not run: needs an afterburned kernel"],
      ["hutch-para", vmm, vmm, vmm, vmm, "observable by hutch", vmm],
      ["hutch-pre", "recorded", "exact", "exact", "exact", "not run: needs a ported kernel", "exact; observable by hutch"],
    ]); // biome-ignore format: a matrix
  });

  test("compares each recording's replays with its own bare run", async () => {
    const { table } = await slowdown({ baseline: "native" }).render(comparison);
    const [workload, technique, ratio] = ["workload", "technique", "slowdown"].map((title) =>
      table.columns.findIndex((column) => column.title === title),
    ) as [number, number, number];
    const rows = cells(table).map((row) => [row[workload], row[technique], Number(row[ratio]) > 1]);
    expect(rows).toEqual(
      comparison.runs.map((run) => [
        `sh of ${run.recording === "workloads" ? "hutch" : "hutch-pre"}`,
        `${run.technique} ${run.variant}`.trim(),
        run.technique !== "native",
      ]),
    );
  });

  test("explains every difference between two techniques by counted causes, to 2 % and better", () => {
    const found = differences(comparison);
    // 15 pairs of hutch's runs and 10 of hutch-pre's, over the whole run and over eleven marks.
    expect(found.length).toBe(25 * 12);
    for (const one of found)
      expect(unexplainedShare(one), `${one.mark} ${one.right.technique}`).toBeLessThanOrEqual(0.02);
    // The bill is no sum of these causes: it is charged event by event.
    expect(found.filter(({ cycles }) => cycles !== 0).length).toBeGreaterThan(250);
  });

  // Every run of a recording executes the same instructions, makes the same device accesses, and is asked the same of its firmware.
  const SHARED = ["guest instructions", "device accesses"];
  test.each(COUNTED_CAUSES.map(({ name }) => name).filter((name) => !SHARED.includes(name)))(
    "leaves more than 2 %% of some difference unexplained without %s",
    (name) => {
      const without = COUNTED_CAUSES.map((cause) => (cause.name === name ? { ...cause, terms: [] } : cause));
      const worst = Math.max(
        ...differences(comparison, without)
          .filter(({ cycles }) => cycles !== 0)
          .map(unexplainedShare),
      );
      expect(worst).toBeGreaterThan(0.02);
    },
  );

  /** Exits of an operation, hidden faults apart, by place. */
  const exitsOf = (run: RunSummary, mark: string): [place: string, count: number][] =>
    run.tallies.marks[mark]!.sites.filter(({ hidden }) => !hidden).map(({ place, reason, count }) => [`${reason} ${place}`, count]); // biome-ignore format: one list
  const sum = (exits: [string, number][]): number => exits.reduce((all, [, count]) => all + count, 0);
  const DEPRIVILEGED = [
    ["rewriting", "inline"],
    ["para", ""],
    ["pre", ""],
  ] as const;

  test.each(DEPRIVILEGED)(
    "leaves twice for a null system call and never to flip the interrupt flag, under %s %s",
    (technique, variant) => {
      const run = runOf("workloads", technique, variant);
      // Into the kernel and out of it; 500 calls are in the laps.
      expect(exitsOf(run, "syscall").map(([, count]) => count)).toEqual([500, 500]);
      // One system call flips it 500 times.
      expect(sum(exitsOf(run, "irq"))).toBe(2);
    },
  );

  test.each(DEPRIVILEGED)(
    "leaves at most 4 times for a context switch, twice under para: %s %s",
    (technique, variant) => {
      const run = runOf("workloads", technique, variant);
      const exits = exitsOf(run, "switch");
      // Each switch is one system call: that is an exit under every technique.
      const switches = exits.find(([place]) => place === "environment-call user")![1];
      expect(switches).toBe(100);
      expect(sum(exits) / switches).toBeLessThanOrEqual(technique === "para" ? 2 : 4);
      const places = exits.map(([place]) => place.replace(/\+0x.*/, ""));
      expect(places).toEqual(
        technique === "para"
        ? ["environment-call user", "hypercall trap_return"]
        : technique === "pre"
          ? ["environment-call user", "privileged-instruction trap_return", "privileged-instruction schedule", "privileged-instruction schedule"]
          : ["environment-call user", "rewritten-site trap_return", "rewritten-site schedule", "rewritten-site schedule"], // biome-ignore format: lists
      );
    },
  );

  test("tells exits for one operation with hidden faults in a column of their own", async () => {
    const { table } = await exitsPerOperation({ operations: { irq: 500 } }).render(comparison);
    const inline = cells(table).filter(([, mark, technique]) => mark === "irq" && technique === "rewriting inline");
    expect(inline.map((row) => [row[3], row.at(-2)])).toEqual([
      [2 / 500, 0],
      [2 / 500, 0],
    ]);
  });

  test("counts the pads of the afterburned kernel on the bare machine: at most 1.5 % on compute", async () => {
    const native = runOf("workloads-pre", "native");
    const original = runOf("workloads", "native");
    const machine = ({ instructions, pads = 0 }: Tallied): number => instructions + pads;
    expect(native.tallies.whole.pads).toBeGreaterThan(500);
    expect(original.tallies.whole.pads).toBeUndefined();
    const [few, many] = [original, native].map(({ tallies }) => machine(tallies.marks.compute!)); // biome-ignore format: a pair
    expect(many! / few!).toBeLessThanOrEqual(1.015);
    // What it executes more is its pads and nothing else.
    for (const [mark, tallied] of Object.entries(native.tallies.marks))
      expect(machine(tallied) - machine(original.tallies.marks[mark]!), mark).toBe(tallied.pads);
    const { table } = await padding().render(comparison);
    expect(table.rows.length).toBe(12);
  });

  test("holds sites by class, image growth, patches and effort", () => {
    const { binaries, effort } = comparison;
    expect(binaries.map(({ name }) => name)).toEqual(["hutch", "hutch-para", "hutch-pre"]);
    const [bare, para, pre] = binaries;
    expect(para!.sensitive).toEqual({});
    expect(pre!.annotated).toEqual(bare!.sensitive);
    expect(pre!.textBytes - bare!.textBytes).toBe(pre!.padBytes);
    expect(effort!.map(({ port }) => port)).toEqual(["shared", "bare", "para", "pre"]);
    expect(effort!.at(-1)).toMatchObject({ files: 0, lines: 0 });
    for (const run of [runOf("workloads", "rewriting", "inline"), runOf("workloads-pre", "pre")])
      expect(run.tallies.whole.counts["halfwords patched"]).toBeGreaterThan(20);
  });

  test("is priced again from its traces without a run, and so are its reports", async () => {
    const again = recostResults(folder, experiment, {});
    expect(again).toEqual(JSON.parse(JSON.stringify(comparison)));
    const { code, document } = await terminal.json(
      "recost",
      folder,
      "--set",
      "cost.trap.entry=800",
      "-o",
      terminal.path("dear"),
    );
    expect([code, document.set]).toEqual([0, { "trap.entry": 800 }]);
    const over = await terminal.run("recost", folder, "-o", folder);
    expect([over.code, over.err]).toEqual([2, expect.stringMatching(/^Cannot write to .* as other prices must leave/)]);
    const dear = JSON.parse(readFileSync(terminal.path("dear/comparison.json"), "utf8")) as Comparison;
    expect(dear.costModel.prices).toEqual(resolvePrices(experiment.costs[0]!, { "trap.entry": 800 }));
    const traps = (run: RunSummary): number =>
      run.pricedBy.reduce((all, { price, count }) => all + (price === "trap.entry" ? count : 0), 0);
    for (const [at, run] of comparison.runs.entries())
      expect(dear.runs[at]!.cycles.total - run.cycles.total, run.trace).toBe(traps(run) * (800 - 5));
    for (const one of differences(dear)) expect(unexplainedShare(one)).toBeLessThanOrEqual(0.02);
    expect(readFileSync(terminal.path("dear/report.html"), "utf8")).toContain("set as cost.trap.entry");
  });

  test("solves for the price at which any two techniques meet, and each meets 1.5 of the bare machine", async () => {
    const { table } = await breakEven({ baseline: "native", prices: ["trap.entry"] }).render(comparison);
    // 5 techniques against the bare machine and 10 pairs of hutch's; 4 and 6 of hutch-pre's.
    expect(table.rows.length).toBe(25);
  });
});
