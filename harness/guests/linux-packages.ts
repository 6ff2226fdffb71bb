/**
 * Gathers the packages that a Linux guest is taken from, from wherever the user says, and looks through them.
 *
 * @module
 */

import { mkdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { reasonOf } from "../files.ts";
import { sha256 } from "../store.ts";
import { findLinuxFiles, type LinuxFiles } from "./linux-files.ts";
import { type IndexedPackage, PackageIndex } from "./package-index.ts";
import {
  aptSource,
  mirrorPackages,
  mirrorSource,
  type PackageSource,
  type SourceOptions,
  type Suite,
  UnreadIndexError,
} from "./package-source.ts";
import { TESTED_PACKAGES } from "./tested-packages.ts";
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
 * @param known Packages that are taken from apt's mirror where apt cannot accept the mirror's index.
 * @throws {RangeError} If a package cannot be had, or holds what a guest cannot use.
 */
export async function gatherPackages(
  choose: Choose,
  options: SourceOptions & PackageOrigin & { readonly command: string },
  known = new PackageIndex(TESTED_PACKAGES),
): Promise<Gathered> {
  const { folder, mirror, deb, say } = options;
  if (mirror !== undefined && deb !== undefined) {
    throw new RangeError(
      `Cannot fetch ${options.guest} as packages come from one place: there are both --mirror and --deb`,
    );
  }
  const archives = [...(deb ?? [])];
  if (deb === undefined) {
    const fetched =
      mirror === undefined
        ? fromApt(choose, options, known)
        : fetchAll(await mirrorSource(mirror, SUITE, options), choose, folder);
    archives.push(...(await fetched));
  }
  return lookThrough(archives, folder, say);
}

type Choose = (index: PackageIndex) => readonly IndexedPackage[];

async function fetchAll(source: PackageSource, choose: Choose, folder: string): Promise<readonly string[]> {
  const archives: string[] = [];
  for (const wanted of choose(source.index)) archives.push(await source.fetch(wanted, folder));
  return archives;
}

/** By apt; or where its mirror has no index that apt accepts, the packages that are known, from that mirror. */
async function fromApt(
  choose: Choose,
  options: SourceOptions & { readonly command: string },
  known: PackageIndex,
): Promise<readonly string[]> {
  const { folder, say } = options;
  try {
    return await fetchAll(await aptSource(SUITE, options), choose, folder);
  } catch (error) {
    if (!(error instanceof UnreadIndexError)) throw error;
    say(`apt accepts no index of ${error.mirror}: taking the packages from there whose SHA-256 trapline knows`);
    try {
      return await fetchAll(mirrorPackages(error.mirror, known, options), choose, folder);
    } catch (other) {
      // The index is what failed; the other attempt is told, and is no reason.
      say(reasonOf(other));
      throw error;
    }
  }
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
