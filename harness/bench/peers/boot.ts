/**
 * A boot as a comparison: Debian's unmodified kernel from reset to power-off, recorded by ours and by QEMU.
 *
 * Whole programs are timed, from their start to their end, so that a first run and its compilation count. Both get the same kernel,
 * command line, initial RAM file system, disk and size of RAM; the boards differ, and QEMU starts with a firmware.
 *
 * Source: QEMU, docs/system/replay.rst.
 *
 * @module
 */

import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execArgv, execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { guestNamed } from "../../guests/catalogue.ts";
import { DEFAULT_MEMORY_BYTES } from "../../guests/mod.ts";
import { moduleUrl } from "../../installation.ts";
import { type TimedRun, timed } from "./contenders.ts";
import { QEMU } from "./peer-guests.ts";
import { type BootRow, spreadOf } from "./plan.ts";

const GUEST = "debian";

/**
 * Boots in ours and in QEMU, in turns.
 *
 * @param options `folder`: for files. `repeats`: boots of each. `say`: told the CPU seconds of each turn.
 * @throws {RangeError} If the guest is not in the cache, a program fails, or the guest's script prints other things in one than in the other.
 */
export async function measureBoot(options: {
  readonly folder: string;
  readonly repeats: number;
  readonly say: (line: string) => void;
}): Promise<BootRow> {
  const { folder, repeats, say } = options;
  const guest = guestNamed(GUEST);
  const { kernel, initrd, disk } = await guest.load();
  for (const [name, bytes] of Object.entries({ kernel, initrd, disk })) writeFileSync(join(folder, name), bytes!);
  const ratios: number[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) {
    const boot = { ours: () => bootOurs(folder), qemu: () => bootQemu(folder, guest.append ?? "") };
    const order = repeat % 2 === 0 ? (["ours", "qemu"] as const) : (["qemu", "ours"] as const);
    const ran = new Map(order.map((who) => [who, boot[who]()]));
    const [ours, qemu] = [ran.get("ours")!, ran.get("qemu")!];
    if (scriptOf(ours.console) !== scriptOf(qemu.console))
      throw new RangeError(
        `Cannot compare the boot as its script must print the same in both: ours prints ${JSON.stringify(scriptOf(ours.console))}, QEMU ${JSON.stringify(scriptOf(qemu.console))}`,
      );
    say(`boot, CPU seconds: ours ${ours.seconds.toFixed(2)}, qemu-record ${qemu.seconds.toFixed(2)}`);
    ratios.push(qemu.seconds / ours.seconds);
  }
  return { work: "boot", ours: "jit", mode: "record", peer: "qemu-record", ratio: spreadOf(ratios) };
}

function bootOurs(folder: string): TimedRun {
  const program = fileURLToPath(moduleUrl("harness/cli/trapline.ts"));
  const trace = join(folder, "boot.trace");
  return timed("ours", GUEST, [execPath, ...execArgv, program, "record", "--guest", GUEST, "-o", trace], folder);
}

function bootQemu(folder: string, append: string): TimedRun {
  const path = (name: string): string => join(folder, name);
  copyFileSync(path("disk"), path("disk.written"));
  const command = [
    ...[QEMU, "-M", "virt", "-m", String(DEFAULT_MEMORY_BYTES / 2 ** 20), "-display", "none", "-monitor", "none"],
    // Of 7.2, while it records, a write to a pipe now and then takes a minute: its two threads wait for each other at each poll of the UART.
    ...["-serial", `file:${path("console")}`, "-no-reboot", "-icount", `shift=0,rr=record,rrfile=${path("boot.rr")}`],
    ...["-kernel", path("kernel"), "-initrd", path("initrd"), "-append", append],
    // A disk is recorded through blkreplay.
    ...["-drive", `file=${path("disk.written")},if=none,format=raw,id=image`],
    ...["-drive", "driver=blkreplay,if=none,image=image,id=disk", "-device", "virtio-blk-device,drive=disk"],
  ];
  return { ...timed("qemu-record", GUEST, command, folder), console: readFileSync(path("console"), "utf8") };
}

/** What the guest's script prints: from `uname` to its last line. Empty where it does not come to its end. */
export function scriptOf(console: string): string {
  return /^Linux [\s\S]*?^done$/m.exec(console.replaceAll("\r", ""))?.[0] ?? "";
}
