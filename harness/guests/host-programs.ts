/**
 * Programs of the host: whether they are there, and what they say.
 *
 * @module
 */

import { spawn, spawnSync } from "node:child_process";
import { env } from "node:process";

/** The programs among these that the host does not have. */
export function missingPrograms(programs: readonly string[]): string[] {
  return programs.filter((program) => !hasProgram(program));
}

/** Whether the host has a program: one that takes `--version`, as all that we use do. */
export function hasProgram(program: string): boolean {
  return spawnSync(program, ["--version"], { stdio: "ignore" }).error === undefined;
}

/** What a program came to. */
export interface ProgramRun {
  /** Its exit status; -1 where a signal ended it, or it could not start. */
  readonly status: number;
  /** Both streams, as they came. */
  readonly output: string;
}

/**
 * Runs a program, and waits without holding up the event loop. It speaks English, whatever the user's language.
 *
 * @param options `cwd`: its folder. `env`: variables besides the user's own. `onLine`: told each line of output.
 */
export function runProgram(
  program: string,
  args: readonly string[],
  options: {
    readonly cwd?: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly onLine?: (line: string) => void;
  } = {},
): Promise<ProgramRun> {
  const child = spawn(program, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...env, LC_ALL: "C", ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let told = 0;
  const take = (text: string): void => {
    output += text;
    for (let end = output.indexOf("\n", told); end >= 0; end = output.indexOf("\n", told)) {
      options.onLine?.(output.slice(told, end));
      told = end + 1;
    }
  };
  child.stdout.setEncoding("utf8").on("data", take);
  child.stderr.setEncoding("utf8").on("data", take);
  return new Promise((resolve) => {
    child.on("error", ({ message }) => resolve({ status: -1, output: `${output}${message}\n` }));
    child.on("close", (status) => resolve({ status: status ?? -1, output }));
  });
}
