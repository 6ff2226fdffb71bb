import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { writeUstar } from "./ustar.ts";

const FILES = { "a.txt": new TextEncoder().encode("one\n"), "b.bin": new Uint8Array(1025).fill(7) };

describe("a tar archive", () => {
  test("is one that the host's tar unpacks to the same files", () => {
    const folder = mkdtempSync(join(tmpdir(), "trapline-test-"));
    writeFileSync(join(folder, "disk"), writeUstar(FILES, 64 * 1024));
    const { status, stderr } = spawnSync("tar", ["-xf", "disk"], { cwd: folder, encoding: "utf8" });
    expect([status, stderr]).toEqual([0, ""]);
    expect(new Uint8Array(readFileSync(join(folder, "a.txt")))).toEqual(FILES["a.txt"]);
    expect(new Uint8Array(readFileSync(join(folder, "b.bin")))).toEqual(FILES["b.bin"]);
    rmSync(folder, { recursive: true });
  });

  test("has its files in whole blocks, and zeros behind them", () => {
    const archive = writeUstar(FILES, 8192);
    expect(archive).toHaveLength(8192);
    expect(new TextDecoder().decode(archive.subarray(257, 263))).toBe("ustar\0");
    expect(new TextDecoder().decode(archive.subarray(512, 516))).toBe("one\n");
    expect(new TextDecoder().decode(archive.subarray(1024, 1029))).toBe("b.bin");
    expect(archive.subarray(1536 + 1025).every((byte) => byte === 0)).toBe(true);
  });

  test("refuses files that do not fit, and names that do not", () => {
    expect(() => writeUstar(FILES, 3584)).toThrow(/b\.bin as the archive must be of 3584 bytes: its files take 4096/);
    expect(() => writeUstar({ ["n".repeat(100)]: new Uint8Array(1) }, 8192)).toThrow(/1 to 99 printable ASCII/);
  });
});
