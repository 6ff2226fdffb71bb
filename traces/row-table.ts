/**
 * The rows of a chunk: its distinct records, apart from their steps, numbered by first use from 1.
 *
 * A guest runs the same loops again and again: a chunk of thousands of records has few rows, and finding a record among them costs
 * less than encoding it.
 *
 * @module
 */

import { STAMP_WORDS } from "../engine/event/mod.ts";

/** Words from one row to the next. No record is longer. */
export const ROW_WORDS = 16;
/** Places in a row of what a record has its step at: the record's length in words, and 1 where it is of the guest stream. */
export const ROW_LENGTH = 1;
export const ROW_GUEST = 2;
/** The length of a row that no record is: the one that stands before the first, and those that are not looked for. */
export const UNLIKE = 0xffff_ffff;

export class RowTable {
  /** Row 0 is like no record. */
  readonly words: Uint32Array;
  /** Rows without row 0. */
  count = 0;
  /** Numbers of rows by hash, 0 where there is none: at least twice as many as rows. */
  readonly #slots: Uint16Array;

  /** @param capacity Most rows, at most 2^16 - 1. */
  constructor(capacity: number) {
    this.words = new Uint32Array((capacity + 1) * ROW_WORDS);
    this.words.fill(UNLIKE, 0, ROW_WORDS);
    this.#slots = new Uint16Array(2 << (32 - Math.clz32(capacity)));
  }

  clear(): void {
    this.count = 0;
    this.#slots.fill(0);
  }

  /**
   * Looks for the row of a whole record.
   *
   * @returns Its number, or 0 where it has none.
   */
  find(records: Uint32Array, at: number, length: number): number {
    const words = this.words;
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = hash(records, at, length) & mask; ; slot = (slot + 1) & mask) {
      const row = slots[slot]!;
      if (row === 0) return 0;
      const place = row * ROW_WORDS;
      if (words[place] !== records[at]) continue;
      let word = STAMP_WORDS;
      while (word < length && words[place + word] === records[at + word]) word++;
      if (word === length) return row;
    }
  }

  /**
   * Makes a row of a record that has none.
   *
   * @param again Whether later records may be found to be the same.
   * @returns Its number.
   */
  add(records: Uint32Array, at: number, length: number, guest: number, again: boolean): number {
    const words = this.words;
    const row = ++this.count;
    const place = row * ROW_WORDS;
    words[place] = records[at]!;
    words[place + ROW_LENGTH] = again ? length : UNLIKE;
    words[place + ROW_GUEST] = guest;
    for (let word = STAMP_WORDS; word < length; word++) words[place + word] = records[at + word]!;
    if (again) {
      const slots = this.#slots;
      const mask = slots.length - 1;
      let slot = hash(records, at, length) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = row;
    }
    return row;
  }
}

/** Of everything but the step. Which slot a row lies in shows nowhere in a trace. */
function hash(records: Uint32Array, at: number, length: number): number {
  let mixed = records[at]!;
  for (let word = STAMP_WORDS; word < length; word++) {
    mixed = Math.imul(mixed ^ records[at + word]!, 0x9e37_79b1);
    mixed ^= mixed >>> 15;
  }
  return mixed;
}
