/**
 * Goldfish real-time clock: nanoseconds since 1970, from a constant start plus guest time, so that every run sees the same dates.
 *
 * Left out: nothing of the register set. Unknown words read 0 and ignore writes, as on QEMU.
 * Source: Android emulator, docs/GOLDFISH-VIRTUAL-HARDWARE.TXT, chapter "Goldfish RTC"; QEMU 7.2, hw/rtc/goldfish_rtc.c.
 *
 * @module
 */
import { BusError, type Clock, type Device, type InterruptLine } from "../machine/device.ts";
import { StateReader, StateWriter } from "./device-state.ts";

const TIME_LOW = 0x00;
const TIME_HIGH = 0x04;
const ALARM_LOW = 0x08;
const ALARM_HIGH = 0x0c;
const IRQ_ENABLED = 0x10;
const CLEAR_ALARM = 0x14;
const ALARM_STATUS = 0x18;
const CLEAR_INTERRUPT = 0x1c;

const LOW = 0xffff_ffffn;

export interface GoldfishRtcOptions {
  readonly name?: string;
  readonly line: InterruptLine;
  readonly clock: Clock;
  /** Seconds since 1970 at guest time 0. */
  readonly startSeconds: number;
  readonly nanosecondsPerStep: number;
}

export class GoldfishRtc implements Device {
  readonly name: string;
  readonly size = 0x1000;

  readonly #line: InterruptLine;
  readonly #clock: Clock;
  readonly #startNanoseconds: bigint;
  readonly #nanosecondsPerStep: bigint;

  /** What the guest's stores to TIME have added, in nanoseconds, modulo 2^64. */
  #shift = 0n;
  /** Kept at a read of TIME_LOW, so that both halves are of one moment. */
  #timeHigh = 0;
  #alarm = 0n;
  #alarmRunning = false;
  #interruptEnabled = false;
  #interruptPending = false;

  constructor({ name = "rtc0", line, clock, startSeconds, nanosecondsPerStep }: GoldfishRtcOptions) {
    this.name = name;
    this.#line = line;
    this.#clock = clock;
    this.#startNanoseconds = BigInt(startSeconds) * 1_000_000_000n;
    this.#nanosecondsPerStep = BigInt(nanosecondsPerStep);
  }

  read(offset: number, size: number): bigint {
    this.#check("read", offset, size);
    switch (offset) {
      case TIME_LOW: {
        const time = this.#time();
        this.#timeHigh = Number(time >> 32n);
        return time & LOW;
      }
      case TIME_HIGH:
        return BigInt(this.#timeHigh);
      case ALARM_LOW:
        return this.#alarm & LOW;
      case ALARM_HIGH:
        return this.#alarm >> 32n;
      case IRQ_ENABLED:
        return BigInt(this.#interruptEnabled);
      case ALARM_STATUS:
        return BigInt(this.#alarmRunning);
      default:
        return 0n;
    }
  }

  write(offset: number, size: number, value: bigint): void {
    this.#check("write", offset, size);
    const word = value & LOW;
    switch (offset) {
      case TIME_LOW:
        this.#setTime((this.#time() & ~LOW) | word);
        break;
      case TIME_HIGH:
        this.#setTime((this.#time() & LOW) | (word << 32n));
        break;
      case ALARM_LOW:
        // The low half arms the alarm; drivers write the high half first.
        this.#alarm = (this.#alarm & ~LOW) | word;
        this.#alarmRunning = true;
        break;
      case ALARM_HIGH:
        this.#alarm = (this.#alarm & LOW) | (word << 32n);
        break;
      case IRQ_ENABLED:
        this.#interruptEnabled = (word & 1n) !== 0n;
        break;
      case CLEAR_ALARM:
        this.#alarmRunning = false;
        break;
      case CLEAR_INTERRUPT:
        this.#interruptPending = false;
        break;
    }
    this.#update();
  }

  due(): void {
    this.#update();
  }

  #time(): bigint {
    return BigInt.asUintN(64, this.#startNanoseconds + this.#guestNanoseconds() + this.#shift);
  }

  #guestNanoseconds(): bigint {
    return BigInt(this.#clock.now()) * this.#nanosecondsPerStep;
  }

  #setTime(time: bigint): void {
    this.#shift = BigInt.asUintN(64, time - this.#startNanoseconds - this.#guestNanoseconds());
  }

  #update(): void {
    const ahead = this.#alarm - this.#time();
    if (this.#alarmRunning && ahead <= 0n) {
      this.#alarmRunning = false;
      this.#interruptPending = true;
    }
    this.#line.set(this.#interruptPending && this.#interruptEnabled);
    const steps = (ahead + this.#nanosecondsPerStep - 1n) / this.#nanosecondsPerStep;
    const at = BigInt(this.#clock.now()) + steps;
    // Guest time is exact to 2^53, and a run ends long before: what lies beyond never comes due.
    this.#clock.schedule(this.#alarmRunning && at <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(at) : null);
  }

  #check(access: string, offset: number, size: number): void {
    if (size !== 4 || offset % 4 !== 0) {
      throw new BusError(
        `Cannot ${access} ${this.name} as its registers are aligned 4-byte words: ${size} bytes at ${offset}`,
      );
    }
  }

  reset(): void {
    this.#shift = 0n;
    this.#timeHigh = 0;
    this.#alarm = 0n;
    this.#alarmRunning = this.#interruptEnabled = this.#interruptPending = false;
    this.#update();
  }

  save(): Uint8Array {
    return new StateWriter("goldfish-rtc/1")
      .u64(this.#shift)
      .u32(this.#timeHigh)
      .u64(this.#alarm)
      .bool(this.#alarmRunning)
      .bool(this.#interruptEnabled)
      .bool(this.#interruptPending)
      .finish();
  }

  load(state: Uint8Array): void {
    const from = new StateReader(state, "goldfish-rtc/1", this.name);
    const shift = from.u64();
    const timeHigh = from.u32();
    const alarm = from.u64();
    const alarmRunning = from.bool();
    const interruptEnabled = from.bool();
    const interruptPending = from.bool();
    from.end();
    this.#shift = shift;
    this.#timeHigh = timeHigh;
    this.#alarm = alarm;
    this.#alarmRunning = alarmRunning;
    this.#interruptEnabled = interruptEnabled;
    this.#interruptPending = interruptPending;
    this.#update();
  }
}
