/**
 * The installation that runs: where the package is, and whether it runs compiled or from its sources.
 *
 * The only place that knows; everything else asks here. Compiled files lie in `dist/`, one level below the package's root.
 *
 * @module
 */

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** True where the compiled files run, false where the sources do (vitest, tsx, Deno). */
export const compiled: boolean = import.meta.url.endsWith(".js");

/** The package's root folder; ends in a slash. */
export const packageRoot: URL = new URL(compiled ? "../../" : "../", import.meta.url);

/** The package's version, as traces and reports name it. */
export const version: string = (
  JSON.parse(readFileSync(new URL("package.json", packageRoot), "utf8")) as { version: string }
).version;

/** A file of the package that is not a module, such as a prebuilt guest. */
export function packageFile(path: string): string {
  return fileURLToPath(new URL(path, packageRoot));
}

/**
 * A module of the package as this installation runs it.
 *
 * @param path Of the source, from the package's root: `harness/mod.ts`.
 */
export function moduleUrl(path: string): URL {
  return compiled ? new URL(`dist/${path.replace(/\.ts$/, ".js")}`, packageRoot) : new URL(path, packageRoot);
}

/** The modules that `trapline/NAME` means, as package.json exports them. */
export const publicModules: Readonly<Record<string, string>> = {
  "trapline/engine": "engine/mod.ts",
  "trapline/traces": "traces/mod.ts",
  "trapline/harness": "harness/mod.ts",
  "trapline/guests": "harness/guests/mod.ts",
  "trapline/reports": "reports/mod.ts",
};

/** An experiment of the package by its name, or undefined. Sources come first: a compiled copy is not part of the package. */
export function packageExperiment(name: string): string | undefined {
  if (!/^[a-z0-9-]+$/.test(name)) return undefined;
  const path = packageFile(`experiments/${name}.ts`);
  return existsSync(path) ? path : undefined;
}
