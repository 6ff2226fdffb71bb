/**
 * Devices that are passed through: the guest reaches their registers by itself, through pages of the real ones in its shadow tables.
 *
 * Machine addresses are guest addresses here, so a device that moves memory finds what its driver named; it is held to the guest's RAM as any
 * device is, which stands for the IOMMU that a real machine needs. Interrupts still go through the emulated controller.
 *
 * Left out: devices that share a page with another; a guest in the middle of a run that gains or loses a device.
 *
 * @module
 */
import { PAGE_BYTES } from "../hart/memory.ts";
import type { Platform } from "../machine/platform.ts";
import type { DeviceOwners } from "./device-owners.ts";

/** What the owner of a device is called that is passed through. */
export const GUEST = "the guest";

export class PassThrough {
  readonly #frames = new Set<number>();

  /**
   * @param names `disk`, or devices by their names on the board.
   * @throws {RangeError} If there is no such device, it shares a page, or it has an owner.
   */
  constructor(platform: Platform, names: readonly string[], owners: DeviceOwners) {
    const { bus } = platform;
    for (const name of names) {
      const window = bus.windowOf(name === "disk" ? (platform.disk?.device ?? "") : name);
      if (window === undefined) {
        const there = [...(platform.disk === undefined ? [] : ["disk"]), ...bus.devices.map((device) => device.name)];
        throw new RangeError(
          `Cannot pass ${name} through as it must be a device of the machine: there are ${there.join(", ")}`,
        );
      }
      const first = Math.floor(window.from / PAGE_BYTES);
      const end = Math.ceil(window.to / PAGE_BYTES);
      const other = bus.within(first * PAGE_BYTES, end * PAGE_BYTES).find(({ device }) => device !== window.device);
      if (other !== undefined) {
        throw new RangeError(
          `Cannot pass ${window.device.name} through as its pages must be its own: ${other.device.name} lies there too`,
        );
      }
      owners.claim(window.device.name, GUEST);
      bus.native.add(window.device.name);
      for (let frame = first; frame < end; frame++) this.#frames.add(frame);
    }
  }

  /** Whether a frame is of a device that is passed through. */
  has(frame: number): boolean {
    return this.#frames.has(frame);
  }
}
