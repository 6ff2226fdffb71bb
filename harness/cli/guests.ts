/**
 * `trapline guests`: lists the guests that have a name, and fetches those that are not here yet.
 *
 * @module
 */

import type { Command } from "commander";
import { cacheFolder } from "../guests/cache.ts";
import { catalogue, guestNamed } from "../guests/catalogue.ts";
import { fetchDebianFile } from "../guests/debian.ts";
import { U_BOOT_FILE } from "../guests/u-boot.ts";
import type { Finish, Say } from "./main.ts";
import { EXIT, type Outcome } from "./outcome.ts";

export function declare(command: Command, finish: Finish, say: Say): void {
  command
    .command("ls")
    .description("list guests by name")
    .action(() => finish(list()));
  command
    .command("fetch")
    .description("fetch a guest into the cache, without root")
    .argument("<NAME>", "u-boot")
    .option("--mirror <URL>", "a Debian mirror, in place of apt's own sources")
    .action((name: string, options: { readonly mirror?: string }) => finish(fetchGuest(name, options, say)));
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

async function fetchGuest(name: string, options: { readonly mirror?: string }, say: Say): Promise<Outcome> {
  if (name !== U_BOOT_FILE.guest) {
    guestNamed(name);
    throw new RangeError(`Cannot fetch ${name} as only u-boot is fetched: ${name} comes with trapline`);
  }
  const fetched = await fetchDebianFile(U_BOOT_FILE, { ...options, say });
  return {
    exitCode: EXIT.ok,
    document: { guest: name, ...fetched },
    text: `${fetched.path}\n${fetched.bytes} bytes of ${fetched.package}, sha256 ${fetched.sha256}`,
  };
}
