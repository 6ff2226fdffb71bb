/**
 * Records into a file, with the guest's images beside it.
 *
 * @module
 */

import { PartialFile } from "./files.ts";
import type { Guest } from "./guests/mod.ts";
import { type RecordOptions, record, type Tape } from "./record.ts";
import { storeBeside } from "./store.ts";

/** Records into a file that appears when it is whole. */
export async function recordTo(
  path: string,
  guest: Guest,
  options: Omit<RecordOptions, "guest" | "sink" | "store">,
): Promise<Tape> {
  // The file is made with the first byte: by then the guest and its settings are known to be good.
  let file: PartialFile | undefined;
  const sink = {
    write(bytes: Uint8Array) {
      file ??= new PartialFile(path);
      file.write(bytes);
    },
  };
  try {
    const tape = await record({ ...options, guest, sink, store: storeBeside(path) });
    file?.finish();
    return tape;
  } catch (error) {
    file?.discard();
    throw error;
  }
}
