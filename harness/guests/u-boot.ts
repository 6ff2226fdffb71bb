/**
 * U-Boot for QEMU's `virt` board in supervisor mode, unmodified, from Debian's package `u-boot-qemu`.
 *
 * It polls the UART and the clock and pages nothing: a real guest to show that runs are identical, not one to compare techniques with.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { cachedFile } from "./cache.ts";
import type { DebianFile } from "./debian.ts";
import { readImage } from "./file-guest.ts";
import type { Guest } from "./guest.ts";

/** The file that is fetched, and the package that has it. */
export const U_BOOT_FILE: DebianFile = {
  guest: "u-boot",
  package: "u-boot-qemu",
  path: "usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin",
  file: "u-boot.bin",
};

const SCRIPT = `# At the prompt: what it is, what it found, and off.
expect "=> "
send "version\\n"
expect "=> "
send "sbi\\n"
expect "=> "
send "poweroff\\n"
`;

export const uBoot: Guest = {
  name: "u-boot",
  workload: "u-boot: version, sbi, poweroff",
  input: SCRIPT,
  load: async () => {
    const path = cachedFile(U_BOOT_FILE.guest, U_BOOT_FILE.file);
    if (!existsSync(path)) {
      throw new RangeError(
        "Cannot load u-boot as it must be in the cache first: it is not; type trapline guests fetch u-boot, or name a file with --kernel FILE",
      );
    }
    return { kernel: readImage("kernel", path) };
  },
};
