/**
 * Instruction words for tests: pseudo-random, but the same every time.
 *
 * @module
 */
import type { Instruction } from "./instructions.ts";

/**
 * @param rows Each gives words with its own bits and random operands.
 * @param options `each`: how many a row; `wild`: how many further words of which only the low two bits are fixed.
 */
export function* wordsFrom(
  rows: readonly Instruction[],
  { seed, each, wild }: { readonly seed: number; readonly each: number; readonly wild: number },
): Generator<number> {
  let state = seed; // xorshift32, which never leaves zero: a seed is not 0.
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  for (const { match, mask } of rows) {
    for (let count = 0; count < each; count++) yield ((next() & ~mask) | match) >>> 0;
  }
  for (let count = 0; count < wild; count++) yield (next() | 3) >>> 0;
}
