/**
 * What a hypercall answers, in a0 and a1.
 *
 * Source: RISC-V Supervisor Binary Interface Specification 2.0, chapter 3.
 *
 * @module
 */

/** Errors in a0, as the SBI numbers them. */
export const SUCCESS = 0n;
export const NOT_SUPPORTED = -2n;
export const INVALID_PARAM = -3n;
export const DENIED = -4n;
export const INVALID_ADDRESS = -5n;

export interface Answer {
  readonly error: bigint;
  readonly value: bigint;
}

export const answer = (error: bigint, value = 0n): Answer => ({ error, value });
