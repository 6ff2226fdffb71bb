/**
 * Named locals for hand-written wasm functions: arithmetic that keeps a dozen intermediate values is unreadable by number.
 *
 * Left out: reuse of locals, which the wasm compiler does better; control flow, which `wasm.ts` has.
 *
 * @module
 */
import type { Code, FunctionSpec, ValueType } from "../wasm.ts";
import { F32, F64, get, I32, I64, set, tee } from "../wasm.ts";

/** A parameter or local: its value now, and the code that sets it. */
export interface Local {
  readonly get: Code;
  set(value: Code): Code;
  tee(value: Code): Code;
}

/** Hands out locals of the function being written. */
export interface Locals {
  i32(): Local;
  i64(): Local;
  f32(): Local;
  f64(): Local;
}

/**
 * Writes one function.
 *
 * @param params Types of the parameters, which `body` receives as locals in the same order.
 * @param results Types of the results.
 * @param body Gives the code; whatever locals it asks for become the function's.
 * @returns The function for `assembleModule`, not exported.
 */
export function routine(
  params: readonly ValueType[],
  results: readonly ValueType[],
  body: (locals: Locals, ...params: Local[]) => Code,
): FunctionSpec {
  const types: ValueType[] = [];
  const local = (index: number): Local => ({
    get: get(index),
    set: (value) => set(index, value),
    tee: (value) => tee(index, value),
  });
  const fresh = (type: ValueType) => () => local(params.length + types.push(type) - 1);
  const locals: Locals = { i32: fresh(I32), i64: fresh(I64), f32: fresh(F32), f64: fresh(F64) };
  const code = body(locals, ...params.map((_, index) => local(index)));
  return { params, results, locals: types, body: code };
}
