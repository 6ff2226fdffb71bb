/**
 * One suite for Node and Deno. `trapline/*` means the sources, as tsconfig.json says. With `--mode guests`, the slow suite instead: it
 * fetches guests and boots them, and repeats an experiment in every way that must not matter.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const { compilerOptions } = JSON.parse(readFileSync(new URL("tsconfig.json", import.meta.url), "utf8")) as {
  compilerOptions: { paths: Record<string, [string]> };
};

const SLOW = "harness/cli/slow/**/*.test.ts";

export default defineConfig(({ mode }) => ({
  resolve: {
    alias: Object.fromEntries(
      Object.entries(compilerOptions.paths).map(([face, [path]]) => [
        face,
        fileURLToPath(new URL(path, import.meta.url)),
      ]),
    ),
  },
  test: {
    // Only child processes work under both runtimes.
    pool: "forks",
    maxWorkers: 2,
    include: mode === "guests" ? [SLOW] : ["*.test.ts", "{engine,traces,harness,reports,experiments}/**/*.test.ts"],
    exclude: ["**/node_modules/**", "dist/**", ...(mode === "guests" ? [] : [SLOW])],
    // Room for a machine that does other things too.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // A test that asserts nothing fails.
    expect: { requireAssertions: true },
  },
}));
