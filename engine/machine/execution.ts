/**
 * How a guest's instructions are carried out: by the bare machine, or by a VMM with a technique.
 *
 * @module
 */
import type { Translations } from "../hart/translations.ts";

export interface Execution {
  /** The guest executed wfi with nothing to wake for: it stands at that instruction. */
  waiting: boolean;
  /** The code of the mark that the guest made last, or -1. The machine takes it back to -1. */
  mark: number;
  /** The guest's translations (T10). */
  readonly translations: Translations;
  /** Whether an interrupt that the guest has enabled can reach it here: a VMM that is not in control may not know that it is enabled. */
  readonly interruptible: boolean;
  /** After a restore: an interrupt that is pending and enabled has not reached the guest, and does not before this knows that it is. */
  withhold?(): void;
  /** What a ported guest has put into the VMM's keeping, for snapshots; absent where guests do not know the VMM. */
  readonly kept?: { save(): Uint8Array; load(state: Uint8Array): void } | undefined;
  /** Logs what has been counted and not been logged yet: before a mark or a checkpoint, and at the end. */
  account(): void;
  /** Runs at most `budget` steps, and at least something: the position moves, or `waiting` is set, or the guest ends. */
  resume(budget: number): void;
  /** Something came due in guest time: a machine that runs the guest deprivileged is interrupted by it. */
  notice(): void;
  /** Makes the guest take an interrupt now. */
  interrupt(cause: number): void;
  /** Lets the wfi complete that the guest waits at. */
  completeWait(): void;
  /** Forgets all that is derived from the guest's state, after that was replaced. */
  reset(): void;
}
