/**
 * The afterburner in front of an assembler: `gcc -B FOLDER` takes the program `as` in that folder for its assembler, so that a build needs no change
 * but this option. What gcc gives its assembler is passed on, but for the source, in place of which the assembler gets the annotated one.
 *
 * This sees all that a compiler makes, inline assembly and preprocessed `.S` files included, whatever options its driver was called with.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { reasonOf, writeWhole } from "../files.ts";
import { type Afterburned, type AfterburnOptions, afterburn } from "./afterburn.ts";

/** The assembler where none is named: Debian's, for a bare machine. */
export const ASSEMBLER = "riscv64-unknown-elf-as";

/** Options of the assembler whose value is an argument of its own (Using as, "Overview"). */
const WITH_VALUE = new Set(["-o", "-I", "--defsym", "--MD", "-MD", "--debug-prefix-map", "-march", "-mabi", "-k"]);

/**
 * Writes the program `as` into a folder.
 *
 * @param command What runs trapline, such as `["node", "dist/harness/cli/trapline.js"]`, followed by options for the afterburner.
 * @returns The program's path.
 * @throws {RangeError} If it cannot be written.
 */
export function writeWrapper(folder: string, command: readonly string[]): string {
  const path = join(folder, "as");
  writeWhole(path, `#!/bin/sh\nexec ${command.map(quoted).join(" ")} -- "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

function quoted(word: string): string {
  return /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** What came of an assembler's run. */
export interface Assembled {
  /** The assembler's exit code. */
  readonly exitCode: number;
  readonly sources: readonly Afterburned[];
}

/**
 * Runs an assembler on annotated sources.
 *
 * @param args The assembler's arguments. Each that is no option is a source; `-`, or none, means standard input.
 * @throws {RangeError} If there is no such assembler, or a source cannot be read or annotated.
 */
export function assembleAnnotated(
  assembler: string,
  args: readonly string[],
  options: Omit<AfterburnOptions, "file">,
): Assembled {
  const scratch = mkdtempSync(join(tmpdir(), "trapline-as-"));
  try {
    const sources: Afterburned[] = [];
    const annotated = (path: string, name: string, text: string): string => {
      const burned = afterburn(text, { ...options, file: name });
      sources.push(burned);
      const file = join(scratch, `${sources.length}-${path}`);
      writeFileSync(file, burned.text);
      return file;
    };
    const asks = args.some((arg) => /^(--help|--version|-version|--target-help|--dump-config)$/.test(arg));
    const passed = asks ? [...args] : args.flatMap((arg, index) => replaced(arg, args[index - 1], annotated));
    if (!asks && sources.length === 0) passed.push(annotated("input.s", "{standard input}", readFileSync(0, "utf8")));
    const { status, error } = spawnSync(assembler, passed, { stdio: ["ignore", "inherit", "inherit"] });
    if (error !== undefined) {
      throw new RangeError(`Cannot run ${assembler} as it must be an assembler for RISC-V: ${reasonOf(error)}`, {
        cause: error,
      });
    }
    return { exitCode: status ?? 1, sources };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function replaced(
  arg: string,
  before: string | undefined,
  annotated: (path: string, name: string, text: string) => string,
): string[] {
  if (before !== undefined && WITH_VALUE.has(before)) return [arg];
  if (arg === "-" || arg === "--") return [];
  if (arg.startsWith("-") || arg.startsWith("@")) return [arg];
  return [annotated(basename(arg), arg, sourceText(arg))];
}

/** An assembly source's text. @throws {RangeError} If it cannot be read. */
export function sourceText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new RangeError(`Cannot read ${path} as it must be an assembly source: ${reasonOf(error)}`, { cause: error });
  }
}
