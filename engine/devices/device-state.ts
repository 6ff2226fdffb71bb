/**
 * The bytes of a device's state: fixed order, fixed widths, little-endian, so that equal states are equal bytes.
 *
 * A reader checks all it reads and a device assigns only after {@link StateReader.end}: a state that is refused changes nothing.
 *
 * @module
 */

/** Appends the fields of one device's state. */
export class StateWriter {
  #bytes = new Uint8Array(64);
  #length = 0;

  /** @param tag Names the kind of device and the form of its state, at most 255 ASCII characters: `uart16550/1`. */
  constructor(tag: string) {
    this.u8(tag.length);
    for (let at = 0; at < tag.length; at++) this.u8(tag.charCodeAt(at));
  }

  u8(value: number): this {
    this.#room(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  bool(value: boolean): this {
    return this.u8(value ? 1 : 0);
  }

  u16(value: number): this {
    return this.u8(value & 0xff).u8((value >>> 8) & 0xff);
  }

  u32(value: number): this {
    return this.u16(value & 0xffff).u16(value >>> 16);
  }

  u64(value: bigint): this {
    return this.u32(Number(value & 0xffff_ffffn)).u32(Number((value >> 32n) & 0xffff_ffffn));
  }

  /** A whole number from 0 to 2^53 - 1: a guest time or a count. */
  count(value: number): this {
    return this.u64(BigInt(value));
  }

  /** Bytes, with their length before them. */
  bytes(bytes: Uint8Array): this {
    this.u32(bytes.length);
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** The state so far, as bytes of its own. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #room(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

/** Reads the fields of one device's state, in the order in which they were written. */
export class StateReader {
  readonly #bytes: Uint8Array;
  readonly #device: string;
  #at = 0;

  /**
   * @param bytes What {@link StateWriter.finish} gave. @param tag The tag it must start with. @param device Named in errors.
   * @throws {RangeError} If the tag is another one.
   */
  constructor(bytes: Uint8Array, tag: string, device: string) {
    this.#bytes = bytes;
    this.#device = device;
    const length = this.u8();
    let found = "";
    for (let at = 0; at < length; at++) found += String.fromCharCode(this.u8());
    if (found !== tag) throw this.error(`its state must be of kind "${tag}"`, JSON.stringify(found));
  }

  u8(): number {
    const value = this.#bytes[this.#at];
    if (value === undefined) throw this.error("its state must be whole", `it ends after ${this.#bytes.length} bytes`);
    this.#at++;
    return value;
  }

  bool(): boolean {
    return this.upTo(1, this.u8(), "a flag") === 1;
  }

  u16(): number {
    return this.u8() | (this.u8() << 8);
  }

  u32(): number {
    return (this.u16() | (this.u16() << 16)) >>> 0;
  }

  u64(): bigint {
    return BigInt(this.u32()) | (BigInt(this.u32()) << 32n);
  }

  count(): number {
    const value = this.u64();
    if (value > 0x1f_ffff_ffff_ffffn) throw this.error("a count must be below 2^53", `${value}`);
    return Number(value);
  }

  /** Bytes with their length before them. @param limit The most there may be. */
  bytes(limit: number): Uint8Array {
    const length = this.upTo(limit, this.u32(), "a length");
    const from = this.#at;
    if (from + length > this.#bytes.length) {
      throw this.error("its state must be whole", `it ends after ${this.#bytes.length} bytes`);
    }
    this.#at += length;
    return this.#bytes.slice(from, this.#at);
  }

  /** Gives `value` back. @throws {RangeError} If it is above `limit`. */
  upTo(limit: number, value: number, what: string): number {
    if (value > limit) throw this.error(`${what} must be at most ${limit}`, `${value}`);
    return value;
  }

  /** @throws {RangeError} If bytes are left over. */
  end(): void {
    const left = this.#bytes.length - this.#at;
    if (left > 0) throw this.error("its state must end with its last field", `${left} bytes follow`);
  }

  error(rule: string, found: string): RangeError {
    return new RangeError(`Cannot restore ${this.#device} as ${rule}: ${found}`);
  }
}
