/**
 * What Linux guests take out of Debian packages: a kernel, the modules of its block device, a busybox, and the sources of a kernel.
 *
 * Source: Linux, Documentation/arch/riscv/boot-image-header.rst; ELF specification (e_machine); Debian Policy, 9.1 (where files lie).
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { hasProgram } from "./host-programs.ts";

/** What was found in packages, so far. */
export interface LinuxFiles {
  kernel?: Uint8Array;
  /** The kernel's release: `6.12.107+deb13-riscv64`. */
  release?: string;
  busybox?: Uint8Array;
  /** Kernel modules by file name: `virtio_blk.ko`. */
  modules?: Readonly<Record<string, Uint8Array>>;
  /** Path of an archive of kernel sources. */
  source?: string;
}

/** What virtio-blk takes besides what Debian's kernel has built in, in the order of loading. */
export const BLOCK_MODULES = ["virtio_mmio.ko", "virtio_blk.ko"] as const;

/**
 * Finds what Linux guests take in an unpacked package.
 *
 * @param folder Where it was unpacked.
 * @param name What errors call the package.
 * @throws {RangeError} If it has a kernel or busybox that a guest cannot use, or a kernel without its modules.
 */
export function findLinuxFiles(folder: string, name: string): LinuxFiles {
  const found: LinuxFiles = {};
  const kernel = list(join(folder, "boot")).find((file) => /^vmlinu[xz]-/.test(file));
  if (kernel !== undefined) {
    found.kernel = checkedKernel(readFileSync(join(folder, "boot", kernel)), name);
    found.release = kernel.replace(/^vmlinu[xz]-/, "");
    found.modules = modulesIn(folder, found.release, name);
  }
  const busybox = ["usr/bin/busybox", "bin/busybox"].map((path) => join(folder, path)).find((path) => existsSync(path));
  if (busybox !== undefined) found.busybox = checkedProgram(readFileSync(busybox), name);
  const source = list(join(folder, "usr/src")).find((file) => SOURCE.test(file));
  if (source !== undefined) found.source = join(folder, "usr/src", source);
  return found;
}

/** The name of an archive of kernel sources, as Debian's packages and `/usr/src` have it. */
export const SOURCE = /^linux-source-(\d+\.\d+)\.tar\.xz$/;

function list(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

/** "RSC\x05" at 0x38 begins every `Image` that is neither compressed nor wrapped. */
function checkedKernel(bytes: Uint8Array, name: string): Uint8Array {
  if (String.fromCharCode(...bytes.subarray(0x38, 0x3c)) === "RSC\x05") return bytes;
  throw new RangeError(
    `Cannot use the kernel of ${name} as it must be an uncompressed Image for RISC-V: "RSC\\x05" is not at 0x38`,
  );
}

const EM_RISCV = 243;
const PT_INTERP = 3;

/** A static program for RISC-V: an initial RAM file system of ours has no dynamic linker. */
function checkedProgram(bytes: Uint8Array, name: string): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const isElf64 = bytes.length >= 64 && view.getUint32(0) === 0x7f45_4c46 && bytes[4] === 2;
  const machine = isElf64 ? view.getUint16(18, true) : 0;
  if (machine !== EM_RISCV) {
    throw new RangeError(
      `Cannot use the busybox of ${name} as it must be a program for RISC-V: ${isElf64 ? `its e_machine is ${machine}` : "it is no ELF64"}`,
    );
  }
  const [table, size, count] = [
    Number(view.getBigUint64(32, true)),
    view.getUint16(54, true),
    view.getUint16(56, true),
  ];
  for (let at = table; at < table + size * count && at + 4 <= bytes.length; at += size) {
    if (view.getUint32(at, true) !== PT_INTERP) continue;
    throw new RangeError(
      `Cannot use the busybox of ${name} as it must be static: it asks for a dynamic linker; take busybox-static`,
    );
  }
  return bytes;
}

function modulesIn(folder: string, release: string, name: string): Record<string, Uint8Array> {
  const root = ["usr/lib/modules", "lib/modules"]
    .map((path) => join(folder, path, release))
    .find((path) => existsSync(path));
  const files = root === undefined ? [] : readdirSync(root, { recursive: true, encoding: "utf8" });
  return Object.fromEntries(
    BLOCK_MODULES.map((module) => {
      const file = files.find((path) => basename(path) === module || basename(path) === `${module}.xz`);
      if (file === undefined)
        throw new RangeError(`Cannot use ${name} as it must have the module ${module}: it has none for ${release}`);
      const path = join(root!, file);
      return [module, file.endsWith(".xz") ? decompressed(path) : readFileSync(path)];
    }),
  );
}

/** Bytes that a decompressed module may have. */
const MODULE_LIMIT = 64 * 1024 * 1024;

function decompressed(path: string): Uint8Array {
  if (!hasProgram("xz"))
    throw new RangeError(
      `Cannot unpack ${basename(path)} as that takes xz: it is not here; sudo apt-get install xz-utils`,
    );
  const run = spawnSync("xz", ["-dc", path], { maxBuffer: MODULE_LIMIT });
  if (run.status === 0) return run.stdout;
  throw new RangeError(
    `Cannot unpack ${basename(path)} as xz must read it: ${String(run.stderr).trim().split("\n").at(-1) || run.error?.message}`,
  );
}
