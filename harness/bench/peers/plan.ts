/**
 * What is compared with what, and on how much work.
 *
 * @module
 */

export type Work = "integer" | "mix" | "fp" | "pointer" | "trap";
export type OurTier = "jit" | "interpreter";
/** How ours runs: recording inputs, guest stream and checkpoints to a file; replaying and comparing; or with its log off. */
export type Mode = "record" | "replay" | "plain";
/** What it is compared with: an emulator, or ours while it records. */
export type Peer = "qemu" | "qemu-icount" | "qemu-record" | "qemu-replay" | "self-record";

export interface Workload {
  readonly work: Work;
  /** Its files, besides those that all workloads have. */
  readonly sources: readonly string[];
  /** Rounds of a smoke test. */
  readonly quick: number;
  /** Two sizes, so that start-up and warming up cancel: the larger takes about two CPU seconds. */
  readonly rounds: Readonly<Record<OurTier, readonly [small: number, large: number]>>;
}

export const WORKLOADS: readonly Workload[] = [
  { work: "integer", sources: ["integer.c"], quick: 2, rounds: { jit: [30, 330], interpreter: [6, 66] } },
  { work: "mix", sources: ["mix.c"], quick: 50, rounds: { jit: [600, 6600], interpreter: [200, 2200] } },
  { work: "fp", sources: ["fp.c"], quick: 2000, rounds: { jit: [100_000, 1_100_000], interpreter: [20_000, 220_000] } },
  { work: "pointer", sources: ["pointer.c"], quick: 2, rounds: { jit: [20, 220], interpreter: [10, 110] } },
  {
    work: "trap",
    sources: ["trap.c", "trap-entry.S"],
    quick: 20,
    rounds: { jit: [200, 2200], interpreter: [200, 2200] },
  },
];

/** One of ours and its peers, measured one right after the other. */
export interface Group {
  readonly ours: OurTier;
  readonly mode: Mode;
  readonly peers: readonly Peer[];
}

export const GROUPS: readonly Group[] = [
  { ours: "jit", mode: "record", peers: ["qemu", "qemu-icount", "qemu-record"] },
  { ours: "jit", mode: "replay", peers: ["self-record", "qemu-replay"] },
  { ours: "jit", mode: "plain", peers: ["self-record", "qemu"] },
  { ours: "interpreter", mode: "record", peers: ["qemu-icount", "qemu-record"] },
  { ours: "interpreter", mode: "plain", peers: ["self-record"] },
];

/** A ratio over all repeats. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** A line of the result. `ratio` is our speed by the peer's: more is better. */
export interface Row {
  readonly work: Work;
  readonly ours: OurTier;
  readonly mode: Mode;
  readonly peer: Peer;
  readonly ratio: Spread;
}

/** The same of a whole boot, start and compilation included. */
export type BootRow = Omit<Row, "work"> & { readonly work: "boot" };

/** CPU seconds of one program at both sizes. */
export interface Timing {
  readonly small: number;
  readonly large: number;
}

/** CPU seconds are counted in thousandths; what takes less counts as one. */
const LEAST_SECONDS = 0.001;

/** CPU seconds of the work by which the sizes differ. */
export function workSeconds({ small, large }: Timing): number {
  return Math.max(large - small, LEAST_SECONDS);
}

/** Our speed by the peer's. */
export function ratioOf(ours: Timing, peer: Timing): number {
  return workSeconds(peer) / workSeconds(ours);
}

/** @throws {RangeError} If there are no values. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (min === undefined || max === undefined)
    throw new RangeError("Cannot sum up a ratio as it must have been measured: no repeat was run");
  const middle = sorted.length / 2;
  const median = (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
  return { min, median, max };
}
