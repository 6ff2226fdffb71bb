/**
 * Round numbers for a linear axis that starts at nothing, found with + × ÷ only: logarithms differ in their last bits between engines.
 *
 * @module
 */

/** @returns Ticks from 0 to the first one that is not below `max`, at most `count` + 1 of them, 1, 2 or 5 times a power of ten apart. */
export function ticks(max: number, count: number): number[] {
  const step = tickStep(max, count);
  const steps = Math.max(1, Math.ceil(max / step - 1e-9));
  return Array.from({ length: steps + 1 }, (_, index) => tidy(index * step));
}

function tickStep(max: number, count: number): number {
  let power = 1;
  while (power * count < max) power *= 10;
  while (power > 1e-6 && (power / 10) * count >= max) power /= 10;
  // The smallest of 1, 2, 5 and 10 tenths of the power that needs no more than `count` steps.
  for (const part of [0.1, 0.2, 0.5]) {
    if (power * part * count >= max) return power * part;
  }
  return power;
}

/** Takes away what binary fractions add to 0.1 × 3. */
function tidy(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
