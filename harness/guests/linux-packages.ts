/**
 * Gathers the packages that a Linux guest is taken from, from wherever the user says, and looks through them.
 *
 * @module
 */

import { mkdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { sha256 } from "../store.ts";
import { findLinuxFiles, type LinuxFiles } from "./linux-files.ts";
import type { IndexedPackage, PackageIndex } from "./package-index.ts";
import { aptSource, mirrorSource, type SourceOptions, type Suite } from "./package-source.ts";
import { unpackPackage } from "./unpack-package.ts";

/** The first release of Debian that has RISC-V: earlier ones have neither kernel nor busybox for it. */
const SUITE: Suite = { name: "trixie", architecture: "riscv64" };

/** What the command line says of where packages come from. */
export interface PackageOrigin {
  /** A mirror's root, in place of apt's own. */
  readonly mirror?: string;
  /** Packages that are here already; nothing is fetched then. */
  readonly deb?: readonly string[];
}

/** What packages hold, and the SHA-256 of each package by its file name. */
export interface Gathered {
  readonly found: LinuxFiles;
  readonly origins: Readonly<Record<string, string>>;
}

/**
 * Gathers packages.
 *
 * @param choose What to take from the index, where there is one.
 * @param options `folder`: gets the packages and what is in them; what is found lies there as long as it does.
 * @throws {RangeError} If a package cannot be had, or holds what a guest cannot use.
 */
export async function gatherPackages(
  choose: (index: PackageIndex) => readonly IndexedPackage[],
  options: SourceOptions & PackageOrigin & { readonly command: string },
): Promise<Gathered> {
  const { folder, mirror, deb, say } = options;
  if (mirror !== undefined && deb !== undefined) {
    throw new RangeError(
      `Cannot fetch ${options.guest} as packages come from one place: there are both --mirror and --deb`,
    );
  }
  const archives = [...(deb ?? [])];
  if (deb === undefined) {
    const source = await (mirror === undefined ? aptSource(SUITE, options) : mirrorSource(mirror, SUITE, options));
    for (const wanted of choose(source.index)) archives.push(await source.fetch(wanted, folder));
  }
  return lookThrough(archives, folder, say);
}

/** Unpacks packages and finds what they hold. A later one wins. */
export function lookThrough(archives: readonly string[], folder: string, say: (line: string) => void): Gathered {
  const found: LinuxFiles = {};
  const origins: Record<string, string> = {};
  archives.forEach((archive, index) => {
    const name = basename(archive);
    say(`unpacking ${name}`);
    const unpacked = join(folder, `unpacked-${index}`);
    mkdirSync(unpacked);
    unpackPackage(archive, unpacked);
    const files = findLinuxFiles(unpacked, name);
    if (Object.keys(files).length === 0) {
      throw new RangeError(
        `Cannot use ${name} as it must hold a kernel, a busybox or kernel sources: it holds none of them`,
      );
    }
    Object.assign(found, files);
    origins[name] = sha256(readFileSync(archive));
  });
  return { found, origins };
}
