/**
 * Seeded random programs for tests that run two harts side by side: every row of the table, every register, operands that matter.
 *
 * @module
 */
import { CSRS } from "../isa/csr.ts";
import { INSTRUCTIONS } from "../isa/instructions.ts";

/** xorshift32: the same numbers everywhere. */
export class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed | 0 || 1;
  }
  /** 32 bits. */
  word(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }
  below(limit: number): number {
    return this.word() % limit;
  }
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}

const SPECIAL = [0n, 1n, 2n, 3n, 5n, 7n, 31n, 63n, 64n, 255n, 0x7fn, 0x80n, 0x7fffn, 0x8000n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0x1_0000_0000n,
  0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n, 0xffff_ffff_ffff_ffffn, 0xffff_ffff_8000_0000n, 0x5555_5555_5555_5555n, 0xaaaa_aaaa_aaaa_aaaan,
  // Floating point: one, infinity, NaNs quiet and signalling, the smallest and largest, boxed and not.
  0x3ff0_0000_0000_0000n, 0x7ff0_0000_0000_0000n, 0x7ff8_0000_0000_0000n, 0x7ff0_0000_0000_0001n, 0x0010_0000_0000_0000n, 0x7fef_ffff_ffff_ffffn,
  0xffff_ffff_3f80_0000n, 0xffff_ffff_7f80_0000n, 0xffff_ffff_7fc0_0000n, 0xffff_ffff_7f80_0001n, 0xffff_ffff_0000_0001n]; // biome-ignore format: a list

/** A register value: a special one, a random one, or an address in one of the windows. */
export function operand(random: Random, windows: readonly number[]): bigint {
  switch (random.below(4)) {
    case 0:
      return random.pick(SPECIAL);
    case 1:
      return (BigInt(random.word()) << 32n) | BigInt(random.word());
    default:
      return BigInt(random.pick(windows) + (random.below(3) === 0 ? random.below(4096) : random.below(512) * 8));
  }
}

/** Writes to these take the test's own ground away, so they come up with other registers in their place. */
const KEPT = new Set(["mtvec", "stvec", "medeleg", "mideleg", "mie", "sie"]);

/** One random instruction: of every row alike, with branch offsets small enough to stay in the program. */
export function instruction(random: Random): number {
  const row = random.pick(INSTRUCTIONS);
  let word = (row.match | (random.word() & ~row.mask)) >>> 0;
  if (row.effects.branches) word = (word & ~0xfe00_0f80) | (random.below(16) << 8);
  else if (row.effects.jumps && row.fields.includes("jimm20")) word = (word & 0xfff) | (random.below(32) << 22);
  if (row.fields.includes("csr")) {
    const csr = random.pick(CSRS);
    if (KEPT.has(csr.name)) return instruction(random);
    word = (word & 0x000f_ffff) | (csr.number << 20);
  }
  return word >>> 0;
}
