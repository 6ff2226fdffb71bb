/**
 * The compiler tier: slots that are jumped to often become regions, compiled in batches.
 *
 * A region's entry slot gets an op of its own, so the interpreter runs the region where it would have run the instruction. When that happens
 * changes nothing in a run: both leave the same state at every instruction count.
 *
 * @module
 */
import type { DecodeCache } from "./decode-cache.ts";
import { FLOAT_FUNCTIONS, OPERANDS } from "./float/operation.ts";
import * as at from "./layout.ts";
import type { Callees } from "./lower.ts";
import { compileRegion } from "./lower-region.ts";
import type { MachineMemory } from "./memory.ts";
import { findRegion } from "./region.ts";
import { assembleModule, type FunctionSpec, I32, I64, type ImportSpec } from "./wasm.ts";

/** Regions in one module: a module of its own for each costs twenty times as much. */
const BATCH = 64;
/** Steps after which a batch is compiled though it is not full, so that a lone hot loop does not wait for company. */
const PATIENCE = 500_000;
/** Regions that may live at once; then all are thrown away. V8 ends the process, uncatchably, at some ten thousands of modules. */
const MOST_REGIONS = 0x6000;
const MOST_MODULES = 2000;

const MULHU: ImportSpec = { module: "core", name: "mulhu", params: [I64, I64], results: [I64] };
const FLOATS = new Map(
  FLOAT_FUNCTIONS.map((name): [string, ImportSpec] => [
    name,
    { module: "core", name, params: [...operandsOf(name), I32], results: [I64] },
  ]),
);

/** Functions that a module's regions call, imported as they are first named: most modules need none. */
class Imports implements Callees {
  readonly list: ImportSpec[] = [];
  readonly #numbers = new Map<ImportSpec, number>();
  readonly float: Readonly<Record<string, number>>;

  constructor() {
    const number = (spec: ImportSpec) => this.#number(spec);
    this.float = new Proxy(
      {},
      { get: (_, name) => (typeof name === "string" && FLOATS.has(name) ? number(FLOATS.get(name)!) : undefined) },
    );
  }
  get mulhu(): number {
    return this.#number(MULHU);
  }
  #number(spec: ImportSpec): number {
    let number = this.#numbers.get(spec);
    if (number === undefined) {
      number = this.list.push(spec) - 1;
      this.#numbers.set(spec, number);
    }
    return number;
  }
}

export class Jit {
  readonly #memory: MachineMemory;
  readonly #decoded: DecodeCache;
  readonly #table: WebAssembly.Table;
  readonly #core: WebAssembly.ModuleImports;
  #pending: number[] = [];
  #since = 0;
  #regions = 0;
  #entries = 0;
  #modules = 0;
  /** Regions compiled so far, for statistics. */
  compiled = 0;

  /** @param core The interpreter's exports, which regions call into. */
  constructor(memory: MachineMemory, decoded: DecodeCache, table: WebAssembly.Table, core: object) {
    this.#memory = memory;
    this.#decoded = decoded;
    this.#table = table;
    this.#core = core as WebAssembly.ModuleImports;
  }

  /** Notes a hot slot. @param step Where the run is. */
  note(slot: number, step: number): void {
    if (this.#pending.length === 0) this.#since = step;
    this.#pending.push(slot);
  }
  /** Whether it is time to compile what was noted. */
  due(step: number): boolean {
    return this.#pending.length >= BATCH || (this.#pending.length > 0 && step - this.#since > PATIENCE);
  }

  /** Compiles what was noted, as far as it is still there. */
  compile(): void {
    const slots = this.#pending;
    this.#pending = [];
    const imports = new Imports();
    const specs: FunctionSpec[] = [];
    const entries: { readonly slot: number; readonly region: number; readonly block: number }[] = [];
    const taken = new Set<number>();
    for (const slot of slots) {
      // The code may have changed since the slot was noted, or a region of this batch covers it.
      if (!this.#decoded.isPlain(slot) || taken.has(slot)) continue;
      const physical = this.#decoded.physicalOf(slot);
      const first = slot - ((physical % 4096) / 2) * at.SLOT_BYTES;
      const physicalOf = (offset: number) => physical - (physical % 4096) + offset;
      const slotOf = (offset: number) => first + (offset / 2) * at.SLOT_BYTES;
      const isTaken = (offset: number) => {
        const other = slotOf(offset);
        const place = physicalOf(offset);
        return (
          taken.has(other) ||
          this.#decoded.isEntry(other) ||
          this.#decoded.mayWatch(place) ||
          this.#decoded.isWeighed(place)
        );
      };
      const owns = (offset: number) => this.#decoded.isOwn(physicalOf(offset));
      const region = findRegion(this.#memory, this.#decoded.decodeAt, physicalOf(0), physical % 4096, isTaken, owns);
      if (region === undefined) continue;
      for (const [block, { offset, entry }] of region.blocks.entries()) {
        if (!entry) continue;
        taken.add(slotOf(offset));
        entries.push({ slot: slotOf(offset), region: specs.length, block });
      }
      specs.push(compileRegion(region, imports, `r${specs.length}`));
    }
    if (specs.length === 0) return;
    if (
      this.#regions + specs.length > MOST_REGIONS ||
      this.#entries + entries.length > at.MOST_ENTRIES ||
      this.#modules >= MOST_MODULES
    ) {
      this.#decoded.clear();
      this.#regions = 0;
      this.#entries = 0;
      this.#modules = 0;
      return;
    }
    const module = new WebAssembly.Module(assembleModule({ imports: imports.list, functions: specs }));
    const { exports } = new WebAssembly.Instance(module, { env: { memory: this.#memory.wasm }, core: this.#core });
    this.#modules++;
    for (let i = 0; i < specs.length; i++) this.#table.set(this.#regions + i, exports[`r${i}`]);
    for (const { slot, region, block } of entries) {
      this.#memory.u32[(at.ENTRY_TABLE >>> 2) + this.#entries] = (this.#regions + region) * 256 + block;
      this.#decoded.enter(slot, this.#entries++);
    }
    this.#regions += specs.length;
    this.compiled += specs.length;
  }
}

/** An empty table for {@link Jit}, which the interpreter imports. */
export function regionTable(): WebAssembly.Table {
  return new WebAssembly.Table({ element: "anyfunc", initial: MOST_REGIONS });
}

function operandsOf(name: string): (typeof I64)[] {
  const [operation] = name.split(".") as [keyof typeof OPERANDS];
  return Array<typeof I64>(OPERANDS[operation]).fill(I64);
}
