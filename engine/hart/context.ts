/**
 * What instructions run under: modes, address space, and the switches that translation and floating point depend on.
 *
 * A trapping guest changes it twice a system call, so all that follows from it is worked out once, and owners keep the ones they use.
 *
 * @module
 */
import type { Viewer } from "./paging.ts";
import type { Root } from "./translations.ts";

export interface ContextFields {
  /** 0 user, 1 supervisor, 3 machine: the mode that instructions are fetched in. */
  readonly mode: number;
  /** The mode that data is accessed in: another one only under MPRV. */
  readonly dataMode: number;
  readonly root: Root;
  readonly sum: boolean;
  readonly mxr: boolean;
  /** Whether FS is not Off. */
  readonly float: boolean;
  /** Whether the machine sets A and D in page-table entries (Svadu), where it would fault otherwise. */
  readonly updates: boolean;
  /** The frame behind the last page of the address space for the VMM's own code, relative to x0, and for nobody else; absent for none. */
  readonly own?: number;
}

export class Context implements ContextFields {
  readonly mode: number;
  readonly dataMode: number;
  readonly root: Root;
  readonly sum: boolean;
  readonly mxr: boolean;
  readonly float: boolean;
  readonly updates: boolean;
  readonly own: number;
  readonly fetchViewer: Viewer;
  readonly dataViewer: Viewer;
  /** What the TLB banks of fetches and of data are known by. */
  readonly fetchKey: number;
  readonly dataKey: number;

  constructor(fields: ContextFields) {
    this.mode = fields.mode;
    this.dataMode = fields.dataMode;
    this.root = fields.root;
    this.sum = fields.sum;
    this.mxr = fields.mxr;
    this.float = fields.float;
    this.updates = fields.updates;
    this.own = fields.own ?? -1;
    this.fetchViewer = { user: fields.mode === 0, sum: false, mxr: false };
    this.dataViewer = { user: fields.dataMode === 0, sum: fields.sum, mxr: fields.mxr };
    this.dataKey = keyOf(fields.root, fields.dataMode, this.dataViewer);
    // Fetches look at neither SUM nor MXR, but one bank for both saves a selection where the modes agree.
    this.fetchKey = fields.mode === fields.dataMode ? this.dataKey : keyOf(fields.root, fields.mode, this.fetchViewer);
  }
}

function keyOf(root: Root, mode: number, viewer: Viewer): number {
  if (mode === 3 || root < 0) return mode;
  return (root + 1) * 16 + mode * 4 + (viewer.sum ? 2 : 0) + (viewer.mxr ? 1 : 0);
}

/** Address spaces whose contexts an owner keeps: they come and go, so beyond this all are forgotten. */
const MOST = 64;

const LAST = 4;

/** Contexts that an owner has made, by address space and a key of the owner's. */
export class Contexts {
  readonly #known = new Map<Root, Map<number, Context>>();
  /** The last ones, by address space and key: a guest goes to and fro between few. */
  readonly #last: { root: Root; key: number; context: Context }[] = [];
  #next = 0;

  get(root: Root, key: number, make: () => ContextFields): Context {
    for (const last of this.#last) if (last.key === key && last.root === root) return last.context;
    const context = this.#find(root, key, make);
    this.#last[this.#next] = { root, key, context };
    this.#next = (this.#next + 1) % LAST;
    return context;
  }
  #find(root: Root, key: number, make: () => ContextFields): Context {
    let space = this.#known.get(root);
    if (space === undefined) {
      if (this.#known.size >= MOST) this.#known.clear();
      space = new Map();
      this.#known.set(root, space);
    }
    let context = space.get(key);
    if (context === undefined) {
      context = new Context(make());
      space.set(key, context);
    }
    return context;
  }
}
