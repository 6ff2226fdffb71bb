/**
 * `trapline record`: runs a guest once and keeps the run.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { stderr, stdin, stdout } from "node:process";
import type { Command } from "commander";
import { type ConsoleInput, LiveInput, ScriptedInput } from "../console-input.ts";
import { reasonOf } from "../files.ts";
import { parseInputScript } from "../input-script.ts";
import type { RecordOptions, Tape } from "../record.ts";
import { recordTo } from "../record-to.ts";
import { chooseGuest } from "./guest-choice.ts";
import type { Finish, Say } from "./main.ts";
import { addGuestOptions, addRecordingOptions, type GuestOptions, type RecordingOptions } from "./options.ts";
import { EXIT, type Outcome } from "./outcome.ts";
import { Progress } from "./progress.ts";
import { exitCodeOf, failureRemark, runDocument, runText } from "./run-document.ts";

interface Options extends GuestOptions, RecordingOptions {
  readonly quick?: boolean;
  readonly input?: string;
  readonly i?: boolean;
  readonly output?: string;
  readonly json?: boolean;
}

export function declare(command: Command, finish: Finish, say: Say): void {
  addRecordingOptions(addGuestOptions(command))
    .option("--quick", "a guest by name does less")
    .option("--input <FILE>", "an input script: expect, send and wait statements")
    .option("-i", "type at the guest's console yourself; Ctrl-] leaves")
    .option("-o, --output <FILE>", "where the trace goes; NAME.native.trace where it is left out")
    .action((options: Options) => finish(run(options, say)));
}

async function run(options: Options, say: Say): Promise<Outcome> {
  const guest = chooseGuest(options);
  if (options.i === true && options.input !== undefined) {
    throw new RangeError("Cannot record as input comes from one place: there are both --input and -i");
  }
  const path = options.output ?? `${guest.name}.native.trace`;
  const live =
    options.i === true ? new LiveInput((bytes) => (options.json === true ? stderr : stdout).write(bytes)) : undefined;
  const input = live ?? scriptOf(options.input);
  const release = live === undefined ? () => undefined : attach(live, say);
  const progress = new Progress(`recording ${guest.workload}`);
  let tape: Tape;
  try {
    tape = await recordTo(path, guest, {
      ...(input === undefined ? {} : { input }),
      ...recordingSettings(options),
      ...(live === undefined ? { onProgress: progress.at } : {}),
    });
  } finally {
    progress.end();
    release();
  }
  const unfinished = tape.unfinished;
  const exitCode = unfinished === undefined ? exitCodeOf(tape.ending) : EXIT.guest;
  const remark =
    failureRemark(guest.workload, tape) ??
    (unfinished === undefined
      ? undefined
      : `${guest.workload} ended before its input script did: it stands at ${unfinished}`);
  return {
    exitCode,
    document: runDocument(path, tape, exitCode),
    text: runText(path, live === undefined ? tape : { ...tape, console: new Uint8Array() }),
    ...(remark === undefined ? {} : { remark }),
  };
}

/** Options as the settings of a recording. */
export function recordingSettings(
  options: RecordingOptions,
): Pick<RecordOptions, "rtcSeconds" | "checkpointEvery" | "maxSteps" | "profile"> {
  const { rtc, checkpointEvery, maxInstructions, profile } = options;
  return {
    ...(rtc === undefined ? {} : { rtcSeconds: rtc }),
    ...(checkpointEvery === undefined ? {} : { checkpointEvery }),
    ...(maxInstructions === undefined ? {} : { maxSteps: maxInstructions }),
    ...(profile === undefined ? {} : { profile }),
  };
}

function scriptOf(path: string | undefined): ConsoleInput | undefined {
  if (path === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new RangeError(`Cannot read the input script ${path} as it must be a readable file: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  return new ScriptedInput(parseInputScript(text, path));
}

const LEAVE = 0x1d; // Ctrl-], as in telnet: guests want Ctrl-C for themselves.

/** Connects the keyboard. @returns What disconnects it. */
function attach(live: LiveInput, say: Say): () => void {
  if (stdin.isTTY) {
    say("Typing goes to the guest; Ctrl-] leaves.");
    stdin.setRawMode(true);
  }
  const typed = (bytes: Uint8Array): void => {
    const end = stdin.isTTY ? bytes.indexOf(LEAVE) : -1;
    live.typed(end < 0 ? bytes : bytes.subarray(0, end));
    if (end >= 0) live.leave();
  };
  const ended = (): void => live.close();
  stdin.on("data", typed);
  stdin.on("end", ended);
  return () => {
    stdin.off("data", typed);
    stdin.off("end", ended);
    if (stdin.isTTY) stdin.setRawMode(false);
    stdin.pause();
  };
}
