/**
 * Compares an image's run with QEMU's, step by step, to the first difference or the end.
 *
 * @module
 */
import type { Machine, Tier } from "../../engine/mod.ts";
import type { Image } from "./image.ts";
import type { Ledger } from "./ledger.ts";
import { describe, differences, equalStates, type Mismatch, Stepper } from "./lockstep.ts";
import { Qemu } from "./qemu.ts";
import { type Recorded, Recorder } from "./recorded.ts";

export interface Comparison {
  /** States that were compared and are equal. */
  readonly steps: number;
  /** Of QEMU's states. */
  readonly recorded: Recorded;
  readonly mismatch: Mismatch | undefined;
}

export interface CompareOptions {
  readonly tier: Tier;
  readonly ledger?: Ledger;
  readonly onMachine?: (machine: Machine) => void;
}

/** Longer than any image runs: a run that loops is stopped here. */
const MOST_STEPS = 200_000;

export function compareImage(image: Image, { tier, ledger, onMachine }: CompareOptions): Comparison {
  const qemu = new Qemu(image);
  try {
    return follow(image, qemu, new Stepper(image, tier, onMachine), ledger);
  } finally {
    qemu.close();
  }
}

function follow(image: Image, qemu: Qemu, stepper: Stepper, ledger: Ledger | undefined): Comparison {
  const { log } = qemu;
  do {
    if (!log.next())
      throw new RangeError(
        `Cannot compare with QEMU as it must reach the programs: ${qemu.messages || "it ended before"}`,
      );
  } while (log.state[0] !== image.start || log.state[1] !== 0);
  const recorder = new Recorder();
  let steps = 0;
  let last = 0n;
  const mismatch = (fields: readonly string[]): Mismatch => ({
    at: steps,
    ...describe(image, stepper, last),
    mode: stepper.mode,
    fields,
  });
  const result = (found?: Mismatch): Comparison => {
    recorder.finish();
    return { steps, recorded: { seed: image.seed, steps, hashes: recorder.hashes }, mismatch: found };
  };
  let unread = true;
  for (; steps < MOST_STEPS; ) {
    stepper.step();
    // QEMU would wait as well, and log nothing more.
    if (stepper.waiting) return result(mismatch(["ours waits for an interrupt that never comes"]));
    if (!unread && !log.next()) return result(mismatch(["QEMU has ended, and ours goes on"]));
    const equal = equalStates(stepper.state, log.state);
    // A state that an interrupt leaves is logged if QEMU looked for the interrupt too late, and started the instruction over.
    unread = stepper.silent && !equal;
    if (!equal && !stepper.silent) return result(mismatch(differences(stepper.state, log.state)));
    if (!stepper.silent) {
      recorder.add(log.state);
      steps++;
    }
    ledger?.count(image, stepper);
    last = pcOf(stepper.state);
    if (stepper.ended) return result(log.next() ? mismatch(["ours has ended, and QEMU goes on"]) : undefined);
  }
  return result(mismatch([`no end within ${MOST_STEPS} steps`]));
}

const pcOf = (state: Uint32Array) => (BigInt(state[1]!) << 32n) | BigInt(state[0]!);
