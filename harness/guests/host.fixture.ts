/**
 * A host as tests of fetched guests want it: programs of our own in front of its own or alone, a cache, packages that we write.
 *
 * @module
 */

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env } from "node:process";
import { writeUstar } from "./ustar.ts";

/** A scratch folder with programs and a cache in it. */
export class Host {
  readonly folder: string = mkdtempSync(join(tmpdir(), "trapline-host-"));
  readonly #programs = mkdtempSync(join(this.folder, "programs-"));

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Puts a file into the folder. @returns Its path. */
  file(name: string, content: string | Uint8Array): string {
    writeFileSync(this.path(name), content);
    return this.path(name);
  }

  /** Makes a program. */
  program(name: string, script: string): void {
    const path = join(this.#programs, name);
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
  }

  /** Runs with these programs first on the path, or with `alone` no others; with the cache here. */
  async within<T>(run: () => T | Promise<T>, options: { readonly alone?: boolean } = {}): Promise<T> {
    const before = { PATH: env.PATH, TRAPLINE_CACHE: env.TRAPLINE_CACHE };
    env.PATH = options.alone === true ? this.#programs : `${this.#programs}:${before.PATH}`;
    env.TRAPLINE_CACHE = this.path("cache");
    try {
      return await run();
    } finally {
      for (const [name, value] of Object.entries(before)) {
        if (value === undefined) delete env[name];
        else env[name] = value;
      }
    }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A Debian package that holds these files (deb(5)); its payload is an uncompressed tar. */
export function writeDeb(files: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const size = Object.values(files).reduce((sum, { length }) => sum + 1024 + length, 1024);
  const control = { control: new TextEncoder().encode("Package: test\nVersion: 1\n") };
  return writeAr({
    "debian-binary": new TextEncoder().encode("2.0\n"),
    "control.tar": writeUstar(control, 2048),
    "data.tar": writeUstar(files, Math.ceil(size / 512) * 512),
  });
}

/** An ar archive (ar(5)). */
export function writeAr(members: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const pieces = Object.entries(members).flatMap(([name, bytes]) => [
    new TextEncoder().encode(
      `${name.padEnd(16)}${"0".padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${"100644".padEnd(8)}${String(bytes.length).padEnd(10)}\`\n`,
    ),
    bytes,
    new TextEncoder().encode(bytes.length % 2 === 1 ? "\n" : ""),
  ]);
  return new Uint8Array(Buffer.concat([new TextEncoder().encode("!<arch>\n"), ...pieces]));
}

/** What passes for an `Image`: its magic number, and nothing else. */
export function imageOf(size = 128): Uint8Array {
  const image = new Uint8Array(size);
  image.set(new TextEncoder().encode("RSC\x05"), 0x38);
  return image;
}

/** What passes for a program: an ELF64 header, and one program header of the given type. */
export function programOf(options: { readonly machine?: number; readonly segment?: number } = {}): Uint8Array {
  const { machine = 243, segment = 1 } = options;
  const program = new Uint8Array(64 + 56);
  const view = new DataView(program.buffer);
  program.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(18, machine, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, segment, true);
  return program;
}

/** The files of a kernel's package. */
export function kernelFiles(release = "6.12.1-riscv64"): Record<string, Uint8Array> {
  const drivers = `usr/lib/modules/${release}/kernel/drivers`;
  return {
    [`boot/config-${release}`]: new TextEncoder().encode("# none\n"),
    [`boot/vmlinux-${release}`]: imageOf(),
    [`${drivers}/block/virtio_blk.ko.xz`]: new TextEncoder().encode("block, compressed"),
    [`${drivers}/virtio/virtio_mmio.ko`]: new TextEncoder().encode("mmio"),
  };
}
