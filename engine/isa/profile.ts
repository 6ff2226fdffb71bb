/**
 * Machine profiles: what the manual leaves to the implementation, and where a machine departs from the manual, as data.
 *
 * @module
 */

/** How U-mode reaches a CSR that the manual has trap there. */
export interface UserAccess {
  /** What a read gives: the live register as the profile's definition masks it, or zero. */
  readonly read: "trap" | "live" | "zero";
  /** What becomes of a write: it traps, or only the bits of `userWritable` change and nothing traps. */
  readonly write: "trap" | "silent";
  readonly userWritable: bigint;
}

/** Sensitive operations that do not trap in U-mode. Popek and Goldberg's theorem 1 needs both to be empty. */
export interface Leaks {
  /** By CSR name. */
  readonly csrs: Readonly<Record<string, UserAccess>>;
  /** Mnemonics that do nothing in U-mode where they should trap. */
  readonly nops: readonly string[];
}

export interface Profile {
  readonly name: string;
  /** In the order of an ISA string ("ISA Extension Naming Conventions"). */
  readonly extensions: readonly string[];
  readonly physicalAddressBits: number;
  /** The most leaves that the set of translations holds before it is dropped (guest time rule T10). */
  readonly translationCap: number;
  /** Ticks of `time` in a second of guest time. */
  readonly timebaseHertz: number;
  /** Steps of guest time in one tick of `time`. */
  readonly stepsPerTick: number;
  /** Steps that wfi may wait in U-mode before it traps; 0: it always traps. */
  readonly wfiBound: number;
  readonly leaks: Leaks;
}

/** The specification to the letter: every sensitive instruction is privileged. A step is 10 ns of guest time. */
export const strict: Profile = {
  name: "strict",
  extensions: ["i", "m", "a", "f", "d", "c", "zicntr", "zicsr", "zifencei"],
  physicalAddressBits: 56,
  translationCap: 2 ** 20,
  timebaseHertz: 10_000_000,
  stepsPerTick: 10,
  wfiBound: 0,
  leaks: { csrs: {}, nops: [] },
};

/** @returns The ISA string of a profile, as device trees give it: `rv64imafdc_zicntr_zicsr_zifencei`. */
export function isaString({ extensions }: Profile): string {
  const letters = extensions.filter((extension) => extension.length === 1).join("");
  return [`rv64${letters}`, ...extensions.filter((extension) => extension.length > 1)].join("_");
}
