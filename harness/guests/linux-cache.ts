/**
 * Linux guests in the cache: their files, and a manifest that says where each came from.
 *
 * @module
 */

import { existsSync, readFileSync } from "node:fs";
import { reasonOf, writeWhole } from "../files.ts";
import { sha256 } from "../store.ts";
import { cachedFile } from "./cache.ts";

/** What is known of a guest's files. */
export interface LinuxManifest {
  /** The kernel's release. */
  readonly release: string;
  /** SHA-256 of what the files were taken or made from, by name: packages, a configuration. */
  readonly origins: Readonly<Record<string, string>>;
  /** SHA-256 of each file in the cache, by name. */
  readonly files: Readonly<Record<string, string>>;
}

const MANIFEST = "manifest.json";

/** Writes a guest's files and, when they are all there, its manifest. */
export function writeLinuxGuest(
  guest: string,
  release: string,
  origins: Readonly<Record<string, string>>,
  files: Readonly<Record<string, Uint8Array>>,
): LinuxManifest {
  const hashes: Record<string, string> = {};
  for (const [name, bytes] of Object.entries(files)) {
    writeWhole(cachedFile(guest, name), bytes);
    hashes[name] = sha256(bytes);
  }
  const manifest = { release, origins, files: hashes };
  writeWhole(cachedFile(guest, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

/** Whether a guest is in the cache: its manifest is written last. */
export function linuxGuestIsCached(guest: string): boolean {
  return existsSync(cachedFile(guest, MANIFEST));
}

/**
 * A guest's manifest.
 *
 * @returns Undefined where the guest is not in the cache.
 * @throws {RangeError} If the manifest is none.
 */
export function readLinuxManifest(guest: string, command: string): LinuxManifest | undefined {
  const path = cachedFile(guest, MANIFEST);
  if (!existsSync(path)) return undefined;
  try {
    const { release, origins, files } = JSON.parse(readFileSync(path, "utf8")) as Partial<LinuxManifest>;
    if (typeof release === "string" && isHashes(origins) && isHashes(files)) return { release, origins, files };
  } catch (error) {
    throw new RangeError(`Cannot use ${path} as it must be a readable manifest: ${reasonOf(error)}; ${command}`, {
      cause: error,
    });
  }
  throw new RangeError(`Cannot use ${path} as it must be a manifest: it lacks a release, origins or files; ${command}`);
}

function isHashes(value: unknown): value is Readonly<Record<string, string>> {
  return typeof value === "object" && value !== null && Object.values(value).every((hash) => typeof hash === "string");
}

/**
 * Reads a guest's files, each checked against the manifest.
 *
 * @param command What puts the guest into the cache: `trapline guests fetch debian`.
 * @throws {RangeError} If the guest is not in the cache, or a file is gone or is not the one that was put there.
 */
export function readLinuxGuest(
  guest: string,
  command: string,
): { readonly manifest: LinuxManifest; readonly files: Readonly<Record<string, Uint8Array>> } {
  const manifest = readLinuxManifest(guest, command);
  if (manifest === undefined) {
    throw new RangeError(`Cannot load ${guest} as it must be in the cache first: it is not; type ${command}`);
  }
  const files: Record<string, Uint8Array> = {};
  for (const [name, expected] of Object.entries(manifest.files)) {
    const path = cachedFile(guest, name);
    let bytes: Uint8Array;
    try {
      bytes = readFileSync(path);
    } catch (error) {
      throw new RangeError(`Cannot load ${guest} as ${path} must be readable: ${reasonOf(error)}; type ${command}`, {
        cause: error,
      });
    }
    if (sha256(bytes) !== expected) {
      throw new RangeError(
        `Cannot load ${guest} as ${path} must be what was put there, of SHA-256 ${expected}: it is ${sha256(bytes)}; type ${command}`,
      );
    }
    files[name] = bytes;
  }
  return { manifest, files };
}
