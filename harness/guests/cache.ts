/**
 * The cache of guests that are fetched: `TRAPLINE_CACHE`, or `trapline` in `XDG_CACHE_HOME`, or `~/.cache/trapline`.
 *
 * @module
 */

import { homedir } from "node:os";
import { join } from "node:path";
import { env } from "node:process";

/** The cache's folder; it need not exist. */
export function cacheFolder(): string {
  // An empty variable counts as unset (XDG Base Directory Specification 0.8).
  return env.TRAPLINE_CACHE || join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "trapline");
}

/** Where a fetched guest's file is kept. */
export function cachedFile(guest: string, file: string): string {
  return join(cacheFolder(), "guests", guest, file);
}
