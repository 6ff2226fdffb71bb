/**
 * The copies of its code that the guest's kernel runs, and where each of its pages shows one (T16): mapped to be executed, and for nothing else.
 *
 * Inline, there are up to three copies of a frame. Under Bare translation, where nothing of the VMM's can be mapped, all of its sites trap. Else they
 * work on the state page, and where the guest leaves the addresses of the page's stubs unmapped (T17), in stubs too.
 *
 * A guest may map the address of stubs later: the tables that leave it unmapped may not be written while there are stubs (`stub-room.ts`), and the
 * copy goes before the entry can be used.
 *
 * @module
 */
import { PAGE_BYTES } from "../hart/memory.ts";
import { ACCESS, type Access, permits, type Walk, walk } from "../hart/paging.ts";
import { SUPERVISOR, USER } from "../hart/privileged.ts";
import { canonical, PTE, pageOf, spaceOf } from "../hart/translations.ts";
import type { Platform } from "../machine/platform.ts";
import { AnnotatedCode } from "./annotated.ts";
import type { VmmFrames } from "./frames.ts";
import type { GuestMemory } from "./guest-memory.ts";
import { type CodeSource, Rewriter, type Rewriting } from "./rewriter.ts";
import type { ShadowTables } from "./shadow.ts";
import { StubRoom } from "./stub-room.ts";
import { STUB_PAGES } from "./stubs.ts";
import type { Work } from "./vcpu.ts";
import { Wedge } from "./wedge.ts";

const DOUBLEWORDS_IN_PAGE = 512;
/** Bytes from a stub's page up to the page that it serves. */
const UP = STUB_PAGES * PAGE_BYTES;

export interface CodeCopiesParts {
  readonly platform: Platform;
  readonly frames: VmmFrames;
  readonly shadow: ShadowTables;
  readonly memory: GuestMemory;
  /**
   * `trap`: everything sensitive traps. `inline`: it works on the state page where it can. Bytes: the records of an afterburned guest, whose sites
   * alone work so.
   */
  readonly form: "trap" | "inline" | Uint8Array;
  work(kind: Work, count: number): void;
}

export class CodeCopies {
  readonly #parts: CodeCopiesParts;
  /** For a kernel under Bare translation, without stubs, and with; undefined where its own code may run. */
  readonly #trapping: CodeSource | undefined;
  readonly #inPlace: CodeSource | undefined;
  readonly #stubbed: CodeSource | undefined;
  readonly #annotated: AnnotatedCode | undefined;
  readonly #all: readonly CodeSource[];
  /** Where the guest leaves room for stubs. */
  readonly #room: StubRoom;

  constructor(parts: CodeCopiesParts) {
    this.#parts = parts;
    const { platform, frames, form, shadow, work } = parts;
    const { memory, hart } = platform;
    const { decoded } = hart;
    const rewriter = (inline: boolean, stubs = false) => new Rewriter({ memory, decoded, frames, inline, stubs });
    if (typeof form === "string") {
      this.#trapping = rewriter(false);
      this.#inPlace = form === "inline" ? rewriter(true) : this.#trapping;
      this.#stubbed = form === "inline" ? rewriter(true, true) : this.#trapping;
    } else {
      const wedge = new Wedge(platform, frames, shadow, form);
      const onWork = (instructions: number) => work("wedge", instructions);
      this.#annotated = new AnnotatedCode({ memory, decoded, frames, wedge, records: form, onWork });
      this.#stubbed = this.#annotated;
    }
    this.#all = [...new Set([this.#trapping, this.#inPlace, this.#stubbed])].filter((source) => source !== undefined);
    this.#room = new StubRoom(memory, {
      mapped: (frame) => this.#drop(frame, this.#stubbed!),
      guarded: (table) => {
        if (shadow.dropFrame(table) > 0) hart.fence();
      },
    });
    hart.decoded.onWritten = (physical, length) => {
      this.#room.written(physical, length);
      for (const one of this.#all) this.#note(one.written(physical, length));
    };
  }

  /** How many pages of the guest's code there are copies of. */
  get count(): number {
    return this.#all.reduce((sum, { count }) => sum + count, 0);
  }
  /** The copies that the kernel runs at an address; undefined where it runs its own code. */
  #at(low: number, high: number): CodeSource | undefined {
    const bare = this.#parts.platform.guest.root < 0;
    if (this.#annotated !== undefined)
      return !bare && this.#annotated.records(pageNumber(low, high)) ? this.#annotated : undefined;
    if (bare) return this.#trapping;
    return this.#mapped(low, high, -UP) ? this.#inPlace : this.#stubbed;
  }
  /** Whether there is any copy of a frame. */
  #has(frame: number): boolean {
    return this.#all.some((rewriter) => rewriter.copyOf(frame) >= 0);
  }
  /**
   * Whether a site stands at a guest-physical address in place of the guest's instruction, or reaches over it, in some copy: what trapped there
   * is then carried out from the original, which is right in any of them.
   */
  standsAt(physical: number): boolean {
    return this.#all.some((rewriter) => rewriter.standsAt(physical));
  }

  /** Forgets all copies. No shadow may show any of them. */
  clear(): void {
    for (const rewriter of this.#all) rewriter.clear();
    this.#room.clear();
  }

  /** Whether an access must be carried out in place of a fill: the page runs as a copy, or may not be written while there is one. */
  serves(frame: number, access: Access): boolean {
    if (access === ACCESS.store && this.#room.guards(frame)) return true;
    if (access === ACCESS.fetch || !this.#has(frame)) return false;
    if (access === ACCESS.store) return true;
    const { platform, memory } = this.#parts;
    return platform.guest.mode === SUPERVISOR && permits(memory.found.leaf, ACCESS.fetch, memory.viewer(ACCESS.fetch));
  }
  /** Says that an access was carried out: a page that is written again and again is data, and its copies go. */
  served(frame: number, access: Access): void {
    if (access !== ACCESS.store) return;
    this.#room.stored(frame);
    for (const source of this.#all) if (source.stored(frame)) this.#drop(frame, source);
  }
  /** Drops a copy: whoever runs it, or its stubs, comes by here again. */
  #drop(frame: number, source: CodeSource): void {
    const copy = source.copyOf(frame);
    if (copy < 0) return;
    const { shadow, platform } = this.#parts;
    shadow.dropFrame(copy);
    const stubs = source.stubsOf(frame);
    if (stubs >= 0) shadow.dropFrame(stubs);
    source.drop(frame);
    platform.hart.fence();
  }

  /**
   * The frame that a page shows of a guest's frame, and what it may permit at most. The kernel's fetches make a copy.
   *
   * @param low @param high The virtual address.
   */
  shown(frame: number, access: Access, low: number, high: number): readonly [frame: number, most: number] {
    const writable = this.#has(frame) || this.#room.guards(frame) ? 0 : PTE.W;
    if (this.#parts.platform.guest.mode === USER) return [frame, PTE.R | PTE.X | writable];
    if (access !== ACCESS.fetch) return [frame, PTE.R | writable];
    const source = this.#at(low, high);
    if (source === undefined) return [frame, PTE.R | PTE.X | writable];
    // Stubs that were made for another address of the page may have no room at this one.
    if (source === this.#annotated && source.stubsOf(frame) >= 0 && this.#mapped(low, high, -UP))
      this.#drop(frame, source);
    if (source.copyOf(frame) < 0) this.#make(frame, source, low, high);
    if (source === this.#stubbed && this.#parts.form !== "trap") {
      const { root, regions } = this.#parts.platform.guest;
      const page = pageOf(root, ...moved(low, high, -UP));
      this.#room.add(frame, spaceOf(root, page, regions), page);
    }
    return [source.copyOf(frame), PTE.X];
  }
  #make(frame: number, source: CodeSource, low: number, high: number): void {
    const { shadow, platform, work } = this.#parts;
    if (!shadow.roomy || !source.roomy) shadow.drop();
    if (!shadow.roomy || !source.roomy) this.clear();
    const took = source.make(frame, pageNumber(low, high), !this.#mapped(low, high, -UP));
    // Whoever could write the frame, or execute it as it is, must come by here first.
    if (shadow.dropFrame(frame) > 0) platform.hart.fence();
    work("copy", DOUBLEWORDS_IN_PAGE);
    this.#note(took);
    platform.log.append("patch", platform.position.step, { page: BigInt(frame * PAGE_BYTES), sites: took.sites });
  }
  #note(took: Rewriting | undefined): void {
    if (took === undefined) return;
    this.#parts.work("scan", took.scanned);
    this.#parts.work("patch", took.patched);
  }

  /** Whether the guest has something of its own at an address, moved by a distance. Looking leaves no trace in its translations. */
  #mapped(low: number, high: number, distance: number): boolean {
    const { root, regions } = this.#parts.platform.guest;
    if (root < 0) return true;
    const [movedLow, movedHigh] = moved(low, high, distance);
    if (!canonical(root, movedHigh)) return true;
    const { memory } = this.#parts.platform;
    const out: Walk = { steps: 0, level: 0, entry: 0 };
    const page = pageOf(root, movedLow, movedHigh);
    return walk(memory, spaceOf(root, page, regions), page, out, (at) => memory.guestHolds(at, 8)) >= 0;
  }

  /** The guest's frame whose stubs lie at an address, or -1 where none do. Looking reads only translations that the guest has used. */
  #servedBy(low: number, high: number): number {
    const { platform, memory, form } = this.#parts;
    if (form === "trap" || this.#stubbed === undefined) return -1;
    const { root, mode } = platform.guest;
    if (mode !== SUPERVISOR || root < 0) return -1;
    const [upLow, upHigh] = moved(low, high, UP);
    if (!memory.holds(upLow, upHigh)) return -1;
    const physical = memory.translate(upLow, upHigh, ACCESS.fetch);
    const frame = physical < 0 ? -1 : Math.floor(physical / PAGE_BYTES);
    return frame >= 0 && this.#stubbed.stubsOf(frame) >= 0 && !this.#mapped(low, high, 0) ? frame : -1;
  }
  /** The frame of the stubs at an address, or -1. */
  stubsAt(low: number, high: number): number {
    const frame = this.#servedBy(low, high);
    return frame < 0 ? -1 : this.#stubbed!.stubsOf(frame);
  }
  /** Whether an address is inside what stands in for a guest's instruction: in a stub, or behind the first word of a form in place (T9). */
  insideSite(low: number, high: number): boolean {
    if (this.#servedBy(low, high) >= 0) return true;
    const { platform, memory } = this.#parts;
    const { root, mode } = platform.guest;
    if (this.#annotated === undefined || mode !== SUPERVISOR || root < 0) return false;
    if (!memory.holds(low, high)) return false;
    const physical = memory.translate(low, high, ACCESS.fetch);
    return physical >= 0 && this.#annotated.isInside(physical);
  }
  /** The address of the site whose stub lies at an address, as two words; undefined where no stub lies there. */
  siteAt(low: number, high: number): readonly [low: number, high: number] | undefined {
    const frame = this.#servedBy(low, high);
    if (frame < 0) return undefined;
    const site = this.#stubbed!.siteOf(frame, low & 4095);
    const [upLow, upHigh] = moved(low, high, UP);
    return [((upLow & ~4095) | (site % PAGE_BYTES)) >>> 0, upHigh];
  }
}

/** Number of the page of an address. */
const pageNumber = (low: number, high: number): bigint => (BigInt(high >>> 0) << 20n) | BigInt(low >>> 12);

function moved(low: number, high: number, distance: number): readonly [low: number, high: number] {
  const sum = (low >>> 0) + distance;
  return [sum >>> 0, (high + Math.floor(sum / 2 ** 32)) >>> 0];
}
