/**
 * What each port of the embedded guest took: its arch layer in files and lines, beside what all ports share.
 *
 * A line counts as code if something other than blanks and comments stands on it. The `pre` port is the bare one through another assembler: it
 * has no file of its own.
 *
 * Left out: user programs, which no port changes; how long anybody took.
 *
 * @module
 */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { PortEffort } from "./comparison.ts";
import { packageFile } from "./installation.ts";

export interface CountedFile {
  /** From the guest's folder. */
  readonly path: string;
  readonly lines: number;
  readonly code: number;
}
/** Files with their sums. */
export interface Counted {
  readonly files: readonly CountedFile[];
  readonly lines: number;
  readonly code: number;
}
export interface Effort {
  readonly guest: string;
  /** The kernel without its arch layers. */
  readonly shared: Counted;
  readonly ports: readonly (Counted & { readonly port: "bare" | "para" | "pre" })[];
}

const HUTCH = "experiments/guests/hutch";

/** Whether the sources are there: they are in a clone, and in no installed package. */
export const hasSources = (folder: string = packageFile(HUTCH)): boolean => existsSync(join(folder, "kernel"));

/** The sums alone, as a comparison keeps them; what all ports share comes first. */
export function portEfforts({ shared, ports }: Effort): readonly PortEffort[] {
  return [{ port: "shared", ...shared }, ...ports].map(({ port, files, lines, code }) => ({
    port,
    files: files.length,
    lines,
    code,
  }));
}

const SOURCE = /\.(c|h|S|ld)$/;

/**
 * Counts hutch's sources.
 *
 * @param folder The guest's; that of the repository where it is left out.
 * @throws {RangeError} If there are no sources, as in an installed package.
 */
export function effortOf(folder: string = packageFile(HUTCH)): Effort {
  if (!hasSources(folder)) {
    throw new RangeError(
      `Cannot count what ports took as hutch's sources must be in ${folder}: they are not; use a clone of the repository`,
    );
  }
  const under = (path: string): string[] =>
    readdirSync(join(folder, path), { withFileTypes: true })
      .filter((entry) => entry.isFile() && SOURCE.test(entry.name))
      .map(({ name }) => (path === "" ? name : `${path}/${name}`))
      .sort();
  const count = (paths: readonly string[]): Counted => {
    const files = paths.map((path) => ({ path, ...countLines(readFileSync(join(folder, path), "utf8")) }));
    return { files, lines: sumOf(files, "lines"), code: sumOf(files, "code") };
  };
  return {
    guest: "hutch",
    shared: count([...under(""), ...under("kernel")]),
    ports: [
      { port: "bare", ...count(under("kernel/arch-bare")) },
      { port: "para", ...count(under("kernel/arch-para")) },
      { port: "pre", ...count([]) },
    ],
  };
}

const sumOf = (files: readonly CountedFile[], what: "lines" | "code"): number =>
  files.reduce((sum, file) => sum + file[what], 0);

/** Counts the lines of a source in C or assembly, with comments as in C. */
export function countLines(text: string): { readonly lines: number; readonly code: number } {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  let inside = false;
  let code = 0;
  for (const line of lines) {
    let rest = line;
    let bare = "";
    while (rest !== "") {
      const end = inside ? rest.indexOf("*/") : rest.indexOf("/*");
      if (!inside) bare += end < 0 ? rest : rest.slice(0, end);
      if (end < 0) break;
      rest = rest.slice(end + 2);
      inside = !inside;
    }
    if (bare.replace(/\/\/.*/, "").trim() !== "") code++;
  }
  return { lines: lines.length, code };
}
