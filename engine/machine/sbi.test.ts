/** Chapters are those of the RISC-V Supervisor Binary Interface Specification 2.0. */
import { describe, expect, test } from "vitest";
import { Sbi, type SbiHost } from "./sbi.ts";

const [BASE, TIME, IPI, RFENCE, HSM, SRST, DBCN] = [
  0x10, 0x54494d45, 0x735049, 0x52464e43, 0x48534d, 0x53525354, 0x4442434e,
] as const;
const [SUCCESS, FAILED, NOT_SUPPORTED, INVALID_PARAM, ALREADY_AVAILABLE] = [0n, -1n, -2n, -3n, -6n] as const;
const RAM = 0x8000_0000n;
const ALL = 0xffff_ffff_ffff_ffffn;

function bench() {
  const did: string[] = [];
  const ram = new Uint8Array(0x1000);
  let received: number[] = [];
  const note =
    (what: string) =>
    (...details: unknown[]): void => {
      did.push([what, ...details].join(" "));
    };
  const host: SbiHost = {
    memory: {
      read: (address, length) => ram.slice(Number(address - RAM), Number(address - RAM) + length),
      write: (address, bytes) => ram.set(bytes, Number(address - RAM)),
    },
    isMemory: (address, length) => address >= RAM && address + BigInt(length) <= RAM + BigInt(ram.length),
    setTimer: note("timer"),
    raiseSoftwareInterrupt: note("software interrupt"),
    fenceI: note("fence.i"),
    fenceVirtual: (range, asid) => note("sfence.vma")(range === "all" ? "all" : `${range.start}+${range.size}`, asid),
    writeConsole: (bytes) => note("print")(String.fromCharCode(...bytes)),
    readConsole: (most) => {
      const taken = received.slice(0, most);
      received = received.slice(most);
      return Uint8Array.from(taken);
    },
    shutdown: note("shutdown"),
  };
  const sbi = new Sbi(host);
  return {
    did,
    ram,
    receive: (text: string) => {
      received.push(...new TextEncoder().encode(text));
    },
    /** Error as a signed number, and the value. */
    call: (extension: number | bigint, func: number | bigint, ...args: (number | bigint)[]) => {
      const a = (index: number): bigint => BigInt.asUintN(64, BigInt(args[index] ?? 0));
      const registers = {
        a0: a(0),
        a1: a(1),
        a2: a(2),
        a3: a(3),
        a4: a(4),
        a5: a(5),
        a6: BigInt(func),
        a7: BigInt(extension),
      };
      const { error, value } = sbi.call(registers);
      expect([error, value].every((answer) => answer >= 0n && answer <= ALL)).toBe(true);
      return [BigInt.asIntN(64, error), value];
    },
  };
}

test("BASE: version 2.0, an implementation of its own, and what it has (chapter 4)", () => {
  const { call } = bench();
  expect(call(BASE, 0)).toEqual([SUCCESS, 0x0200_0000n]);
  expect(call(BASE, 1)[0]).toBe(SUCCESS);
  expect(call(BASE, 2)).toEqual([SUCCESS, 1n]);
  for (const extension of [BASE, TIME, IPI, RFENCE, HSM, SRST, DBCN])
    expect(call(BASE, 3, extension)).toEqual([SUCCESS, 1n]);
  for (const extension of [0, 1, 8, 0x504d55, 0x53555350, ALL]) expect(call(BASE, 3, extension)).toEqual([SUCCESS, 0n]);
  for (const register of [4, 5, 6]) expect(call(BASE, register)).toEqual([SUCCESS, 0n]);
  expect(call(BASE, 7)).toEqual([NOT_SUPPORTED, 0n]);
});

test("its implementation ID is not one of those registered (chapter 4, table 4)", () => {
  expect(bench().call(BASE, 1)[1]).toBeGreaterThan(0x100n);
});

test("what it does not have is not supported: legacy calls, PMU, any other number (chapters 3 and 5)", () => {
  const { call, did } = bench();
  for (const extension of [0, 1, 2, 8, 0xf, 0x504d55, 0x53555350, 0x4e41434c, 0x0a00_0000, ALL]) {
    expect(call(extension, 0, 0x41)).toEqual([NOT_SUPPORTED, 0n]);
  }
  expect(did).toEqual([]);
});

test("an extension's functions end somewhere", () => {
  const { call, did } = bench();
  for (const [extension, first] of [
    [BASE, 7],
    [TIME, 1],
    [IPI, 1],
    [RFENCE, 3],
    [HSM, 3],
    [SRST, 1],
    [DBCN, 3],
  ] as const) {
    for (const func of [first, first + 1, ALL]) expect(call(extension, func, 1, 0)).toEqual([NOT_SUPPORTED, 0n]);
  }
  expect(did).toEqual([]);
});

test("TIME hands the deadline on, all 64 bits of it (chapter 6)", () => {
  const { call, did } = bench();
  expect(call(TIME, 0, 12345)).toEqual([SUCCESS, 0n]);
  call(TIME, 0, ALL);
  expect(did).toEqual(["timer 12345", `timer ${ALL}`]);
});

describe("hart masks (chapter 3)", () => {
  test.each([
    ["hart 0", 1, 0n],
    ["every hart", 0, ALL],
    ["every hart, whatever the mask", 0xffff, ALL],
  ])("%s is this one", (_, mask, first) => {
    const { call, did } = bench();
    expect(call(IPI, 0, mask, first)).toEqual([SUCCESS, 0n]);
    expect(did).toEqual(["software interrupt"]);
  });

  test.each([
    ["hart 1", 2, 0n],
    ["harts 0 and 1", 3, 0n],
    ["hart 1 from 1", 1, 1n],
    ["hart 63", 1n << 63n, 0n],
  ])("%s does not exist", (_, mask, first) => {
    const { call, did } = bench();
    for (const [extension, func] of [
      [IPI, 0],
      [RFENCE, 0],
      [RFENCE, 1],
      [RFENCE, 2],
    ] as const) {
      expect(call(extension, func, mask, first)).toEqual([INVALID_PARAM, 0n]);
    }
    expect(did).toEqual([]);
  });

  test("an empty mask names nobody", () => {
    const { call, did } = bench();
    expect(call(IPI, 0, 0, 0)).toEqual([SUCCESS, 0n]);
    expect(did).toEqual([]);
  });
});

test("RFENCE: fence.i, and sfence.vma for a range or all of an address space or of all (chapter 8)", () => {
  const { call, did } = bench();
  call(RFENCE, 0, 1, 0);
  call(RFENCE, 1, 1, 0, 0x1000, 0x2000);
  call(RFENCE, 1, 1, 0, 0, 0);
  call(RFENCE, 1, 1, 0, 0x1000, ALL);
  call(RFENCE, 2, 1, 0, 0x1000, 0x2000, 7);
  expect(did).toEqual([
    "fence.i",
    "sfence.vma 4096+8192 all",
    "sfence.vma all all",
    "sfence.vma all all",
    "sfence.vma 4096+8192 7",
  ]);
});

test("HSM: hart 0 runs, and there is no other (chapter 9)", () => {
  const { call } = bench();
  expect(call(HSM, 0, 0)).toEqual([ALREADY_AVAILABLE, 0n]);
  expect(call(HSM, 0, 1)).toEqual([INVALID_PARAM, 0n]);
  expect(call(HSM, 1)).toEqual([FAILED, 0n]);
  expect(call(HSM, 2, 0)).toEqual([SUCCESS, 0n]);
  expect(call(HSM, 2, 1)).toEqual([INVALID_PARAM, 0n]);
});

test("SRST: shutdown and both reboots, with their reason; type and reason are 32 bits (chapter 10)", () => {
  const { call, did } = bench();
  call(SRST, 0, 0, 0);
  call(SRST, 0, 0, 1);
  call(SRST, 0, 1, 0);
  call(SRST, 0, 0xdead_0000_0002n, 0xdead_0000_0000n);
  expect(did).toEqual([
    "shutdown poweroff false",
    "shutdown poweroff true",
    "shutdown reboot false",
    "shutdown reboot false",
  ]);
  expect(call(SRST, 0, 3, 0)).toEqual([INVALID_PARAM, 0n]);
  expect(call(SRST, 0, 0, 2)).toEqual([INVALID_PARAM, 0n]);
  expect(did).toHaveLength(4);
});

describe("DBCN (chapter 12)", () => {
  test("prints bytes of the guest's memory", () => {
    const { call, did, ram } = bench();
    ram.set(new TextEncoder().encode("hello"), 0x10);
    expect(call(DBCN, 0, 5, RAM + 0x10n, 0)).toEqual([SUCCESS, 5n]);
    expect(did).toEqual(["print hello"]);
  });

  test("reads what there is, and says how much", () => {
    const { call, receive, ram } = bench();
    receive("abcdef");
    expect(call(DBCN, 1, 4, RAM, 0)).toEqual([SUCCESS, 4n]);
    expect(call(DBCN, 1, 4, RAM + 4n, 0)).toEqual([SUCCESS, 2n]);
    expect(call(DBCN, 1, 4, RAM + 8n, 0)).toEqual([SUCCESS, 0n]);
    expect(String.fromCharCode(...ram.slice(0, 7))).toBe("abcdef\0");
  });

  test("prints one byte", () => {
    const { call, did } = bench();
    expect(call(DBCN, 2, 0xfff41)).toEqual([SUCCESS, 0n]);
    expect(did).toEqual(["print A"]);
  });

  test.each([
    ["outside RAM", 1, 0x1000_0000n, 0n],
    ["across RAM's end", 0x101, RAM + 0xf00n, 0n],
    ["with an upper half", 1, RAM, 1n],
    ["whose end wraps", 0x100, 0xffff_ffff_ffff_ffffn, 0n],
    ["of 2^64 - 1 bytes", ALL, RAM, 0n],
  ])("a buffer %s is refused, and no input is lost", (_, length, low, high) => {
    const { call, did, receive } = bench();
    receive("x");
    expect(call(DBCN, 0, length, low, high)).toEqual([INVALID_PARAM, 0n]);
    expect(call(DBCN, 1, length, low, high)).toEqual([INVALID_PARAM, 0n]);
    expect(did).toEqual([]);
    expect(call(DBCN, 1, 1, RAM, 0)).toEqual([SUCCESS, 1n]);
  });

  test("no bytes are printed as no bytes", () => {
    const { call, did } = bench();
    expect(call(DBCN, 0, 0, RAM, 0)).toEqual([SUCCESS, 0n]);
    expect(did).toEqual([]);
  });
});
