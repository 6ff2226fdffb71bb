/**
 * Watched addresses: code that is to be noticed when it is about to run, though the guest itself says nothing.
 *
 * An instruction is noticed once a step, however often it is begun: one that a hidden exit interrupted is the same one (T2).
 *
 * Left out: an address space of its own for each watch; instructions that stand-in code carries out elsewhere.
 *
 * @module
 */

interface Watch {
  readonly code: number;
  /** The step at which it was last noticed. */
  step: number;
}

export class Watches {
  readonly #byAddress = new Map<bigint, Watch>();
  /** Of their pages: what decoded code can be asked by. */
  readonly #offsets = new Set<number>();
  /** Called before the instruction at a watched address runs. */
  onReached: (code: number) => void = () => {};

  /** Whether any address is watched. */
  get any(): boolean {
    return this.#byAddress.size > 0;
  }

  /** @throws {RangeError} If the address is watched already. */
  add(address: bigint, code: number): void {
    if (this.#byAddress.has(address)) {
      throw new RangeError(
        `Cannot watch 0x${address.toString(16)} as an address makes one mark: it is watched already`,
      );
    }
    this.#byAddress.set(address, { code, step: -1 });
    this.#offsets.add(Number(address & 4095n));
  }

  /** Whether an instruction at this offset in its page may be watched. */
  mayWatch(offset: number): boolean {
    return this.#offsets.has(offset);
  }

  /** @returns Whether the instruction at `pc` is watched and was not noticed at this step before; it is then noticed. */
  reached(pc: bigint, step: number): boolean {
    const watch = this.#byAddress.get(pc);
    if (watch === undefined || watch.step === step) return false;
    watch.step = step;
    this.onReached(watch.code);
    return true;
  }

  /** Forgets what was noticed, for when the state is another. */
  forget(): void {
    for (const watch of this.#byAddress.values()) watch.step = -1;
  }
}
