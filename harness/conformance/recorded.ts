/**
 * What QEMU answered, kept small: hashes of its states, so that a machine without QEMU can still tell whether it would agree.
 *
 * @module
 */
import type { Machine, Tier } from "../../engine/mod.ts";
import { fold, Stepper } from "./lockstep.ts";

/** States between two hashes. */
export const HASH_EVERY = 1000;

export interface Recorded {
  readonly seed: number;
  readonly steps: number;
  /** The running hash after every {@link HASH_EVERY} states, and at the end: two 32-bit words each. */
  readonly hashes: readonly number[];
}

/** Takes states, and keeps the hash of them. */
export class Recorder {
  readonly hashes: number[] = [];
  steps = 0;
  readonly #hash = new Uint32Array(2);

  add(state: Uint32Array): void {
    fold(this.#hash, state);
    this.steps++;
    if (this.steps % HASH_EVERY === 0) this.#keep();
  }
  finish(): void {
    this.#keep();
  }
  #keep(): void {
    this.hashes.push(this.#hash[0]!, this.#hash[1]!);
  }
}

/** More steps than any image has. */
const MOST_STEPS = 200_000;

/** Records what the machine of ours answers itself, for comparing it with one that has a fault. */
export function recordOwn(
  seed: number,
  image: { readonly bytes: Uint8Array; readonly start: number },
  tier: Tier,
): Recorded {
  const stepper = new Stepper(image, tier);
  const recorder = new Recorder();
  while (!stepper.ended && !stepper.waiting && recorder.steps < MOST_STEPS) {
    stepper.step();
    if (!stepper.silent) recorder.add(stepper.state);
  }
  recorder.finish();
  return { seed, steps: recorder.steps, hashes: recorder.hashes };
}

/**
 * Runs an image against what was recorded of it.
 *
 * @returns The number of states up to the first hash that differs, or undefined where all agree.
 */
export function differsFrom(
  recorded: Recorded,
  image: { readonly bytes: Uint8Array; readonly start: number },
  tier: Tier,
  onMachine?: (machine: Machine) => void,
): number | undefined {
  const stepper = new Stepper(image, tier, onMachine);
  const recorder = new Recorder();
  let checked = 0;
  const agrees = () => {
    for (; checked < recorder.hashes.length; checked++)
      if (recorder.hashes[checked] !== recorded.hashes[checked]) return false;
    return true;
  };
  // A fault may send it round and round.
  for (let i = 0; i < MOST_STEPS && !stepper.ended && !stepper.waiting; i++) {
    stepper.step();
    if (stepper.silent) continue;
    recorder.add(stepper.state);
    if (recorder.steps % HASH_EVERY === 0 && !agrees()) return recorder.steps;
  }
  recorder.finish();
  return agrees() && recorder.steps === recorded.steps ? undefined : recorder.steps;
}
