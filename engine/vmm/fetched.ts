/**
 * Instructions that the VMM fetches by itself: where the hart has run something in their place, or where none can be fetched through a shadow.
 *
 * @module
 */
import { ACCESS_CAUSE, PAGE_CAUSE } from "../hart/access.ts";
import { CAUSE } from "../hart/evaluate.ts";
import { ACCESS, ACCESS_FAULT, PAGE_FAULT } from "../hart/paging.ts";
import { siteClassOf } from "../isa/sites.ts";
import type { Platform } from "../machine/platform.ts";
import type { Exit } from "./exit.ts";
import type { GuestMemory } from "./guest-memory.ts";
import type { Verdict } from "./technique.ts";
import type { VirtualCpu } from "./vcpu.ts";

/** What the VMM does for an instruction that was fetched. */
export interface FetchHost {
  /** Logs that the guest has left. */
  note(reason: Exit["reason"]): void;
  /** Does what the technique says. */
  carryOut(exit: Exit): Verdict;
  /** An ecall of the guest's. */
  call(): void;
  /** A breakpoint of the guest's. */
  breakpoint(): void;
  /** The guest has got on without a step. */
  progressed(): void;
}

export class Fetcher {
  readonly #platform: Platform;
  readonly #memory: GuestMemory;
  readonly #vcpu: VirtualCpu;
  readonly #host: FetchHost;

  constructor(parts: { platform: Platform; memory: GuestMemory; vcpu: VirtualCpu; host: FetchHost }) {
    this.#platform = parts.platform;
    this.#memory = parts.memory;
    this.#vcpu = parts.vcpu;
    this.#host = parts.host;
  }

  /** The guest stands where nothing can be fetched through a shadow entry. @param walked Page-table entries read to find that. */
  step(walked: number): void {
    const { hart, position } = this.#platform;
    const { steps } = this.#memory.walked;
    const first = this.#memory.translate(hart.pcLow, hart.pcHigh, ACCESS.fetch, 2);
    if (hart.watches.any && hart.watches.reached(hart.pc, position.step)) return;
    this.carryOut(first, "protected-access", walked + this.#memory.walked.steps - steps);
  }

  /**
   * Carries out the guest's instruction at pc, whatever it is, or makes it take the fault of fetching its second half.
   *
   * @param first The physical address of its first half. @param walked Page-table entries read so far.
   * @returns Whether it is done, and was none that a technique which replaces sites would have replaced.
   */
  carryOut(first: number, reason: "rewritten-site" | "protected-access", walked = 0): boolean {
    const { hart, memory } = this.#platform;
    const bits = Number(memory.read(first, 2));
    const low = (hart.pcLow + 2) >>> 0;
    const high = low < hart.pcLow ? (hart.pcHigh + 1) >>> 0 : hart.pcHigh;
    const { steps } = this.#memory.walked;
    const wide = (bits & 3) === 3;
    // On another page it is translated before any effect, as the hart does (T13). What is behind a compressed instruction is not looked at.
    let next = wide ? this.#memory.translate(low, high, ACCESS.fetch, 2) : first;
    if (next >= 0 && !memory.guestHolds(next, 2)) next = ACCESS_FAULT;
    const walks = walked + this.#memory.walked.steps - steps;
    if (next < 0) {
      this.#host.note("page-fault");
      this.#vcpu.work("walk-step", walks);
      this.#vcpu.raise((next === PAGE_FAULT ? PAGE_CAUSE : ACCESS_CAUSE)[ACCESS.fetch], low, high);
      this.#host.carryOut({ reason: "page-fault", hidden: false });
      return false;
    }
    const decoded = hart.decode(bits, Number(memory.read(next, 2)));
    if (decoded === undefined) {
      this.#vcpu.raise(CAUSE.illegal, hart.current.bits, 0);
      this.#host.note("exception");
      this.#host.carryOut({ reason: "exception" });
      return false;
    }
    const { mnemonic } = decoded.instruction;
    if (mnemonic === "ecall" || mnemonic === "ebreak") {
      if (mnemonic === "ecall") this.#host.call();
      else this.#host.breakpoint();
      return false;
    }
    this.#host.note(reason);
    this.#vcpu.work("walk-step", walks);
    if (this.#host.carryOut({ reason }) !== "after") return false;
    if (decoded.instruction.weight === 0) this.#host.progressed();
    return siteClassOf(decoded) === undefined;
  }
}
