/**
 * Platform-level interrupt controller, with level-triggered gateways and 3 bits of priority.
 *
 * Left out: edge-triggered sources (the board has none). Reserved words read 0 and ignore writes.
 * Source: RISC-V Platform-Level Interrupt Controller Specification 1.0.0, chapters 3 to 9.
 *
 * @module
 */
import { BusError, type Device, type InterruptLine } from "../machine/device.ts";
import { StateReader, StateWriter } from "./device-state.ts";

const PENDING = 0x1000;
const ENABLE = 0x2000;
const ENABLE_STRIDE = 0x80;
const CONTEXT = 0x20_0000;
const CONTEXT_STRIDE = 0x1000;
/** Priorities and thresholds hold 0 to 7, as QEMU's. */
const PRIORITY_MASK = 7;

export interface PlicOptions {
  readonly name?: string;
  /** Sources are numbered from 1 to this, at most 1,023. */
  readonly sources: number;
  /** The hart's external interrupt lines, one for each context. */
  readonly contexts: readonly InterruptLine[];
}

interface Context {
  readonly line: InterruptLine;
  readonly enabled: Uint32Array<ArrayBuffer>;
  threshold: number;
}

export class Plic implements Device {
  readonly name: string;
  readonly size = 0x60_0000;

  readonly #sources: number;
  readonly #words: number;
  readonly #priority: Uint8Array<ArrayBuffer>;
  /** What the devices drive now. */
  readonly #level: Uint32Array<ArrayBuffer>;
  readonly #pending: Uint32Array<ArrayBuffer>;
  /** Claimed and not completed: the gateway forwards nothing meanwhile. */
  readonly #inService: Uint32Array<ArrayBuffer>;
  readonly #contexts: readonly Context[];

  constructor({ name = "plic", sources, contexts }: PlicOptions) {
    this.name = name;
    this.#sources = sources;
    this.#words = Math.ceil((sources + 1) / 32);
    this.#priority = new Uint8Array(sources + 1);
    this.#level = new Uint32Array(this.#words);
    this.#pending = new Uint32Array(this.#words);
    this.#inService = new Uint32Array(this.#words);
    this.#contexts = contexts.map((line) => ({ line, enabled: new Uint32Array(this.#words), threshold: 0 }));
  }

  /**
   * The line of one source, for its device.
   *
   * @throws {RangeError} If there is no such source.
   */
  source(id: number): InterruptLine {
    if (!Number.isInteger(id) || id < 1 || id > this.#sources) {
      throw new RangeError(`Cannot connect to ${this.name} as sources are 1 to ${this.#sources}: ${id}`);
    }
    return {
      set: (asserted) => {
        if (has(this.#level, id) === asserted) return;
        put(this.#level, id, asserted);
        // A request that the gateway has forwarded stays, also when the device takes it back (section 1, level-sensitive sources).
        if (asserted && !has(this.#inService, id)) put(this.#pending, id, true);
        this.#update();
      },
    };
  }

  read(offset: number, size: number): bigint {
    this.#check("read", offset, size);
    return BigInt(this.#read(offset));
  }

  write(offset: number, size: number, value: bigint): void {
    this.#check("write", offset, size);
    this.#write(offset, Number(BigInt.asUintN(32, value)));
    this.#update();
  }

  #read(offset: number): number {
    if (offset < PENDING) return this.#priority[offset / 4] ?? 0;
    if (offset < ENABLE) return this.#pending[(offset - PENDING) / 4] ?? 0;
    if (offset < CONTEXT) {
      const { context, word } = this.#enableWord(offset);
      return context?.enabled[word] ?? 0;
    }
    const context = this.#contexts[Math.floor((offset - CONTEXT) / CONTEXT_STRIDE)];
    const register = offset % CONTEXT_STRIDE;
    if (context === undefined || register > 4) return 0;
    return register === 0 ? context.threshold : this.#claim(context);
  }

  #write(offset: number, value: number): void {
    if (offset < PENDING) {
      const source = offset / 4;
      // Source 0 does not exist (section 3).
      if (source >= 1 && source <= this.#sources) this.#priority[source] = value & PRIORITY_MASK;
    } else if (offset >= ENABLE && offset < CONTEXT) {
      const { context, word } = this.#enableWord(offset);
      if (context !== undefined && word < this.#words) context.enabled[word] = value & this.#existing(word);
    } else if (offset >= CONTEXT) {
      const context = this.#contexts[Math.floor((offset - CONTEXT) / CONTEXT_STRIDE)];
      if (context === undefined) return;
      if (offset % CONTEXT_STRIDE === 0) context.threshold = value & PRIORITY_MASK;
      else if (offset % CONTEXT_STRIDE === 4) this.#complete(context, value);
    }
    // Pending bits are read-only (section 5).
  }

  #enableWord(offset: number): { context: Context | undefined; word: number } {
    const at = offset - ENABLE;
    return { context: this.#contexts[Math.floor(at / ENABLE_STRIDE)], word: (at % ENABLE_STRIDE) / 4 };
  }

  /** The bits of a word that stand for sources. */
  #existing(word: number): number {
    const first = word * 32;
    const above = this.#sources - first >= 31 ? 0xffff_ffff : (1 << (this.#sources - first + 1)) - 1;
    return word === 0 ? (above & ~1) >>> 0 : above >>> 0;
  }

  /** The enabled and pending source that goes first: highest priority, then lowest number (section 4). 0 if there is none. */
  #best(context: Context, above: number): number {
    let best = 0;
    let priority = above;
    for (let word = 0; word < this.#words; word++) {
      let candidates = (this.#pending[word] ?? 0) & (context.enabled[word] ?? 0);
      while (candidates !== 0) {
        const bit = 31 - Math.clz32(candidates & -candidates);
        candidates &= candidates - 1;
        const source = word * 32 + bit;
        const its = this.#priority[source] ?? 0;
        if (its > priority) {
          best = source;
          priority = its;
        }
      }
    }
    return best;
  }

  /** Section 8: the threshold has no say in what is claimed; a source of priority 0 never interrupts. */
  #claim(context: Context): number {
    const source = this.#best(context, 0);
    if (source !== 0) {
      put(this.#pending, source, false);
      put(this.#inService, source, true);
      this.#update();
    }
    return source;
  }

  /** Section 9: a completion of a source that is not enabled for the context is ignored. */
  #complete(context: Context, source: number): void {
    if (source > this.#sources || !has(context.enabled, source) || !has(this.#inService, source)) return;
    put(this.#inService, source, false);
    if (has(this.#level, source)) put(this.#pending, source, true);
  }

  #update(): void {
    for (const context of this.#contexts) context.line.set(this.#best(context, context.threshold) !== 0);
  }

  #check(access: string, offset: number, size: number): void {
    if (size !== 4 || offset % 4 !== 0) {
      throw new BusError(
        `Cannot ${access} ${this.name} as its registers are aligned 4-byte words: ${size} bytes at ${offset}`,
      );
    }
  }

  /** The levels stay: they are the devices' to change. */
  reset(): void {
    this.#priority.fill(0);
    this.#inService.fill(0);
    this.#pending.set(this.#level);
    for (const context of this.#contexts) {
      context.enabled.fill(0);
      context.threshold = 0;
    }
    this.#update();
  }

  save(): Uint8Array {
    const state = new StateWriter("plic/1").u32(this.#sources).u32(this.#contexts.length).bytes(this.#priority);
    for (const words of [this.#level, this.#pending, this.#inService]) for (const word of words) state.u32(word);
    for (const { enabled, threshold } of this.#contexts) {
      for (const word of enabled) state.u32(word);
      state.u8(threshold);
    }
    return state.finish();
  }

  load(state: Uint8Array): void {
    const from = new StateReader(state, "plic/1", this.name);
    const sources = from.u32();
    const contexts = from.u32();
    if (sources !== this.#sources || contexts !== this.#contexts.length) {
      throw from.error(
        `it has ${this.#sources} sources and ${this.#contexts.length} contexts`,
        `the state is of ${sources} and ${contexts}`,
      );
    }
    const priority = from.bytes(sources + 1);
    if (priority.length !== sources + 1 || priority[0] !== 0)
      throw from.error("each source has one priority", "not so");
    for (const value of priority) from.upTo(PRIORITY_MASK, value, "a priority");
    const words = (): Uint32Array<ArrayBuffer> => {
      const read = new Uint32Array(this.#words);
      for (let word = 0; word < read.length; word++) {
        const bits = from.u32();
        if ((bits & ~this.#existing(word)) !== 0) throw from.error("there are no other sources", `bits ${bits}`);
        read[word] = bits;
      }
      return read;
    };
    const bits = [words(), words(), words()] as const;
    const loaded = this.#contexts.map(() => ({
      enabled: words(),
      threshold: from.upTo(PRIORITY_MASK, from.u8(), "a threshold"),
    }));
    from.end();
    this.#priority.set(priority);
    this.#level.set(bits[0]);
    this.#pending.set(bits[1]);
    this.#inService.set(bits[2]);
    for (const [at, context] of this.#contexts.entries()) {
      context.enabled.set(loaded[at]?.enabled ?? []);
      context.threshold = loaded[at]?.threshold ?? 0;
    }
    this.#update();
  }
}

function has(bits: Uint32Array, id: number): boolean {
  return (((bits[id >>> 5] ?? 0) >>> (id & 31)) & 1) === 1;
}

function put(bits: Uint32Array, id: number, value: boolean): void {
  const word = bits[id >>> 5] ?? 0;
  bits[id >>> 5] = value ? word | (1 << (id & 31)) : word & ~(1 << (id & 31));
}
