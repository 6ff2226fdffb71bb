/**
 * Decoded pages: a slot for each halfword of a frame that code runs from, filled lazily, and forgotten as soon as the bytes change.
 *
 * A frame with slots is never in a write TLB, so every store to it reaches TypeScript and then `written`: code changes are seen at once.
 *
 * @module
 */
import type { DecodeAt, Decoded } from "../isa/decode.ts";
import { INSTRUCTIONS } from "../isa/instructions.ts";
import * as at from "./layout.ts";
import { type MachineMemory, RAM_BASE } from "./memory.ts";
import { Watches } from "./watches.ts";

/** What an instruction that the wasm leaves needs: its owner's decision, as one of these; 0 for the evaluator. */
export const KIND_CSR = 1;
export const KIND_SYSTEM = 2;
export const KIND_MARK = 3;

/** By op: one of the KIND_ numbers. */
export const KIND_OF_OP: Uint8Array = (() => {
  const kinds = new Uint8Array(256);
  for (const { op, effects, mnemonic } of INSTRUCTIONS) {
    if (effects.csr !== undefined) kinds[op] = KIND_CSR;
    else if (effects.block !== undefined || (effects.system !== undefined && effects.system !== "fence.i"))
      kinds[op] = KIND_SYSTEM;
    else if (mnemonic === "mark") kinds[op] = KIND_MARK;
  }
  return kinds;
})();

/** Slots decoded at one go: most of a basic block, so that a first run leaves wasm once a block. */
const RUN = 32;

export class DecodeCache {
  readonly #memory: MachineMemory;
  /** Pool page of each frame, or -1; and frame of each pool page. */
  readonly #pageOf: Int32Array;
  readonly #frameOf = new Int32Array(at.DECODE_POOL_PAGES).fill(-1);
  #used = 0;
  readonly #free: number[] = [];
  readonly #framed = new Set<number>();
  /** Weights that are neither the row's nor the frame's, by physical address. */
  readonly #weights = new Map<number, 0 | 1>();
  /** Physical addresses of the VMM's own instructions that stand among the guest's. */
  readonly #own = new Set<number>();
  /** 1 for each pool page with compiled regions. */
  readonly #compiled = new Uint8Array(at.DECODE_POOL_PAGES);
  /** Called when slots that a fetch TLB may point at are gone. */
  onRelease: () => void = () => {};
  /** Called with the bytes of every change that {@link written} is told of, for whoever else keeps something made from code. */
  onWritten: (physical: number, length: number) => void = () => {};

  /** The machine's decoder. */
  readonly decodeAt: DecodeAt;
  readonly #watches: Watches;

  constructor(memory: MachineMemory, decodeAt: DecodeAt, watches = new Watches()) {
    this.#memory = memory;
    this.decodeAt = decodeAt;
    this.#watches = watches;
    this.#pageOf = new Int32Array(memory.dirty.length).fill(-1);
  }

  holds(frame: number): boolean {
    return this.#pageOf[frame]! >= 0;
  }

  /** Linear address of the frame's slots, which may be all undecoded still. */
  slots(frame: number): number {
    let page = this.#pageOf[frame]!;
    if (page < 0) {
      page = this.#take();
      const start = at.DECODE_POOL + page * at.DECODED_PAGE_BYTES;
      this.#memory.u8.fill(0, start, start + at.DECODED_PAGE_BYTES);
      this.#compiled[page] = 0;
      this.#memory.u8[start + at.SLOTS_PER_PAGE * at.SLOT_BYTES] = at.OP_PAGE_END;
      this.#pageOf[frame] = page;
      this.#frameOf[page] = frame;
    }
    return at.DECODE_POOL + page * at.DECODED_PAGE_BYTES;
  }

  #take(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#used === at.DECODE_POOL_PAGES) {
      this.clear();
      return this.#take();
    }
    return this.#used++;
  }

  /**
   * Makes a frame's instructions weigh nothing, with no step boundary before any of them (T4): code of the VMM's own that guests run.
   *
   * @param isFramed False takes it back.
   */
  frame(frame: number, isFramed = true): void {
    if (isFramed) this.#framed.add(frame);
    else this.#framed.delete(frame);
    this.release(frame);
  }

  /**
   * Gives the instruction at a physical address a weight of its own (T4): 0 to the jump of a site, 1 to the last instruction of its stub.
   *
   * @param weight Undefined takes it back.
   */
  weigh(physical: number, weight: 0 | 1 | undefined): void {
    if (weight === undefined) this.#weights.delete(physical);
    else this.#weights.set(physical, weight);
  }
  /** What the instruction at a physical address counts, its row's weight being `weight`. */
  weightAt(physical: number, weight: 0 | 1): 0 | 1 {
    if (this.#weights.size === 0 && this.#framed.size === 0) return weight;
    return this.#weights.get(physical) ?? (this.#framed.has(this.#memory.frame(physical)) ? 0 : weight);
  }

  /** Says that the instruction at a physical address is the VMM's own, though its frame is not, so that it may reach the VMM's page. */
  own(physical: number, isOwn: boolean): void {
    if (isOwn) this.#own.add(physical);
    else this.#own.delete(physical);
  }
  /** Whether the instruction at a physical address is the VMM's own. */
  isOwn(physical: number): boolean {
    return this.#own.has(physical) || this.#framed.has(this.#memory.frame(physical));
  }

  /** Instructions that counted for nothing since this was asked last: of stubs, and jumps to them. */
  takeWeightless(): number {
    const { u32 } = this.#memory;
    const count = u32[at.WEIGHTLESS >>> 2]!;
    u32[at.WEIGHTLESS >>> 2] = 0;
    return count;
  }

  /** Puts a count back that {@link takeWeightless} took, beside what has been counted since. */
  returnWeightless(count: number): void {
    this.#memory.u32[at.WEIGHTLESS >>> 2]! += count;
  }

  /** Forgets all decoded code. */
  clear(): void {
    this.#pageOf.fill(-1);
    this.#frameOf.fill(-1);
    this.#used = 0;
    this.#free.length = 0;
    this.onRelease();
  }

  /** Forgets a frame's code, for when all of it changes. */
  release(frame: number): void {
    const page = this.#pageOf[frame]!;
    if (page < 0) return;
    this.#pageOf[frame] = -1;
    this.#frameOf[page] = -1;
    this.#free.push(page);
    this.onRelease();
  }

  /** Bytes of RAM changed: their slots, and that of an instruction which began before them, are decoded anew. */
  written(physical: number, length: number): void {
    this.onWritten(physical, length);
    const last = this.#memory.frame(physical + length - 1);
    for (let frame = this.#memory.frame(physical); frame <= last; frame++) {
      if (this.#pageOf[frame]! < 0) continue;
      const start = RAM_BASE + frame * 4096;
      const from = Math.max(0, (Math.max(physical, start) - start - 2) >> 1);
      const to = (Math.min(physical + length, start + 4096) - start + 1) >> 1;
      const slots = this.slots(frame);
      if (this.#compiled[this.#pageOf[frame]!] !== 0) {
        // A region may cover any byte of its page: all of the page's go.
        this.#compiled[this.#pageOf[frame]!] = 0;
        this.#memory.u8.fill(0, slots, slots + at.SLOTS_PER_PAGE * at.SLOT_BYTES);
        this.#memory.u8.fill(0, slots + at.ENTRIES, slots + at.DECODED_PAGE_BYTES);
        continue;
      }
      this.#memory.u8.fill(0, slots + from * at.SLOT_BYTES, slots + to * at.SLOT_BYTES);
    }
  }

  /** Whether a slot holds an instruction of the table, with no region and no frame. */
  isPlain(slot: number): boolean {
    const op = this.#memory.u8[slot]!;
    return op > 0 && op <= INSTRUCTIONS.length && this.#frameOf[this.#pageAt(slot)]! >= 0;
  }
  /** Whether a region can be entered at a slot. */
  isEntry(slot: number): boolean {
    return this.#memory.u8[slot] === at.OP_REGION;
  }
  /** Makes a slot the given entry of a compiled region. */
  enter(slot: number, entry: number): void {
    if (this.#memory.u8[slot] === at.OP_UNDECODED) this.#decodeOne(slot, this.physicalOf(slot));
    if (!this.isPlain(slot)) return;
    const page = this.#pageAt(slot);
    this.#compiled[page] = 1;
    this.#hide(slot, at.OP_REGION);
    const start = at.DECODE_POOL + page * at.DECODED_PAGE_BYTES;
    const count = start + at.ENTRIES + 2 * ((slot - start) >>> 3);
    this.#memory.u8[count] = (entry + at.FIRST_ENTRY) & 0xff;
    this.#memory.u8[count + 1] = (entry + at.FIRST_ENTRY) >> 8;
  }
  #pageAt(slot: number): number {
    return Math.floor((slot - at.DECODE_POOL) / at.DECODED_PAGE_BYTES);
  }

  /** The physical address of the instruction that a slot stands for. */
  physicalOf(slot: number): number {
    return RAM_BASE + (this.linearOf(slot) - at.RAM);
  }
  /** Where in linear memory the instruction of a slot lies. */
  linearOf(slot: number): number {
    const page = this.#pageAt(slot);
    const index = (slot - at.DECODE_POOL - page * at.DECODED_PAGE_BYTES) >>> 3;
    return at.RAM + this.#frameOf[page]! * 4096 + index * 2;
  }

  /** Decodes the slot, and those behind it as far as a straight run goes. */
  decode(slot: number): void {
    let physical = this.physicalOf(slot);
    let here = slot;
    for (let count = 0; count < RUN && this.#memory.u8[here] === at.OP_UNDECODED; count++) {
      const length = this.#decodeOne(here, physical);
      if (length === 0) return;
      here += length * 4;
      physical += length;
    }
  }

  /** Keeps the slot's op aside and puts one of the engine's own in its place. */
  #hide(slot: number, op: number): void {
    const { u8 } = this.#memory;
    const start = at.DECODE_POOL + this.#pageAt(slot) * at.DECODED_PAGE_BYTES;
    u8[start + at.TRUE_OPS + ((slot - start) >>> 3)] = u8[slot]!;
    u8[slot] = op;
  }
  /** The op of the table that a slot stands for, whatever of the engine's own is in its place. */
  trueOp(slot: number): number {
    const op = this.#memory.u8[slot]!;
    if (op !== at.OP_FRAMED && op !== at.OP_REGION && op !== at.OP_WATCHED && op !== at.OP_WEIGHTLESS) return op;
    const start = at.DECODE_POOL + this.#pageAt(slot) * at.DECODED_PAGE_BYTES;
    return this.#memory.u8[start + at.TRUE_OPS + ((slot - start) >>> 3)]!;
  }

  /** @returns The instruction's length, or 0 where a straight run ends. */
  #decodeOne(slot: number, physical: number): number {
    const length = this.#fill(slot, physical);
    if (this.#watches.any && this.mayWatch(physical)) this.#hide(slot, at.OP_WATCHED);
    return length;
  }
  /** Whether the instruction at a physical address has a weight of its own, so that no region may hold it. */
  isWeighed(physical: number): boolean {
    return this.#weights.has(physical);
  }
  /** Whether the guest's instruction at a physical address may be watched: not the VMM's own code. */
  mayWatch(physical: number): boolean {
    return this.#watches.mayWatch(physical % 4096) && !this.#framed.has(this.#memory.frame(physical));
  }
  #fill(slot: number, physical: number): number {
    const { u8, i32 } = this.#memory;
    const byte = this.#memory.linear(physical);
    const low = u8[byte]! | (u8[byte + 1]! << 8);
    if ((low & 3) === 3 && (physical & 4095) === 4094) {
      u8[slot] = at.OP_STRADDLE;
      return 0;
    }
    const decoded = this.decodeAt(low, (low & 3) === 3 ? u8[byte + 2]! | (u8[byte + 3]! << 8) : 0);
    if (decoded === undefined) {
      u8[slot] = at.OP_ILLEGAL;
      return 0;
    }
    const { instruction, rd, rs1, rs2 } = decoded;
    u8[slot] = instruction.op;
    u8[slot + 1] = instruction.writesX && rd === 0 ? at.X_DISCARD : rd;
    const isOwn = rs1 === 0 && reachesMemory(instruction) && this.isOwn(physical);
    u8[slot + 2] = isOwn ? at.X_OWN : rs1;
    u8[slot + 3] = rs2;
    i32[(slot + 4) >>> 2] = (slotImmediate(decoded) << 8) | (decoded.length * 4);
    if (instruction.weight > 0 && this.weightAt(physical, instruction.weight) === 0)
      this.#hide(slot, this.#framed.has(this.#memory.frame(physical)) ? at.OP_FRAMED : at.OP_WEIGHTLESS);
    return instruction.effects.jumps ? 0 : decoded.length;
  }
}

const reachesMemory = ({ effects }: Decoded["instruction"]): boolean => effects.loads || effects.stores;

/** The 24 bits that a slot keeps: the immediate, less the zeros of an upper immediate, or rs3 and the rounding mode. */
function slotImmediate(decoded: Decoded): number {
  const { fields } = decoded.instruction;
  if (fields.includes("imm20")) return decoded.imm >> 12;
  return fields.includes("rm") ? decoded.rs3 | (decoded.rm << 5) : decoded.imm;
}
