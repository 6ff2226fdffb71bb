/**
 * The interpreter: a wasm function with one handler an instruction, built at start-up from the rows of the ISA table.
 *
 * It runs decoded slots until its budget is used up or TypeScript must act. Registers and everything else live in linear memory (layout.ts).
 * Returning often is on purpose: a wasm function that never returns is never replaced by optimised code.
 *
 * @module
 */
import { INSTRUCTIONS } from "../isa/instructions.ts";
import { floatFunctions } from "./float/lowering.ts";
import { FLOAT_FUNCTIONS } from "./float/operation.ts";
import * as at from "./layout.ts";
import type { Callees } from "./lower.ts";
import { REGION_TYPE } from "./lower-region.ts";
import {
  ADDRESS, BUDGET, CODE, ENTRY, FETCH_TLB, OP, PAGE_PC, PC_BIAS, READ_TLB, SLOT, SLOT_BASE, SlotLowering, TARGET, TEMPORARIES, WRITE_TLB,
} from "./lower-slot.ts"; // biome-ignore format: a list of locals
import { pageHashFunction } from "./page-hash.ts";
import {
  assembleModule,
  block,
  br,
  brTable,
  type Code,
  callIndirect,
  type FunctionSpec,
  get,
  I32,
  I64,
  i32,
  i64,
  leave,
  loop,
  set,
  tee,
  when,
} from "./wasm.ts";

/** What the module exports. */
export interface InterpreterExports {
  /** Runs until the budget in the hart block is used up, or for one of the `EXIT_` reasons. */
  run(): number;
  /** Hashes `length` bytes (a multiple of 32) at a linear address into the 64 bits at `SCRATCH`. */
  hash(address: number, length: number, seed: number): void;
}

const local = (...types: readonly [number, typeof I32 | typeof I64][]) =>
  types.flatMap(([count, type]) => Array<typeof type>(count).fill(type));

/** The high half of an unsigned 64 x 64 product, by 32-bit parts. */
const mulhu: FunctionSpec = (() => {
  const [a, b, low, middle, cross] = [0, 1, 2, 3, 4];
  const lowOf = (v: number): Code => i64.and(get(v), i64.const(0xffffffffn));
  const highOf = (v: number): Code => i64.shrU(get(v), i64.const(32));
  return {
    params: [I64, I64],
    results: [I64],
    export: "mulhu",
    locals: [I64, I64, I64],
    body: [
      set(low, i64.mul(lowOf(a), lowOf(b))),
      set(middle, i64.add(i64.mul(highOf(a), lowOf(b)), highOf(low))),
      set(cross, i64.add(i64.mul(lowOf(a), highOf(b)), lowOf(middle))),
      i64.add(i64.add(i64.mul(highOf(a), highOf(b)), highOf(middle)), highOf(cross)),
    ],
  };
})();

const countWeightless = (by: 1 | -1): Code =>
  i32.store(i32.const(0), i32.add(i32.load(i32.const(0), at.WEIGHTLESS), i32.const(by)), at.WEIGHTLESS);

/** Ops that are the engine's own, and what their handlers do; `depth` is that of `$next` seen from the handler. */
function ownHandler(op: number, depth: { next: number; lookup: number; restart: number; again: number }): Code {
  const undo = set(BUDGET, i32.add(get(BUDGET), i32.const(1)));
  const exit = (code: number): Code => [set(CODE, i32.const(code)), br(depth.restart)];
  const index = i32.shrU(i32.sub(get(SLOT), get(SLOT_BASE)), i32.const(3));
  switch (op) {
    case at.OP_UNDECODED:
      return exit(at.EXIT_DECODE);
    case at.OP_PAGE_END:
      return [undo, set(TARGET, i64.add(get(PAGE_PC), i64.const(4096))), br(depth.lookup)];
    case at.OP_FRAMED:
    case at.OP_WEIGHTLESS: {
      // The true op's byte lies at the slot's index behind the page's slots.
      return [
        undo,
        countWeightless(1),
        set(OP, i32.load8U(i32.add(get(SLOT_BASE), index), at.TRUE_OPS)),
        br(depth.again),
      ];
    }
    case at.OP_REGION: {
      const trueOp = i32.load8U(i32.add(get(SLOT_BASE), index), at.TRUE_OPS);
      const number = i32.sub(
        i32.load16U(i32.add(get(SLOT_BASE), i32.shl(index, i32.const(1))), at.ENTRIES),
        i32.const(at.FIRST_ENTRY),
      );
      const block = i32.and(get(ENTRY), i32.const(0xff));
      return [
        undo,
        set(ENTRY, i32.load(i32.shl(number, i32.const(2)), at.ENTRY_TABLE)),
        set(
          CODE,
          callIndirect(
            i32.shrU(get(ENTRY), i32.const(8)),
            get(BUDGET),
            get(PAGE_PC),
            get(READ_TLB),
            get(WRITE_TLB),
            block,
          ),
        ),
        // A region that could not complete its first instruction, or had no budget for its first block, leaves that to the interpreter.
        when(i32.eq(get(CODE), get(BUDGET)), [
          set(BUDGET, i32.sub(get(BUDGET), i32.const(1))),
          set(OP, trueOp),
          br(depth.again + 1),
        ]),
        set(BUDGET, get(CODE)),
        set(TARGET, i64.load(i32.const(0), at.PC)),
        br(depth.lookup),
      ];
    }
    case at.OP_ILLEGAL:
      return exit(at.EXIT_ILLEGAL);
    default:
      return exit(at.EXIT_EVALUATE);
  }
}

function handler(
  op: number,
  callees: Callees,
  depth: { next: number; lookup: number; restart: number; again: number; jump: number },
): Code {
  const instruction = INSTRUCTIONS[op - 1];
  if (instruction === undefined) return ownHandler(op, depth);
  const lowering = new SlotLowering(
    callees,
    { restart: depth.restart, jump: depth.jump },
    instruction.fields.includes("imm20"),
  );
  instruction.semantics(lowering);
  if (lowering.evaluated) return lowering.body;
  return [
    lowering.body,
    lowering.completion(),
    // A pad weighs nothing: give back what the dispatch took.
    instruction.weight === 0 ? set(BUDGET, i32.add(get(BUDGET), i32.const(1))) : [],
    set(SLOT, i32.add(get(SLOT), i32.load8U(get(SLOT), 4))),
    br(depth.next),
  ];
}

/**
 * The function `run`.
 *
 * @param threshold Jumps to a slot before it is called hot; 0 for an interpreter that counts none and knows no regions.
 */
function runFunction(callees: Callees, threshold: number): FunctionSpec {
  // Handlers in the order of their ops; ops without one share the last.
  const ops = [
    at.OP_UNDECODED,
    ...INSTRUCTIONS.map((instruction) => instruction.op),
    at.OP_ILLEGAL,
    at.OP_STRADDLE,
    at.OP_FRAMED,
    at.OP_WEIGHTLESS,
    at.OP_PAGE_END,
    at.OP_WATCHED,
    ...(threshold > 0 ? [at.OP_REGION] : []),
  ];
  const table = Array.from({ length: 256 }, (_, op) => Math.max(0, ops.indexOf(op)));
  // From handler i: the blocks of the later handlers lie around it, then $jump, $restart, $again, $next, $lookup, $exit.
  let dispatch: Code = brTable(get(OP), table, 0);
  for (const [i, op] of ops.entries()) {
    const jump = ops.length - 1 - i;
    dispatch = [
      block(dispatch),
      handler(op, callees, { jump, restart: jump + 1, again: jump + 2, next: jump + 3, lookup: jump + 4 }),
    ];
  }
  const pcHere = i64.add(get(PC_BIAS), i64.extendI32U(i32.shrU(get(SLOT), i32.const(2))));
  const toSlot = (address: Code): Code =>
    i32.add(get(SLOT_BASE), i32.shl(i32.and(i32.wrapI64(address), i32.const(0xffe)), i32.const(2)));
  const restart: Code = [
    // Not begun, so give back what the dispatch took; a frame has given it back already.
    when(
      i32.and(
        i32.ne(i32.load8U(get(SLOT)), i32.const(at.OP_FRAMED)),
        i32.ne(i32.load8U(get(SLOT)), i32.const(at.OP_WEIGHTLESS)),
      ),
      set(BUDGET, i32.add(get(BUDGET), i32.const(1))),
      countWeightless(-1),
    ),
    i64.store(i32.const(0), pcHere, at.PC),
    i32.store(i32.const(0), get(SLOT), at.EXIT_SLOT),
    br(3), // $exit
  ];
  // Where a jump lands: count it, unless a region starts there or the slot is hot already.
  const heatAt = i32.add(
    get(SLOT_BASE),
    i32.shl(i32.shrU(i32.sub(get(SLOT), get(SLOT_BASE)), i32.const(3)), i32.const(1)),
  );
  const count = (exit: number): Code =>
    threshold === 0
      ? []
      : [
          set(ENTRY, heatAt),
          when(i32.ltU(tee(CODE, i32.load16U(get(ENTRY), at.ENTRIES)), i32.const(threshold)), [
            i32.store16(get(ENTRY), i32.add(get(CODE), i32.const(1)), at.ENTRIES),
            when(i32.eq(get(CODE), i32.const(threshold - 1)), [
              i64.store(i32.const(0), pcHere, at.PC),
              i32.store(i32.const(0), get(SLOT), at.EXIT_SLOT),
              set(CODE, i32.const(at.EXIT_HOT)),
              br(exit + 2),
            ]),
          ]),
        ];
  const next: Code = [
    set(OP, i32.load8U(get(SLOT))),
    // Inside a frame there is no step boundary, so nothing stops there (T4).
    when(
      i32.eqz(get(BUDGET)),
      when(i32.ne(get(OP), i32.const(at.OP_FRAMED)), [
        i64.store(i32.const(0), pcHere, at.PC),
        set(CODE, i32.const(at.EXIT_BUDGET)),
        br(4),
      ]),
    ),
    set(BUDGET, i32.sub(get(BUDGET), i32.const(1))),
    // A frame comes back here with its true op, which weighs nothing.
    loop([
      block([
        block(dispatch),
        // $jump: most targets lie on the same page.
        when(i64.ltU(i64.xor(get(TARGET), get(PAGE_PC)), i64.const(4096)), [
          set(SLOT, toSlot(get(TARGET))),
          count(5),
          br(3),
        ]),
        br(3), // $lookup
      ]),
      restart,
    ]),
  ];
  const lookup: Code = [
    set(
      ENTRY,
      i32.add(
        get(FETCH_TLB),
        i32.and(i32.wrapI64(i64.shrU(get(TARGET), i64.const(8))), i32.const((at.TLB_ENTRIES - 1) * at.TLB_ENTRY_BYTES)),
      ),
    ),
    when(i64.ne(i64.load(get(ENTRY)), i64.and(get(TARGET), i64.const(-4096))), [
      i64.store(i32.const(0), get(TARGET), at.PC),
      // With nothing left to run, looking further would be a fetch before its time.
      set(CODE, i32.const(at.EXIT_FETCH)),
      when(i32.eqz(get(BUDGET)), set(CODE, i32.const(at.EXIT_BUDGET))),
      br(2), // $exit
    ]),
    set(PAGE_PC, i64.load(get(ENTRY))),
    set(SLOT_BASE, i32.load(get(ENTRY), 8)),
    set(PC_BIAS, i64.sub(get(PAGE_PC), i64.extendI32U(i32.shrU(get(SLOT_BASE), i32.const(2))))),
    set(SLOT, toSlot(get(TARGET))),
    count(1),
    loop(next),
  ];
  return {
    params: [],
    results: [I32],
    locals: local([1, I32], [2, I64], [3, I32], [2, I64], [7, I32], [TEMPORARIES, I64]),
    export: "run",
    body: [
      set(BUDGET, i32.load(i32.const(0), at.BUDGET)),
      set(TARGET, i64.load(i32.const(0), at.PC)),
      set(READ_TLB, i32.load(i32.const(0), at.READ_TLB)),
      set(WRITE_TLB, i32.load(i32.const(0), at.WRITE_TLB)),
      set(FETCH_TLB, i32.load(i32.const(0), at.FETCH_TLB)),
      block(loop(lookup)),
      i32.store(i32.const(0), get(BUDGET), at.BUDGET),
      i64.store(i32.const(0), get(ADDRESS), at.EXIT_ADDRESS),
      leave(get(CODE)),
    ],
  };
}

const modules = new Map<number, WebAssembly.Module>();

/**
 * Compiles the interpreter once for each threshold, and instantiates it over a machine's memory.
 *
 * @param threshold Jumps to a slot before `run` leaves with `EXIT_HOT`; 0: never, and regions are not run.
 * @param table Where regions are, for a threshold above 0.
 */
export function instantiateInterpreter(
  memory: WebAssembly.Memory,
  threshold: number,
  table: WebAssembly.Table | undefined,
): InterpreterExports {
  let module = modules.get(threshold);
  if (module === undefined) {
    const float = floatFunctions(1, at.FFLAGS);
    const callees: Callees = { mulhu: 0, float: float.index };
    const exported = new Map(FLOAT_FUNCTIONS.map((name) => [float.index[name] - 1, name]));
    const floats = float.functions.map((spec, i): FunctionSpec => {
      const name = exported.get(i);
      return name === undefined ? spec : { ...spec, export: name };
    });
    const functions = [mulhu, ...floats, runFunction(callees, threshold), pageHashFunction];
    module = new WebAssembly.Module(assembleModule({ functions, ...(threshold > 0 ? { table: REGION_TYPE } : {}) }));
    modules.set(threshold, module);
  }
  return new WebAssembly.Instance(module, { env: { memory, ...(table === undefined ? {} : { table }) } })
    .exports as unknown as InterpreterExports;
}
