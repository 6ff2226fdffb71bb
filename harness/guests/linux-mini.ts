/**
 * linux-mini: a small Linux, built from Debian's sources with Debian's cross compiler (`linux-mini/defconfig`), and Debian's busybox.
 *
 * It needs no device but the SBI's console, and boots in a fifteenth of the instructions that Debian's own kernel takes.
 *
 * @module
 */

import type { Guest } from "./guest.ts";
import { linuxGuestIsCached, readLinuxGuest, readLinuxManifest } from "./linux-cache.ts";
import { buildDisk, buildInitrd } from "./userland.ts";

export const LINUX_MINI = "linux-mini";
/** What puts it into the cache. */
export const BUILD_LINUX_MINI = `trapline guests build ${LINUX_MINI}`;

/** Names of its files in the cache. */
export const LINUX_MINI_FILES = { kernel: "Image", busybox: "busybox", configuration: "config" } as const;

const MEMORY_BYTES = 32 * 1024 * 1024;

/** linux-mini, from reset to power-off. */
export function linuxMini(): Guest {
  const release = readLinuxManifest(LINUX_MINI, BUILD_LINUX_MINI)?.release ?? "";
  return {
    name: LINUX_MINI,
    workload: "linux-mini: boot, files, block device, pipe, poweroff",
    append: `console=${consoleOf(release)} quiet panic=-1`,
    memoryBytes: MEMORY_BYTES,
    load: async () => {
      const { manifest, files } = readLinuxGuest(LINUX_MINI, BUILD_LINUX_MINI);
      const [kernel, busybox] = [files[LINUX_MINI_FILES.kernel], files[LINUX_MINI_FILES.busybox]];
      if (kernel === undefined || busybox === undefined) {
        throw new RangeError(
          `Cannot load ${LINUX_MINI} as its manifest must name a kernel and a busybox: it names ${Object.keys(files).join(", ") || "nothing"}; type ${BUILD_LINUX_MINI}`,
        );
      }
      return {
        kernel,
        initrd: buildInitrd(busybox),
        disk: buildDisk(),
        origins: { ...manifest.origins, ...manifest.files },
      };
    },
  };
}

/** Whether it is in the cache. */
export function linuxMiniIsBuilt(): boolean {
  return linuxGuestIsCached(LINUX_MINI);
}

/** Its console: Linux knows the SBI's debug console (DBCN) from 6.8 on; before, it is the UART. */
export function consoleOf(release: string): "hvc0" | "ttyS0" {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return Number(major ?? 6) * 1000 + Number(minor ?? 12) >= 6008 ? "hvc0" : "ttyS0";
}
