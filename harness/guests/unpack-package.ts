/**
 * Unpacks a Debian package: by dpkg-deb, or where there is none by reading the archive and giving its payload to tar.
 *
 * Source: deb(5), ar(5).
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { reasonOf } from "../files.ts";
import { hasProgram } from "./host-programs.ts";

/**
 * Unpacks a package into a folder, which it makes.
 *
 * @param archive The package's path.
 * @throws {RangeError} If it cannot be read or is no Debian package, or there is nothing to unpack it with.
 */
export function unpackPackage(archive: string, into: string): void {
  const name = basename(archive);
  mkdirSync(into, { recursive: true });
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(archive);
  } catch (error) {
    throw new RangeError(`Cannot unpack ${archive} as it must be a readable file: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  // Found here so that what is no package is called so, whichever program would have met it.
  const data = payload(bytes, name);
  if (hasProgram("dpkg-deb")) {
    const run = spawnSync("dpkg-deb", ["-x", archive, into], { encoding: "utf8" });
    if (run.status === 0) return;
    throw new RangeError(`Cannot unpack ${name} as it must be a Debian package: ${lastLine(run.stderr)}`);
  }
  if (!hasProgram("tar")) throw new RangeError(`Cannot unpack ${name} as that takes dpkg-deb, or tar: neither is here`);
  const file = join(into, data.name);
  writeFileSync(file, data.bytes);
  const run = spawnSync("tar", ["-xf", file, "-C", into], { encoding: "utf8" });
  rmSync(file);
  if (run.status !== 0)
    throw new RangeError(`Cannot unpack ${name} as tar must read ${data.name}: ${lastLine(run.stderr)}`);
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1)!.replace(/\.$/, "");
}

/** The `data.tar.*` member of an ar archive: 60-byte headers, members padded to even length. */
export function payload(archive: Uint8Array, name: string): { readonly name: string; readonly bytes: Uint8Array } {
  const text = (from: number, to: number) => String.fromCharCode(...archive.subarray(from, to)).trimEnd();
  let at = 8;
  if (text(0, 8) === "!<arch>") {
    while (at + 60 <= archive.length) {
      const member = text(at, at + 16).replace(/\/$/, "");
      const size = Number(text(at + 48, at + 58));
      if (!Number.isInteger(size) || at + 60 + size > archive.length) break;
      if (member.startsWith("data.tar")) return { name: member, bytes: archive.subarray(at + 60, at + 60 + size) };
      at += 60 + size + (size % 2);
    }
  }
  throw new RangeError(`Cannot unpack ${name} as it must be an ar archive with a data.tar: it has none`);
}
