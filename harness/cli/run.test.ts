import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { versions } from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packageFile } from "../installation.ts";
import { Terminal } from "./cli.fixture.ts";

const terminal = new Terminal();
const results = terminal.path("calls");
const small = ["--guest", "hutch", "--run", "null-syscall 40", "--memory", "16M"] as const;
let first: Awaited<ReturnType<Terminal["json"]>>;

beforeAll(async () => {
  first = await terminal.json("run", "null-syscall", ...small, "-o", results);
}, 120_000);
afterAll(() => terminal.remove());

interface Run {
  readonly technique: string;
  readonly digest: string;
  readonly steps: number;
  readonly exits: { readonly total: number; readonly byReason: Readonly<Record<string, number>> };
  readonly cycles: { readonly total: number; readonly byCause: Readonly<Record<string, number>> };
  readonly identity: unknown;
}
const runs = (document: Record<string, unknown>) => document.runs as readonly Run[];

/** All files under a folder with their contents, by relative path. */
function contents(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files
      .map(({ parentPath, name }) => join(parentPath, name))
      .sort()
      .map((path) => [path.slice(folder.length + 1), readFileSync(path, "latin1")]),
  );
}

describe("run", () => {
  test("records once, replays under each technique, and prints the fixed document", () => {
    const { code, document } = first;
    expect(code).toBe(0);
    expect(Object.keys(document)).toEqual(["experiment", "report", "runs"]);
    expect(document).toMatchObject({ experiment: "null-syscall", report: join(results, "report.html") });
    const [native, full] = runs(document);
    expect(Object.keys(native!)).toEqual([
      "workload",
      "technique",
      "variant",
      "binary",
      "instret",
      "steps",
      "digest",
      "trace",
      "exits",
      "cycles",
      "identity",
    ]);
    expect(native).toMatchObject({
      workload: "null-syscall 40",
      technique: "native",
      variant: "",
      binary: "hutch",
      identity: null,
    });
    expect(full).toMatchObject({ technique: "full", identity: { level: "exact", equal: true, firstDifference: null } });
    expect([full!.digest, full!.steps]).toEqual([native!.digest, native!.steps]);
  });

  test("adds exits up by reason and cycles by cause, and blames the guest alike under every technique", () => {
    const [native, full] = runs(first.document);
    const sum = (parts: Readonly<Record<string, number>>) =>
      Object.values(parts).reduce((total, part) => total + part, 0);
    for (const { exits, cycles } of [native!, full!]) {
      expect(sum(exits.byReason)).toBe(exits.total);
      expect(sum(cycles.byCause)).toBe(cycles.total);
    }
    expect(native!.exits.total).toBe(0);
    expect(full!.exits.byReason["environment-call"]).toBeGreaterThanOrEqual(40);
    expect(full!.cycles.byCause.guest).toBe(native!.cycles.byCause.guest);
  });

  test("leaves traces, images, the comparison, figures, tables and one page", () => {
    expect([...contents(results).keys()]).toEqual([
      "comparison.json",
      "figures/exits-by-reason.svg",
      "figures/slowdown.svg",
      "figures/timeline.svg",
      expect.stringMatching(/^images\/[0-9a-f]{64}$/),
      expect.stringMatching(/^images\/[0-9a-f]{64}$/),
      "null-syscall.full.trace",
      "null-syscall.native.trace",
      "report.html",
      "tables/exits-by-reason.csv",
      "tables/slowdown.csv",
      "tables/timeline.csv",
    ]);
  });

  test("T21: writes the same bytes again, and with more workers", async () => {
    const again = terminal.path("again");
    await terminal.run("run", "null-syscall", ...small, "--workers", "2", "-o", again);
    expect(contents(again)).toEqual(contents(results));
  });

  describe("on a leaking machine", () => {
    const quick = ["--guest", "hutch", "--run", "null-syscall 20", "--memory", "16M"];
    const identities = (document: Record<string, unknown>) =>
      runs(document).map(({ technique, identity }) => [technique, (identity as { equal: boolean } | null)?.equal]);

    test("sees full virtualization fail, as the experiment says it must, and rewriting hold", async () => {
      const { code, document } = await terminal.json("run", "leaky", ...quick, "-o", terminal.path("leaky"));
      expect([code, identities(document)]).toEqual([0, [["native", undefined], ["full", false], ["rewriting", true]]]); // biome-ignore format: one table
    });

    test("fails where what must go wrong does not", async () => {
      const file = terminal.path("calm.ts");
      const path = (name: string) => JSON.stringify(`trapline/${name}`);
      writeFileSync(
        file,
        `import { hutch } from ${path("guests")};
         import { experiment, full, inOrder, native } from ${path("harness")};
         export default experiment({ question: "Is it calm?", guest: hutch.running("true"), techniques: [native, full], unsound: [full], costs: [inOrder], reports: [] });`,
      );
      const { code, err } = await terminal.run(
        "run",
        file,
        "--memory",
        "16M",
        "--guest",
        "hutch",
        "-o",
        terminal.path("calm"),
      );
      expect([code, err]).toEqual([3, expect.stringContaining("full ran unsound, and the difference that the experiment is about was not seen")]); // biome-ignore format: one pair
    });

    test("refuses a technique that it is told, and runs it unsound when told that too", async () => {
      const args = ["run", "null-syscall", ...quick, "--profile", "leaky-x86", "--technique", "full"];
      const refused = await terminal.run(...args, "-o", terminal.path("refused"));
      expect([refused.code, refused.err]).toEqual([2, expect.stringContaining("or --unsound to watch it fail")]);
      const { code, document } = await terminal.json(...args, "--unsound", "-o", terminal.path("unsound"));
      expect([code, identities(document)]).toEqual([3, [["native", undefined], ["full", false]]]); // biome-ignore format: one table
      const trace = terminal.path("unsound/null-syscall.native.trace");
      for (const verb of ["replay", "verify"]) {
        expect((await terminal.run(verb, trace, "--technique", "full")).code, verb).toBe(2);
        expect((await terminal.run(verb, trace, "--technique", "full", "--unsound")).code, verb).toBe(3);
        expect((await terminal.run(verb, trace, "--technique", "rewriting:trap")).code, verb).toBe(0);
      }
      const alone = await terminal.run("run", "null-syscall", ...quick, "--unsound", "-o", terminal.path("alone"));
      expect([alone.code, alone.err]).toEqual([2, expect.stringContaining("name some with --technique")]);
    });
  });

  test("runs only the techniques that it is told", async () => {
    const { document } = await terminal.json(
      "run",
      "null-syscall",
      ...small,
      "--technique",
      "native",
      "-o",
      terminal.path("bare"),
    );
    expect(runs(document).map(({ technique }) => technique)).toEqual(["native"]);
  });

  test("takes a price in place of the model's, here and in recost", async () => {
    const price = ["--set", "cost.trap.entry=800"];
    const { document } = await terminal.json("run", "null-syscall", ...small, ...price, "-o", terminal.path("dear"));
    const traces = ["native", "full"].map((name) => join(results, `null-syscall.${name}.trace`));
    const { document: again } = await terminal.json("recost", ...traces, ...price);
    expect(runs(again).map(({ cycles }) => cycles.total)).toEqual(runs(document).map(({ cycles }) => cycles.total));
    expect(runs(document)[1]!.cycles.total).toBeGreaterThan(runs(first.document)[1]!.cycles.total);
  });

  test("measures laps that the console marks, for a guest that makes none", async () => {
    const args = [
      "--guest",
      "hutch",
      "--run",
      "echo a; echo a; echo a",
      "--memory",
      "16M",
      "--mark-console",
      "line=a\n",
      "--measure",
      "line",
    ];
    const { code, document } = await terminal.json("run", "boot", ...args, "-o", terminal.path("lines"));
    expect([code, runs(document).length]).toEqual([0, 2]);
    const { runs: stored } = JSON.parse(readFileSync(terminal.path("lines/comparison.json"), "utf8"));
    expect(stored[0].marks).toMatchObject([{ name: "line", laps: 2 }]);
    expect(stored[1].marks[0].steps).toBe(stored[0].marks[0].steps);
  });

  test("ends with 4 where the guest runs out of budget, under every technique at the same step", async () => {
    const { code, document } = await terminal.json(
      "run",
      "boot",
      ...small,
      "--max-instructions",
      "30000",
      "-o",
      terminal.path("short"),
    );
    expect(code).toBe(4);
    expect(runs(document).map(({ steps }) => steps)).toEqual([30_000, 30_000]);
  });

  test("refuses a measure that no mark has", async () => {
    const { code, err } = await terminal.run(
      "run",
      "boot",
      ...small,
      "--measure",
      "lunch",
      "-o",
      terminal.path("lunch"),
    );
    expect([code, err]).toEqual([
      2,
      expect.stringContaining('Cannot measure "lunch" in boot as the guest must mark it: it made syscall'),
    ]);
  });
});

describe("report", () => {
  test("writes the same files again from the comparison alone", async () => {
    const before = contents(results);
    const { code } = await terminal.json("report", results);
    expect(code).toBe(0);
    expect(contents(results)).toEqual(before);
  });

  test("ends with 2 where there are no results", async () => {
    const { code, err } = await terminal.run("report", terminal.path("nowhere"));
    expect([code, err]).toEqual([
      2,
      expect.stringMatching(/^Cannot read .*comparison\.json as results have a comparison/),
    ]);
  });
});

describe("an experiment file from anywhere on disk", () => {
  const EXPERIMENT = `
    import type { Guest } from "trapline/guests";
    import { hutch } from "trapline/guests";
    import { experiment, full, inOrder, native } from "trapline/harness";
    import { slowdown } from "trapline/reports";
    import { COUNT } from './count.ts';
    const guest: Guest = { ...hutch.running(\`null-syscall \${COUNT as number}\`), memoryBytes: 16 << 20 };
    export default experiment({
      question: "Is it found?", guest, techniques: [native, { ...full }], costs: [inOrder], measure: "syscall",
      reports: [slowdown({ baseline: native })],
    });
  `;
  /** The command as a user starts it: a process of its own. */
  const start = (...args: readonly string[]) => {
    const cli = packageFile("harness/cli/trapline.ts");
    const [command, ...before] =
      versions.deno === undefined
        ? [process.execPath, "--import", packageFile("node_modules/tsx/dist/loader.mjs"), cli]
        : [packageFile("node_modules/.bin/deno"), "run", "--config", packageFile("deno.json"), "--allow-all", cli];
    const { VITEST: _, ...env } = process.env;
    return spawnSync(command!, [...before, ...args], { cwd: terminal.folder, encoding: "utf8", env });
  };

  test("runs, with types stripped, its own imports, techniques of its own, and in workers", () => {
    writeFileSync(terminal.path("mine.ts"), EXPERIMENT);
    writeFileSync(terminal.path("count.ts"), "export const COUNT: number = 20;\n");
    const { status, stdout, stderr } = start("run", "./mine.ts", "--workers", "2", "--json");
    expect(status, stderr).toBe(0);
    const document = JSON.parse(stdout);
    expect(document).toMatchObject({ experiment: "mine", report: "results/mine/report.html" });
    expect(runs(document)[1]).toMatchObject({ workload: "null-syscall 20", identity: { equal: true } });
  });

  test("records several guests, and compares each with its own recording", () => {
    const text = EXPERIMENT.replace("techniques: [native, { ...full }]", "techniques: [native, { ...full }], also: ALSO")
      .replace("export default", 'const ALSO = [{ guest: { ...hutch.running("null-syscall 700 "), name: "more", memoryBytes: 16 << 20 }, techniques: [native] }];\n    export default'); // biome-ignore format: one file
    writeFileSync(terminal.path("several.ts"), text);
    writeFileSync(terminal.path("count.ts"), "export const COUNT: number = 20;\n");
    const quick = start("run", "./several.ts", "--quick", "--technique", "native,full", "--json");
    expect(quick.status, quick.stderr).toBe(0);
    const found = runs(JSON.parse(quick.stdout)) as readonly (Run & { workload: string; trace: string })[];
    // The second guest does not list full, so it is not run under it; both do as little as --quick asks.
    expect(found.map(({ workload, technique, trace }) => [workload, technique, trace])).toEqual([
      ["null-syscall 500", "native", "results/several/null-syscall.native.trace"],
      ["null-syscall 500", "full", "results/several/null-syscall.full.trace"],
      ["null-syscall 500", "native", "results/several/more.native.trace"],
    ]);
    const { runs: stored } = JSON.parse(readFileSync(terminal.path("results/several/comparison.json"), "utf8"));
    expect(stored.map((run: { recording: string }) => run.recording)).toEqual(["null-syscall", "null-syscall", "more"]);
  });

  test.each([
    [
      "that exports none",
      "export const question = 1;\n",
      /^Cannot run .*bad\.ts as its default export must be an experiment: it is missing/,
    ],
    ["that does not parse", "export default {;\n", /^Cannot load .*bad\.ts as it must be a module that runs/],
    [
      "that throws",
      'throw new Error("no luck");\n',
      /^Cannot load .*bad\.ts as it must be a module that runs: no luck/,
    ],
  ])("%s is refused", (_, text, message) => {
    writeFileSync(terminal.path("bad.ts"), text);
    const { status, stderr } = start("run", terminal.path("bad.ts"));
    expect([status, stderr]).toEqual([2, expect.stringMatching(message)]);
    expect(stderr).not.toMatch(/\n +at /);
  });
});
