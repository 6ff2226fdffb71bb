/**
 * A machine with a guest on it, as the harness sees it: run to an exact step, digest, save, restore.
 *
 * @module
 */
import type { Log } from "../event/log.ts";
import { KIND_NUMBER } from "../event/record.ts";
import { CAUSE } from "../hart/evaluate.ts";
import { settle } from "../hart/pads.ts";
import { USER } from "../hart/privileged.ts";
import type { Digest } from "./digest.ts";
import { Digester } from "./digest.ts";
import type { Execution } from "./execution.ts";
import type { End, Platform } from "./platform.ts";
import { restoreMachine, saveMachine } from "./snapshot.ts";

/** Why {@link Machine.run} returned. */
export type MachineStop =
  | { readonly kind: "until" }
  | { readonly kind: "mark"; readonly code: number }
  | { readonly kind: "console" }
  | { readonly kind: "logged" }
  | ({ readonly kind: "end" } & End)
  | { readonly kind: "waiting" };

/** Where user code is: a number that stands for its address space, the address, and x0 to x31, which are the hart's own: copy to keep. */
export interface UserMoment {
  readonly step: number;
  readonly space: number;
  readonly pc: bigint;
  readonly x: BigUint64Array;
}

/** Who is told what user code asks its kernel for, and gets back. */
export interface Observer {
  /** User code is at an ecall. */
  called(at: UserMoment): void;
  /** The kernel has returned to user code, from a call or from anything else. */
  returned(at: UserMoment): void;
}

export class Machine {
  /** Stop behind each mark that the guest makes. */
  stopAtMarks = false;
  /** Stop when the log holds this many words, so that whoever keeps the events can take them while they are in the cache. */
  logLimit = Number.POSITIVE_INFINITY;
  /** Stop behind each instruction that printed something. */
  stopAtConsole = false;
  readonly #platform: Platform;
  readonly #execution: Execution;
  readonly #digester: Digester;
  #printed = false;
  /** Told of each piece of console output. */
  onConsole: (bytes: Uint8Array) => void = () => {};

  constructor(platform: Platform, execution: Execution) {
    this.#platform = platform;
    this.#execution = execution;
    this.#digester = new Digester(platform);
    platform.onOutput = (bytes) => {
      this.#printed = true;
      this.onConsole(bytes);
    };
    platform.hart.watches.onReached = (code) => {
      execution.mark = code;
      platform.log.appendWords(MARK, platform.position.step, code);
    };
  }

  /** Steps so far (T1). */
  get step(): number {
    return this.#platform.position.step;
  }
  get instret(): number {
    return this.#platform.position.instret;
  }
  /** Guest time: steps plus idle. */
  get time(): number {
    return this.#platform.position.time;
  }
  get log(): Log {
    return this.#platform.log;
  }
  /** All console output so far. */
  get console(): Uint8Array {
    return this.#platform.output;
  }
  /** The bytes on the disk now; undefined where there is none. */
  get disk(): Uint8Array | undefined {
    const disk = this.#platform.disk?.contents;
    return disk?.read(0, disk.size);
  }
  /** Tells an observer of every system call of the guest's user code, and of every return to it. Nothing of the run changes. */
  observe(observer: Observer): void {
    const { guest, hart, position } = this.#platform;
    const moment = (): UserMoment => ({ step: position.step, space: guest.root, pc: hart.pc, x: hart.x });
    guest.onTrap = (cause, isInterrupt) => {
      if (!isInterrupt && cause === CAUSE.ecallUser) observer.called(moment());
    };
    guest.onReturn = () => {
      if (guest.mode === USER) observer.returned(moment());
    };
  }
  /** Names of the devices, in the order of the board. */
  get devices(): readonly string[] {
    return this.#platform.bus.devices.map(({ name }) => name);
  }
  /** How the guest ended, if it did. */
  get end(): End | undefined {
    return this.#platform.end;
  }
  /** For tests that plant faults, and for tools that look inside. */
  get parts(): { readonly platform: Platform; readonly execution: Execution } {
    return { platform: this.#platform, execution: this.#execution };
  }

  /**
   * Makes a mark each time the guest is about to run the instruction at a virtual address, in any address space. It is logged in front of
   * the instruction, at its step, and a run that stops at marks stops there: under every technique alike. Nothing else of the run changes.
   *
   * @param address Of the instruction.
   * @param code The mark's, as the guest's own marks have it: kind << 8 | id.
   * @throws {RangeError} If the run has begun, no instruction can stand there, it is watched already, or a mark has no such code.
   */
  watch(address: bigint, code: number): void {
    const where = `0x${address.toString(16)}`;
    if (this.step > 0)
      throw new RangeError(`Cannot watch ${where} as a run is watched from its start: it is at step ${this.step}`);
    if (address < 0n || address >= 1n << 64n || (address & 1n) !== 0n)
      throw new RangeError(`Cannot watch ${where} as an instruction has an even address of 64 bits: it is none`);
    if (!Number.isInteger(code) || code < 0 || code > 0xfff)
      throw new RangeError(`Cannot watch ${where} as a mark's code is from 0 to 4095: it is ${code}`);
    const { hart } = this.#platform;
    hart.watches.add(address, code);
    hart.decoded.clear();
  }

  /** Puts bytes into the console's receive path now; logged as `input.console`. */
  input(bytes: Uint8Array): void {
    this.inputAt(this.time, bytes);
    this.#platform.schedule.fire();
  }
  /**
   * Puts bytes into the console's receive path when guest time reaches `time`, as a recording says.
   *
   * @throws {RangeError} If `time` is no whole number.
   */
  inputAt(time: number, bytes: Uint8Array): void {
    if (!Number.isInteger(time)) throw new RangeError(`Cannot take input as guest time is a whole number: ${time}`);
    this.#platform.inputAt(time, bytes);
  }
  /** Inputs given by {@link inputAt} that have not come due. */
  get waitingInputs(): number {
    return this.#platform.waitingInputs;
  }

  /**
   * Runs to exactly `until` steps, or to the guest's end, or to what stops it.
   *
   * @param until A whole number, or infinity.
   * @returns `waiting` where the guest waits for an interrupt that nothing will raise: only input can go on from there.
   * @throws {RangeError} If `until` is no whole number.
   */
  run(until: number): MachineStop {
    if (!Number.isInteger(until) && until !== Number.POSITIVE_INFINITY)
      throw new RangeError(`Cannot run as a stop must be a whole number of steps: ${until}`);
    const { position, schedule, guest } = this.#platform;
    const execution = this.#execution;
    execution.waiting = false;
    for (;;) {
      if (schedule.fire()) execution.notice();
      const end = this.#platform.end;
      if (end !== undefined) {
        execution.account();
        return { kind: "end", ...end };
      }
      if (execution.mark >= 0) {
        const code = execution.mark;
        execution.mark = -1;
        if (this.stopAtMarks) {
          this.#settle();
          return { kind: "mark", code };
        }
      }
      if (this.#printed) {
        this.#printed = false;
        if (this.stopAtConsole) {
          this.#settle();
          return { kind: "console" };
        }
      }
      if (position.step >= until) {
        this.#settle();
        return { kind: "until" };
      }
      if (this.log.length >= this.logLimit) {
        this.#settle();
        return { kind: "logged" };
      }
      if (execution.waiting) {
        if (guest.awake) execution.completeWait();
        else if (schedule.next === Number.POSITIVE_INFINITY) return { kind: "waiting" };
        else {
          const ticks = schedule.next - position.time;
          this.log.append("idle", position.step, { ticks });
          position.idle += ticks;
        }
        continue;
      }
      const cause = execution.interruptible ? guest.interrupt() : -1;
      if (cause >= 0) {
        this.#settle();
        // A pad may be watched: its mark stops the run here, wherever else it is cut.
        if (execution.mark < 0) execution.interrupt(cause);
        continue;
      }
      execution.resume(Math.min(until - position.step, schedule.next - position.time, SLICE));
    }
  }

  /** No boundary lies before a pad (T3). */
  #settle(): void {
    const { hart, guest } = this.#platform;
    settle(hart, this.#execution.translations, guest);
  }

  /** Digests all that the guest can see (T18). */
  digest(): Digest {
    return this.#digester.digest(this.#execution);
  }

  /** Digests, and puts the digest into the guest stream. */
  checkpoint(): Digest {
    this.#execution.account();
    const digest = this.digest();
    this.log.append("checkpoint", this.step, {
      digestLow: digest.low,
      digestHigh: digest.high,
      instret: this.instret,
      time: this.time,
    });
    return digest;
  }

  /** A snapshot of the whole machine as the guest sees it; restoring works under any technique. */
  save(): Uint8Array {
    return saveMachine(this.#platform, this.#execution, this.#digester.usedFrames());
  }
  /** @throws {RangeError} If the state is not one of this machine. */
  load(state: Uint8Array): void {
    restoreMachine(state, this.#platform, this.#execution);
    // What stopped the run before says nothing about the state that is there now.
    this.#execution.mark = -1;
    this.#platform.hart.watches.forget();
    this.#printed = false;
  }
}

const MARK = KIND_NUMBER.mark;
/** A call into the core that never returns would never be replaced by optimised code. */
const SLICE = 2_000_000;
