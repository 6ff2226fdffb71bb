import { describe, expect, test } from "vitest";
import { assemble, full, rewritingTrap } from "../../engine/mod.ts";
import { packAddressMarks, resolveAddressMarks, similarTo, watchAddresses } from "../address-marks.ts";
import { type Guest, hutch } from "../guests/mod.ts";
import { record } from "../record.ts";
import { replay } from "../replay.ts";
import { Terminal } from "./cli.fixture.ts";

const { kernel } = await hutch.running("null-syscall 1").load();
const LAP = 3 << 8;

describe("marks at addresses", () => {
  test("get the address of their symbol, or their own, and ids that no other mark has", () => {
    const marks = resolveAddressMarks({ a: "trap_entry", b: "0xFFFF0000" }, { kernel }, { x: 200, y: 202 });
    expect(marks.map(({ name, id }) => [name, id])).toEqual([
      ["a", 201],
      ["b", 203],
    ]);
    // The text is linked to this address, and begins with the file's second page; traps begin with csrrw sp, sscratch, sp.
    const at = Number(marks[0]!.address - 0xffff_ffff_8020_0000n);
    expect(new DataView(kernel.buffer, kernel.byteOffset).getUint32(0x1000 + at, true)).toBe(0x1401_1173);
    expect(marks[1]!.address).toBe(0xffff_0000n);
  });

  test("are refused where there is no such symbol, with the likest ones", () => {
    const resolve =
      (places: Record<string, string>, of = kernel) =>
      () =>
        resolveAddressMarks(places, { kernel: of }, { x: 1 });
    expect(resolve({ a: "trap_entri" })).toThrow(
      /^Cannot mark a at trap_entri as the kernel must have a symbol of that name: it has trap_entry/,
    );
    expect(resolve({ a: "zzzzzz" })).toThrow(/no name is like it$/);
    expect(resolve({ a: "main" }, Uint8Array.of(0x73, 0, 0x50, 0x10))).toThrow(
      /this one has none; use --mark-at a=0xADDRESS$/,
    );
    expect(resolve({ a: "0x80200001" })).toThrow(/even address of 64 bits: it is 0x80200001$/);
    expect(resolve({ a: "0x10000000000000000" })).toThrow(/even address/);
    expect(resolve({ x: "main" })).toThrow(/^Cannot mark x as each mark has a name of its own/);
    expect(resolve({ a: "main", b: "main" })).toThrow(
      /^Cannot mark b as an address makes one mark: 0x[0-9a-f]+ makes a already$/,
    );
    expect(similarTo("kerneltrap", ["kernel_trap", "user_trap", "main"])[0]).toBe("kernel_trap");
  });

  test("are kept in the header and come again, at the same steps, under other techniques", async () => {
    const guest: Guest = {
      ...hutch.running("null-syscall 60"),
      memoryBytes: 16 << 20,
      addressMarks: { entry: "trap_entry", return: "trap_return" },
    };
    const tape = await record({ guest });
    const marks = [...tape.events()].filter((event) => event.kind === "mark" && (event.code & 0xff) >= 200);
    expect(marks.filter((event) => event.kind === "mark" && event.code === (LAP | 200)).length).toBeGreaterThan(60);
    expect(tape.trace().header.marks).toContainEqual({ id: 201, name: "return" });
    for (const technique of [full, rewritingTrap]) {
      const run = await replay(tape, { technique });
      expect([...run.events()].filter((event) => event.kind === "mark" && (event.code & 0xff) >= 200)).toEqual(marks);
    }
    const { addressMarks: _, ...unmarked } = guest;
    expect((await record({ guest: unmarked })).digest).toBe(tape.digest);
  });

  test("make checkpoints as the guest's own do, at the same steps under another technique", async () => {
    const source = `
        li s0, 4
        la s2, lap
      turn:
        li s1, 60000
      inner:
        addi s1, s1, -1
        bnez s1, inner
        csrr t0, sstatus
      lap:
        ld t1, 0(s2)
        addi s0, s0, -1
        bnez s0, turn
        li a7, 0x53525354
        li a6, 0
        li a0, 0
        ecall`;
    const { bytes, labels } = assemble(source, { base: 0x8020_0000n });
    const guest: Guest = {
      name: "laps",
      workload: "laps",
      memoryBytes: 4 << 20,
      addressMarks: { lap: `0x${labels.get("lap")!.toString(16)}` },
      load: async () => ({ kernel: bytes }),
    };
    const tape = await record({ guest, maxSteps: 1_000_000 });
    const events = [...tape.events()];
    const laps = events.filter(({ kind }) => kind === "mark").map(({ step }) => step);
    const checkpoints = events.filter(({ kind }) => kind === "checkpoint").map(({ step }) => step);
    expect([laps.length, checkpoints.length]).toEqual([4, 5]);
    expect(checkpoints.slice(0, -1)).toEqual(laps);
    expect((await replay(tape, { technique: full })).identity.equal).toBe(true);
  });

  test("of a header that is not ours are refused", () => {
    const watched: [bigint, number][] = [];
    const machine = { watch: (address: bigint, code: number) => void watched.push([address, code]) };
    watchAddresses(machine, packAddressMarks([{ id: 200, address: 0xfffn << 52n }]));
    watchAddresses(machine, undefined);
    expect(watched).toEqual([[0xfffn << 52n, LAP | 200]]);
    for (const setting of ["", "[1]", "[[1,2]]", '[[1,""]]', '[[256,"0x0"]]', 5])
      expect(() => watchAddresses(machine, setting)).toThrow(/^Cannot replay as/);
  });
});

describe("--mark-at", () => {
  const terminal = new Terminal();
  const small = ["--guest", "hutch", "--run", "null-syscall 50", "--memory", "16M"];
  test("gives an experiment laps to measure", async () => {
    const args = [...small, "--mark-at", "entry=trap_entry", "--mark-at", "back=trap_return", "--measure", "entry"];
    const { code, document } = await terminal.json("run", "boot", ...args, "-o", terminal.path("laps"));
    expect(code).toBe(0);
    expect((document.runs as { identity: unknown }[]).map(({ identity }) => identity)).toEqual([
      null,
      { level: "exact", equal: true, firstDifference: null },
    ]);
  });

  test("ends with 2 where the kernel has no such symbol, and keeps nothing", async () => {
    const out = terminal.path("no.trace");
    const { code, err } = await terminal.run("record", ...small, "--mark-at", "entry=trap_enter", "-o", out);
    expect([code, err]).toEqual([
      2,
      expect.stringContaining("Cannot mark entry at trap_enter as the kernel must have"),
    ]);
    expect((await terminal.run("stats", out)).code).not.toBe(0);
    for (const setting of ["trap_entry", "Entry=trap_entry", "entry="])
      expect((await terminal.run("record", ...small, "--mark-at", setting, "-o", out)).code).toBe(2);
    terminal.remove();
  });
});
