import { describe, expect, test } from "vitest";
import { extended, type Profile, strict } from "../isa/profile.ts";
import { enter, entries, OPEN, ROOT, run, satp, TIERS, trap, x } from "./bare.fixture.ts";
import { RAM_BASE } from "./memory.ts";

const DATA = RAM_BASE + 0x8000;
const [CBIE, CBCFE, CBZE] = [0x30, 0x40, 0x80];
/** Fills the block at DATA and its neighbours with ones. */
const FILL = `li t0, ${DATA - 64}\nli t1, -1\nli t2, ${DATA + 128}\nfill: sd t1, 0(t0)\naddi t0, t0, 8\nbltu t0, t2, fill\n`;

// "CMO Extensions for Base Cache Management Operation ISA".
describe.each(TIERS)("cbo.zero, in the %s", (tier) => {
  const at = (body: string, profile: Profile = extended) =>
    run(`${FILL}li t1, ${DATA}\n${body}\necall`, { tier, profile });
  const doublewords = (machine: ReturnType<typeof run>) =>
    Array.from({ length: 24 }, (_, i) => machine.parts.platform.memory.read(DATA - 64 + 8 * i, 8) === 0n);
  const block = [...Array(8).fill(false), ...Array(8).fill(true), ...Array(8).fill(false)];

  test.each([0, 1, 37, 63])("zeroes the 64 bytes around an address at offset %i, and no more", (offset) => {
    const machine = at(`addi t1, t1, ${offset}\ncbo.zero (t1)`);
    expect(trap(machine)[0]).toBe(11n);
    expect(doublewords(machine)).toEqual(block);
  });

  test("keeps the guest's own reservation, and is seen by code that runs from the block", () => {
    const kept = at("lr.d t2, (t1)\ncbo.zero (t1)\nsc.d s1, t1, (t1)");
    expect(x(kept, 9)).toBe(0n);
    const machine = at(
      "li t2, 0x00148493\nsw t2, 0(t1)\nli t2, 0x8082\nsh t2, 4(t1)\njalr t1\njalr t1\ncbo.zero (t1)\njalr t1",
    );
    expect(x(machine, 9)).toBe(2n);
    // Zeros are no instruction.
    expect(trap(machine)).toEqual([2n, 0n, BigInt(DATA)]);
  });

  test("faults as a store does, with the address that rs1 holds", () => {
    expect(trap(at("li t1, 0x20000025\ncbo.zero (t1)")).slice(0, 2)).toEqual([7n, 0x2000_0025n]);
    expect(trap(at("li t1, 0x10001004\ncbo.zero (t1)")).slice(0, 2)).toEqual([7n, 0x1000_1004n]);
    const paged = (flags: number) =>
      trap(
        run(
          `${OPEN}li t0, ${CBZE}\ncsrw menvcfg, t0\n${entries([ROOT + 16, RAM_BASE, 0xcf], [ROOT + 8, ROOT + 0x1000, 1], [ROOT + 0x1000, ROOT + 0x2000, 1], [ROOT + 0x2000, DATA, flags])}${satp(8)}${enter(1, "inside")}inside:\nli t1, 0x40000009\ncbo.zero (t1)\necall`,
          { tier, profile: extended },
        ),
      ).slice(0, 2);
    expect(paged(0xc7)).toEqual([9n, 0n]);
    expect(paged(0xc3)).toEqual([15n, 0x4000_0009n]);
    expect(paged(0x47)).toEqual([15n, 0x4000_0009n]);
  });
});

describe.each(TIERS)("cbo.clean, cbo.flush and cbo.inval, in the %s", (tier) => {
  const of = (mnemonic: string, address: string) =>
    trap(run(`li t1, ${address}\n${mnemonic} (t1)\necall`, { tier, profile: extended })).slice(0, 2);

  test.each(["cbo.clean", "cbo.flush", "cbo.inval"])(
    "%s changes nothing in memory or at a device, and is a store fault where nothing lies",
    (mnemonic) => {
      expect(of(mnemonic, String(DATA + 5))).toEqual([11n, 0n]);
      expect(of(mnemonic, "0x10001000")).toEqual([11n, 0n]);
      expect(of(mnemonic, "0x20000025")).toEqual([7n, 0x2000_0025n]);
      const machine = run(`${FILL}li t1, ${DATA}\n${mnemonic} (t1)\nld s1, 0(t1)\necall`, { tier, profile: extended });
      expect(x(machine, 9)).toBe(2n ** 64n - 1n);
    },
  );

  test("need a page that may be read, and fault as stores", () => {
    const paged = (mnemonic: string, flags: number) =>
      trap(
        run(
          `${OPEN}li t0, 0xf0\ncsrw menvcfg, t0\n${entries([ROOT + 16, RAM_BASE, 0xcf], [ROOT + 8, ROOT + 0x1000, 1], [ROOT + 0x1000, ROOT + 0x2000, 1], [ROOT + 0x2000, DATA, flags])}${satp(8)}${enter(1, "inside")}inside:\nli t1, 0x40000009\n${mnemonic} (t1)\necall`,
          { tier, profile: extended },
        ),
      ).slice(0, 2);
    for (const mnemonic of ["cbo.clean", "cbo.flush", "cbo.inval"]) {
      expect(paged(mnemonic, 0x43), mnemonic).toEqual([9n, 0n]);
      expect(paged(mnemonic, 0x49), mnemonic).toEqual([15n, 0x4000_0009n]);
      expect(paged(mnemonic, 0x53), mnemonic).toEqual([15n, 0x4000_0009n]);
    }
  });
});

// "Machine Environment Configuration (menvcfg) Register": CBIE, CBCFE, CBZE; and senvcfg's for user mode.
describe("who may", () => {
  /** The mnemonics that are legal, of a mode with these environments. */
  const legal = (mode: 0 | 1 | 3, menvcfg: number, senvcfg: number): string[] =>
    ["cbo.inval", "cbo.clean", "cbo.flush", "cbo.zero"].filter((mnemonic) => {
      const go = mode === 3 ? "inside:\n" : `${enter(mode, "inside")}inside:\n`;
      const machine = run(
        `${OPEN}li t0, ${menvcfg}\ncsrw menvcfg, t0\nli t0, ${senvcfg}\ncsrw senvcfg, t0\n${go}li t1, ${DATA}\n${mnemonic} (t1)\necall`,
        { profile: extended },
      );
      return trap(machine)[0] !== 2n;
    });
  const [inval, clean, flush, zero] = ["cbo.inval", "cbo.clean", "cbo.flush", "cbo.zero"] as const;

  test("machine mode: all, always", () => {
    expect(legal(3, 0, 0)).toEqual([inval, clean, flush, zero]);
  });

  test("the supervisor: what menvcfg says, whatever senvcfg does", () => {
    expect(legal(1, 0, 0xf0)).toEqual([]);
    expect(legal(1, CBIE, 0)).toEqual([inval]);
    expect(legal(1, 0x10, 0)).toEqual([inval]);
    expect(legal(1, CBCFE, 0)).toEqual([clean, flush]);
    expect(legal(1, CBZE, 0)).toEqual([zero]);
  });

  test("the user: what both say", () => {
    expect(legal(0, 0xf0, 0)).toEqual([]);
    expect(legal(0, 0, 0xf0)).toEqual([]);
    expect(legal(0, 0xf0, CBIE | CBZE)).toEqual([inval, zero]);
    expect(legal(0, CBCFE | CBZE, 0xf0)).toEqual([clean, flush, zero]);
  });

  test("nobody, on a machine without them", () => {
    for (const mnemonic of [inval, clean, flush, zero])
      expect(trap(run(`li t1, ${DATA}\n${mnemonic} (t1)`, { profile: strict }))[0]).toBe(2n);
  });
});

// "Zawrs": both may end for any reason; wrs.nto is bound by TW only where it waits beyond a bound, which it never does here.
describe.each(TIERS)("wrs.nto and wrs.sto, in the %s", (tier) => {
  test("end at once, and are a step each, in every mode and with TW too", () => {
    for (const mode of [0, 1] as const) {
      const machine = run(
        `${OPEN}li t0, 0x200000\ncsrs mstatus, t0\n${enter(mode, "inside")}inside:\nli t1, ${DATA}\nlr.w t2, (t1)\nwrs.nto\nwrs.sto\necall`,
        { tier, profile: extended },
      );
      expect(trap(machine)[0]).toBe(BigInt(8 + mode));
    }
    const counted = run("rdinstret s1\nwrs.nto\nwrs.sto\nrdinstret s2\necall", { tier, profile: extended });
    expect(x(counted, 18) - x(counted, 9)).toBe(3n);
  });
});
