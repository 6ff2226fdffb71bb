/**
 * The bus: which device answers at a physical address, and the log of what passed.
 *
 * @module
 */
import type { Log } from "../event/log.ts";
import type { PhysicalBus } from "../hart/access.ts";
import type { Position } from "../hart/position.ts";
import type { MemorySize } from "../isa/emit.ts";
import { BusError, type Device } from "./device.ts";

/** Where a device answers: the first address, and the first behind the last. */
export interface Window {
  readonly from: number;
  readonly to: number;
  readonly device: Device;
}

export class Bus implements PhysicalBus {
  readonly #windows: Window[] = [];
  readonly #log: Log;
  readonly #position: Position;
  /** How accesses are carried out, where that is to be logged; empty on the bare machine. */
  path = "";
  /** Names of devices that the guest reaches by itself. */
  readonly native = new Set<string>();

  constructor(log: Log, position: Position) {
    this.#log = log;
    this.#position = position;
  }

  /** @throws {RangeError} If the window overlaps another device's. */
  attach(address: number, device: Device): void {
    const window = { from: address, to: address + device.size, device };
    const other = this.#windows.find(({ from, to }) => window.from < to && from < window.to);
    if (other !== undefined) {
      throw new RangeError(
        `Cannot attach ${device.name} as windows do not overlap: ${other.device.name} lies at 0x${other.from.toString(16)}`,
      );
    }
    this.#windows.push(window);
  }

  /** The devices whose windows meet a range, with where theirs begin and end. */
  within(from: number, to: number): readonly Window[] {
    return this.#windows.filter((window) => window.from < to && from < window.to);
  }
  /** A device's window, by its name. */
  windowOf(name: string): Window | undefined {
    return this.#windows.find(({ device }) => device.name === name);
  }

  get devices(): readonly Device[] {
    return this.#windows.map(({ device }) => device);
  }

  /** Whether some device's window holds the address. */
  answers(physical: number): boolean {
    return this.#find(physical, 1) !== undefined;
  }

  #find(physical: number, size: number): Window | undefined {
    return this.#windows.find(({ from, to }) => physical >= from && physical + size <= to);
  }

  read(physical: number, size: MemorySize): bigint | undefined {
    const window = this.#find(physical, size);
    if (window === undefined) return undefined;
    const offset = physical - window.from;
    try {
      const value = window.device.read(offset, size);
      this.#log.append("device.read", this.#position.step, { device: window.device.name, offset, size, value });
      this.#logPath(window.device);
      return value;
    } catch (error) {
      if (error instanceof BusError) return undefined;
      throw error;
    }
  }

  write(physical: number, size: MemorySize, value: bigint): boolean {
    const window = this.#find(physical, size);
    if (window === undefined) return false;
    const offset = physical - window.from;
    try {
      // The access first, then what it brought about.
      this.#log.append("device.write", this.#position.step, { device: window.device.name, offset, size, value });
      this.#logPath(window.device);
      window.device.write(offset, size, value);
      return true;
    } catch (error) {
      if (error instanceof BusError) return false;
      throw error;
    }
  }

  #logPath(device: Device): void {
    if (this.path === "") return;
    const path = this.native.has(device.name) ? "native" : this.path;
    this.#log.append("device.path", this.#position.step, { device: device.name, path });
  }
}
