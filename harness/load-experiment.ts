/**
 * Loads experiment files, by name or by path, from anywhere on disk.
 *
 * @module
 */

import { existsSync, readdirSync, statSync } from "node:fs";
import { register } from "node:module";
import { resolve } from "node:path";
import { env, versions } from "node:process";
import { pathToFileURL } from "node:url";
import { type Experiment, isExperiment } from "./experiment.ts";
import type { HookData } from "./experiment-hooks.ts";
import { moduleUrl, packageExperiment, packageFile, packageRoot, publicModules } from "./installation.ts";

let hooked = false;

/** Once, and on Node only: Deno and vitest strip types themselves, and are told of our names in their own ways. */
function hook(): void {
  if (hooked || versions.deno !== undefined || env.VITEST !== undefined) return;
  hooked = true;
  const modules = Object.fromEntries(
    Object.entries(publicModules).map(([specifier, path]) => [specifier, moduleUrl(path).href]),
  );
  const data: HookData = { modules, from: new URL("package.json", packageRoot).href };
  register(moduleUrl("harness/experiment-hooks.ts").href, { parentURL: import.meta.url, data });
}

/** An experiment with the name that its results go under. */
export interface LoadedExperiment {
  readonly name: string;
  readonly path: string;
  readonly experiment: Experiment;
}

/** Names of the experiments that come with the package. */
export function packageExperiments(): readonly string[] {
  return readdirSync(packageFile("experiments"))
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .map((name) => name.slice(0, -3))
    .sort();
}

/**
 * Loads an experiment.
 *
 * @param nameOrPath A name that comes with the package, such as `null-syscall`, or a path of a file. A path wins where both exist.
 * @throws {RangeError} If there is no such experiment, or the file does not export one by default.
 */
export async function loadExperiment(nameOrPath: string): Promise<LoadedExperiment> {
  const asFile = resolve(nameOrPath);
  const path = existsSync(asFile) && statSync(asFile).isFile() ? asFile : packageExperiment(nameOrPath);
  if (path === undefined) {
    throw new RangeError(
      `Cannot run ${nameOrPath} as it must be a file or one of ${packageExperiments().join(", ")}: it is neither`,
    );
  }
  hook();
  let module: { readonly default?: unknown };
  try {
    module = (await import(pathToFileURL(path).href)) as { readonly default?: unknown };
  } catch (error) {
    const found = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new RangeError(`Cannot load ${path} as it must be a module that runs: ${found}`, { cause: error });
  }
  if (!isExperiment(module.default)) {
    throw new RangeError(
      `Cannot run ${path} as its default export must be an experiment: it is ${module.default === undefined ? "missing" : "something else"}; write export default experiment({ … })`,
    );
  }
  const name = /([^/\\]+?)\.[^.]*$/.exec(path)?.[1] ?? "experiment";
  return { name, path, experiment: module.default };
}
