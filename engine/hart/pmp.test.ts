import { describe, expect, test } from "vitest";
import { strict } from "../isa/profile.ts";
import type { Machine } from "../machine/machine.ts";
import { enter, run, TIERS, trap, x } from "./bare.fixture.ts";
import { MachineMemory } from "./memory.ts";
import { ACCESS, type Access } from "./paging.ts";
import { readProtection } from "./pmp.ts";
import { Position } from "./position.ts";
import { CSR, MACHINE, Privileged, SUPERVISOR, USER } from "./privileged.ts";

const [R, W, X, L] = [1, 2, 4, 0x80];
const [OFF, TOR, NA4, NAPOT] = [0, 8, 0x10, 0x18];

/** One entry: its configuration byte, and its address register. */
type Entry = readonly [config: number, address: bigint];

function privileged(entries: readonly Entry[]): Privileged {
  const guest = new Privileged({ memory: new MachineMemory(4096, 0), position: new Position(), profile: strict });
  for (const [i, [, address]] of entries.entries()) writeAddress(guest, i, address);
  for (const number of [0, 1]) {
    const word = (from: number) =>
      entries.slice(from, from + 4).reduce((bits, [config], i) => bits | (config << (8 * i)), 0);
    guest.write(CSR.pmpcfg0 + 2 * number, word(8 * number), word(8 * number + 4));
  }
  return guest;
}
function writeAddress(guest: Privileged, entry: number, address: bigint): void {
  guest.write(CSR.pmpaddr0 + entry, Number(address & 0xffff_ffffn), Number(address >> 32n));
}

/** The accesses that are allowed, as letters. */
function allowed(entries: readonly Entry[], physical: number, { size = 1, mode = SUPERVISOR } = {}): string {
  const protection = readProtection(privileged(entries));
  const kinds: readonly (readonly [string, Access])[] = [["r", ACCESS.load], ["w", ACCESS.store], ["x", ACCESS.fetch]]; // biome-ignore format: a table
  return kinds
    .filter(([, access]) => protection.allows(physical, size, access, mode))
    .map(([letter]) => letter)
    .join("");
}
/** A NAPOT address register for a range. */
const range = (base: number, bytes: number) => (BigInt(base) >> 2n) | (BigInt(bytes / 8) - 1n);
const word = (physical: number) => BigInt(physical) >> 2n;

// Privileged specification, "Address Matching".
describe("address matching", () => {
  test("OFF matches nothing: without a match machine mode may do all, and the others nothing", () => {
    const off: Entry[] = [[OFF | R | W | X, word(0x8000_0000)]];
    expect(allowed(off, 0x8000_0000)).toBe("");
    expect(allowed(off, 0x8000_0000, { mode: USER })).toBe("");
    expect(allowed(off, 0x8000_0000, { mode: MACHINE })).toBe("rwx");
  });

  test("TOR is from the address before, or 0 for the first entry, up to below its own", () => {
    expect(allowed([[TOR | R, word(0x1000)]], 0)).toBe("r");
    expect(allowed([[TOR | R, word(0x1000)]], 0xfff)).toBe("r");
    expect(allowed([[TOR | R, word(0x1000)]], 0x1000)).toBe("");
    // The entry below gives its address whatever its own mode is.
    for (const below of [OFF, NA4, NAPOT]) {
      const entries: Entry[] = [[below, word(0x2000)], [TOR | R | W, word(0x3000)]]; // biome-ignore format: a list
      expect(allowed(entries, 0x1ffc)).toBe("");
      expect(allowed(entries, below === NA4 ? 0x2004 : below === NAPOT ? 0x2008 : 0x2000)).toBe("rw");
      expect(allowed(entries, 0x2ffc)).toBe("rw");
      expect(allowed(entries, 0x3000)).toBe("");
    }
  });

  test("TOR matches nothing where its address is not above the one before", () => {
    expect(allowed([[OFF, word(0x3000)], [TOR | R, word(0x3000)], [TOR | R, word(0x2000)]], 0x2800)).toBe(""); // biome-ignore format: a list
  });

  test("NA4 is four bytes", () => {
    const entries: Entry[] = [[NA4 | X, word(0x2004)]];
    expect([0x2003, 0x2004, 0x2007, 0x2008].map((physical) => allowed(entries, physical))).toEqual(["", "x", "x", ""]);
  });

  test.each([8, 16, 64, 4096, 0x4000_0000, 2 ** 40])("NAPOT is %i bytes, naturally aligned", (bytes) => {
    const base = 3 * bytes;
    const entries: Entry[] = [[NAPOT | R | W | X, range(base, bytes)]];
    expect([base - 1, base, base + bytes - 1, base + bytes].map((physical) => allowed(entries, physical))).toEqual([
      "",
      "rwx",
      "rwx",
      "",
    ]);
  });

  test("NAPOT with all ones is all of memory", () => {
    const entries: Entry[] = [[NAPOT | R, 2n ** 54n - 1n]];
    expect([0, 0x8000_0000, 2 ** 52].map((physical) => allowed(entries, physical))).toEqual(["r", "r", "r"]);
  });
});

// "Priority and Matching Logic", "Locking and Privilege Mode".
describe("priority", () => {
  test("the lowest entry that matches decides, even if it allows less", () => {
    const entries: Entry[] = [[NAPOT | R, range(0x1000, 0x100)], [NAPOT | R | W | X, range(0x1000, 0x1000)]]; // biome-ignore format: a list
    expect(allowed(entries, 0x1000)).toBe("r");
    expect(allowed(entries, 0x1100)).toBe("rwx");
  });

  test("an entry that matches some bytes of an access only, fails it in every mode, whatever lies behind", () => {
    const entries: Entry[] = [[NA4 | R | W | X, word(0x1000)], [NAPOT | R | W | X, range(0x1000, 0x1000)]]; // biome-ignore format: a list
    expect(allowed(entries, 0x1000, { size: 4 })).toBe("rwx");
    expect(allowed(entries, 0x1000, { size: 8 })).toBe("");
    expect(allowed(entries, 0x1002, { size: 4 })).toBe("");
    expect(allowed(entries, 0x1000, { size: 8, mode: MACHINE })).toBe("");
    expect(allowed(entries, 0x1004, { size: 8 })).toBe("rwx");
  });

  test("an entry binds machine mode only if it is locked", () => {
    expect(allowed([[NAPOT, range(0x1000, 0x1000)]], 0x1000, { mode: MACHINE })).toBe("rwx");
    expect(allowed([[L | NAPOT | R, range(0x1000, 0x1000)]], 0x1000, { mode: MACHINE })).toBe("r");
    expect(allowed([[L | NAPOT | R, range(0x1000, 0x1000)]], 0x1000)).toBe("r");
  });

  test("all sixteen entries count", () => {
    const entries = Array.from({ length: 16 }, (_, i): Entry => [NA4 | R, word(0x1000 + 4 * i)]);
    expect(Array.from({ length: 17 }, (_, i) => allowed(entries, 0x1000 + 4 * i))).toEqual([
      ...Array(16).fill("r"),
      "",
    ]);
  });
});

describe("the registers", () => {
  const config = (guest: Privileged, entry: number) => guest.protection(entry).config;

  test("hold no entry with W and without R: the byte stays as it was", () => {
    const guest = privileged([[NAPOT | R, 0n], [NA4 | W, 0n], [TOR | W | X, 0n], [OFF | R | W, 0n]]); // biome-ignore format: a list
    expect([0, 1, 2, 3].map((entry) => config(guest, entry))).toEqual([NAPOT | R, 0, 0, R | W]);
  });

  test("keep what is locked, until reset; the entries beside it go on changing", () => {
    const guest = privileged([[L | NA4 | R, 5n], [NA4 | R, 6n]]); // biome-ignore format: a list
    guest.write(CSR.pmpcfg0, 0, 0);
    expect([config(guest, 0), config(guest, 1)]).toEqual([L | NA4 | R, 0]);
    writeAddress(guest, 0, 9n);
    writeAddress(guest, 1, 10n);
    expect([guest.protection(0).address, guest.protection(1).address]).toEqual([5n, 10n]);
  });

  test("keep the address below a locked TOR entry as well, and that of no other lock", () => {
    const guest = privileged([[OFF, 1n], [L | TOR | R, 2n], [OFF, 3n], [L | NAPOT | R, 4n]]); // biome-ignore format: a list
    for (const entry of [0, 1, 2, 3]) writeAddress(guest, entry, 99n);
    expect([0, 1, 2, 3].map((entry) => guest.protection(entry).address)).toEqual([1n, 2n, 99n, 4n]);
  });

  test("have 54 bits of address, and read back each byte where it was written", () => {
    const guest = privileged([]);
    writeAddress(guest, 15, 2n ** 64n - 1n);
    expect(guest.protection(15).address).toBe(2n ** 54n - 1n);
    guest.write(CSR.pmpcfg2, 0, 0x9f00_0000 | 0);
    expect(config(guest, 15)).toBe(0x9f);
    guest.read(CSR.pmpcfg2);
    expect([guest.low, guest.high]).toEqual([0, 0x9f00_0000]);
  });
});

/** To user mode, with only that open which entries say. */
const toUser = (label: string) => enter(0, label);

describe.each(TIERS)("an access that is not allowed, in the %s", (tier) => {
  test("faults by its own kind, with its address: user code that may only fetch", () => {
    const open = (permissions: number, then: string) => `
  li t0, -1
  csrw pmpaddr0, t0
  li t0, ${NAPOT | permissions}
  csrw pmpcfg0, t0
  la s0, data
  ${toUser("user")}
user:
  ${then}
  .align 3
data: .dword 7`;
    const data = (machine: Machine) => x(machine, 8);
    const load = run(open(X, "ld s1, 0(s0)"), { tier });
    expect(trap(load).slice(0, 2)).toEqual([5n, data(load)]);
    const store = run(open(X | R, "ld s1, 0(s0)\nsd s1, 0(s0)"), { tier });
    expect(trap(store).slice(0, 2)).toEqual([7n, data(store)]);
    expect(x(store, 9)).toBe(7n);
    const fetch = run(open(R | W, "nop"), { tier });
    expect(trap(fetch)[0]).toBe(1n);
    expect(trap(fetch)[1]).toBe(trap(fetch)[2]);
  });

  test("is found inside a page of which the rest is open: fetch runs up to the very byte", () => {
    // The first 0x1000 bytes are all open but four: a jump target whose second half is closed is at fault at its second half.
    const machine = run(
      `
  la t0, closed
  srli t0, t0, 2
  csrw pmpaddr0, t0
  li t0, -1
  csrw pmpaddr1, t0
  li t0, ${((NAPOT | R | W | X) << 8) | NA4 | R}
  csrw pmpcfg0, t0
  ${toUser("user")}
  .align 3
user:
  c.nop
  c.nop
  c.nop
  .half 0x0513
closed:
  .half 0x0010
  .half 0x0001`,
      { tier },
    );
    const [cause, value, pc] = trap(machine);
    expect(cause).toBe(1n);
    expect(value).toBe(pc + 2n);
  });

  test("is found at a load beside what is closed in the page, in machine mode too where it is locked", () => {
    const source = (offset: number) => `
  la s0, data
  srli t0, s0, 2
  csrw pmpaddr0, t0
  li t0, ${L | NA4 | X}
  csrw pmpcfg0, t0
  lw s1, 4(s0)
  lw s1, ${offset}(s0)
  li s2, 1
  j stop
  .align 3
  .dword 1
data: .dword 7`;
    const beside = run(source(-4), { tier });
    expect(x(beside, 18)).toBe(1n);
    for (const offset of [0, -1, 3]) {
      const machine = run(source(offset), { tier });
      expect(trap(machine).slice(0, 2), String(offset)).toEqual([5n, x(machine, 8) + BigInt(offset)]);
    }
  });

  test("is checked with MPP's mode under MPRV", () => {
    // No entry at all: machine mode may, user mode may not.
    const source =
      "la s0, data\nld s1, 0(s0)\nli t0, 0x1800\ncsrc mstatus, t0\nli t0, 0x20000\ncsrs mstatus, t0\nld s1, 0(s0)\n.align 3\ndata: .dword 7";
    const machine = run(source, { tier });
    expect(trap(machine).slice(0, 2)).toEqual([5n, x(machine, 8)]);
  });

  test("of a walk is an access fault of what walked, not a page fault", () => {
    // The root table at 0x80010000 is closed to the supervisor's walk, and its own pages are open.
    const source = `
  li t0, ${(0x8001_0000 / 4) | 0x1ff}
  csrw pmpaddr0, t0
  li t0, -1
  csrw pmpaddr1, t0
  li t0, ${((NAPOT | R | W | X) << 8) | NAPOT}
  csrw pmpcfg0, t0
  li t0, ${(8n << 60n) | 0x8_0010n}
  csrw satp, t0
  li t0, 0x1800
  csrc mstatus, t0
  li t0, 0x20800
  csrs mstatus, t0
  li s0, 0x40000000
  ld s1, 0(s0)`;
    expect(trap(run(source, { tier })).slice(0, 2)).toEqual([5n, 0x4000_0000n]);
    expect(trap(run(source.replace("ld s1", "sd s1"), { tier })).slice(0, 2)).toEqual([7n, 0x4000_0000n]);
  });
});
