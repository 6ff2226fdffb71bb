/**
 * `trapline guests`: lists the guests that have a name, and fetches or builds those that are not here yet.
 *
 * @module
 */

import { type Command, Option } from "commander";
import { buildLinuxMini } from "../guests/build-linux-mini.ts";
import { cacheFolder } from "../guests/cache.ts";
import { catalogue, guestNamed } from "../guests/catalogue.ts";
import { type DebianFile, type FetchedFile, fetchDebianFile } from "../guests/debian.ts";
import { fetchDebianLinux } from "../guests/debian-linux.ts";
import type { LinuxManifest } from "../guests/linux-cache.ts";
import { BUILD_LINUX_MINI, LINUX_MINI } from "../guests/linux-mini.ts";
import type { PackageOrigin } from "../guests/linux-packages.ts";
import { OPENSBI_FILES } from "../guests/opensbi.ts";
import { U_BOOT_FILE } from "../guests/u-boot.ts";
import type { Finish, Say } from "./main.ts";
import { wholeNumber } from "./options.ts";
import { EXIT, type Outcome } from "./outcome.ts";

export function declare(command: Command, finish: Finish, say: Say): void {
  command
    .command("ls")
    .description("list guests by name")
    .action(() => finish(list()));
  command
    .command("fetch")
    .description("fetch a guest into the cache, without root")
    .argument("<NAME>", "u-boot, opensbi or debian")
    .option("--mirror <URL>", "a Debian mirror, in place of apt's own sources; its signature is not checked")
    .option("--deb <FILE...>", "packages that you have, for debian: linux-image-*-riscv64 and busybox-static")
    .action((name: string, options: FetchOptions) => finish(fetchGuest(name, options, say)));
  command
    .command("build")
    .description("build a guest from Debian's sources into the cache, without root")
    .argument("<NAME>", LINUX_MINI)
    .option("--mirror <URL>", "a Debian mirror, in place of apt's own sources; its signature is not checked")
    .option(
      "--deb <FILE...>",
      "packages that you have: linux-source-6.12, busybox-static for riscv64; the rest is fetched",
    )
    .addOption(
      new Option("--jobs <N>", "compilers at once; one a processor where it is left out").argParser(wholeNumber(1)),
    )
    .action((name: string, options: FetchOptions) => finish(buildGuest(name, options, say)));
}

async function list(): Promise<Outcome> {
  const guests = catalogue();
  const width = Math.max(...guests.map(({ name }) => name.length));
  return {
    exitCode: EXIT.ok,
    document: {
      cache: cacheFolder(),
      guests: guests.map(({ name, what, ready, how }) => ({ name, what, ready, next: how === "" ? null : how })),
    },
    text: guests
      .map(({ name, what, ready, how }) => `${name.padEnd(width)}  ${what}${ready ? "" : ` (first: ${how})`}`)
      .join("\n"),
  };
}

/** Guests whose files are each taken out of a package for any machine. */
const FILES: Readonly<Record<string, readonly DebianFile[]>> = {
  [U_BOOT_FILE.guest]: [U_BOOT_FILE],
  [OPENSBI_FILES[0].guest]: OPENSBI_FILES,
};

type FetchOptions = PackageOrigin & { readonly jobs?: number };

async function fetchGuest(name: string, options: FetchOptions, say: Say): Promise<Outcome> {
  if (name === "debian") return linuxOutcome(name, await fetchDebianLinux({ ...options, say }));
  const files = Object.hasOwn(FILES, name) ? FILES[name] : undefined;
  if (files === undefined) {
    guestNamed(name);
    throw new RangeError(
      name === LINUX_MINI
        ? `Cannot fetch ${name} as it must be built from its sources: nobody offers it; ${BUILD_LINUX_MINI}`
        : `Cannot fetch ${name} as only u-boot, opensbi and debian are fetched: ${name} comes with trapline`,
    );
  }
  if (options.deb !== undefined)
    throw new RangeError(`Cannot fetch ${name} from a package of yours as only debian takes --deb: give --kernel FILE`);
  const fetched: FetchedFile[] = [];
  for (const file of files) fetched.push(await fetchDebianFile(file, { ...options, say }));
  return {
    exitCode: EXIT.ok,
    document: fetched.length === 1 ? { guest: name, ...fetched[0] } : { guest: name, files: fetched },
    text: fetched
      .map(({ path, bytes, package: from, sha256 }) => `${path}\n${bytes} bytes of ${from}, sha256 ${sha256}`)
      .join("\n"),
  };
}

async function buildGuest(name: string, options: FetchOptions, say: Say): Promise<Outcome> {
  if (name !== LINUX_MINI) {
    guestNamed(name);
    throw new RangeError(`Cannot build ${name} as only ${LINUX_MINI} is built: ${name} is not; trapline guests ls`);
  }
  return linuxOutcome(name, await buildLinuxMini({ ...options, say }));
}

function linuxOutcome(
  guest: string,
  { folder, release, origins, files }: LinuxManifest & { readonly folder: string },
): Outcome {
  const hashes = (of: Readonly<Record<string, string>>): string[] =>
    Object.entries(of).map(([name, hash]) => `${hash}  ${name}`);
  return {
    exitCode: EXIT.ok,
    document: { guest, path: folder, release, origins, files },
    text: [
      `${folder}, Linux ${release}`,
      "sha256 of what it is made of",
      ...hashes(origins),
      "sha256 of its files",
      ...hashes(files),
    ].join("\n"),
  };
}
