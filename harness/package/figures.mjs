/**
 * `npm run figures`: draws the README's figure and fills in its table of speeds, by running what they show.
 *
 * The figure is the same on every machine. The speeds are this machine's, and the table says which that is.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { compile, root } from "./compile.mjs";

const BEGIN = "<!-- bench:begin -->";
const END = "<!-- bench:end -->";

/** Runs a verb of the command line, and returns its document; where it fails, so do we, and it has said why. */
function trapline(...args) {
  const entry = join(root, "dist", "harness", "cli", "trapline.js");
  const options = { cwd: scratch, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] };
  const { status, stdout } = spawnSync(process.execPath, [entry, ...args, "--json"], options);
  if (status !== 0) process.exit(status ?? 1);
  return JSON.parse(stdout);
}

/** Two or three significant digits, with digits in groups. */
function rounded(value) {
  const magnitude = 10 ** Math.max(0, Math.floor(Math.log10(Math.abs(value) || 1)) - 2);
  const whole = Math.round(value / magnitude) * magnitude;
  return value >= 100 ? whole.toString().replace(/\B(?=(\d{3})+$)/g, ",") : value.toPrecision(3);
}

if (!["fresh", "compiled"].includes(compile())) process.exit(1);
const scratch = mkdtempSync(join(tmpdir(), "trapline-figures-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

const { report } = trapline("run", "all-techniques");
const results = dirname(join(scratch, report));
const figure = readdirSync(results, { recursive: true, encoding: "utf8" }).find((name) =>
  /slowdown.*\.svg$/.test(name),
);
if (figure === undefined)
  throw new Error(`Cannot draw the figure as the report must have one of slowdown: none in ${results}`);
mkdirSync(join(root, "docs", "figures"), { recursive: true });
copyFileSync(join(results, figure), join(root, "docs", "figures", "slowdown.svg"));

const { benchmarks } = trapline("bench");
const table = [
  `${cpus()[0].model.trim()}, Node ${process.versions.node}:`,
  "",
  "| Benchmark | Value | Unit |",
  "| --- | ---: | --- |",
  ...benchmarks.map(({ name, unit, value }) => `| ${name} | ${rounded(value)} | ${unit} |`),
];
const readme = join(root, "README.md");
const [before, rest] = readFileSync(readme, "utf8").split(BEGIN);
const after = rest?.split(END)[1];
if (after === undefined)
  throw new Error(`Cannot fill in the table as README.md must hold ${BEGIN} and ${END}: it does not`);
writeFileSync(readme, [before, BEGIN, "\n", table.join("\n"), "\n", END, after].join(""));
console.log("docs/figures/slowdown.svg and the table in README.md are new");
