/**
 * Replays into a file: the work that a command or a worker thread does for one technique.
 *
 * @module
 */

import type { Technique } from "../engine/mod.ts";
import { PartialFile } from "./files.ts";
import type { Recording, ReplayOptions } from "./replay.ts";
import { type Verification, verify } from "./verify.ts";

export interface ReplayToOptions extends Omit<ReplayOptions, "sink" | "technique"> {
  readonly technique: Technique;
  /** The file for the replay's own trace; none is kept where it is left out. */
  readonly output?: string;
}

/** An answer, with the file that shows it. */
export interface StoredVerification extends Verification {
  /** The replay's trace, where one was kept. */
  readonly trace: string | undefined;
}

/**
 * Replays and verifies a recording, and keeps the replay's trace. A run that differs is kept too: `diff` needs both.
 *
 * @throws As `verify` does; no file is left then.
 */
export async function replayTo(recording: Recording, options: ReplayToOptions): Promise<StoredVerification> {
  const { output, ...rest } = options;
  if (output === undefined) return { ...(await verify(recording, { ...rest, sink: null })), trace: undefined };
  let file: PartialFile | undefined;
  const sink = {
    write(bytes: Uint8Array) {
      file ??= new PartialFile(output);
      file.write(bytes);
    },
  };
  try {
    const verification = await verify(recording, { ...rest, sink });
    file?.finish();
    return { ...verification, trace: output };
  } catch (error) {
    file?.discard();
    throw error;
  }
}
