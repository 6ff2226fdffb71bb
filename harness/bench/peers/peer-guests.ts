/**
 * Builds the workloads with Debian's bare-metal compiler, and says what is missing of the programs that the comparison needs.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { packageFile } from "../../installation.ts";
import type { Workload } from "./plan.ts";

export const QEMU = "qemu-system-riscv64";
const COMPILER = "riscv64-unknown-elf-gcc";
/** Debian's packages. */
const PACKAGES: Readonly<Record<string, string>> = {
  [COMPILER]: "gcc-riscv64-unknown-elf",
  [QEMU]: "qemu-system-misc",
};

const SOURCES = "harness/bench/peers/guests";
const SHARED = ["start.S", "board.c"];
const FLAGS = [
  ...["-std=gnu11", "-O2", "-g0", "-march=rv64gc", "-mabi=lp64d", "-mcmodel=medany", "-msmall-data-limit=0"],
  ...["-ffreestanding", "-fno-common", "-fno-tree-loop-distribute-patterns", "-ffp-contract=fast", "-fno-math-errno"],
  ...["-Wall", "-Wextra", "-Werror", "-nostdlib", "-static"],
  ...["-Wl,--build-id=none", "-Wl,-z,max-page-size=4096", "-Wl,--no-warn-rwx-segments"],
];

/** @throws {RangeError} If the compiler or QEMU is not installed. */
export function requirePrograms(programs: readonly string[] = Object.keys(PACKAGES)): void {
  const missing = programs.filter((program) => spawnSync(program, ["--version"]).error !== undefined);
  if (missing.length === 0) return;
  const packages = missing.map((program) => PACKAGES[program] ?? program);
  throw new RangeError(
    `Cannot compare with peers as ${missing.join(" and ")} must be installed: not found; type apt-get install ${packages.join(" ")}`,
  );
}

/**
 * Builds a workload.
 *
 * @param rounds How much it does. @param folder Where its ELF goes.
 * @returns The ELF's path.
 * @throws {RangeError} If the compiler refuses, with what it said.
 */
export function buildWorkload(workload: Workload, rounds: number, folder: string): string {
  const sources = packageFile(SOURCES);
  const kernel = join(folder, `${workload.work}-${rounds}.elf`);
  const files = [...SHARED, ...workload.sources].map((file) => join(sources, file));
  const args = [...FLAGS, `-DROUNDS=${rounds}`, "-T", join(sources, "guest.ld"), "-o", kernel, ...files];
  const { status, stderr } = spawnSync(COMPILER, args, { encoding: "utf8" });
  if (status !== 0)
    throw new RangeError(`Cannot build ${workload.work} as ${COMPILER} must take its sources: it says\n${stderr}`);
  return kernel;
}
