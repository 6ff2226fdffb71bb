/**
 * Operand values for generated programs: most random bit patterns never meet a tie, a cancellation or the end of a range.
 *
 * @module
 */
import type { Seeded } from "./seeded.ts";

const INTEGERS = [
  0n, 1n, 2n, 3n, 7n, 31n, 32n, 63n, 64n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0xffffn, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn,
  0x1_0000_0000n, 0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n, 0xffff_ffff_ffff_ffffn, 0xffff_ffff_8000_0000n, 0xffff_ffff_7fff_ffffn,
  0x5555_5555_5555_5555n, 0xaaaa_aaaa_aaaa_aaaan, 0xffff_ffff_ffff_ff80n, 0x8000_0000_0000_0001n,
]; // biome-ignore format: a list

/** A value for an x register. */
export function integer(random: Seeded): bigint {
  switch (random.below(5)) {
    case 0:
    case 1:
      return random.pick(INTEGERS);
    case 2:
      return BigInt.asUintN(64, (1n << BigInt(random.below(64))) + BigInt(random.below(3) - 1));
    case 3:
      return BigInt.asUintN(64, BigInt.asIntN(64, random.long()) >> BigInt(random.below(64)));
    default:
      return random.long();
  }
}

interface Format {
  readonly fractionBits: number;
  readonly exponentBits: number;
}
const SINGLE: Format = { fractionBits: 23, exponentBits: 8 };
const DOUBLE: Format = { fractionBits: 52, exponentBits: 11 };

function float(random: Seeded, { fractionBits, exponentBits }: Format): bigint {
  const top = 2 ** exponentBits - 1;
  const bias = (top - 1) / 2;
  const near = (centre: number, spread: number) => centre - spread + random.below(2 * spread + 1);
  const exponent = random.weighted<() => number>([
    [1, () => 0],
    [1, () => top],
    [4, () => near(bias, 3)],
    [3, () => near(bias, fractionBits + 3)],
    [1, () => near(bias + 31, 34)],
    [1, () => 1 + random.below(3)],
    [1, () => top - 1 - random.below(3)],
    // Products and quotients of these lie where results turn subnormal, or overflow.
    [1, () => near(Math.floor(bias / 2), 2)],
    [1, () => near(bias + Math.floor(bias / 2), 2)],
    [1, () => near(fractionBits, 3)],
    [1, () => random.below(top + 1)],
  ])();
  const ones = (1n << BigInt(fractionBits)) - 1n;
  const bit = () => 1n << BigInt(random.below(fractionBits));
  const fraction = random.weighted<() => bigint>([
    [3, () => 0n],
    [1, () => ones],
    [1, () => 1n],
    [1, () => 1n << BigInt(fractionBits - 1)],
    [2, () => bit()],
    [1, () => bit() | 1n],
    [1, () => ones ^ (bit() - 1n)],
    [4, () => random.long()],
  ])();
  const field = BigInt(Math.max(0, Math.min(top, exponent)));
  return (
    (BigInt(random.below(2)) << BigInt(fractionBits + exponentBits)) |
    (field << BigInt(fractionBits)) |
    (fraction & ones)
  );
}

/** A value for an f register: a double, a boxed single, or a single that is not boxed right. */
export function floating(random: Seeded): bigint {
  switch (random.below(16)) {
    case 0:
      return float(random, SINGLE) | (random.long() & 0xffff_ffff_0000_0000n);
    case 1:
      return integer(random);
    default:
      return random.chance(50) ? float(random, DOUBLE) : 0xffff_ffff_0000_0000n | float(random, SINGLE);
  }
}
