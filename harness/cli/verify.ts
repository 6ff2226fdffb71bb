/**
 * `trapline verify`: proves a recording sound by running it again, or two traces to be one run.
 *
 * @module
 */

import { basename } from "node:path";
import type { Command } from "commander";
import { techniqueNamed } from "../names.ts";
import { named, openRecording, openTrace } from "../recording.ts";
import { replayTo } from "../replay-task.ts";
import { verifyTraces } from "../verify.ts";
import type { Finish } from "./main.ts";
import { addPassThrough, UNSOUND } from "./options.ts";
import { EXIT, type Outcome } from "./outcome.ts";
import { replayOutcome } from "./replay.ts";
import { runDocument } from "./run-document.ts";
import { storedRun } from "./stored-run.ts";

interface Options {
  readonly technique?: string;
  readonly unsound?: boolean;
  readonly passThrough?: readonly string[];
}

export function declare(command: Command, finish: Finish): void {
  addPassThrough(command.argument("<TRACE>", "a recording"))
    .argument("[OTHER]", "a trace of another run, to be compared instead of running again")
    .option("--technique <NAME>", "the technique to run it under; the recorded one where it is left out")
    .option("--unsound", UNSOUND)
    .action((path: string, other: string | undefined, options: Options) => finish(run(path, other, options)));
}

async function run(path: string, other: string | undefined, options: Options): Promise<Outcome> {
  if (other !== undefined) return compareFiles(path, other, options);
  const recording = openRecording(path);
  const technique = techniqueNamed(options.technique ?? recording.trace().header.technique);
  const unsound = options.unsound === undefined ? {} : { unsound: options.unsound };
  const passThrough = options.passThrough === undefined ? {} : { passThrough: options.passThrough };
  return replayOutcome(path, (onProgress) =>
    replayTo(recording, { technique, ...unsound, ...passThrough, onProgress }),
  );
}

function compareFiles(path: string, other: string, options: Options): Outcome {
  if (options.technique !== undefined) {
    throw new RangeError("Cannot verify two traces under a technique as neither is run: leave --technique out");
  }
  if (options.passThrough !== undefined) {
    throw new RangeError("Cannot pass devices through as neither of two traces is run: leave --pass-through out");
  }
  const [left, right] = [openTrace(path), openTrace(other)];
  const identity = named(`${path} or ${other}`, () => verifyTraces(left, right, { recorded: path, replayed: other }));
  const cut = left.state === "prefix" || right.state === "prefix";
  const exitCode = !identity.equal ? EXIT.verification : cut ? EXIT.partial : EXIT.ok;
  const run = storedRun(right);
  return {
    exitCode,
    document: runDocument(other, run, exitCode, identity),
    text: identity.equal
      ? `${basename(path)} and ${basename(other)} are the same run, at every event and digest`
      : `${basename(path)} and ${basename(other)} differ`,
    ...(identity.firstDifference === null ? {} : { remark: identity.firstDifference.message }),
  };
}
