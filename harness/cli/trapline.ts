#!/usr/bin/env node
/**
 * The command line. Each verb is a module, imported only when it is asked for: `trapline --version` must not load an engine.
 *
 * The result goes to stdout, all else to stderr; the exit code says how it went (`outcome.ts`).
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { argv, exit, stderr, stdout } from "node:process";
import { Command, CommanderError } from "commander";
import { packageFile } from "../installation.ts";
import { ERROR_WORDS, EXIT, type Failure, failureOf, type Outcome } from "./outcome.ts";

/** Says something on stderr: progress, remarks. */
export type Say = (line: string) => void;

/** What a verb's module has. */
export interface Verb {
  /** Declares arguments and options; the action must end in `finish`. */
  declare(command: Command, finish: (outcome: Promise<Outcome>) => Promise<void>, say: Say): void;
}

const VERBS: Readonly<Record<string, { readonly summary: string; readonly load: () => Promise<Verb> }>> = {
  run: { summary: "run an experiment: record once, replay under each technique, verify, report", load: () => import("./run.ts") },
  record: { summary: "run a guest once and record it", load: () => import("./record.ts") },
  replay: { summary: "run a recording again, under any technique, and compare", load: () => import("./replay.ts") },
  verify: { summary: "prove a recording sound, or two traces the same run", load: () => import("./verify.ts") },
  diff: { summary: "show where two traces differ", load: () => import("./diff.ts") },
  dump: { summary: "print the events of a trace", load: () => import("./dump.ts") },
  stats: { summary: "count events and bytes of a trace", load: () => import("./stats.ts") },
  recost: { summary: "price stored traces under another model", load: () => import("./recost.ts") },
  report: { summary: "write the reports of stored results again", load: () => import("./report.ts") },
  guests: { summary: "list guests, or fetch one", load: () => import("./guests.ts") },
  bench: { summary: "measure the simulator itself", load: () => import("./bench.ts") },
  doctor: { summary: "check this installation", load: () => import("./doctor.ts") },
};

const wantsJson = argv.slice(2).includes("--json");

function print(outcome: Outcome): void {
  const text = wantsJson ? JSON.stringify(outcome.document, null, 2) : outcome.text.replace(/\n$/, "");
  if (text !== "") stdout.write(`${text}\n`);
  if (outcome.remark !== undefined) say(outcome.remark);
}

function printFailure({ exitCode, message, next }: Failure, trouble: unknown): void {
  if (wantsJson) {
    const code = ERROR_WORDS[exitCode];
    stdout.write(`${JSON.stringify({ error: { code, message, next } }, null, 2)}\n`);
  }
  say(message);
  // A fault of ours: whoever reports it needs to say where it happened.
  if (exitCode === EXIT.unexpected && trouble instanceof Error && trouble.stack !== undefined) say(trouble.stack);
}

function say(line: string): void {
  stderr.write(`${line}\n`);
}


/** Ends the process once all output is out. */
async function leave(code: number): Promise<never> {
  await Promise.all([stdout, stderr].map((stream) => new Promise<void>((done) => stream.write("", () => done()))));
  exit(code);
}

async function main(): Promise<number> {
  let exitCode: number = EXIT.ok;
  const finish = async (outcome: Promise<Outcome>): Promise<void> => {
    const ended = await outcome;
    exitCode = ended.exitCode;
    print(ended);
  };
  const { version } = JSON.parse(readFileSync(packageFile("package.json"), "utf8")) as { version: string };
  const program = new Command("trapline")
    .description("One guest run, every virtualization technique, every trap on record.")
    .version(version)
    .helpCommand(false)
    .exitOverride()
    // Usage errors are printed by us, in one form with all others.
    .configureOutput({ writeErr: () => undefined, outputError: () => undefined });
  const asked = argv[2];
  for (const [name, { summary, load }] of Object.entries(VERBS)) {
    const command = program.command(name).description(summary).exitOverride();
    command.copyInheritedSettings(program);
    if (name === asked) {
      (await load()).declare(command, finish, say);
      for (const leaf of command.commands.length > 0 ? command.commands : [command]) {
        leaf.option("--json", "print one JSON document");
        leaf.copyInheritedSettings(program).exitOverride();
      }
    }
  }
  try {
    if (asked === undefined) {
      program.outputHelp();
      return EXIT.usage;
    }
    await program.parseAsync(argv);
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    const failure = error instanceof CommanderError ? usageFailure(error, asked) : failureOf(error);
    printFailure(failure, error);
    return failure.exitCode;
  }
}

/** A usage error in the form of all others. */
function usageFailure(error: CommanderError, verb: string | undefined): Failure {
  const known = verb !== undefined && Object.hasOwn(VERBS, verb);
  const next = known ? `trapline ${verb} --help` : "trapline --help";
  const found = error.message.replace(/^error: /, "").replace(/\.?\s*$/, "").replace(/\n/g, " ");
  const what = error.message === "(outputHelp)" ? "a verb is missing" : found;
  return { exitCode: EXIT.usage, message: `Cannot run trapline as the command line must be one that it knows: ${what}; ${next}`, next };
}

leave(await main());
