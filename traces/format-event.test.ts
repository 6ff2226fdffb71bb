import { describe, expect, test } from "vitest";
import { type Event, KINDS } from "../engine/event/mod.ts";
import { exportCsv, exportJsonLines } from "./export.ts";
import { causeName, formatEvent } from "./format-event.ts";

const stamp = { step: 1_204_331, hart: 0 };

/** An event of every kind, in the order of the table, with its line. */
const LINES: readonly (readonly [Event, string])[] = [
  [
    { ...stamp, kind: "input.console", data: Uint8Array.of(0x6c, 0x22, 0x0d, 0x1b), request: 3 },
    'input.console  "l\\"\\r\\x1b"  read 3',
  ],
  [
    { ...stamp, kind: "guest.trap", cause: 8, pc: 0x10a3cn, value: 0n, from: 0, to: 1 },
    "guest.trap  ecall from U  pc 0x10a3c  value 0x0  U to S",
  ],
  [
    { ...stamp, kind: "interrupt", cause: 5, pc: 0x8000_0000n, from: 1, to: 1 },
    "interrupt  supervisor timer interrupt  pc 0x80000000  S to S",
  ],
  [{ ...stamp, kind: "guest.return", pc: 0x10a40n, from: 3, to: 2 }, "guest.return  pc 0x10a40  M to mode 2"],
  [
    {
      ...stamp,
      kind: "sbi",
      extension: 0x5449_4d45,
      function: 0,
      a0: 5n,
      a1: 0n,
      a2: 1n,
      error: 0xffff_ffff_ffff_fffen,
      value: 7n,
    },
    "sbi  extension 0x54494d45  function 0  a0 0x5  a1 0x0  a2 0x1  error 0xfffffffffffffffe  value 0x7",
  ],
  [
    { ...stamp, kind: "device.read", device: "uart", offset: 5, size: 1, value: 0x60n },
    "device.read  uart+0x5  1 bytes  value 0x60",
  ],
  [
    { ...stamp, kind: "device.write", device: "uart", offset: 0, size: 1, value: 0x61n },
    "device.write  uart+0x0  1 bytes  value 0x61",
  ],
  [
    { ...stamp, kind: "dma", device: "disk", address: 0x8000n, length: 512, write: 1, hash: 0xabn },
    "dma  disk writes  512 bytes at 0x8000  hash 0xab",
  ],
  [{ ...stamp, kind: "idle", ticks: 12_345n }, "idle  12,345 steps of guest time"],
  [{ ...stamp, kind: "mark", code: 0x204 }, "mark  end 4"],
  [
    { ...stamp, kind: "checkpoint", digestLow: 2n, digestHigh: 0xabn, instret: 1000n, time: 999n },
    "checkpoint  digest 00000000000000ab0000000000000002  instret 1,000  time 999",
  ],
  [{ ...stamp, kind: "end", reason: "poweroff", code: 3 }, "end  poweroff  code 3"],
  [
    { ...stamp, kind: "vmm.exit", reason: "page-fault", pc: 0x1000n, bits: 0x73 },
    "vmm.exit  page-fault  pc 0x1000  bits 0x73",
  ],
  [{ ...stamp, kind: "vmm.work", work: "emulate", count: 2 }, "vmm.work  emulate  2"],
  [
    { ...stamp, kind: "vmm.inject", cause: 0x8000_0009, pc: 0x10n },
    "vmm.inject  supervisor external interrupt  pc 0x10",
  ],
  [{ ...stamp, kind: "vmm.resume", mode: 1, real: 0 }, "vmm.resume  virtual S  real U"],
  [
    { ...stamp, kind: "shadow.fill", root: 2, address: 0x1000n, level: 1 },
    "shadow.fill  root 2  address 0x1000  level 1",
  ],
  [{ ...stamp, kind: "shadow.drop", cause: "sfence.vma", entries: 9 }, "shadow.drop  sfence.vma  9 entries"],
  [{ ...stamp, kind: "device.path", device: "uart", path: "emulated" }, "device.path  uart  emulated"],
  [{ ...stamp, kind: "patch", page: 0x8020_1000n, sites: 12 }, "patch  page 0x80201000  12 sites"],
  [{ ...stamp, kind: "leak", mode: 1, pc: 0x1044n, bits: 0x1000_2573 }, "leak  in S  pc 0x1044  bits 0x10002573"],
  [
    { ...stamp, kind: "hypercall", call: 10, a0: 0x8020_0000n, a1: 5n, a2: 0n, error: 0n, value: 5n },
    "hypercall  call 10  a0 0x80200000  a1 0x5  a2 0x0  error 0x0  value 0x5",
  ],
  [
    { ...stamp, kind: "shadow.accessed", address: 0x4000_0000n, hidden: 1 },
    "shadow.accessed  set by the VMM  address 0x40000000",
  ],
  [{ ...stamp, kind: "stale-translation", address: 0x4000_1000n }, "stale-translation  address 0x40001000"],
];

describe("an event in words", () => {
  test.each(LINES.map(([event, line]) => [event.kind, event, line] as const))("%s is one line", (_, event, line) => {
    expect(formatEvent(event)).toBe(`${line}  at step 1,204,331`);
    expect(formatEvent({ ...event, hart: 2 })).toBe(`${line}  at step 1,204,331  on hart 2`);
  });

  test("every kind has its line here", () => {
    const shown = LINES.map(([{ kind }]) => kind);
    expect(shown).toEqual(KINDS.filter((kind) => shown.includes(kind)));
    expect(KINDS.length).toBe(shown.length);
  });

  test("a cause without a name is a number", () => {
    expect(causeName(15, false)).toBe("store page fault");
    expect(causeName(14, false)).toBe("exception 14");
    expect(causeName(12, true)).toBe("interrupt 12");
  });
});

describe("export", () => {
  const events = LINES.map(([event]) => event);

  test("JSON lines keep all bits and all fields in table order", () => {
    const lines = [...exportJsonLines(events)];
    expect(lines[0]).toBe('{"kind":"input.console","step":1204331,"hart":0,"data":"6c220d1b","request":3}\n');
    expect(lines[1]).toBe(
      '{"kind":"guest.trap","step":1204331,"hart":0,"cause":8,"pc":"0x10a3c","value":"0x0","from":0,"to":1}\n',
    );
    expect(JSON.parse(lines[4]!)).toMatchObject({ error: "0xfffffffffffffffe", function: 0 });
    expect(lines.length).toBe(events.length);
  });

  test("CSV has a column for each field and quotes what needs it", () => {
    const odd: Event = { ...stamp, kind: "end", reason: 'a "b",\nc', code: 1 };
    const rows = [...exportCsv([events[1]!, odd])];
    const columns = rows[0]!.trimEnd().split(",");
    expect(columns.slice(0, 6)).toEqual(["index", "step", "hart", "kind", "data", "request"]);
    expect(new Set(columns).size).toBe(columns.length);
    const trap = rows[1]!.trimEnd().split(",");
    expect(trap.length).toBe(columns.length);
    expect([trap[0], trap[3], trap[columns.indexOf("pc")], trap[columns.indexOf("data")]]).toEqual([
      "0",
      "guest.trap",
      "0x10a3c",
      "",
    ]);
    expect(rows[2]).toContain('"a ""b"",\nc"');
    for (const row of rows) expect(row.endsWith("\r\n")).toBe(true);
  });
});
