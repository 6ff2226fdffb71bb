/**
 * The VMM's own supervisor CSRs, which only a leaking machine shows to the guest. The VMM counts as software in S-mode with all traps delegated to it.
 *
 * @module
 */
import type { RealCsrs } from "../hart/leaks.ts";
import { CSR, type Privileged, USER } from "../hart/privileged.ts";
import { type Root, SV48, tableOf } from "../hart/translations.ts";

/** Where the VMM's trap handler lies, and what it finds its state by. */
const HANDLER = 0xffff_ffc0_0000_0000n;
const FRAME = 0xffff_ffc0_0001_0000n;
/** Software, timer and external interrupts. The VMM enables all, and none is pending while the guest runs. */
const INTERRUPTS = 0x222n;
const FS_SHIFT = 13n;
/** CBIE, CBCFE and CBZE. */
const BLOCKS = 0xf0;

export class OwnCsrs implements RealCsrs {
  /** FS as user mode has set it itself; -1 where it is as the VMM loaded it, which is the guest's. */
  float = -1;
  readonly #guest: Privileged;
  readonly #root: () => Root;
  readonly #onFloat: () => void;
  /** sepc, scause and stval, each as two words. */
  readonly #trap = new Uint32Array(6);

  /** @param root The shadow root in force. @param onFloat Called when user mode has changed FS. */
  constructor(guest: Privileged, root: () => Root, onFloat: () => void) {
    this.#guest = guest;
    this.#root = root;
    this.#onFloat = onFloat;
  }

  /** Takes the trap that an exit really was. Bit 31 of `cause`: an interrupt. */
  trapped(pcLow: number, pcHigh: number, cause: number, low: number, high: number): void {
    const trap = this.#trap;
    trap[0] = pcLow;
    trap[1] = pcHigh;
    trap[2] = cause & 0x7fff_ffff;
    trap[3] = cause & 0x8000_0000;
    trap[4] = low;
    trap[5] = high;
  }
  #pair(at: number): bigint {
    return (BigInt(this.#trap[at + 1]!) << 32n) | BigInt(this.#trap[at]!);
  }

  read(number: number): bigint {
    const guest = this.#guest;
    const user = guest.mode === USER;
    // Where the guest's own registers decide what its mode may do without an exit, the VMM has the same in force.
    const inForce = (machine: number, supervisor: number) =>
      BigInt((guest.word(machine) & (user ? guest.word(supervisor) : -1)) >>> 0);
    switch (number) {
      case CSR.sstatus:
        return BigInt(this.float >= 0 ? this.float : (guest.status >>> 13) & 3) << FS_SHIFT;
      case CSR.sie:
        return INTERRUPTS;
      case CSR.stvec:
        return HANDLER;
      case SSCRATCH:
        return FRAME;
      case CSR.scounteren:
        return inForce(CSR.mcounteren, CSR.scounteren);
      case CSR.senvcfg:
        return inForce(CSR.menvcfg, CSR.senvcfg) & BigInt(BLOCKS);
      case CSR.sepc:
        return this.#pair(0);
      case CSR.scause:
        return this.#pair(2);
      case CSR.stval:
        return this.#pair(4);
      case CSR.satp: {
        const root = this.#root();
        return (root < SV48 ? 8n << 60n : 9n << 60n) | BigInt(tableOf(root));
      }
      default:
        return 0n;
    }
  }

  /** Only FS of sstatus is user mode's to write, on any profile. */
  write(number: number, value: bigint): void {
    if (number !== CSR.sstatus) return;
    this.float = Number((value >> FS_SHIFT) & 3n);
    this.#onFloat();
  }
}

const SSCRATCH = 0x140;
