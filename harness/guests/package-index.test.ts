import { describe, expect, test } from "vitest";
import { compareVersions, linuxImage, PackageIndex, wanted } from "./package-index.ts";

const stanza = (name: string, version: string, more = "") =>
  `Package: ${name}\nVersion: ${version}\nArchitecture: riscv64\n${more}Filename: pool/main/${name}_${version}.deb\nSize: 7\nSHA256: ${"0123456789abcdef".repeat(4)}\n`;

const INDEX = new PackageIndex(
  [
    stanza("linux-image-riscv64", "6.12.107-1", "Depends: linux-image-6.12.107+deb13-riscv64 (= 6.12.107-1)\n"),
    stanza("linux-image-6.12.107+deb13-riscv64", "6.12.107-1"),
    stanza(
      "linux-image-riscv64",
      "6.12.117-1",
      "Pre-Depends: dpkg\nDepends: initramfs-tools (>= 0.120) | dracut, linux-image-common, linux-image-6.12.117+deb13-riscv64 (= 6.12.117-1)\n",
    ),
    stanza("linux-image-6.12.117+deb13-riscv64", "6.12.117-1", "Depends: kmod, linux-base (>= 4.12)\n"),
    stanza("busybox-static", "1:1.37.0-6+b9"),
    stanza("linux-image-riscv64-unsigned", "9"),
    "Package: broken\nVersion: 1\n",
  ].join("\n"),
);

describe("a package index", () => {
  test("gives the newest of several versions, wherever it stands", () => {
    expect(INDEX.newest("linux-image-riscv64")?.version).toBe("6.12.117-1");
    expect(INDEX.newest("busybox-static")).toEqual({
      name: "busybox-static",
      version: "1:1.37.0-6+b9",
      file: "pool/main/busybox-static_1:1.37.0-6+b9.deb",
      sizeBytes: 7,
      sha256: "0123456789abcdef".repeat(4),
      depends: [],
    });
  });

  test("has nothing where the name is another's beginning, or the entry lacks what a package must say", () => {
    expect(INDEX.newest("linux-image")).toBeUndefined();
    expect(INDEX.newest("broken")).toBeUndefined();
    expect(() => wanted(INDEX, "broken")).toThrow("Cannot choose broken as the index must have it: it has no broken");
  });

  test("leads from the metapackage to the kernel of its newest version", () => {
    expect(linuxImage(INDEX).name).toBe("linux-image-6.12.117+deb13-riscv64");
  });

  test("says so where the metapackage names no kernel, or there is none of that name", () => {
    const meta = (depends: string) => new PackageIndex(stanza("linux-image-riscv64", "7", depends));
    expect(() => linuxImage(meta("Depends: kmod\n"))).toThrow(
      /linux-image-riscv64 7 must depend on its image: it depends on kmod/,
    );
    expect(() => linuxImage(meta(""))).toThrow(/it depends on nothing/);
    expect(() => linuxImage(meta("Depends: linux-image-7-riscv64\n"))).toThrow(/it has no linux-image-7-riscv64/);
    expect(() => linuxImage(new PackageIndex(""))).toThrow(/it has no linux-image-riscv64/);
  });
});

describe("versions", () => {
  // Pairs as dpkg --compare-versions orders them.
  test.each([
    ["6.12.107-1", "6.12.117-1"],
    ["6.9-1", "6.12-1"],
    ["1.0~rc1-1", "1.0-1"],
    ["1.0", "1.0a"],
    ["1.0a", "1.0+b"],
    ["9.0-1", "1:0.1-1"],
    ["1.0-1", "1.0-1+b9"],
    ["1.0-1~bpo12+1", "1.0-1"],
    ["1.0", "1.0-1"],
  ])("compare as Debian has it: %s is older than %s", (older, newer) => {
    expect(Math.sign(compareVersions(older, newer))).toBe(-1);
    expect(Math.sign(compareVersions(newer, older))).toBe(1);
  });

  test("are equal with leading zeros or a revision of 0", () => {
    expect(compareVersions("1.02-0", "1.2")).toBe(0);
  });
});
