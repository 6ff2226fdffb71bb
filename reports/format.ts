/**
 * Numbers as people read them, the same on every machine: no locale has a say.
 *
 * @module
 */

/** @returns The whole number nearest, with commas between thousands. */
export function formatCount(value: number): string {
  return group(value.toFixed(0));
}

/** @returns A whole number as it is; another one with as many decimals as leave it about three digits. */
export function formatAmount(value: number): string {
  if (Number.isSafeInteger(value)) return group(value.toFixed(0));
  return group(value.toFixed(value < 0.095 ? 3 : value < 0.95 ? 2 : value < 99.95 ? 1 : 0));
}

/** @returns A number of exits in words: 1 exit, 2.5 exits. */
export function formatExits(value: number): string {
  return value === 1 ? "1 exit" : `${formatAmount(value)} exits`;
}

/** @returns A ratio with three digits that mean something, such as 1.00×, 12.3× or 1,234×. */
export function formatRatio(value: number): string {
  return `${formatRatioNumber(value)}\u00d7`;
}

/** @returns As `formatRatio`, without the sign. */
export function formatRatioNumber(value: number): string {
  return group(value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0));
}

/** @returns A share of one in per cent. */
export function formatShare(value: number): string {
  const percent = value * 100;
  return `${percent.toFixed(percent !== 0 && percent < 9.95 ? 1 : 0)} %`;
}

function group(digits: string): string {
  const [whole = "", ...decimals] = digits.split(".");
  return [whole.replace(/\B(?=(?:\d{3})+$)/g, ","), ...decimals].join(".");
}
