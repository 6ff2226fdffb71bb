/**
 * The command line. Each verb is a module, imported only when it is asked for: `trapline --version` must not load an engine.
 *
 * The result goes to stdout, all else to stderr; the exit code says how it went (`outcome.ts`).
 *
 * @module
 */

import { Command, CommanderError } from "commander";
import { version } from "../installation.ts";
import { ERROR_WORDS, EXIT, type Failure, failureOf, type Outcome } from "./outcome.ts";

/** Says something on stderr: progress, remarks. */
export type Say = (line: string) => void;

/** Takes what a verb comes to. */
export type Finish = (outcome: Promise<Outcome>) => Promise<void>;

/** What a verb's module has. */
export interface Verb {
  /** Declares arguments and options; the action must end in `finish`. */
  declare(command: Command, finish: Finish, say: Say): void;
}

const VERBS: Readonly<Record<string, { readonly summary: string; readonly load: () => Promise<Verb> }>> = {
  run: {
    summary: "run an experiment: record once, replay under each technique, verify, report",
    load: () => import("./run.ts"),
  },
  record: { summary: "run a guest once and record it", load: () => import("./record.ts") },
  replay: { summary: "run a recording again, under any technique, and compare", load: () => import("./replay.ts") },
  verify: { summary: "prove a recording sound, or two traces the same run", load: () => import("./verify.ts") },
  diff: { summary: "show where two traces differ", load: () => import("./diff.ts") },
  dump: { summary: "print the events of a trace", load: () => import("./dump.ts") },
  stats: { summary: "count events and bytes of a trace", load: () => import("./stats.ts") },
  recost: { summary: "price stored traces under another model", load: () => import("./recost.ts") },
  report: { summary: "write the reports of stored results again", load: () => import("./report.ts") },
  afterburn: {
    summary: "annotate the sensitive instructions of an assembly source",
    load: () => import("./afterburn.ts"),
  },
  audit: { summary: "find out whether a profile's machine is virtualizable", load: () => import("./audit.ts") },
  guests: { summary: "list guests, fetch or build one", load: () => import("./guests.ts") },
  effort: { summary: "count what each port of the embedded guest took", load: () => import("./effort.ts") },
  bench: { summary: "measure the simulator itself", load: () => import("./bench.ts") },
  doctor: { summary: "check this installation", load: () => import("./doctor.ts") },
};

/** Where a command's output goes. */
export interface Streams {
  /** Takes the result: stdout. */
  out(text: string): void;
  /** Takes progress and remarks: stderr. */
  err(text: string): void;
}

/**
 * Runs one command.
 *
 * @param args What stands behind `trapline`.
 * @returns The exit code.
 */
export async function main(args: readonly string[], { out, err }: Streams): Promise<number> {
  const wantsJson = args.includes("--json");
  const say = (line: string): void => err(`${line}\n`);
  let exitCode: number = EXIT.ok;
  const finish = async (outcome: Promise<Outcome>): Promise<void> => {
    const { exitCode: code, document, text, remark } = await outcome;
    exitCode = code;
    const result = wantsJson ? JSON.stringify(document, null, 2) : text.replace(/\n$/, "");
    if (result !== "") out(`${result}\n`);
    if (remark !== undefined) say(remark);
  };
  const verb = args[0];
  try {
    const program = await commandLine(verb, finish, say, out);
    if (verb === undefined) {
      program.outputHelp();
      return EXIT.usage;
    }
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    const failure = error instanceof CommanderError ? usageFailure(error, verb) : failureOf(error);
    const { exitCode: code, message, next } = failure;
    if (wantsJson) out(`${JSON.stringify({ error: { code: ERROR_WORDS[code], message, next } }, null, 2)}\n`);
    say(message);
    // A fault of ours: whoever reports it needs to say where it happened.
    if (code === EXIT.unexpected && error instanceof Error && error.stack !== undefined) say(error.stack);
    return code;
  }
}

/** The command line's grammar; only the verb that is asked for is loaded. */
async function commandLine(
  verb: string | undefined,
  finish: Finish,
  say: Say,
  out: (text: string) => void,
): Promise<Command> {
  const program = new Command("trapline")
    .description("One guest run, every virtualization technique, every trap on record.")
    .version(version)
    .helpCommand(false)
    .exitOverride()
    // Usage errors are printed by us, in one form with all others.
    .configureOutput({ writeOut: out, writeErr: () => undefined, outputError: () => undefined });
  for (const [name, { summary, load }] of Object.entries(VERBS)) {
    const command = program.command(name).description(summary);
    if (name !== verb) continue;
    (await load()).declare(command, finish, say);
    for (const leaf of command.commands.length > 0 ? command.commands : [command]) {
      leaf.option("--json", "print one JSON document");
    }
  }
  return program;
}

/** A usage error in the form of all others. */
function usageFailure(error: CommanderError, verb: string | undefined): Failure {
  const known = verb !== undefined && Object.hasOwn(VERBS, verb);
  const next = known ? `trapline ${verb} --help` : "trapline --help";
  const found = error.message
    .replace(/^error: /, "")
    .replace(/\.?\s*$/, "")
    .replace(/\s+/g, " ");
  const what = error.message === "(outputHelp)" ? "a part of it is missing" : found;
  return {
    exitCode: EXIT.usage,
    message: `Cannot run trapline as the command line must be one that it knows: ${what}; ${next}`,
    next,
  };
}
