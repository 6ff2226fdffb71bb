import { describe, expect, test } from "vitest";
import { type Event, full } from "../../engine/mod.ts";
import { hutch, hutchPre } from "../guests/mod.ts";
import { record } from "../record.ts";
import { replay } from "../replay.ts";
import { afterburn } from "./afterburn.ts";
import { codeSection, elfFile, type MadeSection } from "./image.fixture.ts";
import { faultingPlaces, MemoryCounter, parsePlaces, placeText } from "./memory-sites.ts";
import { scanImage } from "./scan.ts";
import { parseSource } from "./statements.ts";

const BASE = 0x8020_0000n;
const SOURCE = `set_leaf:
  ld a0, 8(a1)
  add a0, a0, a2
.Lagain:
  sd a0, 0(a1)
1:
  amoor.d.aqrl a0, a1, (a2)
  .type inner, @function
inner: also:
  lr.w a0, (a1)
`;

/** A symbol table: names with offsets from the base. */
function symbolTable(symbols: Readonly<Record<string, number>>): readonly MadeSection[] {
  const table = new Uint8Array(24 * Object.keys(symbols).length);
  const view = new DataView(table.buffer);
  let names = "\0";
  for (const [index, [name, offset]] of Object.entries(symbols).entries()) {
    view.setUint32(24 * index, names.length, true);
    view.setUint16(24 * index + 6, 1, true);
    view.setBigUint64(24 * index + 8, BASE + BigInt(offset), true);
    names += `${name}\0`;
  }
  return [
    { name: ".symtab", bytes: table },
    { name: ".strtab", bytes: new TextEncoder().encode(names) },
  ];
}

const image = elfFile([
  codeSection("ld a0, 8(a1); add a0, a0, a2; c.sd a0, 0(a1); amoor.d a0, a1, (a2); lr.w a0, (a1)", BASE),
  ...symbolTable({ set_leaf: 0, ".Lagain": 8, $x: 8, inner: 14, also: 14 }),
]);
const exit = (reason: string, offset: number): Event =>
  ({ kind: "vmm.exit", reason, pc: BASE + BigInt(offset) }) as Event;

describe("names of memory instructions", () => {
  test("count them from the symbol before, in sources and in images alike", () => {
    const counter = new MemoryCounter();
    const counted = parseSource(SOURCE, "t.s").statements.map((statement) => counter.follow(statement).map(placeText));
    const names = ["set_leaf 1 ld", "set_leaf 2 sd", "set_leaf 3 amoor.d", "inner 1 lr.w"];
    expect(counted.flat()).toEqual([...names, "also 1 lr.w"]);
    const faults = [0, 8, 10, 14].map((offset) => exit("device-access", offset));
    expect(faultingPlaces(faults, image, "t.elf").map(placeText)).toEqual(names);
  });

  test("are of exits that a memory instruction is the reason for, once each", () => {
    const events = [
      exit("table-write", 8),
      exit("device-access", 8),
      exit("page-fault", 0),
      exit("device-access", 4),
      exit("device-access", 0x1000),
    ];
    expect(faultingPlaces(events, image, "t.elf").map(placeText)).toEqual(["set_leaf 2 sd"]);
  });

  test("are not given where a macro or a repetition may hold more of them", () => {
    const counter = new MemoryCounter();
    const source = "f: ld a0, (a1)\nSAVE_ALL\nld a0, (a1)\ng: ld a0, (a1)\n.rept 2\nld a0, (a1)\n.endr\nld a0, (a1)\n";
    const counted = parseSource(source, "t.s").statements.flatMap((statement) => counter.follow(statement));
    expect(counted.map(placeText)).toEqual(["f 1 ld", "g 1 ld"]);
  });

  test("are read from a list", () => {
    expect(parsePlaces("# found by selftest\nset_leaf 2 sd # a leaf\n\n")).toEqual([
      { symbol: "set_leaf", index: 2, mnemonic: "sd" },
    ]);
    expect(() => parsePlaces("set_leaf 2 sd\nset_leaf sd\n")).toThrow(
      'Cannot read line 2 of memory sites as it must be a symbol, a number and a mnemonic: "set_leaf sd"',
    );
  });
});

test("a run of hutch under full virtualization names its drivers' instructions, and nobody else's", async () => {
  const tape = await record({ guest: { ...hutchPre.running("disk-read 1"), memoryBytes: 16 << 20 } });
  const run = await replay(tape, { technique: full });
  const { kernel } = await hutchPre.running("true").load();
  const places = faultingPlaces(run.events(), kernel, "hutch-pre");
  expect(places).toContainEqual({ symbol: "console_putc", index: 2, mnemonic: "sb" });
  const symbols = new Set(places.map(({ symbol }) => symbol));
  expect(
    [...symbols].filter(
      (symbol) => !/^(console|disk|plic)_|^(external_interrupt|start|transfer|interrupt)$/.test(symbol),
    ),
  ).toEqual([]);
  expect(faultingPlaces(tape.events(), kernel, "hutch-pre")).toEqual([]);
});

test("what runs of hutch name is named alike in its afterburned build, so that annotating it brings up nothing new", async () => {
  const named = async ({ running }: typeof hutch, commands: readonly string[]): Promise<readonly string[]> => {
    const found = new Set<string>();
    for (const command of commands) {
      const guest = running(command);
      const run = await replay(await record({ guest: { ...guest, memoryBytes: 16 << 20 } }), { technique: full });
      const { kernel } = await guest.load();
      for (const place of faultingPlaces(run.events(), kernel, guest.name)) found.add(placeText(place));
    }
    return [...found].sort();
  };
  const first = await named(hutch, ["disk-read 2", "timer-tick 2", "fork-exec 2", "echo one two three"]);
  expect(first.length).toBeGreaterThan(20);
  // Another build of the same sources, with sites and pads in it: the next round of the loop.
  expect(await named(hutchPre, ["disk-read 5", "timer-tick 1", "fork-exec 1; echo one", "pipe 2"])).toEqual(first);
});

describe("a memory instruction that a run named", () => {
  const memory = parsePlaces("set_leaf 2 sd\ninner 1 lr.w\nset_leaf 1 sd\nset_leaf 9 ld\n");

  test("is annotated, uncompressed", () => {
    const { sites, text } = afterburn(SOURCE, { file: "t.s", memory });
    expect(sites.map(({ text: found, siteClass, padding }) => [found, siteClass, padding])).toEqual([
      ["sd a0, 0(a1)", "memory", 0],
      ["lr.w a0, (a1)", "memory", 0],
    ]);
    expect(text).toContain(
      "  .option push; .option norvc; 77300: sd a0, 0(a1); .option pop; .pushsection .trapline.sites",
    );
  });

  test("is left as it is where it is two instructions", () => {
    expect(afterburn("f: ld a0, table\n", { file: "t.s", memory: parsePlaces("f 1 ld") }).sites).toEqual([]);
  });

  test("is missed by the scan where it has no record, as is a name of nothing", () => {
    expect(scanImage(image, "t.elf", memory).faults.map(({ message }) => message)).toEqual([
      "set_leaf 1 sd names no memory instruction",
      "set_leaf 9 ld names no memory instruction",
      "set_leaf 2 sd is not annotated",
      "inner 1 lr.w is not annotated",
    ]);
  });
});
