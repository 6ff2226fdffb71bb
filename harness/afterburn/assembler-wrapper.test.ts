import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { assembleAnnotated, writeWrapper } from "./assembler-wrapper.ts";

const folder = mkdtempSync(join(tmpdir(), "trapline-wrapper-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string): string => join(folder, name);

function program(name: string, script: string): string {
  writeFileSync(path(name), `#!/bin/sh\n${script}\n`);
  chmodSync(path(name), 0o755);
  return path(name);
}

/** Keeps its arguments, a line each, and what the last one holds. */
const assembler = program(
  "assembler",
  `printf '%s\\n' "$@" >"${path("arguments")}"; for last; do :; done; cat "$last" >"${path("source")}"`,
);
const said = (): string[] => readFileSync(path("arguments"), "utf8").trimEnd().split("\n");

describe("in front of an assembler", () => {
  test("what gcc gives it is passed on, with the annotated source in place of its own", () => {
    writeFileSync(path("trap.s"), "csrr t0, sepc\nwfi\n");
    const args = [
      "-march=rv64imac_zicsr",
      "-I",
      path("include"),
      "--defsym",
      "X=1",
      "-o",
      path("trap.o"),
      path("trap.s"),
    ];
    const { exitCode, sources } = assembleAnnotated(assembler, args, {});
    expect(exitCode).toBe(0);
    expect(said().slice(0, -1)).toEqual(args.slice(0, -1));
    expect(said().at(-1)).toMatch(/\/1-trap\.s$/);
    expect(readFileSync(path("source"), "utf8")).toBe(sources[0]!.text);
    expect(sources[0]!.sites.map(({ siteClass, place }) => [siteClass, place.line])).toEqual([
      ["epc-read", 1],
      ["wait", 2],
    ]);
    expect(statSync(said().at(-1)!, { throwIfNoEntry: false })).toBeUndefined();
  });

  test("options that ask for no source get none", () => {
    expect(assembleAnnotated(program("version", "exit 0"), ["--version"], {}).sources).toEqual([]);
  });

  test("its exit code is the assembler's", () => {
    expect(assembleAnnotated(program("fails", "exit 7"), [path("trap.s")], {}).exitCode).toBe(7);
  });

  test("what is not there is named", () => {
    expect(() => assembleAnnotated(path("nowhere"), [path("trap.s")], {})).toThrow(
      /^Cannot run .*nowhere as it must be an assembler for RISC-V: there is no such file/,
    );
    expect(() => assembleAnnotated(assembler, [path("nowhere.s")], {})).toThrow(
      /^Cannot read .*nowhere\.s as it must be an assembly source: there is no such file/,
    );
  });
});

describe("the program as", () => {
  test("runs trapline with all it is given, whatever characters that has", () => {
    const wrappers = path("bin dir");
    mkdirSync(wrappers);
    const echo = program("it's trapline", `printf '%s\\n' "$@"`);
    const as = writeWrapper(wrappers, [echo, "afterburn", "--user-section", "a b", "--assemble"]);
    expect(as).toBe(join(wrappers, "as"));
    const { stdout } = spawnSync(as, ["-o", "x y.o", "it's.s", "$HOME"], { encoding: "utf8" });
    expect(stdout.trimEnd().split("\n")).toEqual([
      ...["afterburn", "--user-section", "a b", "--assemble", "--", "-o", "x y.o", "it's.s", "$HOME"],
    ]);
  });
});
