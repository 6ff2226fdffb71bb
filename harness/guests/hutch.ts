/**
 * hutch, the embedded guest: a small Unix-like kernel with its benchmarks, prebuilt in `experiments/guests/hutch/prebuilt/`.
 *
 * @module
 */

import { packageFile } from "../installation.ts";
import { readImage } from "./file-guest.ts";
import type { Guest } from "./guest.ts";

/** Ids of the marks that hutch's programs make, by what a lap is (`user/mark.h`). */
export const HUTCH_MARKS = {
  syscall: 1,
  switch: 2,
  fault: 3,
  spawn: 4,
  pipe: 5,
  irq: 6,
  tick: 7,
  disk: 8,
  compute: 9,
  signal: 10,
  module: 11,
} as const;

/** Every run has a disk, so that all have the same machine. It is empty: hutch formats it when a file is first used. */
const DISK_BYTES = 1 << 20;

/** What the kernel has room for (`boot_info.arguments`), its end included. */
const ARGUMENT_BYTES = 256;

/** A build of hutch. */
interface Hutch {
  /**
   * hutch, running one command as its first process and powering off behind it.
   *
   * @param command A program of hutch with its arguments: `null-syscall 10000`.
   * @throws {RangeError} If there is no command, or it is longer than the kernel takes, or not ASCII.
   */
  running(command: string): Guest;
  /** hutch with its shell, in which all its benchmarks are typed, one behind the other: each makes laps of its own. */
  runningAll(): Guest;
}

/** Small enough for a report within seconds. */
const BENCHMARKS = [
  ...["compute 2", "null-syscall 500", "irq-toggle 500", "context-switch 100", "page-fault 100"],
  ...["fork-exec 3", "pipe 100", "signal 50", "disk-read 10", "module 10", "timer-tick 3"],
];

/** hutch as its sources are. */
export const hutch: Hutch = builtAs("hutch");

/** The same sources through the afterburner: runs wherever hutch does, and knows its sites. */
export const hutchPre: Hutch = builtAs("hutch-pre", "-pre");

/** The same sources with the arch layer for Trapline's VMM: runs under `para` only. */
export const hutchPara: Hutch = builtAs("hutch-para", "-para");

/** @param suffix What is added to a program's name, so that runs of two builds have files of their own. */
function builtAs(binary: string, suffix = ""): Hutch {
  return {
    running,
    runningAll: () => ({
      ...running("sh"),
      name: `workloads${suffix}`,
      input: `expect "hutch$ "\nsend "${BENCHMARKS.join("; ")}; exit\\n"\n`,
    }),
  };

  function running(command: string): Guest {
    const words = command.trim().split(/\s+/);
    if (words[0] === "")
      throw new RangeError('Cannot run hutch as it needs a command: it is empty; say --run "null-syscall 1000"');
    if (/[^\x20-\x7e]/.test(command) || command.length >= ARGUMENT_BYTES) {
      throw new RangeError(
        `Cannot run hutch as its command must be printable ASCII of less than ${ARGUMENT_BYTES} bytes: it is ${JSON.stringify(command)}`,
      );
    }
    return {
      name: `${words[0]!}${suffix}`,
      workload: words.join(" "),
      binary,
      append: words.join(" "),
      marks: HUTCH_MARKS,
      load: async () => ({
        kernel: readImage("kernel", packageFile(`experiments/guests/hutch/prebuilt/${binary}.elf`)),
        disk: new Uint8Array(DISK_BYTES),
      }),
    };
  }
}
