/**
 * What a run came to, as `record`, `replay` and `verify` print it.
 *
 * @module
 */

import type { Identity } from "../comparison.ts";
import type { Ending } from "../drive.ts";
import type { RunResult } from "../record.ts";
import { EXIT, type ExitCode } from "./outcome.ts";

/** Endings that are the guest's failure, whatever code it gave. */
const FAILURES: readonly string[] = ["panic", "budget"];

/** The exit code that an ending asks for: 0, or 4 for a guest that failed. */
export function exitCodeOf(ending: Ending): ExitCode {
  return FAILURES.includes(ending.reason) || ending.code !== 0 ? EXIT.guest : EXIT.ok;
}

/** Why a run's exit code is not 0, in one sentence; undefined where it is. */
export function failureRemark(workload: string, run: Pick<RunResult, "ending" | "steps">): string | undefined {
  const { ending, steps } = run;
  if (exitCodeOf(ending) === EXIT.ok) return undefined;
  const said = ending.message === undefined ? "" : `: ${ending.message}`;
  if (ending.reason === "budget") {
    return `${workload} did not end within its budget of ${steps} steps; allow more with --max-instructions N`;
  }
  return `${workload} failed with ${ending.reason}, code ${ending.code}, at step ${steps}${said}`;
}

/** The document of `record`, and with `identity` that of `replay` and `verify`. */
export function runDocument(trace: string, run: RunResult, exitCode: ExitCode, identity?: Identity): object {
  return {
    trace,
    digest: run.digest,
    instret: run.instret,
    steps: run.steps,
    exitCode,
    guestCode: run.ending.code,
    reason: run.ending.reason,
    console: consoleText(run.console),
    ...(identity === undefined ? {} : { identity }),
  };
}

/** Console bytes as text; what is no UTF-8 becomes U+FFFD. */
export function consoleText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** The console for a terminal: control characters but tab and newline are shown, not obeyed. */
export function consoleForTerminal(bytes: Uint8Array): string {
  return consoleText(bytes)
    .replace(/\r\n?/g, "\n")
    .replace(/\p{Cc}/gu, (c) => (c === "\n" || c === "\t" ? c : `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`));
}

/** A run as lines for people. */
export function runText(trace: string, run: RunResult): string {
  const console = consoleForTerminal(run.console);
  return [
    ...(console === "" ? [] : [console.replace(/\n?$/, "\n")]),
    `trace    ${trace}`,
    `steps    ${grouped(run.steps)} (${grouped(run.instret)} instructions)`,
    `digest   ${run.digest}`,
    `ended    ${run.ending.reason}, code ${run.ending.code}`,
  ].join("\n");
}

/** A whole number with a comma at every third digit. */
export function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}
