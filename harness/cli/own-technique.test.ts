import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { versions } from "node:process";
import { afterAll, expect, test } from "vitest";
import { differences } from "../../reports/mod.ts";
import type { Comparison } from "../comparison.ts";
import { packageFile } from "../installation.ts";
import { Terminal } from "./cli.fixture.ts";

const terminal = new Terminal();
afterAll(() => terminal.remove());

/** The code in the section of the documentation. */
const [technique = "", experiment = ""] = [
  .../```ts\n[\s\S]*?```/g[Symbol.matchAll](
    /## A technique\n([\s\S]*?)\n## /.exec(readFileSync(packageFile("docs/adding.md"), "utf8"))![1]!,
  ),
].map(([block]) => block.slice("```ts\n".length, -"```".length));

/** The command as a user starts it: a process of its own, in a folder outside of the repository. */
function start(...args: readonly string[]) {
  const cli = packageFile("harness/cli/trapline.ts");
  const [command, ...before] =
    versions.deno === undefined
      ? [process.execPath, "--import", packageFile("node_modules/tsx/dist/loader.mjs"), cli]
      : [packageFile("node_modules/.bin/deno"), "run", "--config", packageFile("deno.json"), "--allow-all", cli];
  const { VITEST: _, ...env } = process.env;
  return spawnSync(command!, [...before, ...args], { cwd: terminal.folder, encoding: "utf8", env });
}

test("the documented technique is ten lines, and an experiment from anywhere on disk runs it", () => {
  const value = technique.slice(technique.indexOf("export const")).trim();
  expect(value.split("\n").length).toBe(10);
  writeFileSync(terminal.path("fetching.ts"), technique);
  writeFileSync(terminal.path("question.ts"), experiment);
  const { status, stderr } = start("run", "./question.ts", "--json");
  expect([status, stderr]).toEqual([0, expect.any(String)]);
  const found = JSON.parse(readFileSync(terminal.path("results/question/comparison.json"), "utf8")) as Comparison;
  expect(found.runs.map((run) => [run.technique, run.identity?.equal ?? "recorded"])).toEqual([
    ["native", "recorded"],
    ["full", true],
    ["fetching", true],
  ]);
  // What it takes more than full virtualization is what it says: decoding, once for each instruction that trapped.
  const one = differences(found).find(
    ({ mark, left, right }) => mark === "syscall" && left.technique === "full" && right.technique === "fetching",
  )!;
  const decode = found.costModel.prices.find(({ id }) => id === "work.decode")!.cycles;
  const traps = found.runs[1]!.marks[0]!.exits.byReason["privileged-instruction"]! / 100;
  expect(one.cycles).toBe(traps * decode);
  expect(one.byCause.filter(({ cycles }) => cycles !== 0)).toEqual([{ name: "decoding", cycles: one.cycles }]);
});

test("the documented technique and experiment have the types that the public faces ask for", () => {
  writeFileSync(terminal.path("fetching.ts"), technique);
  writeFileSync(terminal.path("question.ts"), experiment);
  const options = {
    extends: packageFile("tsconfig.json"),
    compilerOptions: {
      noEmit: true,
      skipLibCheck: true,
      types: ["node"],
      typeRoots: [packageFile("node_modules/@types")],
      paths: Object.fromEntries(
        ["engine", "traces", "harness", "reports"].map((room) => [`trapline/${room}`, [packageFile(`${room}/mod.ts`)]]).concat([["trapline/guests", [packageFile("harness/guests/mod.ts")]]]), // biome-ignore format: one table
      ),
    },
    include: [terminal.path("fetching.ts"), terminal.path("question.ts")],
  };
  writeFileSync(terminal.path("tsconfig.json"), JSON.stringify(options));
  const compiler = packageFile("node_modules/.bin/tsc");
  const { status, stdout } = spawnSync(compiler, ["-p", terminal.path("tsconfig.json")], { encoding: "utf8" });
  const complaints = stdout.split("\n").filter((line) => /^(\.\.\/)*[^ ]*(fetching|question)\.ts/.test(line));
  expect([status === 0 || complaints.length === 0, complaints]).toEqual([true, []]);
});
