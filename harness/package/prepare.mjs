/**
 * `npm run prepare`, which npm runs after `npm ci` and before `npm pack`: compiles `dist/` where there is a compiler, and skips otherwise.
 *
 * @module
 */

import { compile } from "./compile.mjs";

const outcome = compile();
if (outcome === "no-compiler") console.error("trapline: dist is not compiled, as TypeScript is not installed here");
if (outcome === "failed") process.exitCode = 1;
