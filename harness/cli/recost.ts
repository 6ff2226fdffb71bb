/**
 * `trapline recost`: prices stored traces under other prices. Nothing is run.
 *
 * @module
 */

import { basename } from "node:path";
import type { Command } from "commander";
import { compare } from "../compare.ts";
import { CAUSES, type RunSummary } from "../comparison.ts";
import { inOrder } from "../costs/in-order.ts";
import { named, openTrace } from "../recording.ts";
import type { Finish } from "./main.ts";
import { parseSettings } from "./options.ts";
import { EXIT, type Outcome } from "./outcome.ts";
import { grouped } from "./run-document.ts";

interface Options {
  readonly set: readonly string[];
}

export function declare(command: Command, finish: Finish): void {
  command
    .argument("<TRACE...>", "traces to price")
    .option(
      "--set <PRICE=CYCLES>",
      "a price in place of the cost model's, such as cost.trap.entry=800; may be repeated",
      (value: string, all: readonly string[]) => [...all, value],
      [],
    )
    .action((paths: readonly string[], options: Options) => finish(run(paths, options)));
}

async function run(paths: readonly string[], options: Options): Promise<Outcome> {
  const overrides = parseSettings(options.set);
  const traces = paths.map((path) => ({ trace: openTrace(path), file: path, identity: null }));
  const { costModel, runs } = named(paths.join(", "), () =>
    compare({ experiment: "recost", question: "", measure: null, model: inOrder, overrides, runs: traces }),
  );
  return {
    exitCode: traces.some(({ trace }) => trace.state === "prefix") ? EXIT.partial : EXIT.ok,
    document: {
      costModel: costModel.name,
      set: overrides,
      runs: runs.map(
        ({ workload, technique, variant, binary, instret, steps, digest, trace, exits, cycles, marks, pricedBy }) => ({
          workload,
          technique,
          variant,
          binary,
          instret,
          steps,
          digest,
          trace,
          exits,
          cycles,
          marks,
          pricedBy, // biome-ignore format: a list
        }),
      ),
    },
    text: runs.map(lines).join("\n\n"),
  };
}

function lines(run: RunSummary): string {
  const { total, low, high, byCause } = run.cycles;
  const causes = CAUSES.filter((cause) => byCause[cause] > 0).map(
    (cause) => `  ${cause.padEnd(12)}${grouped(byCause[cause]).padStart(18)}`,
  );
  return [
    `${basename(run.trace)}: ${run.workload} under ${run.technique}`,
    `  ${"cycles".padEnd(12)}${grouped(total).padStart(18)}   from ${grouped(low)} to ${grouped(high)}`,
    ...causes,
  ].join("\n");
}
