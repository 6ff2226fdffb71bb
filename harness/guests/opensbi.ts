/**
 * OpenSBI as firmware, unmodified, from Debian's package `opensbi`, with Debian's U-Boot for supervisor mode as what it starts.
 *
 * Its SBI calls are answered by the firmware in the guest, and not by the engine: a guest that begins in machine mode, protects itself by PMP and
 * hands the rest down.
 *
 * Source: OpenSBI, "OpenSBI Firmware with Jump Address": fw_jump starts at the beginning of RAM, and its payload 2 MiB behind.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { cachedFile } from "./cache.ts";
import type { DebianFile } from "./debian.ts";
import { readImage } from "./file-guest.ts";
import type { Guest } from "./guest.ts";
import { U_BOOT_FILE, uBoot } from "./u-boot.ts";

/** The files that are fetched, and the packages that have them: the firmware, and its payload, which guest u-boot uses too. */
export const OPENSBI_FILES: readonly [DebianFile, DebianFile] = [
  {
    guest: "opensbi",
    package: "opensbi",
    path: "usr/lib/riscv64-linux-gnu/opensbi/generic/fw_jump.elf",
    file: "fw_jump.elf",
  },
  U_BOOT_FILE,
];
const pathOf = ({ guest, file }: DebianFile): string => cachedFile(guest, file);

/** Whether it can run now. */
export function openSbiIsFetched(): boolean {
  return OPENSBI_FILES.every((file) => existsSync(pathOf(file)));
}

export const openSbi: Guest = {
  name: "opensbi",
  workload: "opensbi: u-boot: version, sbi, poweroff",
  ...(uBoot.input === undefined ? {} : { input: uBoot.input }),
  load: async () => {
    if (!openSbiIsFetched()) {
      throw new RangeError(
        "Cannot load opensbi as it must be in the cache first: it is not; type trapline guests fetch opensbi, or name files with --firmware FILE --kernel FILE",
      );
    }
    const [firmware, kernel] = OPENSBI_FILES;
    return { firmware: readImage("firmware", pathOf(firmware)), kernel: readImage("kernel", pathOf(kernel)) };
  },
};
