/**
 * `npm run bench:peers`: compiles what needs it, then compares ours with QEMU. See `main.ts`.
 *
 * @module
 */

import { join } from "node:path";
import { argv, exit } from "node:process";
import { pathToFileURL } from "node:url";
import { compile, root } from "../../package/compile.mjs";

if (!["fresh", "compiled"].includes(compile())) {
  console.error("Cannot compile dist as TypeScript must be installed and the sources must type-check: type npm ci");
  exit(1);
}
const entry = "harness/bench/peers/main.ts";
const { main } = await import(pathToFileURL(join(root, "dist", entry.replace(/\.ts$/, ".js"))).href);
try {
  await main(argv.slice(2));
} catch (error) {
  // What can go wrong by the user's doing is said in one line.
  console.error(error instanceof RangeError || error.code?.startsWith("ERR_PARSE_ARGS") ? error.message : error);
  exit(1);
}
