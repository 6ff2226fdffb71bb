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
    expect(sha256(noise)).toBe("ad5ad90b1719c83cb045f7d9a4574b5b933e6569e13c771d5f0fae722b3d59c5");
    const disk = buildDisk();
    expect(disk).toHaveLength(4 * 1024 * 1024);
    expect(sha256(disk)).toBe(sha256(buildDisk()));
  });
});
