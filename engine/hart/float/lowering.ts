/**
 * F and D arithmetic as wasm functions, to be placed in the module of whoever executes the instructions, so that no
 * JavaScript is called.
 *
 * `arithmetic.ts` and `conversion.ts` hold the fast paths, `soft.ts` everything they do not take.
 *
 * Left out: sign injection and moves, which only copy bits; NaN boxing; DYN rounding and reserved modes, which the
 * caller resolves or traps on.
 *
 * @module
 */
import type { FunctionSpec } from "../wasm.ts";
import { call, i32 } from "../wasm.ts";
import { arithmetic } from "./arithmetic.ts";
import { conversions } from "./conversion.ts";
import type { Context } from "./layout.ts";
import { LAYOUTS } from "./layout.ts";
import type { FloatFunction } from "./operation.ts";
import { FLOAT_FUNCTIONS, FORMAT_NAMES, NX } from "./operation.ts";
import { SOFT, softFunctions } from "./soft.ts";

/**
 * The functions of every operation in both formats, and the inner ones they call.
 *
 * A function takes its operands as i64 (raw bits, zero-extended for `s`; an x register for `from-*`), then the rounding
 * mode 0 to 4 as an i32, which comparisons and other operations that never round ignore. It returns an i64: raw bits
 * (zero-extended for `s`) or the value of an x register. Flags are ORed into the sticky word.
 *
 * @param base Index of the first of these functions in the module; the others follow it.
 * @param fflagsAddress Address in linear memory of the sticky word, a u32 laid out as `fflags`.
 * @returns The functions in module order, none exported, and the index of each operation in each format.
 */
export function floatFunctions(
  base: number,
  fflagsAddress: number,
): { functions: FunctionSpec[]; index: Record<FloatFunction, number> } {
  const names = [...FORMAT_NAMES.flatMap((format) => SOFT.map((name) => `${name}.${format}`)), ...FLOAT_FUNCTIONS];
  const indexOf = new Map(names.map((name, place) => [name, base + place]));
  const flags = i32.load(i32.const(fflagsAddress));
  const specs = new Map<string, FunctionSpec>();
  for (const format of FORMAT_NAMES) {
    const context: Context = {
      layout: LAYOUTS[format],
      call: (name, ...args) => call(indexOf.get(`${name}.${format}`)!, ...args),
      raise: (raised) => i32.store(i32.const(fflagsAddress), i32.or(flags, raised)),
      inexactSticks: i32.and(flags, i32.const(NX)),
    };
    const all = { ...softFunctions(context), ...arithmetic(context), ...conversions(context) };
    for (const [name, spec] of Object.entries(all)) specs.set(`${name}.${format}`, spec);
  }
  return {
    functions: names.map((name) => specs.get(name)!),
    index: Object.fromEntries(FLOAT_FUNCTIONS.map((name) => [name, indexOf.get(name)!])) as Record<
      FloatFunction,
      number
    >,
  };
}
