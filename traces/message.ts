/**
 * MessagePack messages, and the shapes that are expected in them.
 *
 * Bytes from a file are walked before they are unpacked, so that neither nesting nor a length that lies can exhaust anything:
 * every length must lie within the message, and only the types that a trace uses are let through.
 * Source: the MessagePack specification (github.com/msgpack/msgpack, spec.md), "Formats".
 *
 * Left out: extension types, so also records, timestamps and references of msgpackr.
 *
 * @module
 */

import { Packr } from "msgpackr/pack";
import { Unpackr } from "msgpackr/unpack";
import { TraceFormatError } from "./trace-format-error.ts";

const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false });

/** A value as MessagePack holds it. Numbers are whole and below 2^53. */
export type Message =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly Message[]
  | { readonly [key: string]: Message };

/** Packs a message, into bytes of the caller's own. */
export function pack(message: Message): Uint8Array {
  // msgpackr returns a view of a buffer that it uses again.
  return new Uint8Array(packr.pack(message));
}

/**
 * Unpacks bytes that hold exactly one message.
 *
 * @param what What the message is, for errors: "the header", "chunk 3".
 * @throws {TraceFormatError} If they do not, or it has a type or a depth that no trace has.
 */
export function unpack(bytes: Uint8Array, what: string): unknown {
  checkMessage(bytes, what);
  try {
    return unpackr.unpack(bytes);
  } catch (error) {
    throw new TraceFormatError(`${what} must be MessagePack`, error instanceof Error ? error.message : String(error));
  }
}

const DEEPEST = 8;

function checkMessage(bytes: Uint8Array, what: string): void {
  const rule = `${what} must be one whole MessagePack message`;
  let at = 0;
  const lengthOf = (size: number): number => {
    let length = 0;
    for (let i = 0; i < size; i++) {
      const byte = bytes[at++];
      if (byte === undefined) throw new TraceFormatError(rule, `it ends at byte ${bytes.length}`);
      length = length * 256 + byte;
    }
    return length;
  };
  // Values still to come at each depth; the last is the innermost.
  const open = [1];
  while (open.length > 0) {
    const left = open.at(-1)!;
    if (left === 0) {
      open.pop();
      continue;
    }
    open[open.length - 1] = left - 1;
    const place = at;
    const type = lengthOf(1);
    let inside = 0;
    let skipped = 0;
    if (type < 0x80 || type >= 0xe0 || type === 0xc0 || type === 0xc2 || type === 0xc3) continue;
    else if (type < 0x90) inside = (type & 0x0f) * 2;
    else if (type < 0xa0) inside = type & 0x0f;
    else if (type < 0xc0) skipped = type & 0x1f;
    else if (type >= 0xc4 && type <= 0xc6) skipped = lengthOf(1 << (type - 0xc4));
    else if (type === 0xca || type === 0xcb) skipped = type === 0xca ? 4 : 8;
    else if (type >= 0xcc && type <= 0xd3) skipped = 1 << ((type - 0xcc) & 3);
    else if (type >= 0xd9 && type <= 0xdb) skipped = lengthOf(1 << (type - 0xd9));
    else if (type === 0xdc || type === 0xdd) inside = lengthOf(type === 0xdc ? 2 : 4);
    else if (type === 0xde || type === 0xdf) inside = 2 * lengthOf(type === 0xde ? 2 : 4);
    else
      throw new TraceFormatError(
        `${what} must hold plain MessagePack types`,
        `byte ${place} is 0x${type.toString(16)}`,
      );
    at += skipped;
    if (at > bytes.length) {
      throw new TraceFormatError(rule, `what starts at byte ${place} does not fit in ${bytes.length} bytes`);
    }
    if (inside > 0) {
      if (open.length === DEEPEST)
        throw new TraceFormatError(`${what} must be at most ${DEEPEST} deep`, "it is deeper");
      open.push(inside);
    }
  }
  if (at !== bytes.length) throw new TraceFormatError(rule, `${bytes.length - at} bytes follow it`);
}

/** Reads values of an expected shape out of an unpacked message; every error names the place. */
export class Shape {
  readonly #value: unknown;
  readonly #place: string;

  constructor(value: unknown, place: string) {
    this.#value = value;
    this.#place = place;
  }

  #fail(expected: string): never {
    const value = this.#value;
    const found = Array.isArray(value) ? "a list" : value === null ? "null" : typeof value;
    throw new TraceFormatError(
      `${this.#place} must be ${expected}`,
      `it is ${typeof value === "number" ? value : found}`,
    );
  }

  /** The member of a map. Reading an absent one gives a shape that is nothing. */
  at(key: string): Shape {
    const value = this.#value;
    if (value === null || typeof value !== "object" || Array.isArray(value) || value instanceof Uint8Array) {
      this.#fail("a map");
    }
    const member = Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
    return new Shape(member, `${key} of ${this.#place}`);
  }

  items(): Shape[] {
    if (!Array.isArray(this.#value)) this.#fail("a list");
    return this.#value.map((item, index) => new Shape(item, `item ${index} of ${this.#place}`));
  }

  /** A whole number from 0 to `most`. */
  whole(most: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.#value;
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > most) {
      this.#fail(`a whole number from 0 to ${most}`);
    }
    return value;
  }

  text(): string {
    if (typeof this.#value !== "string") this.#fail("text");
    return this.#value;
  }

  truth(): boolean {
    if (typeof this.#value !== "boolean") this.#fail("true or false");
    return this.#value;
  }

  bytes(): Uint8Array {
    if (!(this.#value instanceof Uint8Array)) this.#fail("bytes");
    return this.#value;
  }

  /** Null, or what `read` makes of it. */
  optional<T>(read: (shape: Shape) => T): T | null {
    return this.#value === null ? null : read(this);
  }

  /** A number, a text or a truth value. */
  scalar(): string | number | boolean {
    const value = this.#value;
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
    return this.#fail("a text, a number, true or false");
  }

  keys(): string[] {
    this.at("");
    return Object.keys(this.#value as object);
  }
}
