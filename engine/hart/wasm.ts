/**
 * A small WebAssembly emitter: the interpreter (and whatever else of the hart is wasm) is built from TypeScript at start-up.
 *
 * Code is a tree of bytes, flattened once. A library would cost 200 to 6,000 microseconds a module where this takes ten.
 *
 * Left out: names, tables, data segments, SIMD, exceptions. Nothing here checks types; `WebAssembly.Module` does.
 * Source: WebAssembly Core Specification 2.0, chapter 5 "Binary Format".
 *
 * @module
 */

/** Bytes of wasm, as a tree: expressions nest without copying. */
export type Code = number | readonly Code[];

/** Value types. */
export const I32 = 0x7f;
export const I64 = 0x7e;
export const F32 = 0x7d;
export const F64 = 0x7c;
export type ValueType = typeof I32 | typeof I64 | typeof F32 | typeof F64;
/** The block type of a block without a result. */
export const NONE = 0x40;

/** Unsigned LEB128. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return bytes;
}

/** Signed LEB128. */
export function signed(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    if ((rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0)) {
      bytes.push(low);
      return bytes;
    }
    bytes.push(low | 0x80);
  }
}

const binary =
  (opcode: number) =>
  (a: Code, b: Code): Code => [a, b, opcode];
const unary =
  (opcode: number) =>
  (a: Code): Code => [a, opcode];
const load =
  (opcode: number) =>
  (address: Code, offset = 0): Code => [address, opcode, 0, unsigned(offset)];
const store =
  (opcode: number) =>
  (address: Code, value: Code, offset = 0): Code => [address, value, opcode, 0, unsigned(offset)];

const smallConstants: Code[] = Array.from({ length: 128 }, (_, value) => [0x41, ...signed(BigInt(value))]);

/** 32-bit integer instructions. Loads and stores claim alignment 1, which costs nothing and is always true. */
export const i32 = {
  const: (value: number): Code => (value >= 0 && value < 128 ? (smallConstants[value] ?? []) : [0x41, signed(BigInt(value | 0))]),
  eqz: unary(0x45), eq: binary(0x46), ne: binary(0x47), ltS: binary(0x48), ltU: binary(0x49), gtS: binary(0x4a), gtU: binary(0x4b),
  leS: binary(0x4c), leU: binary(0x4d), geS: binary(0x4e), geU: binary(0x4f),
  clz: unary(0x67), ctz: unary(0x68), popcnt: unary(0x69),
  add: binary(0x6a), sub: binary(0x6b), mul: binary(0x6c), divS: binary(0x6d), divU: binary(0x6e), remS: binary(0x6f), remU: binary(0x70),
  and: binary(0x71), or: binary(0x72), xor: binary(0x73), shl: binary(0x74), shrS: binary(0x75), shrU: binary(0x76), rotl: binary(0x77), rotr: binary(0x78),
  wrapI64: unary(0xa7), reinterpretF32: unary(0xbc), extend8S: unary(0xc0), extend16S: unary(0xc1),
  load: load(0x28), load8S: load(0x2c), load8U: load(0x2d), load16S: load(0x2e), load16U: load(0x2f),
  store: store(0x36), store8: store(0x3a), store16: store(0x3b),
} as const; // biome-ignore format: a table

/** 64-bit integer instructions. */
export const i64 = {
  const: (value: bigint | number): Code => [0x42, signed(BigInt.asIntN(64, BigInt(value)))],
  eqz: unary(0x50), eq: binary(0x51), ne: binary(0x52), ltS: binary(0x53), ltU: binary(0x54), gtS: binary(0x55), gtU: binary(0x56),
  leS: binary(0x57), leU: binary(0x58), geS: binary(0x59), geU: binary(0x5a),
  clz: unary(0x79), ctz: unary(0x7a), popcnt: unary(0x7b),
  add: binary(0x7c), sub: binary(0x7d), mul: binary(0x7e), divS: binary(0x7f), divU: binary(0x80), remS: binary(0x81), remU: binary(0x82),
  and: binary(0x83), or: binary(0x84), xor: binary(0x85), shl: binary(0x86), shrS: binary(0x87), shrU: binary(0x88), rotl: binary(0x89), rotr: binary(0x8a),
  extendI32S: unary(0xac), extendI32U: unary(0xad), reinterpretF64: unary(0xbd), extend8S: unary(0xc2), extend16S: unary(0xc3), extend32S: unary(0xc4),
  load: load(0x29), load8S: load(0x30), load8U: load(0x31), load16S: load(0x32), load16U: load(0x33), load32S: load(0x34), load32U: load(0x35),
  store: store(0x37), store8: store(0x3c), store16: store(0x3d), store32: store(0x3e),
  /** Conversions that cannot trap. */
  truncSatF32S: (a: Code): Code => [a, 0xfc, 4], truncSatF32U: (a: Code): Code => [a, 0xfc, 5],
  truncSatF64S: (a: Code): Code => [a, 0xfc, 6], truncSatF64U: (a: Code): Code => [a, 0xfc, 7],
} as const; // biome-ignore format: a table

const float = (base: number, compare: number) => ({
  eq: binary(compare), ne: binary(compare + 1), lt: binary(compare + 2), gt: binary(compare + 3), le: binary(compare + 4), ge: binary(compare + 5),
  abs: unary(base), neg: unary(base + 1), ceil: unary(base + 2), floor: unary(base + 3), trunc: unary(base + 4), nearest: unary(base + 5), sqrt: unary(base + 6),
  add: binary(base + 7), sub: binary(base + 8), mul: binary(base + 9), div: binary(base + 10), min: binary(base + 11), max: binary(base + 12), copysign: binary(base + 13),
}); // biome-ignore format: a table
export const f32 = {
  ...float(0x8b, 0x5b), load: load(0x2a), store: store(0x38), reinterpretI32: unary(0xbe), demoteF64: unary(0xb6),
  convertI32S: unary(0xb2), convertI32U: unary(0xb3), convertI64S: unary(0xb4), convertI64U: unary(0xb5),
} as const; // biome-ignore format: a table
export const f64 = {
  ...float(0x99, 0x61), load: load(0x2b), store: store(0x39), reinterpretI64: unary(0xbf), promoteF32: unary(0xbb),
  convertI32S: unary(0xb7), convertI32U: unary(0xb8), convertI64S: unary(0xb9), convertI64U: unary(0xba),
} as const; // biome-ignore format: a table

/** Codes that occur all the time are made once. */
const reads: Code[] = Array.from({ length: 128 }, (_, local) => [0x20, ...unsigned(local)]);
export const get = (local: number): Code => reads[local] ?? [0x20, unsigned(local)];
export const set = (local: number, value: Code): Code => [value, 0x21, unsigned(local)];
export const tee = (local: number, value: Code): Code => [value, 0x22, unsigned(local)];
export const call = (func: number, ...args: Code[]): Code => [args, 0x10, unsigned(func)];
export const br = (depth: number): Code => [0x0c, unsigned(depth)];
export const brIf = (depth: number, condition: Code): Code => [condition, 0x0d, unsigned(depth)];
export const brTable = (index: Code, depths: readonly number[], otherwise: number): Code => [
  index, 0x0e, unsigned(depths.length), depths.map((depth) => unsigned(depth)), unsigned(otherwise),
]; // biome-ignore format: one instruction
export const block = (body: Code, result: number = NONE): Code => [0x02, result, body, 0x0b];
export const loop = (body: Code, result: number = NONE): Code => [0x03, result, body, 0x0b];
export const when = (condition: Code, then: Code, otherwise?: Code, result: number = NONE): Code =>
  otherwise === undefined
    ? [condition, 0x04, result, then, 0x0b]
    : [condition, 0x04, result, then, 0x05, otherwise, 0x0b];
export const select = (then: Code, otherwise: Code, condition: Code): Code => [then, otherwise, condition, 0x1b];
export const drop = (value: Code): Code => [value, 0x1a];
export const leave = (value: Code = []): Code => [value, 0x0f];

/** Where code is flattened to; it grows and is kept. */
let buffer = new Uint8Array(1 << 16);
let filled = 0;

function flatten(code: Code): void {
  if (typeof code === "number") {
    if (filled === buffer.length) {
      const larger = new Uint8Array(2 * buffer.length);
      larger.set(buffer);
      buffer = larger;
    }
    buffer[filled++] = code;
    return;
  }
  for (let i = 0; i < code.length; i++) flatten(code[i]!);
}
/** The bytes of code, behind their length. */
function measured(code: Code): Uint8Array {
  const start = filled;
  flatten(code);
  const bytes = buffer.slice(start, filled);
  filled = start;
  return bytes;
}

/** One function of a module. Locals are numbered behind the parameters. */
export interface FunctionSpec {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
  readonly locals: readonly ValueType[];
  readonly body: Code;
  /** The name it is exported by, if it is. */
  readonly export?: string;
}

/** A function that the host gives. Imported functions are numbered before the module's own. */
export interface ImportSpec {
  readonly module: string;
  readonly name: string;
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** What a module is made of. Its memory is always imported, as `env.memory`. */
export interface ModuleSpec {
  readonly imports?: readonly ImportSpec[];
  readonly functions: readonly FunctionSpec[];
  /** The type of the functions in the table `env.table`, which is then imported; {@link callIndirect} calls them. */
  readonly table?: { readonly params: readonly ValueType[]; readonly results: readonly ValueType[] };
}

/** Calls the table's function `index`. The table's type is numbered 0 in a module that has one. */
export const callIndirect = (index: Code, ...args: Code[]): Code => [args, index, 0x11, 0, 0];

/** Locals as runs of one type. */
function runs(locals: readonly ValueType[]): Code[] {
  const out: [number, ValueType][] = [];
  for (const type of locals) {
    const last = out.at(-1);
    if (last?.[1] === type) last[0]++;
    else out.push([1, type]);
  }
  return out.map(([count, type]): Code => [unsigned(count), type]);
}

const vector = (items: readonly Code[]): Code => [unsigned(items.length), items];
const text = (value: string): Code => vector([...new TextEncoder().encode(value)]);

const section = (id: number, content: Code): Uint8Array[] => sectionOf(id, [measured(content)]);
function sectionOf(id: number, parts: readonly Uint8Array[]): Uint8Array[] {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return [Uint8Array.from([id, ...unsigned(length)]), ...parts];
}

/** Assembles a module's bytes. */
export function assembleModule(spec: ModuleSpec): Uint8Array<ArrayBuffer> {
  const imports = spec.imports ?? [];
  const typed = [...(spec.table === undefined ? [] : [spec.table]), ...imports, ...spec.functions];
  const types = typed.map((f): Code => [0x60, vector([...f.params]), vector([...f.results])]);
  const first = spec.table === undefined ? 0 : 1;
  const table: Code[] = spec.table === undefined ? [] : [[text("env"), text("table"), 1, 0x70, 0, 0]];
  const bodies = spec.functions.flatMap((f): Uint8Array[] => {
    const bytes = measured([vector(runs(f.locals)), f.body, 0x0b]);
    return [Uint8Array.from(unsigned(bytes.length)), bytes];
  });
  const exports = spec.functions.flatMap((f, i): Code[] =>
    f.export === undefined ? [] : [[text(f.export), 0, unsigned(imports.length + i)]],
  );
  const out = [
    Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0),
    ...section(1, vector(types)),
    ...section(
      2,
      vector([
        [text("env"), text("memory"), 2, 0, 1],
        ...table,
        ...imports.map((f, i): Code => [text(f.module), text(f.name), 0, unsigned(first + i)]),
      ]),
    ),
    ...section(3, vector(spec.functions.map((_, i) => unsigned(first + imports.length + i)))),
    ...section(7, vector(exports)),
    ...sectionOf(10, [Uint8Array.from(unsigned(spec.functions.length)), ...bodies]),
  ];
  let length = 0;
  for (const part of out) length += part.length;
  const module = new Uint8Array(length);
  let at = 0;
  for (const part of out) {
    module.set(part, at);
    at += part.length;
  }
  return module;
}
