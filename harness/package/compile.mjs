/**
 * Compiles the sources to `dist/`, when it is missing or was made from other sources than these.
 *
 * Plain JavaScript, as it runs before anything is compiled. Freshness is by content, not by time: a checkout sets times as it likes.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The package's root folder. */
export const root = fileURLToPath(new URL("../../", import.meta.url));

const ROOMS = ["engine", "traces", "harness", "reports"];
const CONFIGURATION = ["tsconfig.json", "tsconfig.build.json"];
/** Holds the hash of the sources that `dist/` was made from. */
const STAMP = "sources.sha256";

/** The hash of all that decides what `dist/` holds, or undefined where the sources are not here. */
export function sourcesHash(folder = root) {
  if (!existsSync(join(folder, "tsconfig.build.json"))) return undefined;
  const hash = createHash("sha256");
  const sources = ROOMS.flatMap((room) =>
    readdirSync(join(folder, room), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
      .map((file) => join(room, file)),
  );
  for (const file of [...CONFIGURATION, ...sources].sort()) {
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(folder, file)))
      .update("\0");
  }
  return hash.digest("hex");
}

/** True where `dist/` was made from these very sources. */
export function isFresh(folder = root) {
  const stamp = join(folder, "dist", STAMP);
  return existsSync(stamp) && readFileSync(stamp, "utf8").trim() === sourcesHash(folder);
}

/** The path of tsc's launcher, or undefined where TypeScript is not installed. */
function compiler() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
  } catch (error) {
    if (error.code === "MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}

/**
 * Makes `dist/` anew if it is not fresh.
 *
 * @returns What was done: "fresh" or "compiled"; "no-compiler" or "failed", after which `dist/` is as it was. What the compiler says goes to stderr.
 */
export function compile() {
  const hash = sourcesHash();
  if (hash === undefined || isFresh()) return "fresh";
  const tsc = compiler();
  if (tsc === undefined) return "no-compiler";
  // Whole or not at all: a run that is stopped half-way leaves the old files.
  const partial = join(root, "dist.partial");
  rmSync(partial, { recursive: true, force: true });
  const { status } = spawnSync(process.execPath, [tsc, "--project", "tsconfig.build.json", "--outDir", partial], {
    cwd: root,
    stdio: ["ignore", 2, 2], // The standard output is the caller's.
  });
  if (status !== 0) {
    rmSync(partial, { recursive: true, force: true });
    return "failed";
  }
  writeFileSync(join(partial, STAMP), `${hash}\n`);
  rmSync(join(root, "dist"), { recursive: true, force: true });
  renameSync(partial, join(root, "dist"));
  return "compiled";
}
