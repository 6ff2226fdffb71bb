/**
 * `npm run check:package`: packs the package, installs it into an empty folder, and uses it there as its users would.
 *
 * They have Node and what npm installs; their experiment files lie anywhere on disk.
 *
 * @module
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./compile.mjs";

const EXPERIMENT = `/** Does a guest pay more for its second hundred of system calls? */
import type { Guest } from "trapline/guests";
import { hutch } from "trapline/guests";
import { experiment, full, inOrder, native } from "trapline/harness";
import { exitsByReason, slowdown } from "trapline/reports";

const calls: number = 200;
const guest: Guest = hutch.running(\`null-syscall \${calls}\`);

export default experiment({
  question: "Does a guest pay more for its second hundred of system calls?",
  guest,
  techniques: [native, full],
  costs: [inOrder],
  measure: "syscall",
  reports: [slowdown({ baseline: native }), exitsByReason()],
});
`;

const scratch = mkdtempSync(join(tmpdir(), "trapline-package-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

const installed = join(scratch, "installed");
const elsewhere = join(scratch, "elsewhere");
for (const folder of [installed, elsewhere]) mkdirSync(folder);
// Without one, npm installs into whatever folder above has packages.
writeFileSync(join(installed, "package.json"), '{ "private": true }\n');

function run(cwd, command, ...args) {
  console.error(`$ ${[command, ...args].join(" ")}`);
  return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}

const [{ filename, files }] = JSON.parse(run(root, "npm", "pack", "--json", "--pack-destination", scratch));
const packed = files.map(({ path }) => path);
for (const path of ["README.md", "LICENSE", "docs/ARCHITECTURE.md", "experiments/null-syscall.ts"]) {
  assert(packed.includes(path), `The package must hold ${path}`);
}
assert(
  packed.some((path) => /^experiments\/guests\/hutch\/prebuilt\/.*\.elf$/.test(path)),
  "It must hold hutch",
);
const strays = packed.filter((path) => /\.test\.|\.partial|node_modules|(?<!\.d)\.ts$/.test(path));
assert.deepEqual(
  strays.filter((path) => !/^experiments\/[^/]+\.ts$/.test(path)),
  [],
  "It must hold no tests, and of the sources only the experiments",
);

run(installed, "npm", "install", join(scratch, filename), "--ignore-scripts", "--prefer-offline", "--no-audit");

const mine = join(elsewhere, "second-hundred.ts");
writeFileSync(mine, EXPERIMENT);
for (const [experiment, name] of [
  ["null-syscall", "null-syscall"],
  [mine, "second-hundred"],
]) {
  const document = JSON.parse(run(installed, "npx", "--no-install", "trapline", "run", experiment, "--json"));
  assert.equal(document.experiment, name);
  assert.deepEqual([...new Set(document.runs.map(({ technique }) => technique))], ["native", "full"]);
  const identities = document.runs.map(({ identity }) => identity).filter((identity) => identity !== null);
  assert(identities.length > 0 && identities.every(({ level, equal }) => level === "exact" && equal), name);
  assert(existsSync(join(installed, "results", name, "report.html")), `${name} must leave a report`);
}

// What npm installs for a user is not what the lockfile says, but what comes out is the same, byte for byte.
const here = join(scratch, "here");
run(root, "node", join("dist", "harness", "cli", "trapline.js"), "run", "null-syscall", "--json", "-o", here);
const there = join(installed, "results", "null-syscall");
const results = (folder) => readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
assert.deepEqual(results(there), results(here));
for (const name of results(here).filter((name) => statSync(join(here, name)).isFile())) {
  assert(readFileSync(join(there, name)).equals(readFileSync(join(here, name))), `${name} must have the same bytes`);
}

const faces = Object.keys(JSON.parse(run(root, "npm", "pkg", "get", "exports")));
for (const face of faces.filter((face) => !face.endsWith(".json"))) {
  run(
    installed,
    "node",
    "--input-type=module",
    "--eval",
    `await import(${JSON.stringify(`trapline${face.slice(1)}`)})`,
  );
}

console.log(`${filename}: ${packed.length} files; installed, and ran an experiment of its own and one from elsewhere`);
