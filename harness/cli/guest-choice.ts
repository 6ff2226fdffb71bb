/**
 * From options to a guest.
 *
 * @module
 */

import { guestNamed } from "../guests/catalogue.ts";
import { readImage } from "../guests/file-guest.ts";
import { fileGuest, type Guest } from "../guests/mod.ts";
import type { GuestOptions } from "./options.ts";

/**
 * The guest that the options name.
 *
 * @throws {RangeError} If they name none, or two, or files for a guest that brings its own.
 */
export function chooseGuest(options: GuestOptions & { readonly quick?: boolean }): Guest {
  const { guest, kernel, run, quick, append, memory, machineMode, firmware, initrd, dtb, disk } = options;
  if ((guest === undefined) === (kernel === undefined)) {
    const found = guest === undefined ? "there is neither" : "there are both";
    throw new RangeError(
      `Cannot choose a guest as it takes one of --guest NAME and --kernel FILE: ${found}; trapline guests ls`,
    );
  }
  const own = {
    ...(append === undefined ? {} : { append }),
    ...(memory === undefined ? {} : { memoryBytes: memory }),
    ...(machineMode === undefined ? {} : { machineMode }),
    ...(options.diskDevice === undefined ? {} : { diskDevice: options.diskDevice }),
    ...(options.markConsole === undefined ? {} : { consoleMarks: options.markConsole }),
    ...(options.markAt === undefined ? {} : { addressMarks: options.markAt }),
  };
  if (kernel !== undefined) {
    if (run !== undefined)
      throw new RangeError(`Cannot run "${run}" as only hutch takes a command: the guest is ${kernel}; use --append`);
    const files = Object.fromEntries(
      Object.entries({ firmware, initrd, dtb, disk }).filter(([, path]) => path !== undefined),
    );
    return fileGuest(kernel, { ...files, ...own });
  }
  const extra = Object.entries({ firmware, initrd, dtb }).find(([, path]) => path !== undefined);
  if (extra !== undefined) {
    throw new RangeError(
      `Cannot use --${extra[0]} as guest ${guest} brings its own files: name the kernel too, with --kernel FILE`,
    );
  }
  const chosen = guestNamed(guest!, {
    ...(run === undefined ? {} : { run }),
    ...(quick === undefined ? {} : { quick }),
  });
  const load =
    disk === undefined ? {} : { load: async () => ({ ...(await chosen.load()), disk: readImage("disk", disk) }) };
  return { ...chosen, ...load, ...own };
}
