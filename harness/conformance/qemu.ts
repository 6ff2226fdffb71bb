/**
 * Runs an image in Debian's qemu-system-riscv64 7.2, logging every step through a pipe.
 *
 * Extensions that the machine of ours does not have are switched off. There is one hart, and nothing that a program does depends on
 * time, so two runs give the same log.
 *
 * @module
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { QEMU_CPU } from "./compared.ts";
import type { Image } from "./image.ts";
import { RAM_BYTES } from "./memory-map.ts";
import { QemuLog } from "./qemu-log.ts";

const QEMU = "qemu-system-riscv64";

/** @returns QEMU's version, for example `7.2.22`, or undefined where it is not installed. */
export function qemuVersion(): string | undefined {
  const { stdout } = spawnSync(QEMU, ["--version"], { encoding: "utf8" });
  return /version (\S+)/.exec(stdout ?? "")?.[1];
}

/** @throws {RangeError} If QEMU 7.2 is not there: other versions set other bits. */
export function requireQemu(): void {
  const version = qemuVersion();
  if (version === undefined) {
    throw new RangeError(
      "Cannot compare with QEMU as qemu-system-riscv64 must be installed: it is not; type apt-get install qemu-system-misc",
    );
  }
  if (!version.startsWith("7.2.")) {
    throw new RangeError(`Cannot compare with QEMU as its known differences are those of 7.2: this is ${version}`);
  }
}

export class Qemu {
  readonly log: QemuLog;
  readonly #folder: string;
  readonly #process: ChildProcess;
  readonly #fd: number;

  constructor(image: Image) {
    this.#folder = mkdtempSync(join(tmpdir(), "trapline-conformance-"));
    const [program, pipe, errors] = ["image.bin", "log", "errors"].map((name) => join(this.#folder, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(program, image.bytes);
    execFileSync("mkfifo", [pipe]);
    const machine = ["-machine", "virt", "-cpu", QEMU_CPU, "-m", String(RAM_BYTES >> 20), "-bios", "none"];
    const quiet = ["-display", "none", "-serial", "null", "-monitor", "none"];
    const log = ["-singlestep", "-d", "cpu,fpu,nochain", "-D", "/dev/fd/3"];
    const load = ["-device", `loader,file=${program},addr=0x80000000`];
    // The shell opens the pipe before QEMU starts, so that a QEMU that fails at once ends the pipe instead of leaving the reader waiting.
    const script = 'exec 3>"$1" 2>"$2"; shift 2; exec "$@"';
    this.#process = spawn("sh", ["-c", script, "sh", pipe, errors, QEMU, ...machine, ...quiet, ...log, ...load], {
      stdio: "ignore",
    });
    this.#fd = openSync(pipe, "r");
    this.log = new QemuLog(this.#fd);
  }

  /** What QEMU said on its way out. */
  get messages(): string {
    return readFileSync(join(this.#folder, "errors"), "utf8").trim();
  }

  /** Ends it, at whatever step it is. */
  close(): void {
    this.#process.kill("SIGKILL");
    closeSync(this.#fd);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
