/**
 * `trapline bench`: measures the simulator itself.
 *
 * @module
 */

import type { Command } from "commander";
import { runBenchmarks } from "../bench/mod.ts";
import type { Finish, Say } from "./main.ts";
import { EXIT, type Outcome } from "./outcome.ts";

export function declare(command: Command, finish: Finish, say: Say): void {
  command
    .option("--quick", "small sizes: whether it works, not how fast it is")
    .action((options: { readonly quick?: boolean }) => finish(run(options.quick === true, say)));
}

async function run(quick: boolean, say: (line: string) => void): Promise<Outcome> {
  const benchmarks = await runBenchmarks({ quick, say });
  const width = Math.max(...benchmarks.map(({ name }) => name.length));
  return {
    exitCode: EXIT.ok,
    document: { benchmarks },
    text: benchmarks
      .map(({ name, unit, value }) => `${name.padEnd(width)}  ${String(value).padStart(12)} ${unit}`)
      .join("\n"),
  };
}
