/**
 * A hash of memory in wasm, so that whole-state digests are cheap: four 64-bit lanes, each step a bijection of the lane,
 * so that two inputs that differ in one place never hash alike.
 *
 * It finds accidents, not forgeries: what is published is identified by SHA-256 as well.
 *
 * @module
 */
import * as at from "./layout.ts";
import { br, type Code, type FunctionSpec, get, I32, I64, i32, i64, loop, set, when } from "./wasm.ts";

// Odd constants with well-mixed bits: the fractional parts of the golden ratio and of the square roots of 2, 3 and 5.
const A = 0x9e3779b97f4a7c15n;
const B = 0x6a09e667f3bcc909n;
const C = 0xbb67ae8584caa73bn;
const D = 0x3c6ef372fe94f82bn;

const [ADDRESS, LENGTH, SEED, FIRST_LANE] = [0, 1, 2, 3];

const absorb = (lane: number, k: number): Code =>
  set(
    lane,
    i64.mul(
      i64.rotl(i64.xor(get(lane), i64.mul(i64.load(get(ADDRESS), 8 * k), i64.const(A))), i64.const(31)),
      i64.const(B),
    ),
  );
const mix = (value: Code, shift: number, factor: bigint): Code =>
  i64.mul(i64.xor(value, i64.const(shift)), i64.const(factor));

/** (address, length in bytes, seed): leaves the hash at {@link at.SCRATCH}. The length is a multiple of 32. */
export const pageHashFunction: FunctionSpec = {
  params: [I32, I32, I32],
  results: [],
  locals: [I64, I64, I64, I64, I64],
  export: "hash",
  body: [
    [A, B, C, D].map((constant, k) => set(FIRST_LANE + k, mix(i64.extendI32U(get(SEED)), k + 1, constant))),
    set(FIRST_LANE + 4, i64.mul(i64.extendI32U(get(LENGTH)), i64.const(D))),
    when(
      get(LENGTH),
      loop([
        [0, 1, 2, 3].map((k) => absorb(FIRST_LANE + k, k)),
        set(ADDRESS, i32.add(get(ADDRESS), i32.const(32))),
        set(LENGTH, i32.sub(get(LENGTH), i32.const(32))),
        when(get(LENGTH), br(1)),
      ]),
    ),
    [0, 1, 2, 3].map((k) =>
      set(
        FIRST_LANE + 4,
        i64.mul(
          i64.rotl(i64.xor(get(FIRST_LANE + 4), i64.rotl(get(FIRST_LANE + k), i64.const(17 * k))), i64.const(27)),
          i64.const(C),
        ),
      ),
    ),
    set(FIRST_LANE + 4, i64.xor(get(FIRST_LANE + 4), i64.shrU(get(FIRST_LANE + 4), i64.const(32)))),
    i64.store(i32.const(0), i64.mul(get(FIRST_LANE + 4), i64.const(A)), at.SCRATCH),
  ],
};
