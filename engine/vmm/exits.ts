/**
 * The log of exits: exactly one `vmm.exit` for each time the guest has left, and an end to a guest that makes no progress.
 *
 * @module
 */
import { KIND_NUMBER } from "../event/record.ts";
import type { Platform } from "../machine/platform.ts";
import type { ExitReason } from "./exit.ts";

const EXIT = KIND_NUMBER["vmm.exit"];
const RESUME = KIND_NUMBER["vmm.resume"];

/** More exits than this without one step of the guest are a defect of the VMM, not a slow guest. */
const STUCK = 10_000;

/** Exits that are about the instruction at pc. */
const HAS_BITS: ReadonlySet<ExitReason> = new Set([
  "privileged-instruction",
  "halt",
  "device-access",
  "rewritten-site",
  "code-access",
  "protected-access",
  "table-write",
]);

/** A reason with its name's number in the log, and whether the log says which instruction it was. */
interface KnownReason {
  readonly reason: ExitReason | undefined;
  readonly name: number;
  readonly hasBits: boolean;
}

export class Exits {
  /** Between an exit and the resume that follows it. */
  exited = true;
  /**
   * The VMM is in control for a reason that the guest's own doing or guest time gives, so that it may bring an interrupt. A hidden exit is
   * none: how many of them there are depends on more than the guest.
   */
  heard = true;
  readonly #platform: Platform;
  readonly #reasons = new Map<ExitReason, KnownReason>();
  /** Most exits are for the reason of the one before. */
  #last: KnownReason = { reason: undefined, name: 0, hasBits: false };
  #stuckAt = -1;
  #stuck = 0;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /** After the guest's state was replaced. */
  reset(): void {
    this.exited = true;
    this.heard = true;
    this.#stuckAt = -1;
  }

  /**
   * Logs an exit, unless it is part of the one before.
   *
   * @throws {Error} If the guest left again and again without a step.
   */
  note(reason: ExitReason): void {
    const { hart, log, position } = this.#platform;
    if (!this.exited) {
      const known = this.#last.reason === reason ? this.#last : this.#know(reason);
      const bits = known.hasBits ? hart.current.bits : 0;
      log.appendWords(EXIT, position.step, known.name, hart.pcLow | 0, hart.pcHigh | 0, bits | 0);
    }
    this.exited = true;
    if (position.step !== this.#stuckAt) {
      this.#stuckAt = position.step;
      this.#stuck = 0;
    } else if (++this.#stuck > STUCK) {
      throw new Error(
        `Cannot go on as the guest must make progress: ${STUCK} exits at step ${position.step}, the last for ${reason}`,
      );
    }
  }

  #know(reason: ExitReason): KnownReason {
    let known = this.#reasons.get(reason);
    if (known === undefined) {
      known = { reason, name: this.#platform.log.name(reason), hasBits: HAS_BITS.has(reason) };
      this.#reasons.set(reason, known);
    }
    this.#last = known;
    return known;
  }

  /** The guest has got on, be it by what weighs nothing: then the step stays as it is (T3). */
  progressed(): void {
    this.#stuckAt = -1;
  }

  /** Logs that the guest runs again, if it was out. */
  resume(): void {
    this.heard = false;
    if (!this.exited) return;
    this.exited = false;
    const { hart, guest, log, position } = this.#platform;
    log.appendWords(RESUME, position.step, guest.mode, hart.context.mode);
  }
}
