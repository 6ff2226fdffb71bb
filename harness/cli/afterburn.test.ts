import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { packageFile } from "../installation.ts";
import { Terminal } from "./cli.fixture.ts";

const terminal = new Terminal();
afterAll(() => terminal.remove());
const path = (name: string): string => terminal.path(name);
const SOURCE = 'x: csrr t0, sepc # the fault\n# afterburn: off\nsret\n.macro m a:vararg\n\\a\n.endm\n.include "y.s"\n';
writeFileSync(path("in.s"), SOURCE);
const hutch = (name: string): string => packageFile(`experiments/guests/hutch/prebuilt/${name}.elf`);

describe("trapline afterburn", () => {
  test("writes an annotated source, and says what it left", async () => {
    const { code, out, err } = await terminal.run("afterburn", path("in.s"), "-o", path("out.s"));
    expect([code, out]).toEqual([0, `${path("out.s")}: 1 sites annotated, with 4 bytes of pads\n`]);
    expect(err.trimEnd().split("\n")).toEqual([
      `${path("in.s")}:3: listed only (region): sret`,
      expect.stringMatching(/in\.s:5: listed only \(region\): \\a$/),
      expect.stringMatching(/in\.s:7: \.include "y\.s": what it includes is not looked into$/),
    ]);
    expect(readFileSync(path("out.s"), "utf8")).toContain("x: 77300: csrr t0, sepc; sltiu zero,zero,1445;");
  });

  test("has a document with all sites", async () => {
    const { document } = await terminal.json("afterburn", path("in.s"), "-o", path("out.s"), "--site", "epc-read=12");
    expect(document).toMatchObject({
      source: path("in.s"),
      output: path("out.s"),
      sites: [
        { file: path("in.s"), line: 1, text: "csrr t0, sepc", class: "epc-read", treatment: "annotated", padding: 8 },
        { line: 3, text: "sret", class: "trap-return", treatment: "region", padding: 0 },
        { line: 5, class: "undecided" },
      ],
      remarks: [{ line: 7 }],
    });
  });

  test("switched off, gives the source back", async () => {
    await terminal.run("afterburn", path("in.s"), "-o", path("same.s"), "--off");
    expect(readFileSync(path("same.s"), "utf8")).toBe(SOURCE);
  });

  test("scans an image, and ends with 3 where it misses a record", async () => {
    const good = await terminal.run("afterburn", "--scan", hutch("hutch-pre"));
    expect([good.code, good.out]).toEqual([
      0,
      expect.stringMatching(/ sites annotated, 0 listed, \d+ pads, 0 faults\n$/),
    ]);
    const { code, document } = await terminal.json("afterburn", "--scan", hutch("hutch"));
    expect(code).toBe(3);
    expect(document.faults).toContainEqual({
      address: expect.stringMatching(/^0xffffffff802/),
      symbol: expect.stringMatching(/^trap_return\+0x/),
      message: "sret, of class trap-return, is neither annotated nor listed",
    });
  });

  test("names the memory instructions of a run's exits, and takes their names", async () => {
    const options = ["--guest", "hutch-pre", "--run", "true", "--memory", "16M"];
    await terminal.run("record", ...options, "-o", path("bare.trace"));
    await terminal.run("replay", path("bare.trace"), "--technique", "full", "-o", path("full.trace"));
    const { code, out } = await terminal.run("afterburn", "--feedback", path("full.trace"));
    expect([code, out]).toEqual([0, expect.stringMatching(/^console_init 1 sb$/m)]);
    const { document } = await terminal.json("afterburn", "--feedback", path("full.trace"));
    expect(document.places).toContainEqual({ symbol: "console_init", index: 1, mnemonic: "sb" });
    writeFileSync(path("sites"), out);
    writeFileSync(path("console.s"), "console_init:\n sb zero, 1(a5)\n");
    const burned = await terminal.json(
      "afterburn",
      path("console.s"),
      "-o",
      path("x.s"),
      "--memory-sites",
      path("sites"),
    );
    expect(burned.document.sites).toMatchObject([{ text: "sb zero, 1(a5)", class: "memory" }]);
    const { code: missed, document: scanned } = await terminal.json(
      ...["afterburn", "--scan", hutch("hutch-pre"), "--memory-sites", path("sites")],
    );
    expect([missed, scanned.faults]).toEqual([
      3,
      expect.arrayContaining([expect.objectContaining({ message: "console_init 1 sb is not annotated" })]),
    ]);
  });

  test("writes the program as for gcc, which runs this very trapline with the same options", async () => {
    const { document } = await terminal.json(
      ...[
        "afterburn",
        "--as-wrapper",
        path("bin"),
        "--assembler",
        "my-as",
        "--site",
        "wait=8",
        "--user-section",
        ".user",
      ],
    );
    const { command } = document as { command: string[] };
    expect(command.slice(command.indexOf("afterburn"))).toEqual([
      ...["afterburn", "--assembler", "my-as", "--site", "wait=8", "--user-section", ".user", "--assemble"],
    ]);
    expect(command[0]).toBe(process.execPath);
    expect(readFileSync(path("bin/as"), "utf8")).toMatch(/^#!\/bin\/sh\nexec .* --assemble -- "\$@"\n$/);
  });

  test("runs an assembler silently, and fails as it does", async () => {
    const run = (assembler: string) =>
      terminal.run("afterburn", "--assembler", assembler, "--assemble", "--", path("in.s"));
    expect(await run("true")).toEqual({ code: 0, out: "", err: "" });
    expect((await run("false")).code).toBe(2);
  });

  test.each<readonly [string, readonly string[], RegExp]>([
    ["nothing to do", [path("in.s")], /one of -o, .* must say what to do: there are 0; trapline afterburn --help$/],
    ["two things to do", ["--scan", hutch("hutch"), "-o", path("x")], /must say what to do: there are 2/],
    ["two sources", [path("in.s"), path("in.s"), "-o", path("x")], /-o takes one source, .*: there are 2/],
    [
      "a source that is not there",
      [path("no.s"), "-o", path("x")],
      /^Cannot read .*no\.s as it must be an assembly source/,
    ],
    ["an image that is not there", ["--scan", path("no.elf")], /^Cannot read .*no\.elf as it must be a linked image/],
    [
      "an image that is none",
      ["--scan", path("in.s")],
      /^Cannot read the sections of .*in\.s as it must be an ELF64 file/,
    ],
    ["an unknown class", [path("in.s"), "-o", path("x"), "--site", "cli=8"], /it must be CLASS=BYTES/],
    [
      "a short pad",
      [path("in.s"), "-o", path("x"), "--site", "epc-read=4"],
      /^Cannot afterburn .*in\.s:1 as a site of class epc-read needs 8 bytes, in fours: "csrr t0, sepc" would have 4/,
    ],
  ])("refuses %s", async (_, args, message) => {
    const { code, document } = await terminal.json("afterburn", ...args);
    expect([code, (document.error as { message: string }).message]).toEqual([2, expect.stringMatching(message)]);
  });
});
