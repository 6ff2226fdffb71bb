/**
 * One column of a chunk: the values of one field, in order, stored in whichever of three forms is shortest.
 *
 * A form byte, then
 * - 0, dictionary: the number of distinct values as a varint; the values in order of first use, each as the zigzag of its
 *   difference to the one before (the first to 0) as a varint; the index of each row, packed into as few bits as the
 *   dictionary's size needs, lowest bit first. One distinct value takes no index bits at all.
 * - 1, plain: each value as a varint.
 * - 2, delta: each value as the zigzag of its difference to the one before (the first to 0), as a varint.
 * Values are 64-bit, differences are modulo 2^64. The number of rows is not stored: the chunk knows it.
 *
 * @module
 */

import { type ByteWriter, varintLength } from "./byte-writer.ts";
import { TraceFormatError } from "./trace-format-error.ts";

const DICTIONARY = 0;
const PLAIN = 1;
const DELTA = 2;
/** A larger dictionary is not tried: it costs time, and its indices are hardly shorter than differences. */
const DICTIONARY_LIMIT = 4096;

/** Values by row, in two halves. */
export class Column {
  low: Uint32Array;
  high: Uint32Array;
  length = 0;

  constructor(capacity = 16) {
    this.low = new Uint32Array(capacity);
    this.high = new Uint32Array(capacity);
  }

  push(low: number, high: number): void {
    if (this.length === this.low.length) this.#grow();
    this.low[this.length] = low;
    this.high[this.length++] = high;
  }

  clear(): void {
    this.length = 0;
  }

  #grow(): void {
    const [low, high] = [this.low, this.high];
    this.low = new Uint32Array(low.length * 2);
    this.high = new Uint32Array(low.length * 2);
    this.low.set(low);
    this.high.set(high);
  }
}

// The zigzag of a difference, in two halves. Module state rather than a returned pair: a column has millions of rows.
let zigzagLow = 0;
let zigzagHigh = 0;

/** Small differences of either sign become small numbers: 0, -1, 1, -2 are 0, 1, 2, 3. */
function zigzag(low: number, high: number, beforeLow: number, beforeHigh: number): void {
  const differenceLow = (low - beforeLow) >>> 0;
  const differenceHigh = (high - beforeHigh - (low < beforeLow ? 1 : 0)) | 0;
  const sign = differenceHigh >> 31;
  zigzagLow = ((differenceLow << 1) ^ sign) >>> 0;
  zigzagHigh = (((differenceHigh << 1) | (differenceLow >>> 31)) ^ sign) >>> 0;
}

// The dictionary being made: shared, as only one column is encoded at a time.
const slots = new Int16Array(DICTIONARY_LIMIT * 4);
const dictionary = new Column(DICTIONARY_LIMIT);
let indices = new Uint16Array(16);

/** Fills `dictionary` and `indices`. False where there are too many distinct values to be worth it. */
function findDistinct(column: Column): boolean {
  const { low, high, length } = column;
  if (indices.length < length) indices = new Uint16Array(length);
  dictionary.clear();
  // Past half the rows distinct, no dictionary is shorter than the values themselves.
  const limit = Math.min(DICTIONARY_LIMIT, (length >>> 1) + 1);
  // A power of two, at least twice the limit. Most columns are short: clearing all slots would cost more than they do.
  const used = 1 << (33 - Math.clz32(limit));
  slots.fill(-1, 0, used);
  const mask = used - 1;
  for (let row = 0; row < length; row++) {
    const l = low[row]!;
    const h = high[row]!;
    let slot = (Math.imul(l, 0x9e37_79b1) ^ Math.imul(h, 0x85eb_ca6b)) >>> 16;
    for (;;) {
      slot &= mask;
      const index = slots[slot]!;
      if (index < 0) {
        if (dictionary.length === limit) return false;
        slots[slot] = dictionary.length;
        indices[row] = dictionary.length;
        dictionary.push(l, h);
        break;
      }
      if (dictionary.low[index] === l && dictionary.high[index] === h) {
        indices[row] = index;
        break;
      }
      slot++;
    }
  }
  return true;
}

function deltaLength(column: Column): number {
  let length = 0;
  let beforeLow = 0;
  let beforeHigh = 0;
  for (let row = 0; row < column.length; row++) {
    const low = column.low[row]!;
    const high = column.high[row]!;
    zigzag(low, high, beforeLow, beforeHigh);
    length += varintLength(zigzagLow, zigzagHigh);
    beforeLow = low;
    beforeHigh = high;
  }
  return length;
}

function plainLength(column: Column): number {
  let length = 0;
  for (let row = 0; row < column.length; row++) length += varintLength(column.low[row]!, column.high[row]!);
  return length;
}

function writeDeltas(column: Column, out: ByteWriter): void {
  let beforeLow = 0;
  let beforeHigh = 0;
  for (let row = 0; row < column.length; row++) {
    const low = column.low[row]!;
    const high = column.high[row]!;
    zigzag(low, high, beforeLow, beforeHigh);
    out.varint(zigzagLow, zigzagHigh);
    beforeLow = low;
    beforeHigh = high;
  }
}

/** Bits of an index into `size` values. */
function indexBits(size: number): number {
  return 32 - Math.clz32(size - 1);
}

/** Appends the column's shortest form; of equally short ones, the first in the list above. */
export function encodeColumn(column: Column, out: ByteWriter): void {
  const rows = column.length;
  const plain = plainLength(column);
  const delta = deltaLength(column);
  let packed = Number.POSITIVE_INFINITY;
  if (rows > 0 && findDistinct(column)) {
    packed =
      varintLength(dictionary.length, 0) +
      deltaLength(dictionary) +
      Math.ceil((rows * indexBits(dictionary.length)) / 8);
  }
  if (packed <= plain && packed <= delta) {
    out.byte(DICTIONARY);
    out.varint(dictionary.length, 0);
    writeDeltas(dictionary, out);
    writeIndices(rows, indexBits(dictionary.length), out);
  } else if (plain <= delta) {
    out.byte(PLAIN);
    for (let row = 0; row < rows; row++) out.varint(column.low[row]!, column.high[row]!);
  } else {
    out.byte(DELTA);
    writeDeltas(column, out);
  }
}

function writeIndices(rows: number, width: number, out: ByteWriter): void {
  if (width === 0) return;
  let pending = 0;
  let count = 0;
  for (let row = 0; row < rows; row++) {
    pending |= indices[row]! << count;
    count += width;
    while (count >= 8) {
      out.byte(pending & 0xff);
      pending >>>= 8;
      count -= 8;
    }
  }
  if (count > 0) out.byte(pending);
}

/**
 * Reads a column of `rows` values, which must fill `bytes` exactly.
 *
 * @throws {TraceFormatError} If they do not, or a dictionary or an index is out of range.
 */
export function decodeColumn(bytes: Uint8Array, rows: number): Column {
  const column = new Column(Math.max(rows, 1));
  const reader = new VarintReader(bytes);
  const form = bytes[0];
  column.length = rows;
  if (form === PLAIN) {
    for (let row = 0; row < rows; row++) {
      reader.next();
      column.low[row] = reader.low;
      column.high[row] = reader.high;
    }
  } else if (form === DELTA) reader.deltas(column);
  else if (form === DICTIONARY) readDictionary(reader, column);
  else throw new TraceFormatError("a column must be of form 0, 1 or 2", `its first byte is ${String(form)}`);
  if (reader.at !== bytes.length) {
    throw new TraceFormatError(
      "a column must end with its last row",
      `${bytes.length - reader.at} bytes follow ${rows} rows`,
    );
  }
  return column;
}

function readDictionary(reader: VarintReader, column: Column): void {
  reader.next();
  const size = reader.low;
  if (reader.high !== 0 || size === 0 || size > DICTIONARY_LIMIT || size > column.length) {
    throw new TraceFormatError(
      `a dictionary must have from 1 to ${Math.min(DICTIONARY_LIMIT, column.length)} values`,
      `it has ${size}`,
    );
  }
  const values = new Column(size);
  values.length = size;
  reader.deltas(values);
  const width = indexBits(size);
  const mask = (1 << width) - 1;
  let pending = 0;
  let count = 0;
  for (let row = 0; row < column.length; row++) {
    while (count < width) {
      pending |= reader.byte() << count;
      count += 8;
    }
    const index = pending & mask;
    pending >>>= width;
    count -= width;
    if (index >= size) throw new TraceFormatError(`an index must be below ${size}`, `row ${row} has ${index}`);
    column.low[row] = values.low[index]!;
    column.high[row] = values.high[index]!;
  }
}

class VarintReader {
  low = 0;
  high = 0;
  /** Where the next byte is; the form byte is read already. */
  at = 1;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  byte(): number {
    const bytes = this.#bytes;
    if (this.at >= bytes.length) {
      throw new TraceFormatError("a column must hold all its rows", `its ${bytes.length} bytes end before`);
    }
    return bytes[this.at++]!;
  }

  /** Reads one varint into `low` and `high`. */
  next(): void {
    const first = this.byte();
    this.high = 0;
    // Most are one byte long.
    if (first < 0x80) this.low = first;
    else this.#rest(first);
  }

  #rest(first: number): void {
    let low = first & 0x7f;
    let high = 0;
    let byte = first;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      byte = this.byte();
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else if (shift === 63 && byte > 1) {
        throw new TraceFormatError("a number must fit in 64 bits", `its tenth byte is ${byte}`);
      } else high |= bits << (shift - 32);
    }
    this.low = low >>> 0;
    this.high = high >>> 0;
  }

  /** Reads as many zigzag differences as the column is long, and adds them up. */
  deltas(column: Column): void {
    let low = 0;
    let high = 0;
    for (let row = 0; row < column.length; row++) {
      this.next();
      const sign = -(this.low & 1);
      const differenceLow = (((this.low >>> 1) | (this.high << 31)) ^ sign) >>> 0;
      const differenceHigh = (this.high >>> 1) ^ sign;
      const sum = low + differenceLow;
      high = (high + differenceHigh + (sum > 0xffff_ffff ? 1 : 0)) >>> 0;
      low = sum >>> 0;
      column.low[row] = low;
      column.high[row] = high;
    }
  }
}
