/**
 * Copies of an afterburned guest's code, patched by the wedge at the sites that the guest's file records (T16): only pages that have sites
 * are copied, at the address that they were linked for, and everything between the sites is the guest's own.
 *
 * A guest that writes over a site gets its own bytes back there. Sites that are left as they are trap, as all do elsewhere.
 *
 * Left out: whoever jumps to a pad. Where a form of two words stands in place of a site and its pad, the second word would run.
 *
 * @module
 */
import type { DecodeCache } from "../hart/decode-cache.ts";
import { type MachineMemory, PAGE_BYTES } from "../hart/memory.ts";
import { readSites } from "../isa/sites.ts";
import type { VmmFrames } from "./frames.ts";
import type { CodeSource, Rewriting } from "./rewriter.ts";
import { distanceOf, isJump, toSite } from "./stubs.ts";
import type { Wedge } from "./wedge.ts";

const MOST_STORES = 64;

interface Patched {
  /** Offset in the page, and bytes, pads included. */
  readonly offset: number;
  readonly bytes: number;
  /** Offset of its stub and its length in words; -1 and 0 where it has none. */
  readonly stub: number;
  readonly words: number;
}
interface Copy {
  readonly frame: number;
  readonly stubs: number;
  readonly sites: Patched[];
  stores: number;
}
interface Record {
  readonly offset: number;
  readonly bytes: number;
}

export class AnnotatedCode implements CodeSource {
  readonly #memory: MachineMemory;
  readonly #decoded: DecodeCache;
  readonly #frames: VmmFrames;
  readonly #wedge: Wedge;
  readonly #onWork: (instructions: number) => void;
  /** Sites that may be patched, by the page of their address. */
  readonly #records = new Map<bigint, Record[]>();
  readonly #copies = new Map<number, Copy>();
  readonly roomy = true;

  /** @param records The guest's, as its file has them. @throws {RangeError} If they are none. */
  constructor(parts: {
    readonly memory: MachineMemory;
    readonly decoded: DecodeCache;
    readonly frames: VmmFrames;
    readonly wedge: Wedge;
    readonly records: Uint8Array;
    /** Told how many instructions the wedge ran. */
    onWork(instructions: number): void;
  }) {
    this.#memory = parts.memory;
    this.#decoded = parts.decoded;
    this.#frames = parts.frames;
    this.#wedge = parts.wedge;
    this.#onWork = parts.onWork;
    for (const { address, length, padding, treatment } of readSites(parts.records)) {
      if (treatment !== "annotated") continue;
      const page = address / BigInt(PAGE_BYTES);
      const sites = this.#records.get(page) ?? [];
      sites.push({ offset: Number(address % BigInt(PAGE_BYTES)), bytes: length + padding });
      this.#records.set(page, sites);
    }
  }

  get count(): number {
    return this.#copies.size;
  }
  /** Whether the guest's file records sites in a page. */
  records(page: bigint): boolean {
    return this.#records.has(page);
  }
  copyOf(frame: number): number {
    return this.#copies.get(frame)?.frame ?? -1;
  }
  stubsOf(frame: number): number {
    const copy = this.#copies.get(frame);
    return copy?.sites.some(({ stub }) => stub >= 0) ? copy.stubs : -1;
  }
  standsAt(physical: number): boolean {
    const offset = physical % PAGE_BYTES;
    const sites = this.#copies.get(Math.floor(physical / PAGE_BYTES))?.sites ?? [];
    return sites.some((site) => site.offset <= offset && offset < site.offset + site.bytes);
  }
  /** Whether a guest-physical address is that of a word behind the first of a form in place. */
  isInside(physical: number): boolean {
    const offset = physical % PAGE_BYTES;
    const sites = this.#copies.get(Math.floor(physical / PAGE_BYTES))?.sites ?? [];
    return sites.some((site) => site.stub < 0 && site.offset < offset && offset < site.offset + 4 * site.words);
  }
  siteOf(frame: number, offset: number): number {
    for (const { offset: site, stub, words } of this.#copies.get(frame)?.sites ?? [])
      if (stub >= 0 && stub <= offset && offset < stub + 4 * words) return frame * PAGE_BYTES + site;
    throw new RangeError(`Cannot tell a stub's site as a stub must stand there: frame ${frame}, offset ${offset}`);
  }

  make(frame: number, page: bigint, stubbed: boolean): Rewriting {
    const memory = this.#memory;
    const original = memory.view(frame * PAGE_BYTES, PAGE_BYTES);
    const copy: Copy = {
      frame: this.#frames.allocate(),
      stubs: stubbed ? this.#frames.allocate() : -1,
      sites: [],
      stores: 0,
    };
    const bytes = memory.view(copy.frame * PAGE_BYTES, PAGE_BYTES);
    bytes.set(original);
    const number = Number(BigInt.asUintN(52, page));
    this.#onWork(this.#wedge.patch({ page: number, copy: copy.frame, stubs: copy.stubs }));
    if (copy.stubs >= 0) this.#decoded.frame(memory.frame(copy.stubs * PAGE_BYTES));
    for (const { offset, bytes: length } of this.#records.get(page) ?? []) {
      if (offset + length > PAGE_BYTES) continue;
      const word = (from: Uint8Array, at: number): number =>
        (from[at]! | (from[at + 1]! << 8) | (from[at + 2]! << 16) | (from[at + 3]! << 24)) >>> 0;
      let words = 0;
      for (let at = offset; at < offset + length; at += 4)
        if (word(bytes, at) !== word(original, at)) words = (at - offset) / 4 + 1;
      if (words === 0) continue;
      const first = word(bytes, offset);
      if (!isJump(first)) {
        // The last word in place carries the weight (T4).
        for (let i = 0; i < words - 1; i++) this.#decoded.weigh(copy.frame * PAGE_BYTES + offset + 4 * i, 0);
        if (words > 1) this.#decoded.weigh(copy.frame * PAGE_BYTES + offset + 4 * (words - 1), 1);
        for (let i = 0; i < words; i++) this.#decoded.own(copy.frame * PAGE_BYTES + offset + 4 * i, true);
        copy.sites.push({ offset, bytes: length, stub: -1, words });
        continue;
      }
      const stub = toSite(offset, distanceOf(first));
      const stubs = memory.view(copy.stubs * PAGE_BYTES, PAGE_BYTES);
      let count = 1;
      while (!isJump(word(stubs, stub + 4 * (count - 1)))) count++;
      this.#decoded.weigh(copy.stubs * PAGE_BYTES + stub + 4 * (count - 1), 1);
      this.#decoded.weigh(copy.frame * PAGE_BYTES + offset, 0);
      copy.sites.push({ offset, bytes: length, stub, words: count });
    }
    this.#copies.set(frame, copy);
    return { scanned: 0, patched: 0, sites: copy.sites.length };
  }

  stored(frame: number): boolean {
    const copy = this.#copies.get(frame);
    return copy !== undefined && ++copy.stores >= MOST_STORES;
  }

  drop(frame: number): number {
    const copy = this.#copies.get(frame);
    if (copy === undefined) return -1;
    for (const site of copy.sites) this.#forget(copy, site);
    this.#copies.delete(frame);
    this.#decoded.release(this.#memory.frame(copy.frame * PAGE_BYTES));
    if (copy.stubs >= 0) {
      this.#decoded.frame(this.#memory.frame(copy.stubs * PAGE_BYTES), false);
      this.#frames.release(copy.stubs);
    }
    this.#frames.release(copy.frame);
    return copy.frame;
  }
  clear(): void {
    for (const frame of [...this.#copies.keys()].reverse()) this.drop(frame);
  }
  #forget(copy: Copy, { offset, stub, words }: Patched): void {
    if (stub >= 0) {
      this.#decoded.weigh(copy.stubs * PAGE_BYTES + stub + 4 * (words - 1), undefined);
      this.#decoded.weigh(copy.frame * PAGE_BYTES + offset, undefined);
      return;
    }
    for (let i = 0; i < words; i++) {
      this.#decoded.weigh(copy.frame * PAGE_BYTES + offset + 4 * i, undefined);
      this.#decoded.own(copy.frame * PAGE_BYTES + offset + 4 * i, false);
    }
  }

  written(physical: number, length: number): Rewriting | undefined {
    let found = false;
    const last = Math.floor((physical + length - 1) / PAGE_BYTES);
    for (let frame = Math.floor(physical / PAGE_BYTES); frame <= last; frame++) {
      const copy = this.#copies.get(frame);
      if (copy === undefined) continue;
      found = true;
      let [from, to] = [
        Math.max(0, physical - frame * PAGE_BYTES),
        Math.min(physical + length - frame * PAGE_BYTES, PAGE_BYTES),
      ];
      for (const site of [...copy.sites]) {
        if (site.offset >= to || site.offset + site.bytes <= from) continue;
        copy.sites.splice(copy.sites.indexOf(site), 1);
        this.#forget(copy, site);
        from = Math.min(from, site.offset);
        to = Math.max(to, site.offset + site.bytes);
      }
      const bytes = this.#memory.view(copy.frame * PAGE_BYTES + from, to - from);
      bytes.set(this.#memory.view(frame * PAGE_BYTES + from, to - from));
      this.#decoded.written(copy.frame * PAGE_BYTES + from, to - from);
    }
    return found ? { scanned: 0, patched: 0, sites: 0 } : undefined;
  }
}
