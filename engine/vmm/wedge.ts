/**
 * The wedge: the part of the VMM that patches an afterburned guest in place, run by the hart like any code, and priced like any.
 *
 * It gets an address space of its own, in which the copy and the page of stubs can be written, and nothing of the guest's is mapped (T16).
 *
 * @module
 */
import { Contexts } from "../hart/context.ts";
import { STOP } from "../hart/hart.ts";
import { PAGE_BYTES } from "../hart/memory.ts";
import { USER } from "../hart/privileged.ts";
import { leafOf, NO_REGIONS, PTE, pageOf } from "../hart/translations.ts";
import { SITE_RECORD_BYTES } from "../isa/sites.ts";
import type { Platform } from "../machine/platform.ts";
import type { VmmFrames } from "./frames.ts";
import type { ShadowTables } from "./shadow.ts";
import { WEDGE, wedgeCode, wedgeData } from "./wedge-code.ts";

/** The key of its shadow root: no guest's address space has it. */
const SPACE = -2;
const READ = PTE.R;
const WRITE = PTE.R | PTE.W;
const FOR_ALL = PTE.V | PTE.R | PTE.W | PTE.X | PTE.U | PTE.A | PTE.D;
const VIEWER = { user: true, sum: false, mxr: false } as const;
/** Steps that it gets: none of its instructions takes one. */
const BUDGET = 1;

export interface WedgeJob {
  /** Number of the guest's virtual page. */
  readonly page: number;
  /** The copy's frame. */
  readonly copy: number;
  /** A frame for stubs, or -1 where none may be made. */
  readonly stubs: number;
}

export class Wedge {
  readonly #platform: Platform;
  readonly #shadow: ShadowTables;
  readonly #code: number;
  readonly #data: number;
  readonly #records: readonly number[];
  readonly #end: number;
  readonly #contexts = new Contexts();

  /** @param records The guest's records of its sites, as its file has them. */
  constructor(platform: Platform, frames: VmmFrames, shadow: ShadowTables, records: Uint8Array) {
    this.#platform = platform;
    this.#shadow = shadow;
    const put = (bytes: Uint8Array): number => {
      const frame = frames.allocate();
      platform.memory.view(frame * PAGE_BYTES, PAGE_BYTES).set(bytes);
      return frame;
    };
    this.#code = put(wedgeCode());
    this.#data = put(wedgeData());
    const whole = records.length - (records.length % SITE_RECORD_BYTES);
    const pages: number[] = [];
    for (let at = 0; at < whole; at += PAGE_BYTES)
      pages.push(put(records.subarray(at, Math.min(whole, at + PAGE_BYTES))));
    this.#records = pages;
    this.#end = WEDGE.records + whole;
    platform.hart.decoded.frame(platform.memory.frame(this.#code * PAGE_BYTES));
  }

  /** Patches a copy. @returns The instructions that this took. @throws {Error} If the wedge does not end as it must. */
  patch({ page, copy, stubs }: WedgeJob): number {
    const { hart, memory } = this.#platform;
    const [x, pc, context] = [hart.x.slice(), hart.pc, hart.context];
    const before = hart.decoded.takeWeightless();
    const root = this.#shadow.root({ root: SPACE, mode: USER, sum: false, mxr: false, regions: NO_REGIONS });
    const show = (address: number, frame: number, most: number) =>
      this.#shadow.fill(root, pageOf(root, address, 0), leafOf(frame, FOR_ALL), frame, VIEWER, most);
    show(WEDGE.code, this.#code, PTE.X);
    show(WEDGE.data, this.#data, WRITE);
    show(WEDGE.copy, copy, WRITE);
    if (stubs >= 0) show(WEDGE.stubs, stubs, WRITE);
    for (const [i, frame] of this.#records.entries()) show(WEDGE.records + i * PAGE_BYTES, frame, READ);
    hart.context = this.#contexts.get(root, 0, () => ({
      ...{ mode: USER, dataMode: USER, root, sum: false, mxr: false, float: false, updates: false },
    }));
    hart.fence();
    hart.pc = BigInt(WEDGE.code);
    hart.x[8] = BigInt(WEDGE.records);
    hart.x[9] = BigInt(this.#end);
    hart.x[18] = BigInt(page);
    hart.x[22] = 0n;
    hart.x[24] = stubs < 0 ? 0n : BigInt(PAGE_BYTES);
    const stop = hart.run(BUDGET);
    const ended =
      stop === STOP.system && memory.read(this.#code * PAGE_BYTES + Number(hart.pc) - WEDGE.code, 4) === EBREAK;
    if (!ended)
      throw new Error(
        `Cannot patch page 0x${page.toString(16)} as the wedge must end by itself: it stops at 0x${hart.pc.toString(16)}`,
      );
    const took = hart.decoded.takeWeightless();
    this.#shadow.dropFrame(copy);
    if (stubs >= 0) this.#shadow.dropFrame(stubs);
    hart.x.set(x);
    hart.pc = pc;
    hart.context = context;
    hart.fence();
    hart.decoded.returnWeightless(before);
    return took;
  }
}

const EBREAK = 0x0010_0073n;
