/**
 * A region compiled to one wasm function: guest registers in locals, operands known, an exact budget for each block.
 *
 * The function takes the budget, the page's address, the TLBs and the block to begin with, and returns what is left of the budget, with pc in the hart block.
 * It leaves at any instruction that it cannot complete, as if it had not begun: the interpreter carries that one out.
 *
 * @module
 */
import type { Decoded } from "../isa/decode.ts";
import type { CsrKind, ImmediateField, RegisterField } from "../isa/emit.ts";
import * as at from "./layout.ts";
import { type Callees, type Locals, Lowering } from "./lower.ts";
import { lowerCsr, PLAIN_CSRS } from "./lower-csr.ts";
import { type Block, type Region, type RegionInstruction, targetOf } from "./region.ts";
import {
  block,
  br,
  brTable,
  type Code,
  type FunctionSpec,
  get,
  I32,
  I64,
  i32,
  i64,
  loop,
  set,
  type ValueType,
  when,
} from "./wasm.ts";

const BUDGET = 0;
const PAGE_PC = 1;
const READ_TLB = 2;
const WRITE_TLB = 3;
/** i32: the block to run next; the first one is a parameter. */
const NEXT = 4;
/** i64: where the region is left to. */
const EXIT_PC = 5;
const ADDRESS = 6;
const ENTRY = 7;
const HOST = 8;
const ROUNDING = 9;
const FIRST_TEMPORARY = 10;
const TEMPORARIES = 14;
const FIRST_REGISTER = FIRST_TEMPORARY + TEMPORARIES;

/** Parameters and results of a region's function. */
export const REGION_TYPE = { params: [I32, I64, I32, I32, I32], results: [I32] } as const satisfies {
  params: readonly ValueType[];
  results: readonly ValueType[];
};

const LOCALS: Locals = {
  address: ADDRESS, entry: ENTRY, host: HOST, rounding: ROUNDING, readTlb: READ_TLB, writeTlb: WRITE_TLB, firstTemporary: FIRST_TEMPORARY, temporaries: TEMPORARIES,
}; // biome-ignore format: a table

/** Which guest registers have a local, and which of them the region changes. x registers by number, f registers by number plus 32. */
class Registers {
  readonly #locals = new Map<number, number>();
  readonly #changed = new Set<number>();

  local(register: number): number {
    let local = this.#locals.get(register);
    if (local === undefined) {
      local = FIRST_REGISTER + this.#locals.size;
      this.#locals.set(register, local);
    }
    return local;
  }
  change(register: number): number {
    this.#changed.add(register);
    return this.local(register);
  }
  get count(): number {
    return this.#locals.size;
  }
  readAll(): Code {
    return [...this.#locals].map(([register, local]) => set(local, i64.load(i32.const(0), address(register))));
  }
  writeChanged(): Code {
    return [...this.#changed].map((register) => i64.store(i32.const(0), get(this.local(register)), address(register)));
  }
}
const address = (register: number) => (register < 32 ? at.X + 8 * register : at.F + 8 * (register - 32));

/** Where control goes from an instruction, as code; `nesting` counts the blocks around the place. */
interface Flow {
  /** Leave at this instruction, not begun. */
  leave(nesting: number): Code;
  /** Go to an offset of the page, in the region or not. */
  toOffset(offset: number, nesting: number): Code;
  /** Go to a computed address. */
  toAddress(target: Code, nesting: number): Code;
}

class RegionLowering extends Lowering {
  readonly #at: RegionInstruction;
  readonly #registers: Registers;
  readonly #flow: Flow;
  usesFloat = false;
  protected override readonly tolerant = false;

  constructor(callees: Callees, instruction: RegionInstruction, registers: Registers, flow: Flow) {
    super(callees, LOCALS);
    this.#at = instruction;
    this.#registers = registers;
    this.#flow = flow;
  }
  get #decoded(): Decoded {
    return this.#at.decoded;
  }

  override imm(_field: ImmediateField): Code {
    return i64.const(this.#decoded.imm);
  }
  override x(register: RegisterField): Code {
    const number = this.#decoded[register.slot];
    return number === 0 ? i64.const(0) : get(this.#registers.local(number));
  }
  override setX(register: RegisterField, value: Code): void {
    const number = this.#decoded[register.slot];
    // The value may have effects that count, as an atomic's; without a register it is dropped.
    this.body.push(number === 0 ? [value, 0x1a] : set(this.#registers.change(number), value));
  }
  override f(register: RegisterField): Code {
    return get(this.#registers.local(32 + this.#decoded[register.slot]));
  }
  override setF(register: RegisterField, bits: Code): void {
    this.body.push(set(this.#registers.change(32 + this.#decoded[register.slot]), bits));
  }
  override pc(): Code {
    return i64.add(get(PAGE_PC), i64.const(this.#at.offset));
  }
  override nextPc(): Code {
    return i64.add(get(PAGE_PC), i64.const(this.#at.offset + this.#decoded.length));
  }
  override jump(target: Code): void {
    const offset = targetOf(this.#at);
    this.body.push(offset === undefined ? this.#flow.toAddress(target, 0) : this.#flow.toOffset(offset, 0));
  }
  override branch(condition: Code, target: Code): void {
    const offset = targetOf(this.#at);
    this.body.push(
      when(
        i32.wrapI64(condition),
        offset === undefined ? this.#flow.toAddress(target, 1) : this.#flow.toOffset(offset, 1),
      ),
    );
  }
  override csr(kind: CsrKind, source: "register" | "immediate"): void {
    const { imm, rs1 } = this.#decoded;
    const [effects, old] = lowerCsr({
      kind,
      number: imm & 0xfff,
      way: PLAIN_CSRS.get(imm & 0xfff) ?? 0,
      operand: source === "register" ? this.x({ kind: "register", slot: "rs1" }) : i64.const(rs1),
      temporary: FIRST_TEMPORARY,
      leave: (nesting) => this.#flow.leave(nesting),
    });
    this.body.push(effects);
    this.setX({ kind: "register", slot: "rd" }, old);
  }
  override system(kind: string): void {
    if (kind !== "fence.i") throw new TypeError(`Cannot compile ${kind} as regions leave it to the interpreter`);
  }
  override block(): void {
    throw new TypeError("Cannot compile a cache-block instruction as regions leave it to the interpreter");
  }
  override mark(): void {
    throw new TypeError("Cannot compile a mark as regions leave it to the interpreter");
  }
  protected override own(): Code | undefined {
    return this.#at.own ? i32.const(1) : undefined;
  }
  protected override leave(_code: Code, nesting: number): Code {
    return this.#flow.leave(nesting);
  }
  protected override encodedRounding(): number {
    return this.#decoded.rm;
  }
  // FS is looked at once, where the region is entered: nothing in a region changes it.
  protected override checkFloat(): void {
    this.usesFloat = true;
  }
}

const weightOf = (instructions: readonly RegionInstruction[]) =>
  instructions.reduce((sum, { decoded }) => sum + decoded.instruction.weight, 0);

/** Compiles one region. @param name What its function is exported by. */
export function compileRegion(region: Region, callees: Callees, name: string): FunctionSpec {
  const { blocks } = region;
  const registers = new Registers();
  const index = new Map(blocks.map(({ offset }, i) => [offset, i]));
  let usesFloat = false;

  /** Code of block `i`, as seen from its own level: inside the blocks of the later ones, the loop, and the exit block. */
  const emit = (here: Block, i: number): Code => {
    const selfLoop = here.instructions.some((instruction) => targetOf(instruction) === here.offset);
    const outer = selfLoop ? 1 : 0;
    const exit = (nesting: number) => br(blocks.length - i + outer + nesting);
    const toOffset = (offset: number, nesting: number): Code => {
      const j = index.get(offset);
      if (j === undefined) return [set(EXIT_PC, i64.add(get(PAGE_PC), i64.const(offset))), exit(nesting)];
      if (j === i && selfLoop) return br(nesting);
      if (j > i) return br(j - i - 1 + outer + nesting);
      return [set(NEXT, i32.const(j)), br(blocks.length - 1 - i + outer + nesting)];
    };
    const total = weightOf(here.instructions);
    const code: Code[] = [];
    // The block runs as a whole or not at all, so that the budget is exact at every place it can be left.
    const short = [set(EXIT_PC, i64.add(get(PAGE_PC), i64.const(here.offset))), exit(1)];
    code.push(when(i32.ltS(get(BUDGET), i32.const(total)), short), set(BUDGET, i32.sub(get(BUDGET), i32.const(total))));
    let undone = total;
    for (const instruction of here.instructions) {
      const left = undone;
      undone -= instruction.decoded.instruction.weight;
      const lowering = new RegionLowering(callees, instruction, registers, {
        leave: (nesting) => [
          set(EXIT_PC, i64.add(get(PAGE_PC), i64.const(instruction.offset))),
          set(BUDGET, i32.add(get(BUDGET), i32.const(left))),
          exit(nesting),
        ],
        toOffset,
        toAddress: (target, nesting) => [set(EXIT_PC, target), exit(nesting)],
      });
      instruction.decoded.instruction.semantics(lowering);
      code.push(lowering.body, lowering.completion());
      usesFloat ||= lowering.usesFloat;
    }
    const last = here.instructions.at(-1)!.decoded.instruction;
    const next = blocks[i + 1];
    // Falling through into the next block needs no code.
    if (!last.effects.jumps && !(next !== undefined && next.offset === here.end)) code.push(toOffset(here.end, 0));
    return selfLoop ? loop(code) : code;
  };

  const codes = blocks.map(emit);
  let body: Code =
    blocks.length === 1
      ? []
      : brTable(
          get(NEXT),
          blocks.map((_, i) => i),
          0,
        );
  for (const code of codes) body = [block(body), code];
  const leaveWithoutFloat = when(i32.load(i32.const(0), at.FLOAT_OFF), [get(BUDGET), 0x0f]);
  return {
    ...REGION_TYPE,
    locals: [I64, I64, I32, I32, I32, ...Array<ValueType>(TEMPORARIES + registers.count).fill(I64)],
    export: name,
    body: [
      usesFloat ? leaveWithoutFloat : [],
      registers.readAll(),
      block(loop(body)),
      registers.writeChanged(),
      i64.store(i32.const(0), get(EXIT_PC), at.PC),
      get(BUDGET),
    ],
  };
}
