/**
 * Pseudo-random numbers for generated programs: a seed gives the same program on every host.
 *
 * Source: Marsaglia, "Xorshift RNGs" (2003), 32 bits, triple 13, 17, 5.
 *
 * @module
 */

export class Seeded {
  #state: number;

  /** @param seed Any integer; neighbouring seeds give unlike streams. */
  constructor(seed: number) {
    this.#state = Math.imul(seed + 1, 0x9e37_79b1) | 0 || 1;
    for (let i = 0; i < 8; i++) this.word();
  }
  /** 32 bits, as an unsigned number. */
  word(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }
  /** 64 bits. */
  long(): bigint {
    return (BigInt(this.word()) << 32n) | BigInt(this.word());
  }
  /** From 0 to below `limit`. */
  below(limit: number): number {
    // The low bits of a xorshift are its weakest.
    return Math.floor((this.word() / 2 ** 32) * limit);
  }
  /** True in `percent` of a hundred cases. */
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError("Cannot pick as there must be something to pick from: no items");
    return items[this.below(items.length)]!;
  }
  /** Picks by weight. */
  weighted<T>(items: readonly (readonly [weight: number, item: T])[]): T {
    let rest = this.below(items.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, item] of items) {
      if (rest < weight) return item;
      rest -= weight;
    }
    throw new RangeError("Cannot pick by weight as the weights must be whole numbers: their sum is off");
  }
  /** A register number, x0 included. */
  register(): number {
    return this.below(32);
  }
  /** A register number other than x0 and those given. */
  other(...taken: readonly number[]): number {
    for (;;) {
      const register = 1 + this.below(31);
      if (!taken.includes(register)) return register;
    }
  }
}
