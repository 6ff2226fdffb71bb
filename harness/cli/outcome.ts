/**
 * What a verb comes to: an exit code, a document for machines and a text for people.
 *
 * @module
 */

/** Exit codes of the command line. */
export const EXIT = {
  ok: 0,
  unexpected: 1,
  usage: 2,
  verification: 3,
  guest: 4,
  trace: 5,
  partial: 6,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** A verb's result. With `--json` the document is printed, else the text; either alone goes to stdout. */
export interface Outcome {
  readonly exitCode: ExitCode;
  readonly document: object;
  readonly text: string;
  /** For people, on stderr, after the result: why the exit code is not 0, and what to type next. */
  readonly remark?: string;
}

/** The words for exit codes in `{error: {code, message, next}}`. */
export const ERROR_WORDS = {
  1: "unexpected",
  2: "usage",
  3: "verification-failed",
  4: "guest-failed",
  5: "trace-unreadable",
  6: "partial",
} as const;

/** How a failure is reported. */
export interface Failure {
  readonly exitCode: Exclude<ExitCode, 0>;
  readonly message: string;
  /** A command to type next, or null. */
  readonly next: string | null;
}

const CODES_BY_NAME: Readonly<Record<string, Exclude<ExitCode, 0>>> = {
  DivergenceError: EXIT.verification,
  GuestPanic: EXIT.guest,
  TraceFormatError: EXIT.trace,
};

/**
 * Sorts an error out. One of ours says `Cannot <do> as <rule>: <what was found>`, and is expected; any other is a fault of ours.
 */
export function failureOf(error: unknown): Failure {
  const { name, message } = error instanceof Error ? error : { name: "", message: String(error) };
  const known = CODES_BY_NAME[name];
  const ours = /^Cannot .+ as .+: /s.test(message);
  if (known === undefined && !ours) return { exitCode: EXIT.unexpected, message, next: null };
  return { exitCode: known ?? EXIT.usage, message, next: nextCommand(message) };
}

/** The command that a message ends with, where it does. */
function nextCommand(message: string): string | null {
  const command = /(?:^|[;:,] (?:type )?|\n {2})(trapline [^,;\n]+)[^\n]*$/.exec(message)?.[1];
  return command?.trim() ?? null;
}
