import { describe, expect, test } from "vitest";
import { createMachine } from "../create.ts";
import { assemble } from "../isa/assemble.ts";
import { encode } from "../isa/encode.ts";
import { findInstruction, INSTRUCTIONS } from "../isa/instructions.ts";
import { extended, strict } from "../isa/profile.ts";
import { native } from "../techniques/native.ts";
import type { Tier } from "./hart.ts";
import { RAM_BASE } from "./memory.ts";

const MASK = 2n ** 64n - 1n;
const signed = (value: bigint) => BigInt.asIntN(64, value);
const word = (value: bigint) => BigInt.asIntN(32, value) & MASK;
const low = (value: bigint) => value & 0xffff_ffffn;
/** Bits from the most significant down, as a string to look at. */
const digits = (value: bigint, width: number) => (value & (2n ** BigInt(width) - 1n)).toString(2).padStart(width, "0");
const rotate = (value: bigint, right: number, width: number) => {
  const text = digits(value, width);
  return BigInt(`0b${text.slice(width - right)}${text.slice(0, width - right)}`);
};
const zerosFirst = (text: string) => BigInt(text.indexOf("1") < 0 ? text.length : text.indexOf("1"));
const reversed = (text: string) => [...text].reverse().join("");
const ones = (text: string) => BigInt([...text].filter((digit) => digit === "1").length);
const bytes = (value: bigint) => Array.from({ length: 8 }, (_, i) => (value >> BigInt(8 * i)) & 0xffn);
const fromBytes = (list: readonly bigint[]) => list.reduce((value, byte, i) => value | (byte << BigInt(8 * i)), 0n);

/** What the manual's SAIL has each instruction compute, told another way; `b` is the second register or the immediate. */
const EXPECTED: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  "add.uw": (a, b) => b + low(a),
  sh1add: (a, b) => b + 2n * a,
  sh2add: (a, b) => b + 4n * a,
  sh3add: (a, b) => b + 8n * a,
  "sh1add.uw": (a, b) => b + 2n * low(a),
  "sh2add.uw": (a, b) => b + 4n * low(a),
  "sh3add.uw": (a, b) => b + 8n * low(a),
  "slli.uw": (a, b) => low(a) << b,
  andn: (a, b) => a & (MASK - b),
  orn: (a, b) => a | (MASK - b),
  xnor: (a, b) => MASK - (a ^ b),
  clz: (a) => zerosFirst(digits(a, 64)),
  clzw: (a) => zerosFirst(digits(a, 32)),
  ctz: (a) => zerosFirst(reversed(digits(a, 64))),
  ctzw: (a) => zerosFirst(reversed(digits(a, 32))),
  cpop: (a) => ones(digits(a, 64)),
  cpopw: (a) => ones(digits(a, 32)),
  max: (a, b) => (signed(a) > signed(b) ? a : b),
  maxu: (a, b) => (a > b ? a : b),
  min: (a, b) => (signed(a) < signed(b) ? a : b),
  minu: (a, b) => (a < b ? a : b),
  "sext.b": (a) => BigInt.asIntN(8, a),
  "sext.h": (a) => BigInt.asIntN(16, a),
  "zext.h": (a) => a & 0xffffn,
  rol: (a, b) => rotate(a, (64 - Number(b & 63n)) % 64, 64),
  rolw: (a, b) => word(rotate(a, (32 - Number(b & 31n)) % 32, 32)),
  ror: (a, b) => rotate(a, Number(b & 63n), 64),
  rori: (a, b) => rotate(a, Number(b), 64),
  roriw: (a, b) => word(rotate(a, Number(b), 32)),
  rorw: (a, b) => word(rotate(a, Number(b & 31n), 32)),
  "orc.b": (a) => fromBytes(bytes(a).map((byte) => (byte === 0n ? 0n : 0xffn))),
  rev8: (a) => fromBytes(bytes(a).reverse()),
  bclr: (a, b) => a & (MASK - 2n ** (b & 63n)),
  bclri: (a, b) => a & (MASK - 2n ** b),
  bext: (a, b) => (a / 2n ** (b & 63n)) % 2n,
  bexti: (a, b) => (a / 2n ** b) % 2n,
  binv: (a, b) => a ^ (2n ** (b & 63n)),
  binvi: (a, b) => a ^ (2n ** b),
  bset: (a, b) => a | (2n ** (b & 63n)),
  bseti: (a, b) => a | (2n ** b),
};

const OPERANDS = [0n, 1n, 0x80n, 0x8000n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0x1_0000_0000n, 0x0123_4567_89ab_cdefn, 0xfedc_ba98_7654_3210n, 0x8000_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn, MASK, 0x00ff_0080_0001_7f00n]; // biome-ignore format: a list
const COUNTS = [0n, 1n, 5n, 31n, 32n, 33n, 63n];

function machine(tier: Tier, profile = extended) {
  const kernel = assemble("j .", { base: BigInt(RAM_BASE) }).bytes;
  return createMachine({
    kernel,
    memoryBytes: 1 << 20,
    rtcSeconds: 0,
    machineMode: true,
    profile,
    technique: native,
    logging: false,
    tier,
  });
}

describe("Zba, Zbb and Zbs", () => {
  const rows = INSTRUCTIONS.filter(({ extension }) => ["zba", "zbb", "zbs"].includes(extension));

  test("have all their instructions", () => {
    expect(rows.map(({ mnemonic }) => mnemonic)).toEqual(Object.keys(EXPECTED));
  });

  test.each(["reference", "interpreter", "jit"] as const)("compute what the manual says in the %s", (tier) => {
    const target = machine(tier);
    const { hart, memory } = target.parts.platform;
    for (const row of rows) {
      const { mnemonic, immediate, fields } = row;
      const seconds =
        immediate !== undefined
          ? COUNTS.filter((count) => count < 2n ** BigInt(immediate.width))
          : fields.includes("rs2")
            ? [...OPERANDS, ...COUNTS]
            : [0n];
      for (const second of seconds) {
        const at = RAM_BASE + 0x1000;
        memory.write(
          at,
          4,
          BigInt(encode(row, { rd: 5, rs1: 6, rs2: 7, imm: Number(BigInt.asIntN(12, second)) & 63 })),
        );
        hart.written(at, 4);
        for (const first of OPERANDS) {
          hart.pc = BigInt(at);
          hart.x[6] = first;
          hart.x[7] = second;
          target.run(target.step + 1);
          expect(hart.x[5], `${mnemonic} of 0x${first.toString(16)} and 0x${second.toString(16)}`).toBe(
            EXPECTED[mnemonic]!(first, second) & MASK,
          );
        }
      }
    }
  });

  test.each(["reference", "interpreter", "jit"] as const)(
    "are illegal on a machine without them, in the %s",
    (tier) => {
      for (const mnemonic of ["sh1add", "cpop", "bset", "wrs.nto"]) {
        const target = machine(tier, strict);
        const { hart, memory, guest } = target.parts.platform;
        const bits = findInstruction(mnemonic)!.match;
        memory.write(RAM_BASE, 4, BigInt(bits));
        hart.written(RAM_BASE, 4);
        target.run(1);
        guest.read(0x342);
        expect([guest.low, guest.high], mnemonic).toEqual([2, 0]);
        guest.read(0x343);
        expect(guest.low, mnemonic).toBe(bits);
      }
    },
  );
});
