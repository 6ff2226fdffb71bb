import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sha256 } from "../store.ts";
import { buildLinuxMini, missingForBuild } from "./build-linux-mini.ts";
import { catalogue, guestNamed } from "./catalogue.ts";
import { Host, imageOf, programOf, writeDeb } from "./host.fixture.ts";
import { consoleOf } from "./linux-mini.ts";

let host: Host;
let said: string[];
beforeEach(() => {
  host = new Host();
  said = [];
});
afterEach(() => host.remove());

const PROGRAMS = ["gcc", "flex", "bison", "bc", "xz", "riscv64-linux-gnu-gcc"];

/** A host that has all programs; its `tar` unpacks nothing of sources, and `make` does what the script says. */
function toolchain(make: string): void {
  for (const program of PROGRAMS) host.program(program, "exit 0");
  host.program("tar", `case "$*" in *linux-source*) ;; *) PATH=/usr/bin:/bin; exec tar "$@" ;; esac`);
  host.program("make", `if [ "$1" = --version ]; then exit 0; fi\n${make}`);
}

const build = () => {
  const sources = writeDeb({ "usr/src/linux-source-6.12.tar.xz": new TextEncoder().encode("sources") });
  const deb = [
    host.file("linux-source-6.12.deb", sources),
    host.file("busybox-static.deb", writeDeb({ "usr/bin/busybox": programOf() })),
  ];
  return host.within(() => buildLinuxMini({ deb, jobs: 1, say: (line) => said.push(line) }));
};

describe("linux-mini", () => {
  test("is built with a fixed identity, and put into the cache with all hashes", async () => {
    toolchain(`echo "$* $ARCH $CROSS_COMPILE $KBUILD_BUILD_TIMESTAMP $KBUILD_BUILD_USER $SOURCE_DATE_EPOCH" >> "${host.path("made")}"
if [ "$2" = Image ]; then
  mkdir -p arch/riscv/boot include/config
  cp "${host.file("Image", imageOf())}" arch/riscv/boot/Image
  echo 6.12.1 > include/config/kernel.release
  for n in 1 2 3 4 5 6 7 8 9 10 11 12; do for m in a b c d e; do echo "  CC      $n$m.o"; done; done
fi`);
    const { release, origins, files } = await build();
    expect(readFileSync(host.path("made"), "utf8")).toBe(
      ["olddefconfig", "Image"]
        .map((target) => `-j1 ${target} riscv riscv64-linux-gnu- 1970-01-01 00:00:00 +0000 trapline 0\n`)
        .join(""),
    );
    expect(said.at(-1)).toBe("compiled 60 objects");
    expect(release).toBe("6.12.1");
    expect(Object.keys(origins)).toEqual(["linux-source-6.12.deb", "busybox-static.deb", "defconfig"]);
    expect(files).toMatchObject({
      Image: sha256(imageOf()),
      busybox: sha256(programOf()),
      config: origins["defconfig"],
    });
    await host.within(async () => {
      expect(catalogue().find(({ name }) => name === "linux-mini")?.ready).toBe(true);
      const guest = guestNamed("linux-mini");
      expect(guest.append).toBe("console=hvc0 quiet panic=-1");
      const images = await guest.load();
      expect(images.kernel).toEqual(Buffer.from(imageOf()));
      expect(images.origins).toEqual({ ...origins, ...files });
    });
  });

  test("that does not compile leaves its log and nothing else", async () => {
    toolchain('if [ "$2" = Image ]; then echo "  CC a.o"; echo "a.c:1: error: no such thing."; echo later; exit 2; fi');
    await expect(build()).rejects.toThrow(
      /^Cannot build linux-mini as every step must succeed: the one to compile the kernel ends with 2: a\.c:1: error: no such thing; all it said is in .*build\.log$/,
    );
    expect(readFileSync(host.path("cache/guests/linux-mini/build.log"), "utf8")).toMatch(/later\n$/);
    const load = host.within(() => guestNamed("linux-mini").load());
    await expect(load).rejects.toThrow(/must be in the cache first: it is not; type trapline guests build linux-mini$/);
  });

  test("that is interrupted clears up behind itself", async () => {
    toolchain('if [ "$2" = Image ]; then kill -INT $PPID; sleep 1; echo "make: *** [Image] Interrupt"; exit 130; fi');
    await expect(build()).rejects.toThrow(
      /the one to compile the kernel ends with 130: make: \*\*\* \[Image\] Interrupt; /,
    );
    expect(said.at(-1)).toBe("interrupted");
    expect(readdirSync(host.path("cache/build"))).toEqual([]);
  });

  test("removes what a killed build left, and leaves alone what another is at", async () => {
    toolchain("exit 1");
    // No process has this number (proc(5), pid_max); this one's parent runs.
    const [dead, alive] = ["linux-mini-4194305-a", `linux-mini-${process.ppid}-b`];
    for (const name of [dead, alive]) mkdirSync(host.path(`cache/build/${name}`), { recursive: true });
    await expect(build()).rejects.toThrow(/the one to configure the kernel ends with 1/);
    expect(readdirSync(host.path("cache/build"))).toEqual([alive]);
  });

  test("names every program that is missing, and the packages that have them", async () => {
    const alone = host.within(() => buildLinuxMini({ say: () => undefined }), { alone: true });
    await expect(alone).rejects.toThrow(
      /^Cannot build linux-mini as that takes make, gcc, flex, bison, bc, tar, xz, riscv64-linux-gnu-gcc: they are not here; sudo apt-get install make gcc libc6-dev flex bison bc tar xz-utils gcc-riscv64-linux-gnu$/,
    );
    expect(missingForBuild(["bc"])).toMatch(/that takes bc: it is not here; sudo apt-get install bc$/);
    expect(missingForBuild([])).toBeUndefined();
  });

  test("talks to the SBI's console from Linux 6.8 on, to the UART before", () => {
    expect(["6.12.117", "6.8", "7.0", ""].map(consoleOf)).toEqual(["hvc0", "hvc0", "hvc0", "hvc0"]);
    expect(["6.1.170", "6.7.9", "5.15"].map(consoleOf)).toEqual(["ttyS0", "ttyS0", "ttyS0"]);
  });
});
