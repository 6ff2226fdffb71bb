import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

// Plain JavaScript without declarations: it runs before there is a compiler.
const { isFresh, sourcesHash } = (await import(new URL("compile.mjs", import.meta.url).href)) as {
  isFresh(folder: string): boolean;
  sourcesHash(folder: string): string | undefined;
};

let folder: string;
const write = (path: string, text: string) => writeFileSync(join(folder, path), text);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "trapline-compile-"));
  for (const name of ["engine", "traces", "harness", "reports", "dist"]) mkdirSync(join(folder, name));
  write("tsconfig.json", "{}");
  write("tsconfig.build.json", "{}");
  write("engine/mod.ts", "export const one = 1;");
  write("dist/sources.sha256", `${sourcesHash(folder)}\n`);
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("dist", () => {
  test("is fresh as long as it was made from these sources", () => {
    expect(isFresh(folder)).toBe(true);
  });

  test.each([
    ["a source changes", () => write("engine/mod.ts", "export const one = 2;")],
    ["a source is added", () => write("reports/mod.ts", "")],
    ["a source moves", () => renameSync(join(folder, "engine/mod.ts"), join(folder, "engine/one.ts"))],
    ["the compiler is told something else", () => write("tsconfig.json", '{ "compilerOptions": {} }')],
    ["it is missing", () => rmSync(join(folder, "dist"), { recursive: true })],
  ])("is stale when %s", (_, change) => {
    change();
    expect(isFresh(folder)).toBe(false);
  });

  test("stays fresh when a test changes, as tests are not compiled", () => {
    write("engine/mod.test.ts", "");
    expect(isFresh(folder)).toBe(true);
  });

  test("is all there is in an installed package, which has no sources to hash", () => {
    rmSync(join(folder, "tsconfig.build.json"));
    expect(sourcesHash(folder)).toBeUndefined();
  });
});
