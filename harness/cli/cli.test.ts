import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Terminal } from "./cli.fixture.ts";

const terminal = new Terminal();
const { path } = { path: (name: string) => terminal.path(name) };
const SMALL = ["--memory", "16M"] as const;
const calls = ["--guest", "hutch", "--run", "null-syscall 30", ...SMALL] as const;
const recorded = path("calls.native.trace");

beforeAll(async () => {
  await terminal.run("record", ...calls, "-o", recorded);
}, 120_000);
afterAll(() => terminal.remove());

const ERROR = /^Cannot [^\n]+ as [^\n]+: [^\n]+/;

describe("record", () => {
  test("prints one document that says what the run came to", async () => {
    const file = path("again.trace");
    const { code, document } = await terminal.json("record", ...calls, "-o", file);
    expect(code).toBe(0);
    expect(Object.keys(document)).toEqual([
      "trace",
      "digest",
      "instret",
      "steps",
      "exitCode",
      "guestCode",
      "reason",
      "console",
    ]);
    expect(document).toMatchObject({
      trace: file,
      exitCode: 0,
      guestCode: 0,
      reason: "poweroff",
      console: "null-syscall: 30 calls\n",
    });
    expect(document.digest).toMatch(/^[0-9a-f]{32}$/);
  });

  test("writes exactly the file that it is told, with images beside, the same bytes each time", async () => {
    expect(Buffer.compare(readFileSync(path("again.trace")), readFileSync(recorded))).toBe(0);
    expect(readdirSync(terminal.folder).sort()).toEqual(["again.trace", "calls.native.trace", "images"]);
    const digest = expect.stringMatching(/^[0-9a-f]{64}$/);
    expect(readdirSync(path("images"))).toEqual([digest, digest]); // The kernel's and the disk's.
  });

  test("puts the result on stdout and nothing else", async () => {
    const { out, err } = await terminal.run("record", ...calls, "-o", path("again.trace"));
    expect(out).toMatch(/null-syscall: 30 calls\n.*steps +[\d,]+.*digest +[0-9a-f]{32}/s);
    expect(err).toBe("");
  });

  test("ends with 4 where the guest's budget runs out, and keeps the trace", async () => {
    const file = path("short.trace");
    const { code, document } = await terminal.json("record", ...calls, "--max-instructions", "12_345", "-o", file);
    expect(code).toBe(4);
    expect(document).toMatchObject({ steps: 12_345, exitCode: 4, reason: "budget" });
    expect((await terminal.json("verify", file)).document).toMatchObject({ identity: { equal: true }, steps: 12_345 });
  });

  test("ends with 4 where the guest fails, with the guest's own code", async () => {
    const { code, document } = await terminal.json(
      "record",
      "--guest",
      "hutch",
      "--run",
      "no-such-program",
      ...SMALL,
      "-o",
      path("fails.trace"),
    );
    expect([code, document.exitCode]).toEqual([4, 4]);
    expect(document.guestCode).not.toBe(0);
  });

  test("types what an input script says", async () => {
    const script = path("script");
    writeFileSync(script, 'expect "hutch$ "\nsend "echo typed\\n"\nexpect "hutch$ "\nsend "exit\\n"\n');
    const { code, document } = await terminal.json(
      "record",
      "--guest",
      "hutch",
      "--run",
      "sh",
      ...SMALL,
      "--input",
      script,
      "-o",
      path("sh.trace"),
    );
    expect(code).toBe(0);
    expect(document.console).toContain("\ntyped\n");
  });

  test("gives the guest a disk, and writes to a copy of it", async () => {
    const disk = path("disk");
    writeFileSync(disk, "a disk for hutch\n".repeat(4096).slice(0, 65_536));
    const run = (command: string) =>
      terminal.json("record", "--guest", "hutch", "--run", command, ...SMALL, "--disk", disk, "-o", path("disk.trace"));
    expect((await run("disk-read 100")).document.console).toBe("disk-read: 100 blocks, checksum 41833f8312727c21\n");
    const { code } = await terminal.json("replay", path("disk.trace"), "--technique", "full");
    expect(code).toBe(0);
    const before = readFileSync(disk);
    writeFileSync(disk, new Uint8Array(1 << 20));
    expect((await run("selftest")).document.console).toContain("PASS disk");
    expect(readFileSync(disk).every((byte) => byte === 0)).toBe(before.length > 0);
    expect((await terminal.json("verify", path("disk.trace"), "--technique", "full")).document).toMatchObject({
      identity: { equal: true },
    });
  });

  test("ends with 4 and names the line where the guest ends before its script", async () => {
    const script = path("script");
    writeFileSync(script, '# nobody asks\nexpect "login: "\n');
    const { code, err } = await terminal.run("record", ...calls, "--input", script, "-o", path("left.trace"));
    expect(code).toBe(4);
    expect(err).toContain('line 2, expect "login: "');
  });
});

describe("replay and verify", () => {
  test.each(["native", "full"])("under %s print the run and its identity", async (technique) => {
    const output = path(`calls.${technique}.again.trace`);
    const { code, document } = await terminal.json("replay", recorded, "--technique", technique, "-o", output);
    expect(code).toBe(0);
    expect(document).toMatchObject({
      trace: output,
      exitCode: 0,
      identity: { level: "exact", equal: true, firstDifference: null },
    });
    const { document: verified } = await terminal.json("verify", recorded, output);
    expect(verified).toMatchObject({ digest: document.digest, steps: document.steps, identity: { equal: true } });
  });

  test("end with 3 where the run is another one, and show both sides", async () => {
    const other = path("other.trace");
    await terminal.run("record", "--guest", "hutch", "--run", "null-syscall 31", ...SMALL, "-o", other);
    const { code, out, err } = await terminal.run("verify", recorded, other);
    expect(code).toBe(3);
    expect(out).toContain("differ");
    expect(err).toMatch(/^Cannot verify null-syscall 30 under replayed as event [\d,]+ of the guest stream differs:\n/);
    const next = /trapline (diff .*)$/m.exec(err)![1]!.split(" ");
    const diff = await terminal.run(...next);
    expect(diff.code).toBe(3);
    expect(diff.out).toMatch(/^> +\d+ {2}/m);
  });

  test("end with 5 where one bit of the trace is flipped", async () => {
    const bytes = readFileSync(recorded);
    bytes[bytes.length >> 1]! ^= 0x10;
    writeFileSync(path("flipped.trace"), bytes);
    const { code, document } = await terminal.json("replay", path("flipped.trace"));
    expect(code).toBe(5);
    expect(document).toMatchObject({
      error: { code: "trace-unreadable", message: expect.stringMatching(/^Cannot read trace .*flipped\.trace as /) },
    });
  });

  test.each(["empty", "text"])("end with 5 where the file is %s", async (kind) => {
    writeFileSync(
      path("bad.trace"),
      kind === "empty" ? "" : "this is no trace at all, but it is long enough to be one\n".repeat(9),
    );
    expect((await terminal.run("verify", path("bad.trace"))).code).toBe(5);
  });

  test("end with 6 where the recording was cut short, as far as it goes", async () => {
    const long = path("long.trace");
    await terminal.run("record", "--guest", "hutch", "--run", "null-syscall 6000", ...SMALL, "-o", long);
    const bytes = readFileSync(long);
    writeFileSync(path("cut.trace"), bytes.subarray(0, bytes.length - 100));
    const { code, document } = await terminal.json("replay", path("cut.trace"), "--technique", "full");
    expect(code).toBe(6);
    expect(document).toMatchObject({ identity: { equal: true }, reason: "cut" });
  });

  test("end with 2 where the images are gone", async () => {
    const alone = new Terminal();
    writeFileSync(alone.path("calls.trace"), readFileSync(recorded));
    const { code, err } = await alone.run("replay", alone.path("calls.trace"));
    expect([code, err]).toEqual([
      2,
      expect.stringMatching(/^Cannot read image [0-9a-f]{64} as traces need images\/ beside them/),
    ]);
    alone.remove();
  });
});

describe("what looks into traces", () => {
  test("dump prints events, by stream, kind and number", async () => {
    const { code, document } = await terminal.json("dump", recorded, "--kind", "mark", "--limit", "3");
    expect(code).toBe(0);
    const events = document.events as { kind: string; step: number }[];
    expect(events.map(({ kind }) => kind)).toEqual(["mark", "mark", "mark"]);
    const { out } = await terminal.run(
      "dump",
      recorded,
      "--from",
      String(events[1]!.step),
      "--kind",
      "mark",
      "--limit",
      "1",
    );
    expect(out).toMatch(/^mark {2}lap 1 {2}at step [\d,]+\n$/);
    expect((await terminal.run("dump", recorded, "--kind", "marks")).code).toBe(2);
  });

  test("stats counts what dump shows", async () => {
    const { document } = await terminal.json("stats", recorded);
    const all = (await terminal.json("dump", recorded)).document.events as unknown[];
    expect(document).toMatchObject({
      workload: "null-syscall 30",
      technique: "native",
      complete: true,
      events: { total: all.length },
    });
  });

  test("diff of equal runs says so", async () => {
    const { code, out } = await terminal.run("diff", recorded, path("again.trace"));
    expect([code, out]).toEqual([0, "The guest streams are equal, event by event.\n"]);
  });
});

describe("bad input ends with 2, an error in our form, and leaves no file", () => {
  const ELF = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46);
  const elf = (...bytes: number[]) => Buffer.concat([ELF, Uint8Array.from(bytes), new Uint8Array(60)]);
  const files: Record<string, Uint8Array> = {
    empty: new Uint8Array(),
    elf32: elf(1, 1, 1),
    bigEndian: elf(2, 2, 1),
    otherMachine: elf(2, 1, 1),
    cutElf: ELF,
    cutTree: Uint8Array.of(0xd0, 0x0d, 0xfe, 0xed, 0, 0, 0, 200),
    raw: new Uint8Array(64),
  };
  beforeAll(() => {
    for (const [name, bytes] of Object.entries(files)) writeFileSync(path(name), bytes);
  });

  const file = (name: string) => ["--kernel", path(name)];
  test.each<readonly [string, readonly string[]]>([
    ["an empty kernel", file("empty")],
    ["a kernel that is not there", file("nowhere")],
    ["a folder as kernel", ["--kernel", terminal.folder]],
    ["a 32-bit ELF", file("elf32")],
    ["a big-endian ELF", file("bigEndian")],
    ["an ELF of another machine", file("otherMachine")],
    ["an ELF that is cut short", file("cutElf")],
    ["a device tree that is cut short", [...file("raw"), "--dtb", path("cutTree")]],
    ["an empty initrd", [...file("raw"), "--initrd", path("empty")]],
    ["an unknown guest", ["--guest", "minix"]],
    ["a command for a guest that takes none", ["--guest", "u-boot", "--run", "version"]],
    ["no guest", []],
    ["two guests", ["--guest", "hutch", ...file("raw")]],
    ["an unknown profile", [...calls, "--profile", "lax"]],
    ["memory of no size", [...calls.slice(0, 4), "--memory", "lots"]],
    ["a budget of nothing", [...calls, "--max-instructions", "0"]],
    ["a checkpoint distance that is no number", [...calls, "--checkpoint-every", "often"]],
    ["a time before 1970", [...calls, "--rtc", "-5"]],
    ["an input script that is not there", [...calls, "--input", path("nowhere")]],
    ["an input script of nonsense", [...calls, "--input", path("elf32")]],
    ["an unknown option", [...calls, "--fast"]],
  ])("%s", async (_, args) => {
    const out = path("never.trace");
    const { code, document } = await terminal.json("record", ...args, "-o", out);
    const { message } = document.error as { message: string };
    expect(message).toMatch(ERROR);
    expect(message).not.toMatch(/\.$|\n +at /);
    expect([code, (document.error as { code: string }).code]).toEqual([2, "usage"]);
    expect(existsSync(out)).toBe(false);
    expect(readdirSync(terminal.folder).filter((name) => name.endsWith(".partial"))).toEqual([]);
  });

  test.each<readonly [string, readonly string[]]>([
    ["an unknown verb", ["play"]],
    ["an unknown technique", ["replay", recorded, "--technique", "magic"]],
    ["an unknown experiment", ["run", "perpetual-motion"]],
    ["a trace that is not there", ["verify", path("nowhere")]],
    ["a price that is no number", ["run", "null-syscall", "--set", "cost.trap.entry=cheap"]],
    ["a fetch of what comes with trapline", ["guests", "fetch", "hutch"]],
  ])("%s", async (_, args) => {
    const { code, document } = await terminal.json(...args);
    expect(code).toBe(2);
    expect((document.error as { message: string }).message).toMatch(ERROR);
  });

  test("a raw file is a guest like any other", async () => {
    const { code, document } = await terminal.json(
      "record",
      ...file("raw"),
      ...SMALL,
      "--max-instructions",
      "100",
      "-o",
      path("raw.trace"),
    );
    expect([code, document.reason, document.steps]).toEqual([4, "budget", 100]);
  });

  test("a file that cannot be written leaves nothing behind", async () => {
    writeFileSync(path("file"), "");
    const { code, err } = await terminal.run("record", ...calls, "-o", path("file/never.trace"));
    expect([code, err]).toEqual([
      2,
      expect.stringMatching(/^Cannot write .* as its folder must take files: part of the path is a file/),
    ]);
  });
});

describe("guests", () => {
  test("are listed, with what makes each ready", async () => {
    const { document } = await terminal.json("guests", "ls");
    const names = (document.guests as { name: string }[]).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["hutch", "null-syscall", "u-boot", "opensbi"]));
  });

  test("that are not in the cache say how to get there", async () => {
    const before = process.env.TRAPLINE_CACHE;
    process.env.TRAPLINE_CACHE = path("no-cache");
    try {
      const { code, document } = await terminal.json("record", "--guest", "u-boot", "-o", path("never.trace"));
      expect([code, document]).toMatchObject([2, { error: { next: "trapline guests fetch u-boot" } }]);
    } finally {
      if (before === undefined) delete process.env.TRAPLINE_CACHE;
      else process.env.TRAPLINE_CACHE = before;
    }
  });
});
