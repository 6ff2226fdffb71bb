/**
 * Where Debian packages come from: the user's own apt, or a mirror that the user names. Neither needs root, or changes the system.
 *
 * With apt, its sources say which mirror to ask, and it checks the signature of the suite's index against Debian's keyring; lists,
 * caches and configuration lie in a folder of ours, so that a suite and an architecture that are not the machine's can be read.
 * With a mirror named, index and packages come over HTTP, and each package is checked against the index alone.
 *
 * Left out: the signature of a named mirror's index.
 * Source: apt.conf(5), apt-get(8) (indextargets), sources.list(5).
 *
 * @module
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { reasonOf } from "../files.ts";
import { sha256 } from "../store.ts";
import { hasProgram, runProgram } from "./host-programs.ts";
import { type IndexedPackage, PackageIndex } from "./package-index.ts";

/** A part of the archive: `trixie`, for `riscv64`. */
export interface Suite {
  readonly name: string;
  readonly architecture: string;
}

export interface PackageSource {
  readonly index: PackageIndex;
  /** Fetches a package into a folder. @returns The archive's path. @throws {RangeError} If it cannot be had. */
  fetch(wanted: IndexedPackage, folder: string): Promise<string>;
}

export interface SourceOptions {
  /** What the packages are for: `debian`. */
  readonly guest: string;
  /** A folder for lists and caches. */
  readonly folder: string;
  readonly say: (line: string) => void;
}

/** Debian's keyring, as its packages of different ages call it. Where there is none, apt uses the keys that it trusts anyway. */
const KEYRINGS = ["debian-archive-keyring.pgp", "debian-archive-keyring.gpg"].map(
  (name) => `/usr/share/keyrings/${name}`,
);

/** That apt can read no index of a mirror that it knows. */
export class UnreadIndexError extends RangeError {
  override readonly name = "UnreadIndexError";
  /** The mirror's root, as apt has it. */
  readonly mirror: string;

  constructor(mirror: string, message: string) {
    super(message);
    this.mirror = mirror;
  }
}

/**
 * A suite as the user's apt reads it.
 *
 * @throws {UnreadIndexError} If apt cannot read the suite's index, or the index is not the one that is signed.
 * @throws {RangeError} If there is no apt, or its sources name no mirror of Debian.
 */
export async function aptSource(
  suite: Suite,
  options: SourceOptions & {
    /** The command that takes `--mirror` and `--deb` where apt fails: `trapline guests fetch debian`. */
    readonly command: string;
  },
): Promise<PackageSource> {
  const { guest, command, folder, say } = options;
  const otherwise = `${command} --mirror URL, or --deb FILE... for packages that you have`;
  if (!hasProgram("apt-get"))
    throw new RangeError(`Cannot fetch ${guest} as that takes apt: there is no apt-get here; ${otherwise}`);
  const targets = await runProgram("apt-get", ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]);
  const [mirror] = debianMirrors(targets.output.split("\n"));
  if (mirror === undefined) {
    throw new RangeError(
      `Cannot fetch ${guest} as a source of apt must be a mirror of Debian: it has ${
        [...new Set(targets.output.split("\n").filter((line) => line !== ""))].join(" ") || "no sources"
      }; ${otherwise}`,
    );
  }
  const configuration = join(folder, "apt.conf");
  for (const part of ["lists/partial", "cache/archives/partial"]) mkdirSync(join(folder, part), { recursive: true });
  writeFileSync(join(folder, "status"), "");
  const keyring = KEYRINGS.find((path) => existsSync(path));
  const trust = keyring === undefined ? "" : `[signed-by=${keyring}] `;
  writeFileSync(join(folder, "sources.list"), `deb ${trust}${mirror} ${suite.name} main\n`);
  writeFileSync(configuration, aptConfiguration(folder, suite.architecture));
  const apt = (...args: string[]) => runProgram("apt-get", ["-q", "-c", configuration, ...args], { cwd: folder });

  say(`apt reads the index of ${suite.name} for ${suite.architecture} from ${mirror}`);
  const update = await apt("update");
  const { output } = await apt("indextargets", "--format", "$(FILENAME)", "Created-By: Packages");
  const listed = output.split("\n").find((path) => path !== "" && existsSync(path));
  if (update.status !== 0 || listed === undefined) {
    throw new UnreadIndexError(
      mirror,
      `Cannot fetch ${guest} as apt must read the index of ${suite.name} for ${suite.architecture}: ${aptReason(update.output)}; ${otherwise.replace("URL", /^https?:/.test(mirror) ? `${mirror}, which checks no signature` : "URL")}`,
    );
  }
  return {
    index: new PackageIndex(readFileSync(listed, "utf8")),
    async fetch({ name, version, file, sizeBytes, sha256: expected }, into) {
      say(`apt fetches ${name} ${version}, ${megabytes(sizeBytes)}`);
      const before = new Set(readdirSync(folder));
      const download = await apt("download", `${name}=${version}`);
      const archive = readdirSync(folder).find((found) => found.endsWith(".deb") && !before.has(found));
      if (archive === undefined) {
        throw new RangeError(
          `Cannot fetch ${guest} as apt must have ${name} ${version}: ${aptReason(download.output)}; ${otherwise}`,
        );
      }
      // apt writes a version's colon into the name, a mirror leaves the epoch out: traces name the package in one way.
      const path = join(into, basename(file));
      renameSync(join(folder, archive), path);
      return checked(path, expected);
    },
  };
}

/** apt's configuration: all that it writes goes to our folder, and nothing that the user's own lets run after it does. */
function aptConfiguration(folder: string, architecture: string): string {
  const settings = {
    "APT::Architecture": architecture,
    "APT::Architectures": architecture,
    "APT::Sandbox::User": "",
    "Acquire::GzipIndexes": "false",
    "Acquire::Languages": "none",
    "Dir::Cache": join(folder, "cache"),
    "Dir::Etc::SourceList": join(folder, "sources.list"),
    "Dir::Etc::SourceParts": "-",
    "Dir::State::Lists": join(folder, "lists"),
    "Dir::State::status": join(folder, "status"),
  };
  const cleared = ["APT::Architectures", "APT::Update", "Acquire::Languages", "DPkg::Post-Invoke"];
  return [
    ...cleared.map((name) => `#clear ${name};`),
    ...Object.entries(settings).map(([name, value]) => `${name} "${value}";`),
    "",
  ].join("\n");
}

/**
 * The mirrors of Debian's main archive among apt's sources, the plainest first.
 *
 * @param repositories Their addresses.
 */
export function debianMirrors(repositories: readonly string[]): string[] {
  const own = [...new Set(repositories)].filter(
    (address) => /debian/i.test(address) && !/security|ports|backports|fasttrack|debug/i.test(address),
  );
  const plain = (address: string): number => (/\/debian\/?$/.test(address) ? 0 : 1);
  return own.sort((a, b) => plain(a) - plain(b));
}

/** Why apt failed: its first complaint, in one line. */
export function aptReason(output: string): string {
  const complaints = output.split("\n").filter((line) => /^[EW]: /.test(line));
  const [first] = [...complaints.filter((line) => line.startsWith("E: ")), ...complaints];
  return (first ?? "E: it does not say why")
    .slice(3)
    .replace(/\s+/g, " ")
    .replace(/[.?;\s]+$/, "");
}

/**
 * A suite as a mirror has it.
 *
 * @param mirror The mirror's root, over http or https.
 * @throws {RangeError} If it is none, does not answer, or lacks the suite.
 */
export async function mirrorSource(mirror: string, suite: Suite, options: SourceOptions): Promise<PackageSource> {
  const root = rootOf(mirror, options);
  options.say(`reading the index of ${suite.name} for ${suite.architecture} from ${root}`);
  const index = await get(`${root}/dists/${suite.name}/main/binary-${suite.architecture}/Packages.gz`);
  return mirrorPackages(root, new PackageIndex(gunzipSync(index).toString("utf8")), options);
}

/**
 * Packages that are known beforehand, as a mirror has them. Nothing that the mirror says is believed: each package is checked against
 * the index that is given.
 *
 * @param mirror The mirror's root, over http or https.
 * @throws {RangeError} If it is none.
 */
export function mirrorPackages(mirror: string, index: PackageIndex, options: SourceOptions): PackageSource {
  const root = rootOf(mirror, options);
  return {
    index,
    async fetch({ file, sizeBytes, sha256: expected }, into) {
      options.say(`fetching ${file}, ${megabytes(sizeBytes)}`);
      const path = join(into, basename(file));
      writeFileSync(path, await get(`${root}/${file}`));
      return checked(path, expected);
    },
  };
}

function rootOf(mirror: string, { guest }: SourceOptions): string {
  const root = mirror.replace(/\/+$/, "");
  if (/^https?:\/\/[^/]/.test(root)) return root;
  throw new RangeError(
    `Cannot fetch ${guest} as a mirror must be an http or https address: it is ${JSON.stringify(mirror)}`,
  );
}

async function get(address: string): Promise<Uint8Array> {
  let response: Response;
  let bytes: ArrayBuffer;
  try {
    response = await fetch(address);
    bytes = await response.arrayBuffer();
  } catch (error) {
    const cause = (error as Error).cause ?? error;
    throw new RangeError(`Cannot fetch ${address} as the mirror must answer: ${reasonOf(cause)}`, { cause: error });
  }
  if (!response.ok)
    throw new RangeError(`Cannot fetch ${address} as the mirror must have it: it answers ${response.status}`);
  return new Uint8Array(bytes);
}

function checked(path: string, expected: string): string {
  const found = sha256(readFileSync(path));
  if (found === expected) return path;
  throw new RangeError(`Cannot use ${basename(path)} as its SHA-256 must be ${expected}: it is ${found}`);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
