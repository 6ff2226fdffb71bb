import { describe, expect, test } from "vitest";
import { sha256 } from "../store.ts";
import { buildDisk, buildInitrd, diskFiles } from "./userland.ts";

const busybox = new TextEncoder().encode("busybox");

describe("a Linux guest's files", () => {
  test("are an initial RAM file system with what it is given, the same bytes each time", () => {
    const modules = { "virtio_blk.ko": new Uint8Array([1]), "virtio_mmio.ko": new Uint8Array([2]) };
    const archive = buildInitrd(busybox, modules);
    const text = new TextDecoder("latin1").decode(archive);
    const names = [...text.matchAll(/070701[0-9A-F]{104}([^\0]+)\0/g)].map(([, name]) => name);
    expect(names).toEqual([
      ...["bin", "bin/busybox", "dev", "dev/console", "init", "lib", "lib/virtio_blk.ko", "lib/virtio_mmio.ko"],
      ...["proc", "sys", "tmp", "TRAILER!!!"],
    ]);
    expect(text).toContain("insmod /lib/$module");
    expect(buildInitrd(busybox, modules)).toEqual(archive);
    expect(buildInitrd(busybox).length).toBeLessThan(archive.length);
  });

  test("are a disk of 4 MiB whose files are the same on every machine", () => {
    const { lines, noise } = diskFiles();
    expect(sha256(lines)).toBe("1076c6096ff0f63551eaf09c3aaab7e5a7fb078af5ab9f1d7bce5f999bbc9dc3");
    expect(sha256(noise)).toBe("8e9b33dd8862f9f388654b80f49d524f2388bd65fe80eb719909edb2eccbd8f4");
    const disk = buildDisk();
    expect(disk).toHaveLength(4 * 1024 * 1024);
    expect(sha256(disk)).toBe(sha256(buildDisk()));
  });
});
