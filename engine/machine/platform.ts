/**
 * What a guest's machine consists of besides the way its instructions are carried out: memory, devices, time, firmware calls, console.
 * It is the same object on the bare machine and under a VMM, so nothing in it can differ between them (T15).
 *
 * @module
 */
import type { Log } from "../event/log.ts";
import type { Hart } from "../hart/hart.ts";
import * as at from "../hart/layout.ts";
import type { MachineMemory } from "../hart/memory.ts";
import type { Position } from "../hart/position.ts";
import { CSR, type Privileged } from "../hart/privileged.ts";
import type { Profile } from "../isa/profile.ts";
import type { Bus } from "./bus.ts";
import { BusError, type Clock, type DeviceMemory } from "./device.ts";
import { Sbi, type SbiHost } from "./sbi.ts";
import type { Schedule } from "./schedule.ts";

/** How a guest ended. */
export interface End {
  readonly reason: "poweroff" | "reboot" | "panic" | "idle-forever" | "tohost" | "stopped";
  /** The guest's own exit code. */
  readonly code: number;
  readonly message?: string;
}

/** Where console input goes to, and what has been read of it. */
export interface ConsoleDevice {
  readonly reads: number;
  receive(bytes: Uint8Array): void;
  /** Takes bytes that were received and not read, for the SBI's console. */
  take(most: number): Uint8Array;
}

/** What is on a disk, whoever moves it. */
export interface DiskContents {
  /** Bytes, a multiple of 512. */
  readonly size: number;
  read(offset: number, length: number): Uint8Array;
  write(offset: number, bytes: Uint8Array): void;
}

/** Bit of the supervisor timer interrupt in mip, and of the supervisor software interrupt. */
const STI = 5;
const SSI = 1;

/** Console output that is kept, which is all of it: a guest that prints more is stopped before the host runs out of memory. */
const OUTPUT_LIMIT = 64 << 20;

export class Platform {
  readonly memory: MachineMemory;
  readonly position: Position;
  readonly log: Log;
  readonly schedule: Schedule;
  readonly bus: Bus;
  readonly guest: Privileged;
  readonly hart: Hart;
  readonly profile: Profile;
  /** Whether the guest is its own firmware, so that the SBI answers nothing. */
  readonly machineMode: boolean;
  end: End | undefined;
  console!: ConsoleDevice;
  /** The disk, if there is one: what is on it, and the name of the device that it is in. */
  disk: { readonly contents: DiskContents; readonly device: string } | undefined;
  /** Told of each piece of console output. */
  onOutput: (bytes: Uint8Array) => void = () => {};
  /** How a fence that firmware was asked for is carried out. */
  fence: (low?: number, high?: number) => void;

  /** What firmware, or a VMM in its place, has at hand to answer a guest with. */
  readonly services: SbiHost;
  readonly #sbi: Sbi;
  readonly #timer: Clock;
  readonly #input: Clock;
  #inputs: { readonly time: number; readonly bytes: Uint8Array }[] = [];
  #output = new Uint8Array(1024);
  #outputLength = 0;

  constructor(parts: {
    memory: MachineMemory;
    position: Position;
    log: Log;
    schedule: Schedule;
    bus: Bus;
    guest: Privileged;
    hart: Hart;
    profile: Profile;
    machineMode: boolean;
  }) {
    this.memory = parts.memory;
    this.position = parts.position;
    this.log = parts.log;
    this.schedule = parts.schedule;
    this.bus = parts.bus;
    this.guest = parts.guest;
    this.hart = parts.hart;
    this.profile = parts.profile;
    this.machineMode = parts.machineMode;
    this.fence = (low, high) => this.hart.fence(low, high);
    this.#timer = this.schedule.clock(() => this.guest.setLine(STI, true));
    this.guest.onCompare = () => this.#compare();
    this.#input = this.schedule.clock(() => this.#deliver());
    this.services = this.#sbiHost();
    this.#sbi = new Sbi(this.services);
  }

  // ---- console ----

  /** All console output so far. */
  get output(): Uint8Array {
    return this.#output.slice(0, this.#outputLength);
  }
  get outputLength(): number {
    return this.#outputLength;
  }
  /** Bytes of the output, as a view. */
  outputFrom(start: number): Uint8Array {
    return this.#output.subarray(start, this.#outputLength);
  }
  /** Takes console output; the run ends where it would be more than 64 MiB. */
  print(bytes: Uint8Array): void {
    if (this.#outputLength + bytes.length > OUTPUT_LIMIT) {
      this.end ??= { reason: "stopped", code: 1, message: `the guest printed more than ${OUTPUT_LIMIT} bytes` };
      return;
    }
    if (this.#outputLength + bytes.length > this.#output.length) {
      const larger = new Uint8Array(2 * (this.#outputLength + bytes.length));
      larger.set(this.#output.subarray(0, this.#outputLength));
      this.#output = larger;
    }
    this.#output.set(bytes, this.#outputLength);
    this.#outputLength += bytes.length;
    this.onOutput(bytes);
  }
  restoreOutput(bytes: Uint8Array): void {
    this.#output = bytes.slice();
    this.#outputLength = bytes.length;
  }

  /** Puts bytes into the console's receive path when guest time reaches `time`; now, if it has. */
  inputAt(time: number, bytes: Uint8Array): void {
    this.#inputs.push({ time, bytes: bytes.slice() });
    this.#inputs.sort((a, b) => a.time - b.time);
    this.#input.schedule(this.#inputs[0]!.time);
  }
  /** Recorded inputs that have not come due. */
  get waitingInputs(): number {
    return this.#inputs.length;
  }
  #deliver(): void {
    while (this.#inputs.length > 0 && this.#inputs[0]!.time <= this.position.time) {
      const { bytes } = this.#inputs.shift()!;
      this.log.append("input.console", this.position.step, { data: bytes, request: this.console.reads });
      this.console.receive(bytes);
    }
    this.#input.schedule(this.#inputs[0]?.time ?? null);
  }

  // ---- firmware ----

  /** Answers the SBI call in the guest's registers, and counts it as a step (T1). pc is the caller's to move. */
  sbi(): void {
    const x = this.hart.x;
    const call = { a0: x[10]!, a1: x[11]!, a2: x[12]!, a3: x[13]!, a4: x[14]!, a5: x[15]!, a6: x[16]!, a7: x[17]! };
    const { error, value } = this.#sbi.call(call);
    this.log.append("sbi", this.position.step, {
      extension: Number(call.a7 & 0xffff_ffffn), function: Number(call.a6 & 0xffff_ffffn), a0: call.a0, a1: call.a1, a2: call.a2, error, value,
    }); // biome-ignore format: one record
    x[10] = error;
    x[11] = value;
    this.position.step += 1;
  }
  #sbiHost(): SbiHost {
    return {
      memory: this.deviceMemory("sbi"),
      isMemory: (address, length) => this.memory.guestHolds(Number(address), length),
      setTimer: (time) => {
        // Firmware programs the comparator where the machine has one, as its payload may do itself.
        if (this.guest.compare !== undefined) {
          this.guest.write(CSR.stimecmp, Number(time & 0xffff_ffffn), Number((time >> 32n) & 0xffff_ffffn));
          return;
        }
        this.guest.setLine(STI, false);
        // A deadline beyond exact guest time never comes ("to clear the pending timer interrupt without scheduling another").
        const due = time * BigInt(this.profile.stepsPerTick);
        this.#timer.schedule(due > BigInt(Number.MAX_SAFE_INTEGER) ? null : Number(due));
      },
      raiseSoftwareInterrupt: () => this.guest.raise(SSI),
      fenceI: () => {},
      fenceVirtual: (range) => {
        if (range === "all" || range.size > 64n * 4096n) return this.fence();
        for (let address = range.start & ~0xfffn; address < range.start + range.size; address += 4096n) {
          this.fence(Number(address & 0xffff_ffffn), Number((address >> 32n) & 0xffff_ffffn));
        }
      },
      writeConsole: (bytes) => this.print(bytes),
      readConsole: (most) => this.console.take(most),
      shutdown: (kind, failed) => {
        this.end = failed
          ? { reason: "panic", code: 1, message: "the guest shut down with reason: system failure" }
          : { reason: kind, code: 0 };
      },
    };
  }

  /** stimecmp has a new value, or begins or ceases to decide when the timer interrupt is pending: from `time` = stimecmp on. */
  #compare(): void {
    const ticks = this.guest.compare;
    const due = ticks === undefined ? undefined : ticks * BigInt(this.profile.stepsPerTick);
    const pending = due !== undefined && due <= BigInt(this.position.time);
    this.guest.setLine(STI, pending);
    this.#timer.schedule(due === undefined || pending || due > BigInt(Number.MAX_SAFE_INTEGER) ? null : Number(due));
  }

  /** A device's way to the guest's memory. Writes reach decoded code, reservations and digests; both directions are logged as DMA. */
  deviceMemory(device: string): DeviceMemory {
    const check = (address: bigint, length: number): number => {
      const physical = Number(address);
      if (!this.memory.guestHolds(physical, length)) {
        throw new BusError(`Cannot reach memory as DMA stays inside RAM: ${length} bytes at 0x${address.toString(16)}`);
      }
      return physical;
    };
    const log = (address: bigint, bytes: Uint8Array, write: number) => {
      if (bytes.length === 0 || !this.log.enabled) return;
      this.log.append("dma", this.position.step, { device, address, length: bytes.length, write, hash: fnv(bytes) });
    };
    return {
      read: (address, length) => {
        const bytes = this.memory.view(check(address, length), length).slice();
        log(address, bytes, 0);
        return bytes;
      },
      write: (address, bytes) => {
        if (bytes.length === 0) return;
        const physical = check(address, bytes.length);
        this.memory.place(physical, bytes);
        this.hart.written(physical, bytes.length);
        log(address, bytes, 1);
      },
    };
  }

  /** Inputs still to come, for snapshots. */
  get inputs(): readonly { readonly time: number; readonly bytes: Uint8Array }[] {
    return this.#inputs;
  }
  set inputs(inputs: readonly { readonly time: number; readonly bytes: Uint8Array }[]) {
    this.#inputs = [...inputs];
  }

  /** The hart's reservation as a guest-physical address, or -1. */
  get reservation(): number {
    const linear = this.memory.u32[at.RESERVATION >>> 2]!;
    return linear === 0 ? -1 : linear - at.RAM + 0x8000_0000;
  }
}

/** FNV-1a over bytes, 64 bits as two halves: identifies a payload in the log. */
function fnv(bytes: Uint8Array): bigint {
  let low = 0x811c9dc5;
  let high = 0xcbf29ce4;
  for (const byte of bytes) {
    low = Math.imul(low ^ byte, 0x01000193);
    high = Math.imul(high ^ byte ^ (low >>> 24), 0x01000193);
  }
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}
