/**
 * Sensitive instructions that a machine does not trap in user mode, carried out as its profile says (Popek and Goldberg's theorem 1 fails there).
 *
 * What they see is the machine's own state, never a virtual one: that of whoever took the traps last.
 *
 * @module
 */
import { csrByName } from "../isa/csr.ts";
import { INSTRUCTIONS } from "../isa/instructions.ts";
import type { Profile, UserAccess } from "../isa/profile.ts";
import type { Current } from "./current.ts";

/** The real CSRs of a machine, by number. */
export interface RealCsrs {
  read(number: number): bigint;
  write(number: number, value: bigint): void;
}

const WORD = 2n ** 64n - 1n;

export class Leaks {
  readonly #csrs = new Map<number, UserAccess>();
  readonly #ignored: ReadonlySet<string>;
  readonly #x: BigUint64Array;

  /** @param x The hart's registers. */
  constructor({ leaks }: Profile, x: BigUint64Array) {
    this.#x = x;
    this.#ignored = new Set(leaks.nops);
    for (const [name, access] of Object.entries(leaks.csrs)) {
      const csr = csrByName(name);
      if (csr === undefined) throw new RangeError(`Cannot leak ${name} as a profile names CSRs: there is none`);
      this.#csrs.set(csr.number, access);
    }
  }

  /** Whether an instruction does nothing in user mode where it should trap. */
  ignores(mnemonic: string): boolean {
    return this.#ignored.has(mnemonic);
  }

  /**
   * Carries out a CSR instruction that user mode executes.
   *
   * @returns false where it traps, as it should: nothing has happened then.
   */
  execute(current: Current, real: RealCsrs): boolean {
    if (this.#csrs.size === 0) return false;
    const number = current.imm & 0xfff;
    const access = this.#csrs.get(number);
    const { csr } = INSTRUCTIONS[current.op - 1]!.effects;
    if (access === undefined || csr === undefined) return false;
    const writes = csr.kind === "write" || current.rs1 !== 0;
    if (writes && access.write === "trap") return false;
    if ((!writes || current.rd !== 0) && access.read === "trap") return false;
    const old = real.read(number);
    if (writes) {
      const source = csr.source === "immediate" ? BigInt(current.rs1) : this.#x[current.rs1]!;
      const wanted = csr.kind === "write" ? source : csr.kind === "set" ? old | source : old & ~source;
      const { userWritable } = access;
      if (userWritable !== 0n) real.write(number, ((old & ~userWritable) | (wanted & userWritable)) & WORD);
    }
    if (current.rd !== 0) this.#x[current.rd] = access.read === "zero" ? 0n : old & access.userReadable;
    return true;
  }
}
