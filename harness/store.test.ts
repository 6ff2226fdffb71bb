import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { PartialFile, writeWhole } from "./files.ts";
import { memoryStore, sha256, storeBeside } from "./store.ts";

const folder = mkdtempSync(join(tmpdir(), "trapline-store-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const bytes = Uint8Array.of(1, 2, 3);

describe("images beside a trace", () => {
  const store = storeBeside(join(folder, "a", "run.trace"));
  const file = join(folder, "a", "images", sha256(bytes));

  test("are found again by the SHA-256 of their bytes", () => {
    expect(store.put(bytes)).toBe("039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81");
    expect(new Uint8Array(store.get(sha256(bytes)))).toEqual(bytes);
    expect(readdirSync(join(folder, "a", "images"))).toEqual([sha256(bytes)]);
  });

  test("are written once", () => {
    utimesSync(file, 1, 1);
    store.put(bytes);
    expect(statSync(file).mtimeMs).toBe(1000);
  });

  test("are refused when somebody changed them, and put right by the next who has them", () => {
    writeFileSync(file, "changed");
    expect(() => store.get(sha256(bytes))).toThrow(
      /^Cannot use image .* as its name must be the SHA-256 of its bytes: that is [0-9a-f]{64}$/,
    );
    store.put(bytes);
    expect(store.get(sha256(bytes)).length).toBe(3);
  });

  test("that are missing are named", () => {
    expect(() => store.get("0".repeat(64))).toThrow(/^Cannot read image 0{64} as traces need images\/ beside them/);
    expect(() => memoryStore().get("0".repeat(64))).toThrow(/^Cannot read image 0{64} as it must have been kept/);
  });
});

describe("a file that is being written", () => {
  test("has its name only when it is whole", () => {
    const path = join(folder, "deep", "whole");
    const file = new PartialFile(path);
    file.write(bytes);
    expect(existsSync(path)).toBe(false);
    file.finish();
    expect(new Uint8Array(readFileSync(path))).toEqual(bytes);
    expect(readdirSync(join(folder, "deep"))).toEqual(["whole"]);
  });

  test("leaves the older one alone, and nothing of itself, when it is given up", () => {
    const path = join(folder, "older");
    writeWhole(path, "older");
    const file = new PartialFile(path);
    file.write(bytes);
    file.discard();
    expect(readFileSync(path, "utf8")).toBe("older");
    expect(readdirSync(folder).filter((name) => name.endsWith(".partial"))).toEqual([]);
  });
});
