/**
 * What Linux guests run: an initial RAM file system with busybox and one script, and the disk that the script reads.
 *
 * The script does a little of all that a program does to a machine (files, a block device, a pipe, floating point) and powers off.
 * `stty` changes the terminal's settings only once all output is out, so that `poweroff -f` loses none of it.
 *
 * @module
 */

import { type CpioEntry, writeCpio } from "./cpio.ts";
import { BLOCK_MODULES } from "./linux-files.ts";
import { writeUstar } from "./ustar.ts";

const SCRIPT = `#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
uname -s -r -m
ls /
for module in ${BLOCK_MODULES.join(" ")}; do
  if [ -f /lib/$module ]; then insmod /lib/$module; fi
done
cd /tmp
tar -xf /dev/vda
sha256sum lines noise
cat lines | grep 7 | sort -r | head -n 3
awk 'BEGIN { x = 1; for (n = 0; n < 20; n++) x = (x + 2 / x) / 2; printf "%.6f %.6f\\n", x, 355 / 113 }'
echo done
stty echo
poweroff -f
`;

/** What the script prints last before it powers off. */
export const LAST_LINE = "done";

/**
 * The initial RAM file system of a Linux guest.
 *
 * @param modules Kernel modules by file name; none where the kernel has its drivers built in.
 */
export function buildInitrd(busybox: Uint8Array, modules: Readonly<Record<string, Uint8Array>> = {}): Uint8Array {
  const folders = ["bin", "dev", "lib", "proc", "sys", "tmp"].map((name): CpioEntry => ({ name, kind: "folder" }));
  return writeCpio([
    ...folders,
    { name: "init", kind: "file", bytes: new TextEncoder().encode(SCRIPT), executable: true },
    { name: "bin/busybox", kind: "file", bytes: busybox, executable: true },
    // The first process's console: the kernel opens it before there is a devtmpfs (Linux, console_on_rootfs).
    { name: "dev/console", kind: "character-device", major: 5, minor: 1 },
    ...Object.entries(modules).map(([name, bytes]): CpioEntry => ({ name: `lib/${name}`, kind: "file", bytes })),
  ]);
}

const DISK_BYTES = 4 * 1024 * 1024;
const NOISE_BYTES = 64 * 1024;

/** The files on the disk, by name. */
export function diskFiles(): Readonly<Record<"lines" | "noise", Uint8Array>> {
  const lines = Array.from({ length: 100 }, (_, index) => `line ${String(index).padStart(2, "0")} of 100\n`).join("");
  // Marsaglia's xorshift32: bytes that nothing compresses or deduplicates, and the same ones every time.
  const noise = new Uint8Array(NOISE_BYTES);
  let state = 0x7472_6170;
  for (let at = 0; at < NOISE_BYTES; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    noise[at] = state;
  }
  return { lines: new TextEncoder().encode(lines), noise };
}

/** The disk of a Linux guest: a tar archive, as a tar needs no file system of the kernel's. */
export function buildDisk(): Uint8Array {
  return writeUstar(diskFiles(), DISK_BYTES);
}
