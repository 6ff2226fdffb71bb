/**
 * An ATA host adapter with one disk: the task file, mapped to memory, and programmed input and output of one sector at a time.
 *
 * The command block lies at offset 0, the control block at 0x800, their registers 4 bytes apart. The data register is 16 bits wide, all others 8.
 * Device 0 is the disk; there is no device 1, for which device 0 answers as section 9.16 has it.
 *
 * Completion is guest time (T8): a command's first sector, or its end, comes after a disk's latency, each further sector after the time that its
 * bytes take. What is written reaches the disk, and what is read leaves it, only then. INTRQ goes up with each sector that is ready to be read or
 * is written, and at the end of a command without data; reading Status takes it down. Registers are not accepted while BSY or DRQ is set.
 *
 * Left out: cylinder, head and sector addresses, DMA, READ and WRITE MULTIPLE, power management, SET FEATURES, device 1 and every other command:
 * they are aborted (ABRT), as commands are that a device does not implement. Sectors from 2^28 - 1 on cannot be reached.
 * Source: AT Attachment with Packet Interface Extension (ATA/ATAPI-4), T13/1153D revision 18: chapters 7 (registers), 8 (commands), 9 (protocol).
 *
 * @module
 */
import { BusError, type Clock, type Device, type InterruptLine } from "../machine/device.ts";
import { StateReader, StateWriter } from "./device-state.ts";
import { Disk, diskLatency, transferTime } from "./disk.ts";

export interface AtaOptions {
  readonly name: string;
  /** INTRQ. */
  readonly line: InterruptLine;
  readonly clock: Clock;
  /** The disk's first contents. */
  readonly image: Uint8Array;
}

/** Bytes between registers, as a power of two: `reg-shift` of the device tree. */
export const ATA_REGISTER_SHIFT = 2;
/** Where the control block lies. */
export const ATA_CONTROL_BLOCK = 0x800;

// Section 7.2: offsets in the command block.
const DATA = 0x00;
const ERROR_FEATURES = 0x04;
const SECTOR_COUNT = 0x08;
const LBA_LOW = 0x0c;
const LBA_MID = 0x10;
const LBA_HIGH = 0x14;
const DEVICE_HEAD = 0x18;
const STATUS_COMMAND = 0x1c;

// Section 7.2.13, Status.
const BSY = 0x80;
const DRDY = 0x40;
const DSC = 0x10;
const DRQ = 0x08;
const ERR = 0x01;
const READY = DRDY | DSC;

// Section 7.2.9, Error.
const IDNF = 0x10;
const ABRT = 0x04;
/** Section 9.2: what Error holds after a reset that found no fault in device 0, and none of device 1. */
const DIAGNOSED = 0x01;

// Section 7.2.8, Device/Head; bits 7 and 5 are obsolete.
const LBA = 0x40;
const DEV = 0x10;

// Section 7.3.2, Device Control.
const SRST = 0x04;
const NIEN = 0x02;

// Chapter 8.
const READ_SECTORS = 0x20;
const WRITE_SECTORS = 0x30;
const FLUSH_CACHE = 0xe7;
const IDENTIFY_DEVICE = 0xec;
/** Not a command's code: none is carried out, or the device resets. */
const NONE = 0x100;
const RESET = 0x101;

const SECTOR_BYTES = 512;
/** The most that 28 bits of address and words 60 and 61 of IDENTIFY DEVICE can say. */
const MOST_SECTORS = 0xfff_ffff;
/** Steps from the end of SRST to the end of BSY. */
const RESET_TIME = 2_000;

/** Plain data, replaced as a whole by reset and load. */
interface State {
  status: number;
  error: number;
  sectorCount: number;
  lbaLow: number;
  lbaMid: number;
  lbaHigh: number;
  device: number;
  /** SRST and nIEN. */
  control: number;
  /** An interrupt is pending, whether or not INTRQ may show it. */
  pending: boolean;
  command: number;
  /** The sector that is in the buffer, or comes next. */
  sector: number;
  /** How many sectors the command has still to move. */
  left: number;
  /** Bytes of the buffer that the host has moved. */
  moved: number;
  readonly buffer: Uint8Array;
  /** When the device is ready again; -1 where it waits for nothing. */
  at: number;
}

export class Ata implements Device {
  readonly name: string;
  readonly size = 0x1000;
  readonly disk: Disk;
  readonly #line: InterruptLine;
  readonly #clock: Clock;
  readonly #sectors: number;
  #state: State = fresh();

  constructor({ name, line, clock, image }: AtaOptions) {
    this.name = name;
    this.#line = line;
    this.#clock = clock;
    this.disk = new Disk(image);
    this.#sectors = Math.min(this.disk.size / SECTOR_BYTES, MOST_SECTORS);
  }

  read(offset: number, size: number): bigint {
    this.#check("read", offset, size);
    const state = this.#state;
    if (offset === DATA) return BigInt(this.#readData());
    const value = this.#readRegister(offset);
    if (offset === STATUS_COMMAND) {
      state.pending = false;
      this.#update();
    }
    return BigInt(value);
  }

  #readRegister(offset: number): number {
    const state = this.#state;
    const absent = (state.device & DEV) !== 0;
    if (offset === STATUS_COMMAND || offset === ATA_CONTROL_BLOCK) return absent ? 0 : state.status;
    // Section 7.2: while BSY is set, every register of the command block shows Status.
    if ((state.status & BSY) !== 0) return state.status;
    switch (offset) {
      case ERROR_FEATURES:
        return absent ? 0 : state.error;
      case SECTOR_COUNT:
        return state.sectorCount;
      case LBA_LOW:
        return state.lbaLow;
      case LBA_MID:
        return state.lbaMid;
      case LBA_HIGH:
        return state.lbaHigh;
      default:
        return state.device;
    }
  }

  write(offset: number, size: number, value: bigint): void {
    this.#check("write", offset, size);
    const state = this.#state;
    const number = Number(value & 0xffffn);
    if (offset === ATA_CONTROL_BLOCK) this.#setControl(number & (SRST | NIEN));
    else if (offset === DATA) this.#writeData(number);
    else if ((state.status & (BSY | DRQ)) === 0) this.#writeRegister(offset, number & 0xff);
    this.#update();
  }

  #writeRegister(offset: number, value: number): void {
    const state = this.#state;
    switch (offset) {
      case SECTOR_COUNT:
        state.sectorCount = value;
        break;
      case LBA_LOW:
        state.lbaLow = value;
        break;
      case LBA_MID:
        state.lbaMid = value;
        break;
      case LBA_HIGH:
        state.lbaHigh = value;
        break;
      case DEVICE_HEAD:
        state.device = value;
        break;
      case STATUS_COMMAND:
        if ((state.device & DEV) === 0) this.#begin(value);
        break;
      // No command here looks at Features.
    }
  }

  #begin(command: number): void {
    const state = this.#state;
    state.pending = false;
    state.error = 0;
    state.status = READY;
    state.command = command;
    state.moved = 0;
    if (command === IDENTIFY_DEVICE) {
      state.left = 1;
      this.#busy(transferTime(SECTOR_BYTES));
    } else if (command === FLUSH_CACHE) {
      this.#busy(diskLatency(0));
    } else if ((command === READ_SECTORS || command === WRITE_SECTORS) && (state.device & LBA) !== 0) {
      state.sector = (((state.device & 0x0f) << 24) | (state.lbaHigh << 16) | (state.lbaMid << 8) | state.lbaLow) >>> 0;
      state.left = this.#asked;
      // Section 9.7: the first sector of a write is asked for without an interrupt. One that is not there is looked for first.
      if (command === WRITE_SECTORS && state.sector < this.#sectors) state.status = READY | DRQ;
      else this.#busy(diskLatency(SECTOR_BYTES));
    } else {
      this.#fail(ABRT);
    }
  }
  /** How many sectors the host has asked for. Section 8.27: 0 stands for 256. */
  get #asked(): number {
    return this.#state.sectorCount === 0 ? 256 : this.#state.sectorCount;
  }

  #busy(time: number): void {
    this.#state.status = BSY;
    this.#state.at = this.#clock.now() + time;
  }
  /** The command ends, and the host is told. */
  #end(status: number): void {
    const state = this.#state;
    state.status = status;
    state.command = NONE;
    state.pending = true;
  }
  #fail(error: number): void {
    this.#state.error = error;
    this.#end(READY | ERR);
  }
  /** Section 8.27: the address registers name the sector that was not found. */
  #notFound(): void {
    const state = this.#state;
    state.lbaLow = state.sector & 0xff;
    state.lbaMid = (state.sector >>> 8) & 0xff;
    state.lbaHigh = (state.sector >>> 16) & 0xff;
    state.device = (state.device & 0xf0) | ((state.sector >>> 24) & 0x0f);
    this.#fail(IDNF);
  }

  #readData(): number {
    const state = this.#state;
    if ((state.status & DRQ) === 0 || state.command === WRITE_SECTORS || (state.device & DEV) !== 0) return 0;
    const value = state.buffer[state.moved]! | (state.buffer[state.moved + 1]! << 8);
    state.moved += 2;
    if (state.moved === SECTOR_BYTES) {
      state.left--;
      state.sector++;
      state.status = READY;
      // Section 9.6: behind the last sector there is no interrupt.
      if (state.left > 0) this.#busy(transferTime(SECTOR_BYTES));
      else state.command = NONE;
      this.#update();
    }
    return value;
  }

  #writeData(value: number): void {
    const state = this.#state;
    if ((state.status & DRQ) === 0 || state.command !== WRITE_SECTORS || (state.device & DEV) !== 0) return;
    state.buffer[state.moved] = value & 0xff;
    state.buffer[state.moved + 1] = value >>> 8;
    state.moved += 2;
    if (state.moved === SECTOR_BYTES)
      this.#busy(state.left === this.#asked ? diskLatency(SECTOR_BYTES) : transferTime(SECTOR_BYTES));
  }

  due(): void {
    const state = this.#state;
    state.at = -1;
    switch (state.command) {
      case RESET:
        // Section 9.1: the signature of a device that is not a packet device.
        this.#state = { ...fresh(), control: state.control };
        break;
      case FLUSH_CACHE: // What was written is on the disk already.
        this.#end(READY);
        break;
      case IDENTIFY_DEVICE:
        this.#offer(identity(this.#sectors));
        break;
      case READ_SECTORS:
        if (state.sector >= this.#sectors) this.#notFound();
        else this.#offer(this.disk.read(state.sector * SECTOR_BYTES, SECTOR_BYTES));
        break;
      case WRITE_SECTORS:
        this.#written();
        break;
    }
    this.#update();
  }
  /** The buffer is the host's to read. */
  #offer(bytes: Uint8Array): void {
    const state = this.#state;
    state.buffer.set(bytes);
    state.moved = 0;
    state.status = READY | DRQ;
    state.pending = true;
  }
  #written(): void {
    const state = this.#state;
    if (state.sector < this.#sectors) {
      this.disk.write(state.sector * SECTOR_BYTES, state.buffer);
      state.left--;
      state.sector++;
    }
    if (state.left === 0) this.#end(READY);
    else if (state.sector >= this.#sectors) this.#notFound();
    else {
      state.moved = 0;
      state.status = READY | DRQ;
      state.pending = true;
    }
  }

  #setControl(control: number): void {
    const state = this.#state;
    const before = state.control;
    state.control = control;
    if ((control & SRST) !== 0) {
      // Section 9.2: whatever the device did, it does no longer, and is busy until SRST is cleared and it has recovered.
      state.status = BSY;
      state.command = RESET;
      state.pending = false;
      state.at = -1;
    } else if ((before & SRST) !== 0) state.at = this.#clock.now() + RESET_TIME;
  }

  #update(): void {
    const { pending, control, device, at } = this.#state;
    // Sections 6.3.8 and 7.3.2: INTRQ is driven by the selected device, unless nIEN is set.
    this.#line.set(pending && (control & NIEN) === 0 && (device & DEV) === 0);
    this.#clock.schedule(at < 0 ? null : at);
  }

  #check(access: string, offset: number, size: number): void {
    const known = (offset <= STATUS_COMMAND && offset % 4 === 0) || offset === ATA_CONTROL_BLOCK;
    const width = offset === DATA ? 2 : 1;
    if (known && size === width) return;
    throw new BusError(
      `Cannot ${access} ${this.name} as its data register has 2 bytes, and each other, at multiples of 4 up to ${STATUS_COMMAND} and at ${ATA_CONTROL_BLOCK}, has 1: ${size} at ${offset}`,
    );
  }

  /** The disk keeps its contents. */
  reset(): void {
    this.#state = fresh();
    this.#update();
  }

  save(): Uint8Array {
    const state = this.#state;
    return new StateWriter("ata/1")
      .u8(state.status)
      .u8(state.error)
      .u8(state.sectorCount)
      .u8(state.lbaLow)
      .u8(state.lbaMid)
      .u8(state.lbaHigh)
      .u8(state.device)
      .u8(state.control)
      .bool(state.pending)
      .u16(state.command)
      .u32(state.sector)
      .u16(state.left)
      .u16(state.moved)
      .bytes(state.buffer)
      .count(state.at + 1)
      .bytes(this.disk.save())
      .finish();
  }

  load(saved: Uint8Array): void {
    const from = new StateReader(saved, "ata/1", this.name);
    const byte = (): number => from.u8();
    const state: State = {
      status: byte(),
      error: byte(),
      sectorCount: byte(),
      lbaLow: byte(),
      lbaMid: byte(),
      lbaHigh: byte(),
      device: byte(),
      control: from.upTo(SRST | NIEN, byte(), "Device Control"),
      pending: from.bool(),
      command: from.upTo(RESET, from.u16(), "a command"),
      sector: from.upTo(MOST_SECTORS + 1, from.u32(), "a sector"),
      left: from.upTo(256, from.u16(), "a count of sectors"),
      moved: from.upTo(SECTOR_BYTES, from.u16(), "a count of bytes"),
      buffer: new Uint8Array(SECTOR_BYTES),
      at: -1,
    };
    const buffer = from.bytes(SECTOR_BYTES);
    if (buffer.length !== SECTOR_BYTES) throw from.error(`its buffer has ${SECTOR_BYTES} bytes`, `${buffer.length}`);
    if (state.moved % 2 !== 0 || ((state.status & DRQ) !== 0 && state.moved === SECTOR_BYTES))
      throw from.error("its buffer is moved by words, and wanted until it is moved", `${state.moved} bytes of it`);
    state.buffer.set(buffer);
    state.at = from.count() - 1;
    const disk = from.bytes(0xffff_ffff);
    from.end();
    this.disk.load(disk);
    this.#state = state;
    this.#update();
  }
}

/** A device that is ready, and has not been asked for anything; after power-on as after a reset. */
function fresh(): State {
  return {
    status: READY,
    error: DIAGNOSED,
    sectorCount: 1,
    lbaLow: 1,
    lbaMid: 0,
    lbaHigh: 0,
    device: 0,
    control: 0,
    pending: false,
    command: NONE,
    sector: 0,
    left: 0,
    moved: 0,
    buffer: new Uint8Array(SECTOR_BYTES),
    at: -1,
  };
}

/** Section 8.12: what IDENTIFY DEVICE answers, as words of two bytes, the low one first. */
function identity(sectors: number): Uint8Array {
  const words = new DataView(new ArrayBuffer(SECTOR_BYTES));
  const set = (word: number, value: number): void => words.setUint16(2 * word, value, true);
  /** Section 8.12.8: the first character of each pair lies in the high byte. */
  const text = (word: number, count: number, characters: string): void => {
    for (let at = 0; at < 2 * count; at++)
      words.setUint8(2 * word + (at ^ 1), at < characters.length ? characters.charCodeAt(at) : 0x20);
  };
  // A geometry is asked for even of a device that is addressed by sectors.
  const cylinders = Math.min(Math.floor(sectors / (16 * 63)), 16_383);
  set(0, 0x0040); // a fixed device
  set(1, cylinders);
  set(3, 16);
  set(6, 63);
  text(10, 10, "1");
  text(23, 4, "1");
  text(27, 20, "Trapline ATA disk");
  set(47, 0x8000); // no READ MULTIPLE
  set(49, 0x0200); // LBA
  set(50, 0x4000);
  set(53, 0x0001); // words 54 to 58 are valid
  set(54, cylinders);
  set(55, 16);
  set(56, 63);
  words.setUint32(2 * 57, cylinders * 16 * 63, true);
  words.setUint32(2 * 60, sectors, true);
  set(80, 0x0010); // ATA/ATAPI-4
  set(82, 0);
  set(83, 0x4000);
  set(84, 0x4000);
  set(87, 0x4000);
  return new Uint8Array(words.buffer);
}
