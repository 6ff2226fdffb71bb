/**
 * Generated programs as data: sections that run under an environment, made of units that may be deleted one by one.
 *
 * A unit is what must stay together: the instructions that make an address, and the one that uses it. Branches name units, so that what is
 * left still holds together after a deletion.
 *
 * @module
 */
import { type EncodeOperands, encode, findInstruction } from "../../engine/mod.ts";

/** Where an instruction lies, and what lies around it. */
export interface Place {
  readonly at: number;
  /** The address of the unit that lies `ahead` units further; of the next section where there are not as many. */
  readonly unit: (ahead: number) => number;
  /** Where the next section begins. */
  readonly next: number;
}

/** Which leaf an instruction accesses memory through, for the ledger. */
export interface Probe {
  readonly access: "load" | "store" | "fetch";
  /** For example `4K RWXU`, or why no leaf is there. */
  readonly leaf: string;
}

export interface Item {
  readonly size: 2 | 4;
  readonly bits: (place: Place) => number;
  readonly probe?: Probe;
}
export type Unit = readonly Item[];

/** What a section runs under: what the handler puts into the CSRs before it. */
export interface Environment {
  readonly mode: 0 | 1 | 3;
  readonly mstatus: bigint;
  readonly translation: "bare" | "supervisor" | "user";
  /** Levels of its page table. */
  readonly levels: 3 | 4;
  readonly vectored: boolean;
  readonly machineVectored: boolean;
  readonly medeleg: number;
  readonly mideleg: number;
  readonly mie: number;
  readonly counteren: number;
}

export interface Section {
  readonly environment: Environment;
  readonly units: readonly Unit[];
}

export interface Program {
  readonly seed: number;
  readonly sections: readonly Section[];
}

/** @throws {RangeError} If there is no such instruction, or an operand does not fit. */
export function word(mnemonic: string, operands: EncodeOperands): number {
  const instruction = findInstruction(mnemonic);
  if (instruction === undefined)
    throw new RangeError(`Cannot encode ${mnemonic} as it must be in the tables: it is not`);
  return encode(instruction, operands);
}

export const fixed = (bits: number): Item => ({ size: (bits & 3) === 3 ? 4 : 2, bits: () => bits });
export const item = (mnemonic: string, operands: EncodeOperands): Item => fixed(word(mnemonic, operands));

/** The upper and lower part of a distance, for auipc and what follows it. */
export function parts(distance: number): readonly [upper: number, lower: number] {
  const lower = (distance << 20) >> 20;
  return [(distance - lower) | 0, lower];
}

/** `auipc` towards an address. What uses it must come next, with {@link lowerOf}. */
export const upper = (rd: number, target: (place: Place) => number): Item => ({
  size: 4,
  bits: (place) => word("auipc", { rd, imm: parts(target(place) - place.at)[0] }),
});
/** The immediate of an instruction that follows {@link upper} at once. */
export const lowerOf = (place: Place, target: number): number => parts(target - (place.at - 4))[1];

/** Puts an address into a register. */
export const address = (rd: number, target: (place: Place) => number): Item[] => [
  upper(rd, target),
  { size: 4, bits: (place) => word("addi", { rd, rs1: rd, imm: lowerOf(place, target(place)) }) },
];

/** Loads a doubleword from an address, into rd, which is not x0. */
export const loadFrom = (rd: number, target: number): Item[] => [
  upper(rd, () => target),
  { size: 4, bits: (place) => word("ld", { rd, rs1: rd, imm: lowerOf(place, target) }) },
];

/** Puts a signed 32-bit number into a register. */
export function number(rd: number, value: number): Item[] {
  const [high, low] = parts(value | 0);
  if (high === 0) return [item("addi", { rd, imm: low })];
  // A carry out of bit 31 is cut off by the word addition.
  return [item("lui", { rd, imm: high }), item("addiw", { rd, rs1: rd, imm: low })];
}

/** Puts `upper20 << (12 + shift)` into a register. */
export const shifted = (rd: number, upper20: number, shift: number): Item[] => [
  item("lui", { rd, imm: upper20 << 12 }),
  item("slli", { rd, rs1: rd, imm: shift }),
];
