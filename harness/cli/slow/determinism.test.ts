import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sha256 } from "../../store.ts";

/** Both runtimes, each by what starts a program from its source. */
const RUNTIMES = {
  node: ["node_modules/.bin/tsx"],
  deno: ["node_modules/.bin/deno", "run", "--quiet", "--no-prompt", "--allow-all"],
} as const;
type Runtime = keyof typeof RUNTIMES;

const TECHNIQUES = "native,full,rewriting:trap,rewriting:inline,para";
const ROUNDS = [1, 2];
const RUNS = ROUNDS.flatMap((round) =>
  [1, 2, 4].flatMap((workers) =>
    (["node", "deno"] as const).map((runtime) => ({
      round,
      workers,
      runtime,
      name: `run-${round}-${workers}-${runtime}`,
    })),
  ),
);
const REMAKES = ROUNDS.flatMap((round) =>
  (["interpreter", "jit"] as const).flatMap((tier) =>
    (["node", "deno"] as const).map((runtime) => ({
      round,
      tier,
      runtime,
      name: `remake-${round}-${tier}-${runtime}`,
    })),
  ),
);
const REPEAT_MS = 120_000;

const scratch = mkdtempSync(join(tmpdir(), "trapline-determinism-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function start(runtime: Runtime, ...args: readonly string[]): string {
  const [program, ...before] = RUNTIMES[runtime];
  const { status, stdout, stderr } = spawnSync(program, [...before, ...args], {
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
  });
  expect([status, stderr]).toEqual([0, expect.any(String)]);
  return stdout;
}

/** An experiment with all its results, and a second workload beside them. @returns What was printed, without the folder's name. */
function run(runtime: Runtime, workers: number, folder: string): string {
  const command = (...args: string[]) => start(runtime, "harness/cli/trapline.ts", ...args, "--json");
  const results = ["null-syscall", "--technique", TECHNIQUES, "--workers", String(workers), "-o", folder];
  const printed = [
    command("run", ...results),
    command("record", "--guest", "fork-exec", "-o", join(folder, "fork-exec.native.trace")),
  ];
  return printed.join("").replaceAll(folder, "FOLDER");
}

/** The SHA-256 of every file below a folder, by its path. */
function hashes(folder: string): Readonly<Record<string, string>> {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  return Object.fromEntries(
    files
      .map((file) => [file, join(folder, file)] as const)
      .filter(([, path]) => statSync(path).isFile())
      .map(([file, path]) => [file, sha256(readFileSync(path))]),
  );
}

describe(`${RUNS.length + REMAKES.length} repeats of one experiment`, () => {
  const first = join(scratch, "first");
  let printed: string;
  let expected: ReturnType<typeof hashes>;
  beforeAll(() => {
    printed = run("node", 1, first);
    expected = hashes(first);
  }, REPEAT_MS);

  test("have a report, tables, figures, images and a trace for each technique and workload to compare", () => {
    expect(Object.keys(expected).filter((file) => file.endsWith(".trace"))).toEqual([
      "fork-exec.native.trace",
      "null-syscall.full.trace",
      "null-syscall.native.trace",
      "null-syscall.para.trace",
      "null-syscall.rewriting.inline.trace",
      "null-syscall.rewriting.trap.trace",
    ]);
    expect(Object.keys(expected)).toEqual(
      expect.arrayContaining(["comparison.json", "report.html", "figures/slowdown.svg", "tables/slowdown.csv"]),
    );
  });

  test.each(RUNS)(
    "leave the same bytes in $runtime with $workers workers, round $round",
    ({ runtime, workers, name }) => {
      const folder = join(scratch, name);
      expect(run(runtime, workers, folder)).toBe(printed);
      expect(hashes(folder)).toEqual(expected);
    },
    REPEAT_MS,
  );

  test.each(REMAKES)(
    "leave the same traces in the $tier in $runtime, round $round",
    ({ runtime, tier, name }) => {
      const into = join(scratch, name);
      mkdirSync(into);
      start(runtime, "harness/cli/slow/remake.fixture.ts", tier, first, into);
      const traces = Object.entries(expected).filter(([file]) => file.endsWith(".trace"));
      expect(hashes(into)).toEqual(Object.fromEntries(traces));
    },
    REPEAT_MS,
  );
});
