/**
 * The state page (T17): what of the virtual CPU the guest's kernel, or code that stands in for it, reads and writes without an exit.
 *
 * It is the last page of the virtual address space, so that one x0-relative load or store reaches each field, in a frame of the VMM's own,
 * and is mapped only where the guest's kernel runs. The CSRs of the virtual CPU stay the truth: they are written to the page just before the
 * hart runs the kernel ({@link StatePage.export}), and read back from it as soon as the hart has stopped ({@link StatePage.import}), so that
 * interrupts, digests and snapshots never look at the page (T18). Whatever is read back goes through the CSRs' own masks (WARL).
 *
 * An interrupt that becomes pending does not stop a kernel that has interrupts closed. Whoever opens them by a store to `sieFlag` must
 * look at `pending` afterwards, and call the VMM where it is not 0: the VMM cannot see the store.
 *
 * sstatus is there twice, so that reading it takes one register and no sum: without SIE in `status`, and in `sieFlag` with it, as long as it is 1.
 * Of `sieFlag` bit 1 alone is the kernel's word, so that a store of one byte is enough where nobody reads the rest.
 *
 * Left out: a page for each of several harts.
 *
 * @module
 */
import * as at from "../hart/layout.ts";
import { type MachineMemory, PAGE_BYTES } from "../hart/memory.ts";
import { CSR, FS, type Privileged, SIE, SPIE, SPP, SUPERVISOR } from "../hart/privileged.ts";

/** The page's virtual address, as two words. */
export const STATE_PAGE = { low: 0xffff_f000, high: 0xffff_ffff } as const;

export interface StateField {
  readonly name: string;
  /** Bytes from address 0; always negative, so that `offset(x0)` is its address. */
  readonly offset: number;
  readonly bytes: 1 | 8;
  readonly doc: string;
}

/** Every field. The order is the page's; docs/hypercalls.md and the guest's headers repeat it, and a test compares them. */
const ROWS = [
  ["sscratch", -2048, 8, "the CSR"],
  ["sepc", -2040, 8, "the CSR; bit 0 reads as whatever was written until the next exit"],
  ["scause", -2032, 8, "the CSR"],
  ["stval", -2024, 8, "the CSR"],
  ["status", -2016, 8, "sstatus without SIE; SPP, SPIE and FS may be written, all else is ignored"],
  ["stvec", -2008, 8, "a copy: writes are ignored"],
  ["satp", -2000, 8, "a copy: writes are ignored"],
  ["sie", -1992, 8, "a copy: writes are ignored"],
  ["sip", -1984, 8, "a copy as of the last resume: writes are ignored"],
  ["spill0", -1976, 8, "not the VMM's: kept while other code runs in its place"],
  ["spill1", -1968, 8, "as spill0"],
  ["spill2", -1960, 8, "as spill0"],
  ["spill3", -1952, 8, "as spill0"],
  ["link", -1944, 8, "not the VMM's: where a stub returns to"],
  ["sieFlag", -1936, 8, "sstatus while interrupts are open, else 0: bit 1 opens or closes, other bits are ignored"],
  ["next", -1928, 8, "the satp value that the hypercall `return` switches to, which then makes it 0; 0: none"],
  ["opens", -1920, 8, "what to store in sieFlag to open; 0 while `pending` is not 0: writes are ignored"],
  ["pending", -1912, 1, "not 0 while an interrupt is pending that sie enables: writes are ignored"],
] as const satisfies readonly (readonly [string, number, 1 | 8, string])[];

export type StateFieldName = (typeof ROWS)[number][0];

/** The fields by name. */
export const FIELDS: Readonly<Record<StateFieldName, StateField>> = Object.fromEntries(
  ROWS.map(([name, offset, bytes, doc]) => [name, { name, offset, bytes, doc }]),
) as Record<StateFieldName, StateField>;

/** What of `status` is the kernel's to write, FS aside. */
const STACK = SPP | SPIE;
const SSCRATCH = 0x140;
/** Held by the page while the kernel runs: field, CSR. */
const HELD = [
  [FIELDS.sscratch, SSCRATCH],
  [FIELDS.sepc, CSR.sepc],
  [FIELDS.scause, CSR.scause],
  [FIELDS.stval, CSR.stval],
] as const;
/** Copied to the page, as the CSR's own words. */
const COPIED = [
  [FIELDS.stvec, CSR.stvec],
  [FIELDS.satp, CSR.satp],
] as const;

export class StatePage {
  /** The number of the frame that holds it. */
  readonly frame: number;
  readonly #memory: MachineMemory;
  readonly #guest: Privileged;
  /** The page's place in linear memory, and where address 0 would lie if the page ended there. */
  readonly #end: number;
  /** Whether the page holds the truth: between {@link export} and {@link import}. */
  #live = false;
  /** `status` as it was put there: what differs from it was written by the kernel. */
  #status = 0;

  /** @param frame A frame of the VMM's, all zeros. */
  constructor(parts: { readonly memory: MachineMemory; readonly guest: Privileged; readonly frame: number }) {
    this.#memory = parts.memory;
    this.#guest = parts.guest;
    this.frame = parts.frame;
    this.#end = parts.memory.linear(parts.frame * PAGE_BYTES) + PAGE_BYTES;
  }

  /** Whether an address lies in it. */
  static holds(low: number, high: number): boolean {
    return high >>> 0 === STATE_PAGE.high && low >>> 0 >= STATE_PAGE.low;
  }

  #word({ offset }: StateField): number {
    return (this.#end + offset) >>> 2;
  }

  /** Puts the virtual CPU's state into the page, if the guest's kernel is to run now. */
  export(): void {
    const guest = this.#guest;
    if (guest.mode !== SUPERVISOR) return;
    this.#live = true;
    const { u8 } = this.#memory;
    for (const [field, number] of HELD) this.#copy(field, number);
    for (const [field, number] of COPIED) this.#copy(field, number);
    guest.read(CSR.sstatus);
    const { low, high } = guest;
    this.#status = low & ~SIE;
    this.#put(FIELDS.status, this.#status, high);
    const isOpen = (low & SIE) !== 0;
    this.#put(FIELDS.sieFlag, isOpen ? low : 0, isOpen ? high : 0);
    guest.read(CSR.sie);
    const enabled = guest.low;
    this.#put(FIELDS.sie, enabled, 0);
    guest.read(CSR.sip);
    this.#put(FIELDS.sip, guest.low, 0);
    const waits = (enabled & guest.low) !== 0;
    u8[this.#end + FIELDS.pending.offset] = waits ? 1 : 0;
    this.#put(FIELDS.opens, waits ? 0 : low | SIE, waits ? 0 : high);
  }
  #put(field: StateField, low: number, high: number): void {
    const { u32 } = this.#memory;
    u32[this.#word(field)] = low;
    u32[this.#word(field) + 1] = high;
  }
  #copy(field: StateField, number: number): void {
    const { u32 } = this.#memory;
    const from = (at.CSRS >>> 2) + 2 * number;
    const to = this.#word(field);
    u32[to] = u32[from]!;
    u32[to + 1] = u32[from + 1]!;
  }

  /**
   * Takes what the kernel has written to the page into the virtual CPU's CSRs, each through its mask.
   *
   * @returns Whether the kernel has switched floating point on, which the hart does not know yet.
   */
  import(): boolean {
    if (!this.#live) return false;
    this.#live = false;
    const { u32 } = this.#memory;
    const guest = this.#guest;
    for (const [field, number] of HELD) {
      const [low, high] = [u32[this.#word(field)]!, u32[this.#word(field) + 1]!];
      const held = (at.CSRS >>> 2) + 2 * number;
      if (low !== u32[held] || high !== u32[held + 1]) guest.write(number, low, high);
    }
    const written = u32[this.#word(FIELDS.status)]!;
    guest.read(CSR.sstatus);
    const before = guest.low;
    let after = (before & ~(STACK | SIE)) | (written & STACK) | (u32[this.#word(FIELDS.sieFlag)]! & SIE);
    // Instructions make FS Dirty by themselves, so only a change of it is the kernel's word.
    if (((written ^ this.#status) & FS) !== 0) after = (after & ~FS) | (written & FS);
    if (after !== before) guest.write(CSR.sstatus, after, guest.high);
    return (before & FS) === 0 && (after & FS) !== 0;
  }

  /** Forgets what the page holds, after the virtual CPU's state was replaced. */
  reset(): void {
    this.#live = false;
  }

  /** A field's value as it stands in the page. */
  read(name: StateFieldName): bigint {
    const { offset, bytes } = FIELDS[name];
    const { u8, u64 } = this.#memory;
    return bytes === 1 ? BigInt(u8[this.#end + offset]!) : u64[(this.#end + offset) >>> 3]!;
  }
  /** Writes a field, as code that runs beside the page would. */
  write(name: StateFieldName, value: bigint): void {
    const { offset, bytes } = FIELDS[name];
    const { u8, u64 } = this.#memory;
    if (bytes === 1) u8[this.#end + offset] = Number(value & 0xffn);
    else u64[(this.#end + offset) >>> 3] = value;
  }
}
