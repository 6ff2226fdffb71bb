/**
 * `trapline effort`: the lines and files that each port of the embedded guest has of its own.
 *
 * @module
 */

import type { Command } from "commander";
import { type Counted, effortOf } from "../effort.ts";
import type { Finish } from "./main.ts";
import { EXIT, type Outcome } from "./outcome.ts";

export function declare(command: Command, finish: Finish): void {
  command.action(() => finish(run()));
}

async function run(): Promise<Outcome> {
  const effort = effortOf();
  const row = (what: string, { files, lines, code }: Counted): string =>
    `${what.padEnd(8)} ${String(files.length).padStart(5)} ${String(lines).padStart(6)} ${String(code).padStart(6)}`;
  const listed = effort.ports.flatMap(({ port, files }) =>
    files.map(
      ({ path, lines, code }) => `${port.padEnd(8)} ${String(lines).padStart(12)} ${String(code).padStart(6)}  ${path}`,
    ),
  );
  return {
    exitCode: EXIT.ok,
    document: effort,
    text: [
      `${effort.guest}, in files, lines, and lines of code`,
      "",
      row("shared", effort.shared),
      ...effort.ports.map((port) => row(port.port, port)),
      "",
      ...listed,
    ].join("\n"),
  };
}
