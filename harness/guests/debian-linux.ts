/**
 * Debian's kernel for RISC-V, unmodified, with Debian's busybox: an operating system that nobody here wrote or configured.
 *
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cachedFile } from "./cache.ts";
import type { Guest } from "./guest.ts";
import { type LinuxManifest, linuxGuestIsCached, readLinuxGuest, writeLinuxGuest } from "./linux-cache.ts";
import { BLOCK_MODULES } from "./linux-files.ts";
import { gatherPackages, type PackageOrigin } from "./linux-packages.ts";
import { linuxImage, wanted } from "./package-index.ts";
import { buildDisk, buildInitrd } from "./userland.ts";

const NAME = "debian";
/** What puts it into the cache. */
export const FETCH_DEBIAN = `trapline guests fetch ${NAME}`;

const KERNEL = "vmlinux";
const BUSYBOX = "busybox";

/** What a boot spends most on, and no program here asks for: self-tests of ciphers, tables for tracing and BPF. */
const BLACKLIST = [
  "jent_mod_init",
  "trace_eval_init",
  "check_unaligned_access_all_cpus",
  "bpf_rstat_kfunc_init",
  "bpf_fs_kfuncs_init",
  "kfunc_init",
  "cpumask_kfunc_init",
  "cgroup_bpf_init",
];
const APPEND = "console=ttyS0 quiet panic=-1";
const QUICK_APPEND = `console=ttyS0 quiet nokaslr cryptomgr.notests panic=-1 initcall_blacklist=${BLACKLIST.join()}`;

/**
 * Debian's kernel, from reset to power-off.
 *
 * @param options `quick`: leaves out what the guest does not need, by its command line; a quarter of the instructions.
 */
export function debianLinux(options: { readonly quick?: boolean } = {}): Guest {
  return {
    name: NAME,
    workload: "debian: boot, files, block device, pipe, poweroff",
    append: options.quick === true ? QUICK_APPEND : APPEND,
    load: async () => {
      const { manifest, files } = readLinuxGuest(NAME, FETCH_DEBIAN);
      const modules = Object.fromEntries(BLOCK_MODULES.map((module) => [module, fileOf(files, module)]));
      return {
        kernel: fileOf(files, KERNEL),
        initrd: buildInitrd(fileOf(files, BUSYBOX), modules),
        disk: buildDisk(),
        origins: { ...manifest.origins, ...manifest.files },
      };
    },
  };
}

/** Whether it is in the cache. */
export function debianIsFetched(): boolean {
  return linuxGuestIsCached(NAME);
}

function fileOf(files: Readonly<Record<string, Uint8Array>>, name: string): Uint8Array {
  const bytes = files[name];
  if (bytes !== undefined) return bytes;
  throw new RangeError(`Cannot load ${NAME} as its manifest must name ${name}: it does not; type ${FETCH_DEBIAN}`);
}

/**
 * Puts the guest into the cache.
 *
 * @returns What is known of its files, and where they are.
 * @throws {RangeError} If a package cannot be had or used, or there is no program to unpack it with.
 */
export async function fetchDebianLinux(
  options: PackageOrigin & { readonly say: (line: string) => void },
): Promise<LinuxManifest & { readonly folder: string }> {
  const folder = mkdtempSync(join(tmpdir(), "trapline-fetch-"));
  try {
    const { found, origins } = await gatherPackages((index) => [linuxImage(index), wanted(index, "busybox-static")], {
      ...options,
      guest: NAME,
      command: FETCH_DEBIAN,
      folder,
    });
    const { kernel, release, modules, busybox } = found;
    if (kernel === undefined || release === undefined || busybox === undefined) {
      const [what, where] = kernel === undefined ? ["kernel", "linux-image-*-riscv64"] : ["busybox", "busybox-static"];
      throw new RangeError(
        `Cannot fetch ${NAME} as its packages must hold a kernel and a busybox: there is no ${what}; add the package ${where} for riscv64 with --deb`,
      );
    }
    const manifest = writeLinuxGuest(NAME, release, origins, { [KERNEL]: kernel, [BUSYBOX]: busybox, ...modules });
    return { ...manifest, folder: cachedFile(NAME, "") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The busybox that came with the guest, where it is in the cache. */
export function cachedBusybox(): { readonly busybox: Uint8Array; readonly origins: Readonly<Record<string, string>> } {
  const { manifest, files } = readLinuxGuest(NAME, FETCH_DEBIAN);
  const origins = Object.entries(manifest.origins).filter(([name]) => name.startsWith("busybox"));
  return { busybox: fileOf(files, BUSYBOX), origins: Object.fromEntries(origins) };
}
