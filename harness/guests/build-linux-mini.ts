/**
 * Builds linux-mini from Debian's kernel sources, with Debian's cross compiler, into the cache.
 *
 * The same sources and the same compiler give the same bytes: what a kernel says of its build (time, user, host, number) is fixed.
 *
 * Sources are those of Linux 6.12 (trixie) or, where they cannot be had, of 6.1 (bookworm); what is installed in `/usr/src` comes first,
 * then what the user's own apt knows, then trixie's archive.
 *
 * Left out: signing, modules, and other compilers than gcc.
 * Source: Linux, Documentation/kbuild/reproducible-builds.rst, Documentation/process/changes.rst.
 *
 * @module
 */

import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { writeWhole } from "../files.ts";
import { packageFile } from "../installation.ts";
import { sha256 } from "../store.ts";
import { cachedFile, cacheFolder } from "./cache.ts";
import { cachedBusybox } from "./debian-linux.ts";
import { missingPrograms, type ProgramRun, runProgram } from "./host-programs.ts";
import { type LinuxManifest, readLinuxManifest, writeLinuxGuest } from "./linux-cache.ts";
import { BUILD_LINUX_MINI, LINUX_MINI, LINUX_MINI_FILES } from "./linux-mini.ts";
import { type Gathered, gatherPackages, lookThrough, type PackageOrigin } from "./linux-packages.ts";
import { wanted } from "./package-index.ts";

/** What the build runs, and the Debian package of each. */
const PROGRAMS: Readonly<Record<string, string>> = {
  make: "make",
  gcc: "gcc libc6-dev",
  flex: "flex",
  bison: "bison",
  bc: "bc",
  tar: "tar",
  xz: "xz-utils",
  "riscv64-linux-gnu-gcc": "gcc-riscv64-linux-gnu",
};

/** Series of kernels that the configuration is known to work with, the best first. */
const SERIES = ["6.12", "6.1"];

/** What a kernel says of its build, fixed; and the compiler. */
const ENVIRONMENT = {
  ARCH: "riscv",
  CROSS_COMPILE: "riscv64-linux-gnu-",
  KBUILD_BUILD_TIMESTAMP: "1970-01-01 00:00:00 +0000",
  KBUILD_BUILD_USER: "trapline",
  KBUILD_BUILD_HOST: "trapline",
  KBUILD_BUILD_VERSION: "1",
  SOURCE_DATE_EPOCH: "0",
  LOCALVERSION: "",
  TZ: "UTC",
};

const CONFIGURATION = "harness/guests/linux-mini/defconfig";
/** Objects that the build makes, about: for progress. */
const OBJECTS = 660;
const OBJECTS_BETWEEN_REPORTS = 60;

export interface BuildOptions extends PackageOrigin {
  /** Compilers at once; as many as there are processors where it is left out. */
  readonly jobs?: number;
  readonly say: (line: string) => void;
}

/** Which of the programs that the build takes are not here, as an error says it; undefined where none is missing. */
export function missingForBuild(
  missing: readonly string[] = missingPrograms(Object.keys(PROGRAMS)),
): string | undefined {
  if (missing.length === 0) return undefined;
  const packages = missing.map((program) => PROGRAMS[program] ?? program).join(" ");
  return `Cannot build ${LINUX_MINI} as that takes ${missing.join(", ")}: ${missing.length === 1 ? "it is" : "they are"} not here; sudo apt-get install ${packages}`;
}

/**
 * Builds the guest into the cache.
 *
 * @throws {RangeError} If a program or a package cannot be had, or the build fails; its log is kept then.
 */
export async function buildLinuxMini(options: BuildOptions): Promise<LinuxManifest & { readonly folder: string }> {
  const missing = missingForBuild();
  if (missing !== undefined) throw new RangeError(missing);
  const builds = join(cacheFolder(), "build");
  mkdirSync(builds, { recursive: true });
  removeLeftovers(builds);
  // Not in the folder for temporary files: unpacked, the sources are 1.6 GB, which often is memory there.
  const folder = mkdtempSync(join(builds, `${LINUX_MINI}-${process.pid}-`));
  // Ctrl-C reaches make as well, and what make was doing fails: this process stays to clear up behind it.
  const stay = (): void => options.say("interrupted");
  try {
    const { busybox, source, origins } = await ingredients(options, folder);
    process.on("SIGINT", stay);
    const built = await compile(source, join(folder, "linux"), options);
    const manifest = writeLinuxGuest(
      LINUX_MINI,
      built.release,
      { ...origins, [basename(CONFIGURATION)]: sha256(readFileSync(packageFile(CONFIGURATION))) },
      {
        [LINUX_MINI_FILES.kernel]: built.image,
        [LINUX_MINI_FILES.busybox]: busybox,
        [LINUX_MINI_FILES.configuration]: built.configuration,
      },
    );
    return { ...manifest, folder: cachedFile(LINUX_MINI, "") };
  } finally {
    process.off("SIGINT", stay);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Removes what builds left behind whose process was killed: it can clear up no more, and sources are large. */
function removeLeftovers(builds: string): void {
  for (const name of readdirSync(builds)) {
    const [, owner] = /^linux-mini-(\d+)-/.exec(name) ?? [];
    if (owner !== undefined && !isRunning(Number(owner))) rmSync(join(builds, name), { recursive: true, force: true });
  }
}

function isRunning(id: number): boolean {
  try {
    return process.kill(id, 0);
  } catch (error) {
    // Anything but "no such process" means that there is one, which is not ours to ask.
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

interface Ingredients {
  readonly busybox: Uint8Array;
  /** Path of the archive of sources. */
  readonly source: string;
  readonly origins: Readonly<Record<string, string>>;
}

async function ingredients(options: BuildOptions, folder: string): Promise<Ingredients> {
  const { say } = options;
  const given = join(folder, "given");
  mkdirSync(given);
  const handed = options.deb === undefined ? undefined : lookThrough(options.deb, given, say);
  // Whatever is not handed in is looked for, busybox first: it is small, and without it there is no need to build.
  let origins = handed?.origins ?? {};
  let busybox = handed?.found.busybox;
  if (busybox === undefined) {
    const cached = readLinuxManifest("debian", BUILD_LINUX_MINI) !== undefined;
    const other = cached ? cachedBusybox() : await fetchedBusybox(options, folder);
    ({ busybox, origins } = { busybox: other.busybox, origins: { ...origins, ...other.origins } });
  }
  if (handed?.found.source !== undefined) return { busybox, source: handed.found.source, origins };
  const other = await sources(options, folder);
  return { busybox, source: other.source, origins: { ...origins, ...other.origins } };
}

async function fetchedBusybox(
  options: BuildOptions,
  folder: string,
): Promise<{ readonly busybox: Uint8Array; readonly origins: Gathered["origins"] }> {
  const { found, origins } = await gather("busybox-static", options, folder);
  if (found.busybox === undefined)
    throw new RangeError(`Cannot build ${LINUX_MINI} as busybox-static must hold a busybox: it holds none`);
  return { busybox: found.busybox, origins };
}

/** One package of trixie's. */
function gather(name: string, { mirror, say }: BuildOptions, folder: string): Promise<Gathered> {
  const place = join(folder, name);
  mkdirSync(place);
  return gatherPackages((index) => [wanted(index, name)], {
    ...(mirror === undefined ? {} : { mirror }),
    guest: LINUX_MINI,
    command: BUILD_LINUX_MINI,
    folder: place,
    say,
  });
}

/** Sources of the best series that can be had. */
async function sources(options: BuildOptions, folder: string): Promise<Omit<Ingredients, "busybox">> {
  let failure: unknown;
  for (const series of SERIES) {
    const name = `linux-source-${series}`;
    const installed = `/usr/src/${name}.tar.xz`;
    if (existsSync(installed)) {
      options.say(`taking ${installed}`);
      return { source: installed, origins: { [basename(installed)]: sha256(readFileSync(installed)) } };
    }
    let gathered = options.mirror === undefined ? await fromOwnApt(name, options, folder) : undefined;
    if (gathered === undefined && series === SERIES[0]) {
      try {
        gathered = await gather(name, options, folder);
      } catch (error) {
        // The other series may be at hand all the same; where it is not, this is why.
        failure = error;
        options.say((error as Error).message);
      }
    }
    if (gathered?.found.source !== undefined) return { source: gathered.found.source, origins: gathered.origins };
  }
  throw (
    failure ??
    new RangeError(
      `Cannot build ${LINUX_MINI} as it takes the sources of Linux ${SERIES.join(" or ")}: there are none here; sudo apt-get install linux-source-${SERIES[0]}`,
    )
  );
}

/** A package as the user's own apt has it, with the lists that are there. */
async function fromOwnApt(name: string, { say }: BuildOptions, folder: string): Promise<Gathered | undefined> {
  const place = join(folder, `own-${name}`);
  mkdirSync(place);
  say(`asking apt for ${name}`);
  await runProgram("apt-get", ["-q", "download", name], { cwd: place });
  const archive = readdirSync(place).find((file) => file.endsWith(".deb"));
  return archive === undefined ? undefined : lookThrough([join(place, archive)], place, say);
}

interface Compiled {
  readonly image: Uint8Array;
  readonly release: string;
  /** The whole configuration, with all that follows from the committed one. */
  readonly configuration: Uint8Array;
}

async function compile(source: string, folder: string, { jobs, say }: BuildOptions): Promise<Compiled> {
  mkdirSync(folder);
  say(`unpacking ${basename(source)}`);
  await must(runProgram("tar", ["-xf", source, "--strip-components=1", "-C", folder]), "unpack the sources");
  copyFileSync(packageFile(CONFIGURATION), join(folder, ".config"));
  const make = (target: string, onLine: (line: string) => void = () => undefined): Promise<ProgramRun> =>
    runProgram("make", [`-j${jobs ?? availableParallelism()}`, target], { cwd: folder, env: ENVIRONMENT, onLine });
  await must(make("olddefconfig"), "configure the kernel");
  say(`compiling about ${OBJECTS} objects`);
  let objects = 0;
  const count = (line: string): void => {
    if (!/^ {2}(CC|AS) {2}/.test(line)) return;
    objects += 1;
    if (objects % OBJECTS_BETWEEN_REPORTS === 0) say(`compiled ${objects} objects`);
  };
  await must(make("Image", count), "compile the kernel");
  return {
    image: readFileSync(join(folder, "arch/riscv/boot/Image")),
    release: readFileSync(join(folder, "include/config/kernel.release"), "utf8").trim(),
    configuration: readFileSync(join(folder, ".config")),
  };
}

/** Waits for a step of the build. @throws {RangeError} If it fails; its output is kept. */
async function must(running: Promise<ProgramRun>, what: string): Promise<void> {
  const { status, output } = await running;
  if (status === 0) return;
  const log = cachedFile(LINUX_MINI, "build.log");
  writeWhole(log, output);
  const complaint =
    output.split("\n").find((line) => /\berror\b|\*\*\*/i.test(line)) ?? output.trim().split("\n").at(-1)!;
  throw new RangeError(
    `Cannot build ${LINUX_MINI} as every step must succeed: the one to ${what} ends with ${status}: ${complaint.trim().replace(/\.$/, "")}; all it said is in ${log}`,
  );
}
