import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { cacheFolder } from "./cache.ts";
import { catalogue, guestNamed } from "./catalogue.ts";
import { fetchDebianFile, payload } from "./debian.ts";
import { fileGuest, hutch, openSbi, uBoot } from "./mod.ts";
import { U_BOOT_FILE } from "./u-boot.ts";

const folder = mkdtempSync(join(tmpdir(), "trapline-guests-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs with other environment variables. */
async function within<T>(variables: Readonly<Record<string, string>>, run: () => T | Promise<T>): Promise<T> {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  try {
    return await run();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

describe("hutch", () => {
  test("runs a command from its own kernel's command line", async () => {
    const guest = hutch.running("  null-syscall   12 ");
    expect(guest).toMatchObject({
      name: "null-syscall",
      workload: "null-syscall 12",
      append: "null-syscall 12",
      binary: "hutch",
    });
    expect([...(await guest.load()).kernel.subarray(0, 4)]).toEqual([0x7f, 0x45, 0x4c, 0x46]);
  });

  test("has a build that the afterburner annotated, with names of its own", async () => {
    const guest = guestNamed("hutch-pre", { run: "compute 1" });
    expect(guest).toMatchObject({ name: "compute-pre", workload: "compute 1", binary: "hutch-pre" });
    const [{ kernel }, { kernel: original }] = await Promise.all([guest.load(), hutch.running("compute 1").load()]);
    expect(kernel).not.toEqual(original);
  });

  test.each(["", "  ", "compute é", "x".repeat(256)])("refuses the command %j", (command) => {
    expect(() => hutch.running(command)).toThrow(/^Cannot run hutch as/);
  });
});

describe("a guest from files", () => {
  test("reads what it is told, when it is loaded", async () => {
    const [kernel, initrd] = [join(folder, "vmlinux-6.1"), join(folder, "initrd")];
    const guest = fileGuest(kernel, { initrd, append: "quiet" });
    expect(guest).toMatchObject({ name: "vmlinux-6", workload: "vmlinux-6.1", append: "quiet" });
    await expect(guest.load()).rejects.toThrow(
      /^Cannot read the kernel .*vmlinux-6\.1 as it must be a readable file: there is no such file/,
    );
    writeFileSync(kernel, "kernel");
    writeFileSync(initrd, "");
    await expect(guest.load()).rejects.toThrow(/^Cannot use the initrd .*initrd as it must have content: it is empty$/);
    writeFileSync(initrd, "initrd");
    expect(Object.keys(await guest.load())).toEqual(["kernel", "initrd"]);
  });
});

describe("guests by name", () => {
  test("are those of the catalogue", () => {
    for (const { name } of catalogue()) expect(guestNamed(name)).toBeDefined();
    expect(guestNamed("hutch", { run: "pipe 3" }).workload).toBe("pipe 3");
    expect(guestNamed("null-syscall", { quick: true }).workload).not.toBe(guestNamed("null-syscall").workload);
    expect(() => guestNamed("minix")).toThrow(/^Cannot use guest "minix" as it must be one of hutch, .*u-boot/);
    expect(() => guestNamed("u-boot", { run: "version" })).toThrow(
      /^Cannot run "version" as only hutch takes a command/,
    );
  });
});

describe("the cache", () => {
  test("is where TRAPLINE_CACHE says, then XDG_CACHE_HOME, then below the home folder; empty counts as unset", async () => {
    expect(await within({ TRAPLINE_CACHE: "/a", XDG_CACHE_HOME: "/b" }, cacheFolder)).toBe("/a");
    expect(await within({ TRAPLINE_CACHE: "", XDG_CACHE_HOME: "/b" }, cacheFolder)).toBe(join("/b", "trapline"));
    expect(await within({ TRAPLINE_CACHE: "", XDG_CACHE_HOME: "" }, cacheFolder)).toMatch(/[/\\]\.cache[/\\]trapline$/);
  });

  test.each([uBoot, openSbi])("says how $name gets there, as long as it is not", async ({ name, load }) => {
    await expect(within({ TRAPLINE_CACHE: join(folder, "empty") }, load)).rejects.toThrow(
      `Cannot load ${name} as it must be in the cache first: it is not; type trapline guests fetch ${name}, or name`,
    );
  });

  test("gives OpenSBI the U-Boot that it has, as what it starts", async () => {
    const cache = join(folder, "cache");
    for (const [guest, file] of [
      ["opensbi", "fw_jump.elf"],
      ["u-boot", "u-boot.bin"],
    ] as const) {
      mkdirSync(join(cache, "guests", guest), { recursive: true });
      writeFileSync(join(cache, "guests", guest, file), guest);
    }
    const { firmware, kernel } = await within({ TRAPLINE_CACHE: cache }, () => openSbi.load());
    expect([firmware, kernel].map((bytes) => new TextDecoder().decode(bytes))).toEqual(["opensbi", "u-boot"]);
  });
});

describe("a Debian package", () => {
  const member = (name: string, content: string) =>
    `${name.padEnd(16)}${"0".padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${"100644".padEnd(8)}${String(content.length).padEnd(10)}\`\n${content}${content.length % 2 ? "\n" : ""}`;
  const archive = (...members: string[]) => new TextEncoder().encode(`!<arch>\n${members.join("")}`);

  test("is an ar archive, whose payload is found by its name", () => {
    const deb = archive(
      member("debian-binary", "2.0\n"),
      member("control.tar.xz/", "odd"),
      member("data.tar.xz/", "payload"),
    );
    const { name, bytes } = payload(deb, "x");
    expect([name, new TextDecoder().decode(bytes)]).toEqual(["data.tar.xz", "payload"]);
  });

  test.each([
    ["nothing", new Uint8Array()],
    ["no archive", new TextEncoder().encode("x".repeat(200))],
    ["no payload", archive(member("debian-binary", "2.0\n"))],
    ["a payload that is cut short", archive(member("data.tar.xz", "payload")).subarray(0, 70)],
  ])("with %s is refused", (_, bytes) => {
    expect(() => payload(bytes, "u-boot-qemu")).toThrow(
      /^Cannot unpack u-boot-qemu as it must be an ar archive with a data\.tar/,
    );
  });

  test("cannot be had without apt, unless a mirror is named", async () => {
    const fetched = within({ PATH: folder }, () => fetchDebianFile(U_BOOT_FILE, { say: () => undefined }));
    await expect(fetched).rejects.toThrow(/^Cannot fetch u-boot as that takes apt: .*--mirror URL.*--kernel FILE$/);
  });

  test("cannot be had from what is no address", async () => {
    await expect(fetchDebianFile(U_BOOT_FILE, { mirror: "ftp://x", say: () => undefined })).rejects.toThrow(
      /^Cannot fetch u-boot as a mirror must be/,
    );
  });
});
