/**
 * The wasm's TLBs: a cache of the translations in linear memory, in banks keyed by address space and mode.
 *
 * Nothing about it is visible to a guest: what is missing is filled again from the set of translations.
 *
 * @module
 */
import * as at from "./layout.ts";
import type { MachineMemory } from "./memory.ts";

/** Which of a bank's three TLBs; the same numbers as `ACCESS`. */
const WRITE = 1;

export class TlbBanks {
  readonly #i32: Int32Array;
  readonly #keys = new Float64Array(at.TLB_BANKS).fill(-1);
  /** Linear addresses of the entries filled since a bank was last empty, so that emptying costs what filling did. */
  readonly #filled = Array.from({ length: at.TLB_BANKS }, () => new Int32Array(3 * at.TLB_ENTRIES));
  readonly #counts = new Int32Array(at.TLB_BANKS);
  #victim = 0;

  constructor(memory: MachineMemory) {
    this.#i32 = memory.i32;
    this.#i32.fill(-1, at.TLBS >>> 2, (at.TLBS + at.TLB_BANKS * at.BANK_BYTES) >>> 2);
  }

  /** @param key Of the address space and mode. @returns The bank's number; it may have had to be emptied. */
  select(key: number): number {
    for (let bank = 0; bank < at.TLB_BANKS; bank++) if (this.#keys[bank] === key) return bank;
    const bank = this.#victim;
    this.#victim = (bank + 1) % at.TLB_BANKS;
    this.#empty(bank);
    this.#keys[bank] = key;
    return bank;
  }

  /** Linear address of one of a bank's TLBs. */
  address(bank: number, access: number): number {
    return at.TLBS + bank * at.BANK_BYTES + access * at.TLB_BYTES;
  }

  /** @param low @param high The virtual address. @param value What to add to an address to make it linear, or the page's slots. */
  fill(bank: number, access: number, low: number, high: number, value: number): void {
    const entry = this.address(bank, access) + ((low >>> 8) & ((at.TLB_ENTRIES - 1) * at.TLB_ENTRY_BYTES));
    const word = entry >>> 2;
    if (this.#i32[word] === -1) {
      // Single pages forgotten and filled again leave duplicates in the list: do not let it grow without end.
      if (this.#counts[bank]! >= 3 * at.TLB_ENTRIES) this.#empty(bank);
      this.#filled[bank]![this.#counts[bank]!++] = entry;
    }
    this.#i32[word] = low & ~4095;
    this.#i32[word + 1] = high;
    this.#i32[word + 2] = value;
  }

  #empty(bank: number): void {
    const filled = this.#filled[bank]!;
    for (let i = this.#counts[bank]! - 1; i >= 0; i--) this.#clear(filled[i]!);
    this.#counts[bank] = 0;
  }
  #clear(entry: number): void {
    this.#i32[entry >>> 2] = -1;
    this.#i32[(entry >>> 2) + 1] = -1;
  }

  flush(): void {
    for (let bank = 0; bank < at.TLB_BANKS; bank++) this.#empty(bank);
  }

  /** Forgets one page, in all banks. */
  flushPage(low: number, high: number): void {
    const index = (low >>> 8) & ((at.TLB_ENTRIES - 1) * at.TLB_ENTRY_BYTES);
    for (let bank = 0; bank < at.TLB_BANKS; bank++) {
      if (this.#counts[bank] === 0) continue;
      for (let access = 0; access < 3; access++) {
        const entry = this.address(bank, access) + index;
        if (this.#i32[entry >>> 2] === (low & ~4095) && this.#i32[(entry >>> 2) + 1] === high) this.#clear(entry);
      }
    }
  }

  /** Forgets all that may be written: after it, every first store to a page is seen by TypeScript again. */
  flushWrites(): void {
    for (let bank = 0; bank < at.TLB_BANKS; bank++) {
      const filled = this.#filled[bank]!;
      const from = this.address(bank, WRITE);
      for (let i = this.#counts[bank]! - 1; i >= 0; i--) {
        const entry = filled[i]!;
        if (entry >= from && entry < from + at.TLB_BYTES) this.#clear(entry);
      }
    }
  }
}
