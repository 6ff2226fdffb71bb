/**
 * The instruction that a hart stopped at.
 *
 * @module
 */

/** Mutable: one object a hart, filled anew at each stop. Its bits are looked up only when somebody asks. */
export class Current {
  op = 0;
  rd = 0;
  rs1 = 0;
  rs2 = 0;
  imm = 0;
  /** Bytes. */
  length = 4;
  #bits = 0;
  #stale = false;
  readonly #look: () => number;

  constructor(look: () => number) {
    this.#look = look;
  }

  /** The instruction word, or halfword. */
  get bits(): number {
    if (this.#stale) {
      this.#stale = false;
      this.#bits = this.#look();
    }
    return this.#bits;
  }
  set bits(bits: number) {
    this.#stale = false;
    this.#bits = bits;
  }
  /** The bits are those that `look` finds. */
  forget(): void {
    this.#stale = true;
  }
}
