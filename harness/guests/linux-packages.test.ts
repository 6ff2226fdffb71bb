import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sha256 } from "../store.ts";
import { cachedFile } from "./cache.ts";
import { guestNamed } from "./catalogue.ts";
import { debianIsFetched, debianLinux, fetchDebianLinux } from "./debian-linux.ts";
import { Host, imageOf, kernelFiles, programOf, writeAr, writeDeb } from "./host.fixture.ts";
import { gatherPackages } from "./linux-packages.ts";
import { linuxImage, PackageIndex, wanted } from "./package-index.ts";
import { TESTED_PACKAGES } from "./tested-packages.ts";
import { unpackPackage } from "./unpack-package.ts";

const say = (): undefined => undefined;
const text = (content: string): Uint8Array => new TextEncoder().encode(content);
/** `xz` as far as the tests go: it says what it would have read. */
const XZ = 'if [ "$1" = --version ]; then exit 0; fi\necho "xz of" $(cat "$2")';

let host: Host;
beforeEach(() => {
  host = new Host();
  host.program("xz", XZ);
});
afterEach(() => host.remove());

const kernelDeb = (files = kernelFiles()) => host.file("linux-image-6.12.1-riscv64.deb", writeDeb(files));
const busyboxDeb = (busybox = programOf()) => host.file("busybox-static.deb", writeDeb({ "usr/bin/busybox": busybox }));
const fetched = (...deb: string[]) => host.within(() => fetchDebianLinux({ deb, say }));

describe("debian, from packages that are here", () => {
  test("gets kernel, busybox and modules into the cache, each with its SHA-256", async () => {
    const [kernel, busybox] = [kernelDeb(), busyboxDeb()];
    const manifest = await fetched(kernel, busybox);
    expect(manifest.release).toBe("6.12.1-riscv64");
    expect(manifest.origins).toEqual({
      "linux-image-6.12.1-riscv64.deb": sha256(readFileSync(kernel)),
      "busybox-static.deb": sha256(readFileSync(busybox)),
    });
    expect(manifest.files).toEqual({
      vmlinux: sha256(imageOf()),
      busybox: sha256(programOf()),
      "virtio_mmio.ko": sha256(text("mmio")),
      "virtio_blk.ko": sha256(text("xz of block, compressed\n")),
    });
    await host.within(() => expect(debianIsFetched()).toBe(true));
  });

  test("loads as kernel, initial RAM file system and disk, with all hashes", async () => {
    await fetched(busyboxDeb(), kernelDeb());
    const images = await host.within(() => debianLinux().load());
    expect(images.kernel).toEqual(Buffer.from(imageOf()));
    expect(Buffer.from(images.initrd!).includes("xz of block")).toBe(true);
    expect(images.disk).toHaveLength(4 * 1024 * 1024);
    expect(Object.keys(images.origins!).sort()).toEqual([
      ...["busybox", "busybox-static.deb", "linux-image-6.12.1-riscv64.deb"],
      ...["virtio_blk.ko", "virtio_mmio.ko", "vmlinux"],
    ]);
  });

  test("puts no part of itself into the cache where one package is missing", async () => {
    await expect(fetched(kernelDeb())).rejects.toThrow(
      /^Cannot fetch debian as its packages must hold a kernel and a busybox: there is no busybox; add the package busybox-static/,
    );
    await expect(fetched(busyboxDeb())).rejects.toThrow(/there is no kernel; add the package linux-image-\*-riscv64/);
    await host.within(() => expect(existsSync(cachedFile("debian", "manifest.json"))).toBe(false));
  });

  test("takes packages from one place", async () => {
    const both = host.within(() => fetchDebianLinux({ deb: [kernelDeb()], mirror: "http://127.0.0.1", say }));
    await expect(both).rejects.toThrow(/^Cannot fetch debian as packages come from one place: there are both/);
  });

  test.each([
    ["a compressed kernel", { "boot/vmlinuz-6": text("\x1f\x8b".repeat(40)) }, /"RSC\\x05" is not at 0x38/],
    [
      "a kernel without modules",
      { "boot/vmlinux-6": imageOf() },
      /must have the module virtio_mmio\.ko: it has none for 6$/,
    ],
    ["another machine's busybox", { "bin/busybox": programOf({ machine: 62 }) }, /its e_machine is 62$/],
    ["a busybox that is linked dynamically", { "bin/busybox": programOf({ segment: 3 }) }, /take busybox-static$/],
    ["a busybox that is a script", { "bin/busybox": text("#!/bin/sh\n") }, /it is no ELF64$/],
    ["nothing of use", { "usr/share/doc/README": text("hello\n") }, /must hold a kernel, a busybox or kernel sources/],
  ])("refuses %s", async (_, files, message) => {
    await expect(fetched(host.file("odd.deb", writeDeb(files)))).rejects.toThrow(message);
  });

  test("says so where there is nothing to unpack packages with", async () => {
    const bare = new Host();
    const unpacking = bare.within(() => unpackPackage(kernelDeb(), bare.path("out")), { alone: true });
    await expect(unpacking).rejects.toThrow(
      /^Cannot unpack linux-image-6\.12\.1-riscv64\.deb as that takes dpkg-deb, or tar/,
    );
    bare.remove();
  });

  test("says so where xz is missing, or cannot read a module", async () => {
    host.program("xz", 'if [ "$1" = --version ]; then exit 0; fi\necho "xz: not an xz file" >&2; exit 1');
    await expect(fetched(kernelDeb())).rejects.toThrow(
      /^Cannot unpack virtio_blk\.ko\.xz as xz must read it: xz: not an xz file$/,
    );
    const bare = new Host();
    // All that unpacking takes but xz.
    bare.program("dpkg-deb", `PATH=${process.env.PATH}; if [ "$1" = -x ]; then exec dpkg-deb "$@"; fi`);
    const without = bare.within(() => fetchDebianLinux({ deb: [kernelDeb()], say }), { alone: true });
    await expect(without).rejects.toThrow(/^Cannot unpack virtio_blk\.ko\.xz as that takes xz: it is not here/);
    bare.remove();
  });
});

describe("debian, from apt's mirror while its index is not the signed one", () => {
  const served = new Map<string, Uint8Array>();
  const server = createServer(({ url = "" }, response) => {
    const body = served.get(url);
    response.writeHead(body === undefined ? 404 : 200).end(body);
  });
  const mirror = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/debian/`;
  beforeEach(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    host.program(
      "apt-get",
      `case "$*" in *REPO_URI*) echo ${mirror()} ;; *update*) echo "E: Packages.xz has unexpected size."; exit 100 ;; esac`,
    );
  });
  afterEach(() => {
    served.clear();
    server.close();
  });
  const options = (said: string[] = []) => ({
    guest: "debian",
    command: "trapline guests fetch debian",
    folder: host.folder,
    say: (line: string) => said.push(line),
  });

  test("takes a package of a known SHA-256", async () => {
    const deb = writeDeb({ "usr/bin/busybox": programOf() });
    served.set("/debian/pool/busybox-static.deb", deb);
    const known = new PackageIndex(
      `Package: busybox-static\nVersion: 1\nFilename: pool/busybox-static.deb\nSize: 1\nSHA256: ${sha256(deb)}\n`,
    );
    const said: string[] = [];
    const gathered = await host.within(() =>
      gatherPackages((index) => [wanted(index, "busybox-static")], options(said), known),
    );
    expect(gathered.origins).toEqual({ "busybox-static.deb": sha256(deb) });
    expect(gathered.found.busybox).toEqual(Buffer.from(programOf()));
    expect(said[1]).toBe(
      `apt accepts no index of ${mirror()}: taking the packages from there whose SHA-256 trapline knows`,
    );
  });

  test("refuses other bytes, and what the mirror no longer has, by apt's reason", async () => {
    const said: string[] = [];
    const gather = () => host.within(() => gatherPackages((index) => [linuxImage(index)], options(said)));
    const reason =
      /^Cannot fetch debian as apt must read the index of trixie for riscv64: Packages\.xz has unexpected size; trapline/;
    await expect(gather()).rejects.toThrow(reason);
    expect(said.at(-1)).toMatch(/_riscv64\.deb as the mirror must have it: it answers 404$/);
    const { file, sha256: hash } = linuxImage(new PackageIndex(TESTED_PACKAGES));
    served.set(`/debian/${file}`, text("others"));
    await expect(gather()).rejects.toThrow(reason);
    expect(said.at(-1)).toContain(`as its SHA-256 must be ${hash}: it is ${sha256(text("others"))}`);
  });

  test("knows every package that the Linux guests take", () => {
    const index = new PackageIndex(TESTED_PACKAGES);
    const files = [linuxImage(index), wanted(index, "busybox-static"), wanted(index, "linux-source-6.12")];
    for (const { file } of files) expect(file).toMatch(/^pool\/main\/.*\.deb$/);
  });
});

describe("a package", () => {
  test("is unpacked by tar where there is no dpkg-deb", async () => {
    host.program("tar", `PATH=${process.env.PATH}; exec tar "$@"`);
    const out = host.path("out");
    await host.within(() => unpackPackage(busyboxDeb(), out), { alone: true });
    expect(readdirSync(out)).toEqual(["usr"]);
    expect(new Uint8Array(readFileSync(`${out}/usr/bin/busybox`))).toEqual(programOf());
  });

  test("that is damaged, or not there, is called so", async () => {
    const unpack = (path: string) => host.within(() => unpackPackage(path, host.path("out")));
    await expect(unpack(host.path("gone.deb"))).rejects.toThrow(/gone\.deb as it must be a readable file: there is no/);
    await expect(unpack(host.file("text.deb", "hello"))).rejects.toThrow(
      /^Cannot unpack text\.deb as it must be an ar/,
    );
    host.program("tar", `PATH=${process.env.PATH}; exec tar "$@"`);
    const odd = host.file("odd.deb", writeAr({ "data.tar": text("no tar".repeat(200)) }));
    const unpacking = host.within(() => unpackPackage(odd, host.path("out")), { alone: true });
    await expect(unpacking).rejects.toThrow(/^Cannot unpack odd\.deb as tar must read data\.tar: /);
  });
});

describe("the cache", () => {
  test("says how debian gets there, as long as it is not", async () => {
    const load = host.within(() => guestNamed("debian").load());
    await expect(load).rejects.toThrow(
      /^Cannot load debian as it must be in the cache first: it is not; type trapline guests fetch debian$/,
    );
  });

  test("notices a file that was changed or removed, and a manifest that is none", async () => {
    await fetched(kernelDeb(), busyboxDeb());
    await host.within(async () => {
      const load = () => debianLinux().load();
      host.file("cache/guests/debian/busybox", "other");
      await expect(load()).rejects.toThrow(
        /busybox must be what was put there, of SHA-256 .*; type trapline guests fetch debian$/,
      );
      host.file("cache/guests/debian/manifest.json", '{"release": "6", "origins": {}, "files": {"gone": "0"}}');
      await expect(load()).rejects.toThrow(/gone must be readable: there is no such file/);
      host.file("cache/guests/debian/manifest.json", '{"release": "6", "origins": {}, "files": {}}');
      await expect(load()).rejects.toThrow(/its manifest must name virtio_mmio\.ko: it does not/);
      host.file("cache/guests/debian/manifest.json", "{}");
      await expect(load()).rejects.toThrow(/must be a manifest: it lacks a release, origins or files/);
      host.file("cache/guests/debian/manifest.json", "no JSON");
      await expect(load()).rejects.toThrow(/must be a readable manifest: /);
    });
  });
});

describe("debian's command lines", () => {
  test("are the plain one, and a quick one that leaves work out", () => {
    expect(guestNamed("debian").append).toBe("console=ttyS0 quiet panic=-1");
    expect(guestNamed("debian", { quick: true }).append).toMatch(
      / cryptomgr\.notests .*initcall_blacklist=jent_mod_init,/,
    );
  });
});
