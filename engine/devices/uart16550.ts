/**
 * 16550A serial port, the console of the `virt` board.
 *
 * Left out: time. A character takes no guest time to leave or to arrive, so THRE and TEMT always hold, and the FIFO's time-out
 * is due at once. Word length, parity, stop bits, break, divisor and DMA mode can be set and read back and change nothing,
 * as on QEMU: firmware, U-Boot and Linux program them and never look for their effect.
 * Source: National Semiconductor PC16550D data sheet (1995), section 8 and table II. The divisor after a reset is QEMU's.
 *
 * @module
 */
import { BusError, type Device, type InterruptLine } from "../machine/device.ts";
import { StateReader, StateWriter } from "./device-state.ts";

const IER_RX = 1 << 0;
const IER_THR_EMPTY = 1 << 1;
const IER_LINE_STATUS = 1 << 2;
const IER_MODEM_STATUS = 1 << 3;

// IIR: bit 0 is clear while an interrupt waits; in order of priority (table IV).
const IIR_LINE_STATUS = 0b0110;
const IIR_RX = 0b0100;
const IIR_RX_TIMEOUT = 0b1100;
const IIR_THR_EMPTY = 0b0010;
const IIR_MODEM_STATUS = 0b0000;
const IIR_NONE = 0b0001;
const IIR_FIFOS_ENABLED = 0b1100_0000;

const FCR_ENABLE = 1 << 0;
const FCR_CLEAR_RX = 1 << 1;
const FCR_CLEAR_TX = 1 << 2;
/** Bytes in the FIFO at which IIR changes from the time-out to the trigger level: FCR bits 7 and 6. */
const TRIGGER_LEVELS = [1, 4, 8, 14] as const;
const FIFO_BYTES = 16;

const LCR_DLAB = 1 << 7;
const MCR_LOOP = 1 << 4;
const LSR_RX_READY = 1 << 0;
const LSR_OVERRUN = 1 << 1;
const LSR_TX_EMPTY = 0b11 << 5; // THRE and TEMT.
const MSR_RING = 1 << 6;
/** DCD, DSR and CTS hold: the far end is always there, as on QEMU. */
const MSR_CONNECTED = 0b1011_0000;
const RESET_DIVISOR = 0x0c;

/** Bytes that may wait at the far end; more is a mistake of the input script, not of the guest. */
const WAITING_LIMIT = 1 << 20;

export interface Uart16550Options {
  readonly name?: string;
  readonly line: InterruptLine;
  /** Takes each byte that the guest sends, in order. */
  readonly onTransmit: (byte: number) => void;
}

export class Uart16550 implements Device {
  readonly name: string;
  readonly size = 8;

  readonly #line: InterruptLine;
  readonly #onTransmit: (byte: number) => void;

  #fifo: number[] = [];
  /** Sent to us, not yet in the FIFO: the far end holds back what does not fit, as QEMU's does. */
  #waiting: Uint8Array = new Uint8Array(0);
  #reads = 0;
  #ier = 0;
  #fcr = 0;
  #lcr = 0;
  #mcr = 0;
  #scr = 0;
  #divisor = RESET_DIVISOR;
  #overrun = false;
  /** THR became empty and IIR was not read since. */
  #thrEmptied = false;
  /** MSR bits 3..0: what changed since MSR was read. */
  #modemChanges = 0;

  constructor({ name = "uart0", line, onTransmit }: Uart16550Options) {
    this.name = name;
    this.#line = line;
    this.#onTransmit = onTransmit;
  }

  /** How often the guest has read RBR: inputs may be keyed to it. */
  get reads(): number {
    return this.#reads;
  }

  /** Bytes that were received and that the guest has not read yet. */
  get unread(): number {
    return this.#fifo.length + this.#waiting.length;
  }

  /**
   * Delivers bytes from outside the machine, as an `input.console` event says.
   *
   * @throws {RangeError} If more than 2^20 bytes would wait.
   */
  receive(bytes: Uint8Array): void {
    const length = this.#waiting.length + bytes.length;
    if (length > WAITING_LIMIT) {
      throw new RangeError(
        `Cannot receive on ${this.name} as at most ${WAITING_LIMIT} bytes may wait: ${length} would`,
      );
    }
    const waiting = new Uint8Array(length);
    waiting.set(this.#waiting);
    waiting.set(bytes, this.#waiting.length);
    this.#waiting = waiting;
    this.#refill();
  }

  /** Takes up to `most` of the bytes received, as reads of RBR would: firmware's console calls share the receiver. */
  take(most: number): Uint8Array {
    const bytes: number[] = [];
    while (bytes.length < most && this.#fifo.length > 0) bytes.push(this.#take());
    this.#update();
    return Uint8Array.from(bytes);
  }

  read(offset: number, size: number): bigint {
    this.#check("read", offset, size);
    const value = this.#read(offset);
    this.#update();
    return BigInt(value);
  }

  write(offset: number, size: number, value: bigint): void {
    this.#check("write", offset, size);
    this.#write(offset, Number(value & 0xffn));
    this.#update();
  }

  #read(offset: number): number {
    const latches = (this.#lcr & LCR_DLAB) !== 0;
    switch (offset) {
      case 0: // RBR, or DLL
        return latches ? this.#divisor & 0xff : this.#take();
      case 1: // IER, or DLM
        return latches ? this.#divisor >>> 8 : this.#ier;
      case 2: {
        // IIR: reading it clears the THR interrupt, and only if that is what it shows.
        const source = this.#source();
        if (source === IIR_THR_EMPTY) this.#thrEmptied = false;
        return source | (this.#fifosEnabled ? IIR_FIFOS_ENABLED : 0);
      }
      case 3:
        return this.#lcr;
      case 4:
        return this.#mcr;
      case 5: {
        const lsr = LSR_TX_EMPTY | (this.#overrun ? LSR_OVERRUN : 0) | (this.#fifo.length > 0 ? LSR_RX_READY : 0);
        this.#overrun = false;
        return lsr;
      }
      case 6: {
        const msr = this.#modemLines() | this.#modemChanges;
        this.#modemChanges = 0;
        return msr;
      }
      default:
        return this.#scr;
    }
  }

  #write(offset: number, value: number): void {
    const latches = (this.#lcr & LCR_DLAB) !== 0;
    switch (offset) {
      case 0: // THR, or DLL
        if (latches) this.#divisor = (this.#divisor & 0xff00) | value;
        else this.#transmit(value);
        break;
      case 1: // IER, or DLM
        if (latches) this.#divisor = (this.#divisor & 0x00ff) | (value << 8);
        else this.#enable(value & 0x0f);
        break;
      case 2:
        this.#controlFifos(value);
        break;
      case 3:
        this.#lcr = value;
        break;
      case 4:
        this.#controlModem(value & 0x1f);
        break;
      case 7:
        this.#scr = value;
        break;
      // 5 LSR, 6 MSR: writing them is for factory tests (section 8.6.4), and nothing here.
    }
  }

  get #fifosEnabled(): boolean {
    return (this.#fcr & FCR_ENABLE) !== 0;
  }

  #take(): number {
    this.#reads++;
    const byte = this.#fifo.shift() ?? 0;
    this.#refill();
    return byte;
  }

  #transmit(byte: number): void {
    if ((this.#mcr & MCR_LOOP) === 0) this.#onTransmit(byte);
    else if (this.#fifo.length < this.#capacity) this.#fifo.push(byte);
    else {
      this.#overrun = true;
      // Without FIFOs the new character replaces the unread one; with them it is lost in the shift register (section 8.6.3).
      if (!this.#fifosEnabled) this.#fifo[0] = byte;
    }
    this.#thrEmptied = true;
  }

  #enable(bits: number): void {
    // THR is empty, so asking for its interrupt raises it; Linux tests for UARTs that do not do so.
    if (((this.#ier ^ bits) & IER_THR_EMPTY) !== 0) this.#thrEmptied = (bits & IER_THR_EMPTY) !== 0;
    this.#ier = bits;
  }

  #controlFifos(value: number): void {
    const toggled = ((this.#fcr ^ value) & FCR_ENABLE) !== 0;
    if (toggled || (value & FCR_CLEAR_RX) !== 0) this.#fifo = [];
    if (toggled || (value & FCR_CLEAR_TX) !== 0) this.#thrEmptied = true;
    // The other bits are programmed only together with bit 0 (section 8.6.4), and the clear bits clear themselves.
    this.#fcr = (value & FCR_ENABLE) === 0 ? 0 : value & 0xc9;
    this.#refill();
  }

  #controlModem(value: number): void {
    const before = this.#modemLines();
    this.#mcr = value;
    const after = this.#modemLines();
    // The ring indicator shows its trailing edge only (TERI); the other three any change.
    const changed = (before ^ after) & (MSR_CONNECTED | (before & MSR_RING));
    this.#modemChanges |= changed >>> 4;
    this.#refill();
  }

  /** MSR bits 7..4: DCD, RI, DSR, CTS; looped back they are OUT2, OUT1, DTR, RTS (section 8.6.7). */
  #modemLines(): number {
    if ((this.#mcr & MCR_LOOP) === 0) return MSR_CONNECTED;
    return ((this.#mcr & 0b1100) << 4) | ((this.#mcr & 0b0010) << 3) | ((this.#mcr & 0b0001) << 5);
  }

  get #capacity(): number {
    return this.#fifosEnabled ? FIFO_BYTES : 1;
  }

  #refill(): void {
    const room = this.#capacity - this.#fifo.length;
    // Looped back, the input pin is cut off.
    if (room > 0 && this.#waiting.length > 0 && (this.#mcr & MCR_LOOP) === 0) {
      this.#fifo.push(...this.#waiting.subarray(0, room));
      this.#waiting = this.#waiting.slice(room);
    }
    this.#update();
  }

  #source(): number {
    if ((this.#ier & IER_LINE_STATUS) !== 0 && this.#overrun) return IIR_LINE_STATUS;
    if ((this.#ier & IER_RX) !== 0 && this.#fifo.length > 0) {
      return this.#fifo.length < this.#triggerLevel ? IIR_RX_TIMEOUT : IIR_RX;
    }
    if ((this.#ier & IER_THR_EMPTY) !== 0 && this.#thrEmptied) return IIR_THR_EMPTY;
    if ((this.#ier & IER_MODEM_STATUS) !== 0 && this.#modemChanges !== 0) return IIR_MODEM_STATUS;
    return IIR_NONE;
  }

  get #triggerLevel(): number {
    return this.#fifosEnabled ? TRIGGER_LEVELS[(this.#fcr >>> 6) as 0 | 1 | 2 | 3] : 1;
  }

  #update(): void {
    this.#line.set(this.#source() !== IIR_NONE);
  }

  #check(access: string, offset: number, size: number): void {
    if (size !== 1 || offset >= this.size) {
      throw new BusError(
        `Cannot ${access} ${this.name} as its registers are 8 single bytes: ${size} bytes at ${offset}`,
      );
    }
  }

  reset(): void {
    this.#fifo = [];
    this.#waiting = new Uint8Array(0);
    this.#reads = 0;
    this.#ier = this.#fcr = this.#lcr = this.#mcr = this.#scr = 0;
    this.#divisor = RESET_DIVISOR;
    this.#overrun = this.#thrEmptied = false;
    this.#modemChanges = 0;
    this.#update();
  }

  save(): Uint8Array {
    return new StateWriter("uart16550/1")
      .bytes(Uint8Array.from(this.#fifo))
      .bytes(this.#waiting)
      .count(this.#reads)
      .u8(this.#ier)
      .u8(this.#fcr)
      .u8(this.#lcr)
      .u8(this.#mcr)
      .u8(this.#scr)
      .u16(this.#divisor)
      .bool(this.#overrun)
      .bool(this.#thrEmptied)
      .u8(this.#modemChanges)
      .finish();
  }

  load(state: Uint8Array): void {
    const from = new StateReader(state, "uart16550/1", this.name);
    const fifo = from.bytes(FIFO_BYTES);
    const waiting = from.bytes(WAITING_LIMIT);
    const reads = from.count();
    const ier = from.upTo(0x0f, from.u8(), "IER");
    const fcr = from.u8();
    if ((fcr & ~0xc9) !== 0 || ((fcr & FCR_ENABLE) === 0 && fcr !== 0))
      throw from.error("FCR holds no such value", `${fcr}`);
    if ((fcr & FCR_ENABLE) === 0) from.upTo(1, fifo.length, "bytes without FIFOs");
    const lcr = from.u8();
    const mcr = from.upTo(0x1f, from.u8(), "MCR");
    const scr = from.u8();
    const divisor = from.u16();
    const overrun = from.bool();
    const thrEmptied = from.bool();
    const modemChanges = from.upTo(0x0f, from.u8(), "the changes of MSR");
    from.end();
    this.#fifo = [...fifo];
    this.#waiting = waiting;
    this.#reads = reads;
    this.#ier = ier;
    this.#fcr = fcr;
    this.#lcr = lcr;
    this.#mcr = mcr;
    this.#scr = scr;
    this.#divisor = divisor;
    this.#overrun = overrun;
    this.#thrEmptied = thrEmptied;
    this.#modemChanges = modemChanges;
    this.#update();
  }
}
