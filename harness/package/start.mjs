/**
 * `npm start`: compiles what needs it, then runs the default experiment. What follows `npm start --` goes to `trapline run all-techniques`.
 *
 * @module
 */

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { compile, root } from "./compile.mjs";

const entry = join(root, "dist", "harness", "cli", "trapline.js");
const outcome = compile();
if (outcome === "no-compiler") {
  console.error(
    "Cannot compile dist as TypeScript must be installed: it is not, and dist is missing or old; type npm ci",
  );
  process.exit(1);
}
if (outcome === "failed") {
  console.error("Cannot compile dist as the sources must type-check: the compiler's messages are above");
  process.exit(1);
}
// The command line reads its arguments when it is loaded, as if it had been started itself.
process.argv = [process.argv[0], entry, "run", "all-techniques", ...process.argv.slice(2)];
await import(pathToFileURL(entry).href);
