/**
 * Module hooks for experiment files on Node: strips types from `.ts` files, and makes `trapline/NAME` mean this installation.
 *
 * Node runs this module in a thread of its own. Node 20 strips no types itself; this is the stripper that later versions have built in.
 * It imports nothing of ours, so that it loads alone.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

/** What the main thread tells the hooks. */
export interface HookData {
  /** Address of each public module by its specifier. */
  readonly modules: Readonly<Record<string, string>>;
  /** A file of the package, whose dependencies are looked up from there. */
  readonly from: string;
}

interface Resolved {
  readonly url: string;
  readonly format?: string;
  readonly shortCircuit?: boolean;
}
interface Loaded {
  readonly format: string;
  readonly source?: string;
  readonly shortCircuit?: boolean;
}

let modules: Readonly<Record<string, string>> = {};
let strip = (source: string): string => source;

export function initialize(data: HookData): void {
  modules = data.modules;
  const { transformSync } = createRequire(data.from)("@swc/wasm-typescript") as {
    transformSync(source: string, options: { mode: string; filename: string }): { code: string };
  };
  strip = (source) => transformSync(source, { mode: "strip-only", filename: "experiment.ts" }).code;
}

export async function resolve<C>(
  specifier: string,
  context: C,
  next: (specifier: string, context: C) => Promise<Resolved>,
): Promise<Resolved> {
  const url = Object.hasOwn(modules, specifier) ? modules[specifier] : undefined;
  return url === undefined ? next(specifier, context) : { url, format: "module", shortCircuit: true };
}

export async function load<C>(
  url: string,
  context: C,
  next: (url: string, context: C) => Promise<Loaded>,
): Promise<Loaded> {
  if (!/^file:.*\.m?ts$/.test(url) || Object.values(modules).includes(url) || isOurs(url)) return next(url, context);
  return { format: "module", source: strip(readFileSync(fileURLToPath(url), "utf8")), shortCircuit: true };
}

/** Our own sources, where they run uncompiled: whoever runs them loads them. */
function isOurs(url: string): boolean {
  const face = Object.values(modules)[0];
  return face?.endsWith(".ts") === true && url.startsWith(new URL("../", face).href) && !url.includes("/experiments/");
}
