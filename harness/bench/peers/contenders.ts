/**
 * The programs that run a workload, each a process of its own, and the CPU time that it takes.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { execArgv, execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { moduleUrl } from "../../installation.ts";
import { QEMU } from "./peer-guests.ts";
import type { Mode, OurTier, Peer } from "./plan.ts";

/** What runs a workload. */
export type Contender =
  | { readonly ours: OurTier; readonly mode: Mode }
  | { readonly ours?: undefined; readonly peer: Exclude<Peer, "self-record"> };

/** A kernel with the recordings that replays read; `folder` takes what records write. */
export interface Prepared {
  readonly kernel: string;
  readonly folder: string;
}

export interface Ran {
  /** CPU seconds of the process, user and system, all threads. */
  readonly seconds: number;
  readonly console: string;
  /** Instructions retired, where ours ran. */
  readonly instret: number | undefined;
}

/** What messages call a contender. */
export function nameOf(contender: Contender): string {
  return contender.ours === undefined ? contender.peer : `${contender.ours} ${contender.mode}`;
}

/** Longest run, in milliseconds; the longest that is meant takes some ten seconds. */
const PATIENCE = 600_000;

/** bash's own `time` counts a child's CPU time to the thousandth of a second, and stays out of the child's streams. */
const TIMED = 'TIMEFORMAT="%3U %3S"; { time "$@" </dev/null 2>&3; } 3>&2 2>"$0"';

/**
 * Runs a workload to its end.
 *
 * @param keep Whether a recording is to be the one that replays read.
 * @throws {RangeError} If the program fails.
 */
export function run(contender: Contender, { kernel, folder }: Prepared, keep = false): Ran {
  const command = commandOf(contender, kernel, keep ? `${kernel}.kept` : join(folder, "recorded"), `${kernel}.kept`);
  const ran = timed(nameOf(contender), kernel, command, folder);
  return { ...ran, instret: contender.ours === undefined ? undefined : Number(ran.errors) };
}

/** A program's run, and what it wrote to the standard error. */
export interface TimedRun extends Omit<Ran, "instret"> {
  readonly errors: string;
}

/**
 * Runs a program to its end.
 *
 * @param name What messages call it. @param guest What it runs. @param folder For a file of its own.
 * @throws {RangeError} If it fails.
 */
export function timed(name: string, guest: string, command: readonly string[], folder: string): TimedRun {
  const report = join(folder, "cpu-seconds");
  const { status, stdout, stderr, error } = spawnSync("bash", ["-c", TIMED, report, ...command], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
    timeout: PATIENCE,
  });
  if (status !== 0 || error !== undefined)
    throw new RangeError(
      `Cannot compare with peers as ${name} must run ${guest} to its end: it says ${error?.message ?? stderr}`,
    );
  const [user, system] = readFileSync(report, "utf8").trim().split(" ").map(Number);
  return { seconds: user! + system!, console: stdout, errors: stderr };
}

function commandOf(contender: Contender, kernel: string, recorded: string, kept: string): readonly string[] {
  if (contender.ours !== undefined) {
    const { ours, mode } = contender;
    const trace = `${mode === "replay" ? kept : recorded}.trace`;
    const program = fileURLToPath(moduleUrl("harness/bench/peers/run-ours.ts"));
    return [execPath, ...execArgv, program, mode, ours, kernel, ...(mode === "plain" ? [] : [trace])];
  }
  const machine = ["-M", "virt", "-m", "128", "-bios", "none", "-display", "none", "-monitor", "none"];
  // QEMU 7.2 aborts (replay_advance_current_icount) where it records with sleep=off.
  const counting = {
    qemu: [],
    "qemu-icount": ["-icount", "shift=0,sleep=off"],
    "qemu-record": ["-icount", `shift=0,rr=record,rrfile=${recorded}.rr`],
    "qemu-replay": ["-icount", `shift=0,rr=replay,rrfile=${kept}.rr`],
  }[contender.peer];
  return [QEMU, ...machine, "-serial", "stdio", ...counting, "-kernel", kernel];
}
