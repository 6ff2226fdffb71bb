/**
 * SiFive's core-local interruptor, for one hart: software interrupts, `mtime`, and the machine timer.
 *
 * Left out: registers of other harts; they read 0 and ignore writes, as on QEMU.
 * Source: SiFive FU540-C000 manual, chapter 9. `mtimecmp` is 0 after a reset, as on QEMU: the manual leaves it open.
 *
 * @module
 */
import { BusError, type Clock, type Device, type InterruptLine } from "../machine/device.ts";
import { StateReader, StateWriter } from "./device-state.ts";

const MSIP = 0x0000;
const MTIMECMP = 0x4000;
const MTIME = 0xbff8;
const LOW = 0xffff_ffffn;

export interface ClintOptions {
  readonly name?: string;
  readonly clock: Clock;
  /** Drives MSIP. */
  readonly software: InterruptLine;
  /** Drives MTIP. */
  readonly timer: InterruptLine;
  /** Steps of guest time in one tick of `mtime`. */
  readonly stepsPerTick: number;
}

export class Clint implements Device {
  readonly name: string;
  readonly size = 0x10000;

  readonly #clock: Clock;
  readonly #software: InterruptLine;
  readonly #timer: InterruptLine;
  readonly #stepsPerTick: number;

  #msip = false;
  #mtimecmp = 0n;
  /** `mtime` less the ticks of guest time, modulo 2^64: what the guest's stores to `mtime` have added. */
  #shift = 0n;

  constructor({ name = "clint", clock, software, timer, stepsPerTick }: ClintOptions) {
    this.name = name;
    this.#clock = clock;
    this.#software = software;
    this.#timer = timer;
    this.#stepsPerTick = stepsPerTick;
    this.#update();
  }

  /** `mtime` now, in ticks; the `time` CSR is the same register. */
  get mtime(): bigint {
    return BigInt.asUintN(64, this.#ticks() + this.#shift);
  }

  read(offset: number, size: number): bigint {
    const { register, shift } = this.#decode("read", offset, size);
    const value =
      register === MSIP
        ? BigInt(this.#msip)
        : register === MTIMECMP
          ? this.#mtimecmp
          : register === MTIME
            ? this.mtime
            : 0n;
    return BigInt.asUintN(size * 8, value >> shift);
  }

  write(offset: number, size: number, value: bigint): void {
    const { register, shift } = this.#decode("write", offset, size);
    // A 4-byte store leaves the other half as it is.
    const mask = (size === 8 ? (LOW << 32n) | LOW : LOW) << shift;
    const merge = (old: bigint): bigint => BigInt.asUintN(64, (old & ~mask) | ((value << shift) & mask));
    if (register === MSIP) {
      if (shift === 0n) this.#msip = (value & 1n) !== 0n;
    } else if (register === MTIMECMP) {
      this.#mtimecmp = merge(this.#mtimecmp);
    } else if (register === MTIME) {
      this.#shift = BigInt.asUintN(64, merge(this.mtime) - this.#ticks());
    }
    this.#update();
  }

  due(): void {
    this.#update();
  }

  #ticks(): bigint {
    return BigInt(Math.floor(this.#clock.now() / this.#stepsPerTick));
  }

  /** The 8-byte register that holds `offset`, and by how many bits the access lies above its start. */
  #decode(access: string, offset: number, size: number): { register: number; shift: bigint } {
    if ((size !== 4 && size !== 8) || offset % size !== 0) {
      throw new BusError(`Cannot ${access} ${this.name} as it takes 4 or 8 aligned bytes: ${size} at ${offset}`);
    }
    return { register: offset - (offset % 8), shift: offset % 8 === 0 ? 0n : 32n };
  }

  #update(): void {
    this.#software.set(this.#msip);
    const now = this.mtime;
    const reached = now >= this.#mtimecmp;
    this.#timer.set(reached);
    if (reached) {
      this.#clock.schedule(null);
      return;
    }
    const at = (this.#ticks() + this.#mtimecmp - now) * BigInt(this.#stepsPerTick);
    // Guest time is exact to 2^53, and a run ends long before: what lies beyond never comes due.
    this.#clock.schedule(at <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(at) : null);
  }

  reset(): void {
    this.#msip = false;
    this.#mtimecmp = 0n;
    this.#shift = 0n;
    this.#update();
  }

  save(): Uint8Array {
    return new StateWriter("clint/1").bool(this.#msip).u64(this.#mtimecmp).u64(this.#shift).finish();
  }

  load(state: Uint8Array): void {
    const from = new StateReader(state, "clint/1", this.name);
    const msip = from.bool();
    const mtimecmp = from.u64();
    const shift = from.u64();
    from.end();
    this.#msip = msip;
    this.#mtimecmp = mtimecmp;
    this.#shift = shift;
    this.#update();
  }
}
