/**
 * The rewriter: private copies of the guest's code in which what is sensitive traps (T16). Guest RAM is never written.
 *
 * A page is scanned once, when it is first fetched from, and needs no knowledge of where its instructions begin. Each halfword of the copy
 * either holds the original bits or c.ebreak, by one rule: what the hart would carry out from a halfword that keeps its bits is exactly the
 * guest's instruction there, and is innocuous. Compressed instructions are. A 4-byte one is if it is innocuous and its second half keeps
 * its bits as well. So jumps into the middle of anything, data between code and code that looks like data need no care: whatever stands at
 * the address that the guest really goes to either is the original, or traps and is carried out by the VMM from the original.
 *
 * The rule's price: where the second half of an innocuous instruction, taken as an instruction of its own, would be a sensitive one or
 * reach into one, the whole traps too and is carried out in the VMM, like one that crosses the page's end. A site right behind it is then
 * carried out in the same exit.
 *
 * Inline, a site that has a form of its own (`inline.ts`) is written over as a whole, by one instruction or by a jump to a stub. The second half
 * of what is written is no instruction, so it traps like any site where somebody jumps there.
 *
 * Left out: other sites in a row in one exit, scanning before the first fetch.
 *
 * @module
 */
import type { DecodeCache } from "../hart/decode-cache.ts";
import { type MachineMemory, PAGE_BYTES } from "../hart/memory.ts";
import type { Decoded } from "../isa/decode.ts";
import { INSTRUCTIONS } from "../isa/instructions.ts";
import { siteClassOf } from "../isa/sites.ts";
import type { VmmFrames } from "./frames.ts";
import { formOf, formWords } from "./inline.ts";
import { jumpBy, StubPlaces, toStub, trapsInside } from "./stubs.ts";

/** c.ebreak: the one trapping instruction that fits every place where an instruction can begin. */
const SITE = 0x9002;
const HALVES = PAGE_BYTES / 2;
/** Copies that are kept; all are dropped before one more is made. */
const MOST_COPIES = 4096;
/** Stores to a copied frame after which it is taken for data again. A frame that is still code is copied anew at its next fetch. */
const MOST_STORES = 64;

/** Whether an instruction would reach the end of the address space by itself, where the state page is while the guest's kernel runs inline. */
function reachesState({ instruction: { effects }, rs1, imm }: Decoded): boolean {
  return (effects.loads || effects.stores) && rs1 === 0 && imm < 0;
}

/** By the low seven bits: whether some instruction of the opcode is sensitive. None of the compressed ones is. */
const SUSPECT: Uint8Array = (() => {
  const opcodes = new Uint8Array(128);
  for (const { sensitivity, match, effects } of INSTRUCTIONS)
    if (sensitivity !== "innocuous" || effects.loads || effects.stores) opcodes[match & 0x7f] = 1;
  return opcodes;
})();

interface Copy {
  /** The frame of the VMM's that holds it. */
  readonly frame: number;
  /** 1 for each halfword that keeps its bits. */
  readonly kept: Uint8Array;
  stores: number;
  /** Sites that were written over as a whole, by their halfword. */
  readonly inlined: Map<number, Inlined>;
  /** The frame of its stubs, once there are any, and what of it is taken; undefined where no stub may be made. */
  readonly stubs: { frame: number; readonly places: StubPlaces } | undefined;
}
interface Inlined {
  /** The guest's instruction. */
  readonly bits: number;
  /** Offset of its stub, and its length in words; -1 and 0 where it has none. */
  readonly stub: number;
  readonly words: number;
}

/** What making or mending a copy took. */
export interface Rewriting {
  /** Halfwords that were looked at, and that became sites, in work that is priced by these. */
  readonly scanned: number;
  readonly patched: number;
  /** Sites in the copy that was made. */
  readonly sites: number;
}

/** Copies of the guest's code, by the numbers of its frames. */
export interface CodeSource {
  /** How many copies there are. */
  readonly count: number;
  /** Whether one more copy may be made; if not, {@link clear} first. */
  readonly roomy: boolean;
  /** The frame of a guest frame's copy, or -1. */
  copyOf(frame: number): number;
  /** The frame of the stubs of a guest's frame, or -1. */
  stubsOf(frame: number): number;
  /** The guest-physical address of the site that a stub stands for, by an address in the stub's page. */
  siteOf(frame: number, offset: number): number;
  /** Whether a site stands at a guest-physical address in place of the guest's instruction. */
  standsAt(physical: number): boolean;
  /**
   * Copies a frame of the guest's and puts sites into the copy. Nothing may map the frame writable from now on.
   *
   * @param page Number of its virtual page, of 52 bits. @param stubbed Whether stubs may be made: the guest has nothing where they would be.
   */
  make(frame: number, page: bigint, stubbed: boolean): Rewriting;
  /** Counts a store to a copied frame. @returns Whether that makes it data: {@link drop} it. */
  stored(frame: number): boolean;
  /** Drops a copy. @returns The frame that held it, which no shadow may show any longer. */
  drop(frame: number): number;
  /** Drops all copies. No shadow may show any of them. */
  clear(): void;
  /** Bytes of RAM changed: the copies follow. @returns What that took, or undefined where no copy is concerned. */
  written(physical: number, length: number): Rewriting | undefined;
}

/** What must follow the bytes of copies, and how they are decoded. */
type Decoding = Pick<DecodeCache, "decodeAt" | "release" | "written" | "frame" | "weigh" | "own">;

export class Rewriter implements CodeSource {
  readonly #memory: MachineMemory;
  readonly #decoded: Decoding;
  readonly #frames: VmmFrames;
  readonly #inline: boolean;
  readonly #stubs: boolean;
  /** By the number of the guest's frame. */
  readonly #copies = new Map<number, Copy>();

  constructor(parts: {
    readonly memory: MachineMemory;
    readonly decoded: Decoding;
    readonly frames: VmmFrames;
    /** Whether sites work on the state page where they can, and whether they may do so in stubs. */
    readonly inline?: boolean;
    readonly stubs?: boolean;
  }) {
    this.#inline = parts.inline ?? false;
    this.#stubs = parts.stubs ?? false;
    this.#memory = parts.memory;
    this.#decoded = parts.decoded;
    this.#frames = parts.frames;
  }

  /** How many copies there are. */
  get count(): number {
    return this.#copies.size;
  }
  /** Whether one more copy may be made; if not, {@link clear} first. */
  get roomy(): boolean {
    return this.#copies.size < MOST_COPIES;
  }

  /** The frame of a guest frame's copy, or -1. */
  copyOf(frame: number): number {
    return this.#copies.get(frame)?.frame ?? -1;
  }

  /** Copies a frame of the guest's and puts sites into the copy. Nothing may map the frame writable from now on. */
  make(frame: number): Rewriting {
    const copy: Copy = {
      frame: this.#frames.allocate(),
      kept: new Uint8Array(HALVES),
      stores: 0,
      inlined: new Map(),
      stubs: this.#stubs ? { frame: -1, places: new StubPlaces() } : undefined,
    };
    this.#copies.set(frame, copy);
    return this.#scan(frame, copy, 0, HALVES);
  }

  /** Whether a site stands at a guest-physical address in place of the guest's instruction. */
  standsAt(physical: number): boolean {
    const copy = this.#copies.get(Math.floor(physical / PAGE_BYTES));
    return copy !== undefined && copy.kept[(physical % PAGE_BYTES) >> 1] === 0;
  }

  /** The frame of the stubs of a guest's frame, or -1. */
  stubsOf(frame: number): number {
    return this.#copies.get(frame)?.stubs?.frame ?? -1;
  }
  /** The guest-physical address of the site that a stub stands for, by an address in the stub's page. */
  siteOf(frame: number, offset: number): number {
    for (const [half, { stub, words }] of this.#copies.get(frame)?.inlined ?? [])
      if (stub <= offset && offset < stub + 4 * words) return frame * PAGE_BYTES + 2 * half;
    throw new RangeError(`Cannot tell a stub's site as a stub must stand there: frame ${frame}, offset ${offset}`);
  }

  /** Counts a store to a copied frame. @returns Whether that makes it data: {@link drop} it. */
  stored(frame: number): boolean {
    const copy = this.#copies.get(frame);
    return copy !== undefined && ++copy.stores >= MOST_STORES;
  }

  /** Drops a copy. @returns The frame that held it, which no shadow may show any longer. */
  drop(frame: number): number {
    const copy = this.#copies.get(frame);
    if (copy === undefined) return -1;
    for (const half of [...copy.inlined.keys()]) this.#restore(copy, half);
    this.#copies.delete(frame);
    this.#decoded.release(this.#memory.frame(copy.frame * PAGE_BYTES));
    this.#frames.release(copy.frame);
    if (copy.stubs !== undefined && copy.stubs.frame >= 0) {
      this.#decoded.frame(this.#memory.frame(copy.stubs.frame * PAGE_BYTES), false);
      this.#frames.release(copy.stubs.frame);
    }
    return copy.frame;
  }
  /** Drops all copies. No shadow may show any of them. */
  clear(): void {
    for (const frame of [...this.#copies.keys()].reverse()) this.drop(frame);
  }

  /** Bytes of RAM changed: the copies follow. @returns What that took, or undefined where no copy is concerned. */
  written(physical: number, length: number): Rewriting | undefined {
    let [scanned, patched] = [0, 0];
    const last = Math.floor((physical + length - 1) / PAGE_BYTES);
    for (let frame = Math.floor(physical / PAGE_BYTES); frame <= last; frame++) {
      const copy = this.#copies.get(frame);
      if (copy === undefined) continue;
      const start = frame * PAGE_BYTES;
      const from = Math.max(0, physical - start) >> 1;
      const to = (Math.min(physical + length - start, PAGE_BYTES) + 1) >> 1;
      const took = this.#scan(frame, copy, from, to);
      scanned += took.scanned;
      patched += took.patched;
    }
    return scanned === 0 ? undefined : { scanned, patched, sites: 0 };
  }

  /**
   * Brings a copy up to date with halfwords `from` to `to` of its frame. Whether a halfword keeps its bits depends on its own, the next
   * one's and whether that keeps its, so the scan goes backwards, and on below `from` until nothing changes.
   */
  #scan(frame: number, copy: Copy, from: number, to: number): Rewriting {
    const original = new Uint16Array(this.#memory.wasm.buffer, this.#memory.linear(frame * PAGE_BYTES), HALVES);
    let [scanned, patched] = [0, 0];
    for (let half = to - 1; half >= 0; half--) {
      const keeps = this.#keeps(original, copy.kept, half);
      scanned++;
      if (half < from && keeps === copy.kept[half] && !copy.inlined.has(half)) break;
      copy.kept[half] = keeps;
      if (keeps === 0) patched++;
      const bits = (original[half]! | ((original[half + 1] ?? 0) << 16)) >>> 0;
      const known = copy.inlined.get(half);
      if (known !== undefined && known.bits !== bits) this.#restore(copy, half);
      const word = keeps === 1 || half === HALVES - 1 ? undefined : this.#inlined(copy, half, bits);
      if (word === undefined) {
        this.#put(copy, half, keeps === 0 ? SITE : original[half]!);
        continue;
      }
      copy.kept[half + 1] = 0;
      this.#put(copy, half + 1, word >>> 16);
      this.#put(copy, half, word & 0xffff);
    }
    return { scanned, patched, sites: patched };
  }
  /** Puts a halfword into a copy. */
  #put(copy: Copy, half: number, bits: number): void {
    this.#write(copy.frame * PAGE_BYTES + 2 * half, bits);
  }
  #write(physical: number, bits: number): void {
    const { u8 } = this.#memory;
    const at = this.#memory.linear(physical);
    if ((u8[at]! | (u8[at + 1]! << 8)) === bits) return;
    u8[at] = bits & 0xff;
    u8[at + 1] = bits >> 8;
    this.#decoded.written(physical, 2);
  }

  /** The instruction that stands in for the guest's at a halfword, with the stub that it may jump to; undefined where it has to trap. */
  #inlined(copy: Copy, half: number, bits: number): number | undefined {
    if (!this.#inline || (bits & 3) !== 3) return undefined;
    const known = copy.inlined.get(half);
    if (known !== undefined && known.stub >= 0) return jumpBy(toStub(2 * half, known.stub));
    const decoded = this.#decoded.decodeAt(bits & 0xffff, bits >>> 16);
    const form = decoded === undefined || siteClassOf(decoded) === undefined ? undefined : formOf(decoded);
    if (decoded === undefined || form === undefined) return undefined;
    const words = formWords(form, decoded);
    if (words.length > 1) return this.#stub(copy, half, bits, words);
    const [word] = words;
    if (word === undefined || !trapsInside(word, this.#decoded.decodeAt)) return undefined;
    copy.inlined.set(half, { bits, stub: -1, words: 0 });
    this.#decoded.own(copy.frame * PAGE_BYTES + 2 * half, true);
    return word;
  }
  #stub(copy: Copy, half: number, bits: number, body: readonly number[]): number | undefined {
    const { stubs } = copy;
    if (stubs === undefined) return undefined;
    const words = body.length + 1;
    const offset = stubs.places.take(2 * half, words, this.#decoded.decodeAt);
    if (offset < 0) return undefined;
    if (stubs.frame < 0) {
      if (this.#frames.free === 0) {
        stubs.places.giveBack(offset, words);
        return undefined;
      }
      stubs.frame = this.#frames.allocate();
      this.#decoded.frame(this.#memory.frame(stubs.frame * PAGE_BYTES), true);
    }
    const distance = toStub(2 * half, offset);
    const physical = stubs.frame * PAGE_BYTES + offset;
    const back = jumpBy(4 - distance - 4 * body.length);
    for (const [i, word] of [...body, back].entries()) {
      this.#write(physical + 4 * i, word & 0xffff);
      this.#write(physical + 4 * i + 2, word >>> 16);
    }
    // The stub's last instruction carries the weight of the guest's (T4).
    this.#decoded.weigh(physical + 4 * body.length, 1);
    this.#decoded.weigh(copy.frame * PAGE_BYTES + 2 * half, 0);
    this.#decoded.written(physical, 4 * words);
    copy.inlined.set(half, { bits, stub: offset, words });
    return jumpBy(distance);
  }
  /** Forgets what stood in for the guest's instruction at a halfword. */
  #restore(copy: Copy, half: number): void {
    const known = copy.inlined.get(half);
    if (known === undefined) return;
    copy.inlined.delete(half);
    this.#decoded.own(copy.frame * PAGE_BYTES + 2 * half, false);
    if (known.stub < 0 || copy.stubs === undefined) return;
    copy.stubs.places.giveBack(known.stub, known.words);
    this.#decoded.weigh(copy.stubs.frame * PAGE_BYTES + known.stub + 4 * (known.words - 1), undefined);
    this.#decoded.weigh(copy.frame * PAGE_BYTES + 2 * half, undefined);
    this.#decoded.written(copy.frame * PAGE_BYTES + 2 * half, 4);
  }
  #keeps(original: Uint16Array, kept: Uint8Array, half: number): 0 | 1 {
    const bits = original[half]!;
    if ((bits & 3) !== 3) return 1;
    if (half === HALVES - 1 || kept[half + 1] === 0) return 0;
    if (SUSPECT[bits & 0x7f] === 0) return 1;
    const decoded = this.#decoded.decodeAt(bits, original[half + 1]!);
    return decoded !== undefined && (siteClassOf(decoded) !== undefined || (this.#inline && reachesState(decoded)))
      ? 0
      : 1;
  }
}
