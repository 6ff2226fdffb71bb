/**
 * Guests by the names that `--guest` takes.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { cachedFile } from "./cache.ts";
import { debianIsFetched, debianLinux, FETCH_DEBIAN } from "./debian-linux.ts";
import type { Guest } from "./guest.ts";
import { hutch, hutchPara, hutchPre } from "./hutch.ts";
import { BUILD_LINUX_MINI, LINUX_MINI, linuxMini, linuxMiniIsBuilt } from "./linux-mini.ts";
import { openSbi, openSbiIsFetched } from "./opensbi.ts";
import { U_BOOT_FILE, uBoot } from "./u-boot.ts";

/** hutch's benchmarks, with the count that each runs by default and the one that `--quick` takes. */
const PROGRAMS: Readonly<Record<string, { readonly usual: number; readonly quick: number }>> = {
  "null-syscall": { usual: 10_000, quick: 500 },
  "context-switch": { usual: 2_000, quick: 100 },
  "page-fault": { usual: 2_000, quick: 100 },
  "fork-exec": { usual: 50, quick: 3 },
  pipe: { usual: 2_000, quick: 100 },
  "irq-toggle": { usual: 10_000, quick: 500 },
  "timer-tick": { usual: 20, quick: 3 },
  "disk-read": { usual: 100, quick: 10 },
  compute: { usual: 100, quick: 5 },
};

const BUILDS: Readonly<Record<string, typeof hutch>> = { hutch, "hutch-pre": hutchPre, "hutch-para": hutchPara };

/** A line of `trapline guests ls`. */
export interface CatalogueEntry {
  readonly name: string;
  readonly what: string;
  /** Whether it can run now. */
  readonly ready: boolean;
  /** What makes it ready; empty where it is. */
  readonly how: string;
}

/** All guests that have a name. */
export function catalogue(): readonly CatalogueEntry[] {
  const fetched = existsSync(cachedFile(U_BOOT_FILE.guest, U_BOOT_FILE.file));
  return [
    { name: "hutch", what: "the embedded kernel; --run says what it runs", ready: true, how: "" },
    {
      name: "hutch-pre",
      what: "the same, padded and annotated by the afterburner; --run says what it runs",
      ready: true,
      how: "",
    },
    { name: "hutch-para", what: "the same, ported to technique para; --run says what it runs", ready: true, how: "" },
    ...Object.entries(PROGRAMS).map(([name, { usual }]) => ({
      name,
      what: `hutch running ${name} ${usual}`,
      ready: true,
      how: "",
    })),
    {
      name: "u-boot",
      what: "Debian's U-Boot for supervisor mode, unmodified: version, sbi, poweroff at its prompt",
      ready: fetched,
      how: fetched ? "" : "trapline guests fetch u-boot",
    },
    {
      name: "opensbi",
      what: "Debian's OpenSBI as firmware in machine mode, with the same U-Boot on top of it",
      ready: openSbiIsFetched(),
      how: openSbiIsFetched() ? "" : "trapline guests fetch opensbi",
    },
    {
      name: "debian",
      what: "Debian's Linux, unmodified, with busybox: files, a block device, a pipe, poweroff",
      ready: debianIsFetched(),
      how: debianIsFetched() ? "" : FETCH_DEBIAN,
    },
    {
      name: LINUX_MINI,
      what: "a small Linux built from Debian's sources, with busybox: the same program",
      ready: linuxMiniIsBuilt(),
      how: linuxMiniIsBuilt() ? "" : BUILD_LINUX_MINI,
    },
  ];
}

/**
 * A guest by its name.
 *
 * @param name `hutch`, `hutch-pre`, `hutch-para`, a program of hutch, `u-boot`, `opensbi`, `debian` or `linux-mini`.
 * @param options `run`: what hutch runs. `quick`: fewer laps, or a shorter boot.
 * @throws {RangeError} If there is none of that name, or it takes no command.
 */
export function guestNamed(name: string, options: { readonly run?: string; readonly quick?: boolean } = {}): Guest {
  const { run, quick = false } = options;
  if (Object.hasOwn(BUILDS, name) || Object.hasOwn(PROGRAMS, name)) {
    const build = BUILDS[name] ?? hutch;
    if (run !== undefined) return build.running(run);
    const program = Object.hasOwn(PROGRAMS, name) ? name : "null-syscall";
    const { usual, quick: fewer } = PROGRAMS[program]!;
    return build.running(`${program} ${quick ? fewer : usual}`);
  }
  const others: Readonly<Record<string, () => Guest>> = {
    [uBoot.name]: () => uBoot,
    [openSbi.name]: () => openSbi,
    debian: () => debianLinux({ quick }),
    [LINUX_MINI]: linuxMini,
  };
  if (!Object.hasOwn(others, name)) {
    const names = catalogue().map((entry) => entry.name);
    throw new RangeError(
      `Cannot use guest "${name}" as it must be one of ${names.join(", ")}: it is none of them; trapline guests ls`,
    );
  }
  if (run !== undefined)
    throw new RangeError(`Cannot run "${run}" as only hutch takes a command: the guest is ${name}`);
  return others[name]!();
}

/**
 * A program of hutch with fewer laps: its workload with the quick count.
 *
 * @throws {RangeError} If it is none, or its workload begins with no count.
 */
export function hurried(guest: Guest): Guest {
  const build = BUILDS[guest.binary ?? ""];
  const [program = "", count = "", ...others] = guest.workload.split(" ");
  if (build === undefined || !Object.hasOwn(PROGRAMS, program) || !/^\d+$/.test(count))
    throw new RangeError(`Cannot hurry ${guest.name} as only hutch's programs have a quick form: leave --quick out`);
  return {
    ...build.running([program, PROGRAMS[program]!.quick, ...others].join(" ")),
    name: guest.name,
    ...(guest.diskDevice === undefined ? {} : { diskDevice: guest.diskDevice }),
  };
}
