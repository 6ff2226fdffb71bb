/**
 * Fetches one file out of a Debian package into the cache, without root and without changing the system.
 *
 * With apt, the user's own configuration says where packages come from, and apt checks their signatures; lists and archives go to a
 * folder of ours. With a mirror named, the package comes from there over HTTP, checked against the SHA-256 of the mirror's own index.
 *
 * Left out: signatures of a named mirror's index; packages other than those of architecture all.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { reasonOf, writeWhole } from "../files.ts";
import { sha256 } from "../store.ts";
import { cachedFile } from "./cache.ts";
import { hasProgram } from "./host-programs.ts";
import { wanted } from "./package-index.ts";
import { mirrorSource, type Suite } from "./package-source.ts";
import { unpackPackage } from "./unpack-package.ts";

export { payload } from "./unpack-package.ts";

/** A file in a package, and the guest it makes. */
export interface DebianFile {
  readonly guest: string;
  readonly package: string;
  /** Inside the package, without a leading slash. */
  readonly path: string;
  /** What the cache calls it. */
  readonly file: string;
}

/** A file as it was fetched. */
export interface FetchedFile {
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
  /** The archive it came out of. */
  readonly package: string;
}

/** The suite whose index a named mirror is asked for. */
const SUITE: Suite = { name: "bookworm", architecture: "amd64" };

/**
 * Fetches a file into the cache.
 *
 * @param from What to fetch.
 * @param options `mirror`: a Debian mirror's root, in place of apt's own sources. `say`: told each step.
 * @throws {RangeError} If there is no apt and no mirror, or the package cannot be had or lacks the file.
 */
export async function fetchDebianFile(
  from: DebianFile,
  options: { readonly mirror?: string; readonly say: (line: string) => void },
): Promise<FetchedFile> {
  const folder = mkdtempSync(join(tmpdir(), "trapline-fetch-"));
  try {
    const archive =
      options.mirror === undefined
        ? aptDownload(from, folder, options.say)
        : await mirrorDownload(from, folder, options.mirror, options.say);
    const bytes = fileIn(from, join(folder, archive), folder);
    const path = cachedFile(from.guest, from.file);
    writeWhole(path, bytes);
    return { path, sha256: sha256(bytes), bytes: bytes.length, package: archive };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function aptDownload(from: DebianFile, folder: string, say: (line: string) => void): string {
  if (!hasProgram("apt-get")) {
    throw new RangeError(
      `Cannot fetch ${from.guest} as that takes apt: there is no apt-get here; name a mirror with --mirror URL, or a file of your own with --kernel FILE`,
    );
  }
  say(`asking apt for ${from.package}`);
  const archive = () => readdirSync(folder).find((name) => name.endsWith(".deb"));
  // The system's own lists may be there already; they can be read without root.
  apt(folder, ["download", from.package]);
  if (archive() === undefined) {
    say("reading the package lists of apt's sources");
    const own = ownFolders(folder);
    const update = apt(folder, [...own, "update"]);
    const download = apt(folder, [...own, "download", from.package]);
    if (archive() === undefined) {
      throw new RangeError(
        `Cannot fetch ${from.guest} as apt must know the package ${from.package}: ${lastLine(download) || lastLine(update)}; name a mirror with --mirror URL, or a file with --kernel FILE`,
      );
    }
  }
  return archive()!;
}

/** Options that make apt keep its lists and caches here, so that nobody needs to be root. */
function ownFolders(folder: string): string[] {
  for (const part of ["lists/partial", "cache/archives/partial"]) mkdirSync(join(folder, part), { recursive: true });
  writeFileSync(join(folder, "status"), "");
  const options = {
    "Dir::State::Lists": join(folder, "lists"),
    "Dir::Cache": join(folder, "cache"),
    "Dir::State::status": join(folder, "status"),
    "APT::Sandbox::User": "",
  };
  return Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
}

function apt(folder: string, args: readonly string[]): string {
  const run = spawnSync("apt-get", ["-q", ...args], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
  });
  return `${run.stdout ?? ""}\n${run.stderr ?? ""}`;
}

/** The last line that says why, without apt's one-letter prefix. */
function lastLine(output: string): string {
  const lines = output.split("\n").filter((line) => line.startsWith("E: "));
  return lines.at(-1)?.slice(3).replace(/\.$/, "") ?? "";
}

async function mirrorDownload(
  from: DebianFile,
  folder: string,
  mirror: string,
  say: (line: string) => void,
): Promise<string> {
  const source = await mirrorSource(mirror, SUITE, { guest: from.guest, folder, say });
  return basename(await source.fetch(wanted(source.index, from.package), folder));
}

/** Takes the file out of the archive. */
function fileIn(from: DebianFile, archive: string, folder: string): Uint8Array {
  const out = join(folder, "unpacked");
  unpackPackage(archive, out);
  try {
    return new Uint8Array(readFileSync(join(out, from.path)));
  } catch (error) {
    throw new RangeError(`Cannot fetch ${from.guest} as ${from.package} must have ${from.path}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
