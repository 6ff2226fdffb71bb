/**
 * A growing run of bytes with the number forms that a trace uses.
 *
 * @module
 */

export class ByteWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Makes room for `count` more bytes. */
  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** A 64-bit number, given as two halves, in LEB128: 7 bits a byte, the lowest first, the high bit set where more follow. */
  varint(low: number, high: number): void {
    this.#reserve(10);
    const bytes = this.#bytes;
    let at = this.#length;
    while (high !== 0) {
      bytes[at++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    while (low > 0x7f) {
      bytes[at++] = (low & 0x7f) | 0x80;
      low >>>= 7;
    }
    bytes[at++] = low;
    this.#length = at;
  }

  /** What was written since the start or the last `take`, as bytes of the caller's own. */
  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    return taken;
  }
}

/** Length in bytes of a `varint`. */
export function varintLength(low: number, high: number): number {
  if (high !== 0) return Math.ceil((64 - Math.clz32(high)) / 7);
  return low < 0x80 ? 1 : low < 0x4000 ? 2 : low < 0x20_0000 ? 3 : low < 0x1000_0000 ? 4 : 5;
}
