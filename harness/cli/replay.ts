/**
 * `trapline replay`: runs a recording again, under any technique, and compares.
 *
 * @module
 */

import { basename } from "node:path";
import type { Command } from "commander";
import { techniqueNamed } from "../names.ts";
import { openRecording } from "../recording.ts";
import { replayTo } from "../replay-task.ts";
import type { Finish } from "./main.ts";
import { addPassThrough, UNSOUND } from "./options.ts";
import { EXIT, type Outcome } from "./outcome.ts";
import { Progress } from "./progress.ts";
import { exitCodeOf, failureRemark, grouped, runDocument, runText } from "./run-document.ts";

interface Options {
  readonly technique: string;
  readonly unsound?: boolean;
  readonly passThrough?: readonly string[];
  readonly output?: string;
}

export function declare(command: Command, finish: Finish): void {
  addPassThrough(command.argument("<TRACE>", "a recording"))
    .option("--technique <NAME>", "the technique to run it under", "native")
    .option("--unsound", UNSOUND)
    .option("-o, --output <FILE>", "keep the replay's own trace there")
    .action((path: string, options: Options) => finish(run(path, options)));
}

async function run(path: string, options: Options): Promise<Outcome> {
  const technique = techniqueNamed(options.technique);
  return replayOutcome(path, (onProgress) =>
    replayTo(openRecording(path), {
      technique,
      ...(options.unsound === undefined ? {} : { unsound: options.unsound }),
      ...(options.passThrough === undefined ? {} : { passThrough: options.passThrough }),
      files: {
        recorded: basename(path),
        replayed: basename(options.output ?? `${path.replace(/(\.[a-z]+)?\.trace$/, "")}.${technique.name}.trace`),
      },
      onProgress,
      ...(options.output === undefined ? {} : { output: options.output }),
    }),
  );
}

/** What `replay` and `verify` say of a replayed recording. */
export async function replayOutcome(
  path: string,
  replayed: (onProgress: (step: number) => void) => ReturnType<typeof replayTo>,
): Promise<Outcome> {
  const progress = new Progress(`replaying ${basename(path)}`);
  const { identity, run: reached, complete, trace } = await replayed(progress.at).finally(() => progress.end());
  const code = !identity.equal ? EXIT.verification : !complete ? EXIT.partial : exitCodeOf(reached.ending);
  const remark = !identity.equal
    ? identity.firstDifference?.message
    : !complete
      ? `The recording was cut short: the replay is equal up to step ${grouped(reached.steps)}, where it ends.`
      : failureRemark(path, reached);
  const verdict = identity.equal
    ? `equal    to the recording, ${identity.level === "exact" ? "at every event and digest" : "in all that its users observe"}`
    : "differs  from the recording";
  return {
    exitCode: code,
    document: runDocument(trace ?? path, reached, code, identity),
    text: `${runText(trace ?? path, reached)}\n${verdict}`,
    ...(remark === undefined ? {} : { remark }),
  };
}
