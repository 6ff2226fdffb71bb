/**
 * Who owns a device of the real machine: it can be shared by those who go through its owner, and by nobody else.
 *
 * What the VMM emulates is the VMM's own, and needs no entry here. An owner that reaches registers itself, or the contents behind them, has one.
 *
 * @module
 */

export class DeviceOwners {
  readonly #owners = new Map<string, string>();

  /**
   * Gives a device to an owner.
   *
   * @param device Its name on the board. @param owner In words, for messages.
   * @throws {RangeError} If it has one.
   */
  claim(device: string, owner: string): void {
    const other = this.#owners.get(device);
    if (other !== undefined) {
      throw new RangeError(`Cannot give ${device} to ${owner} as a device has one owner: it is ${other}'s`);
    }
    this.#owners.set(device, owner);
  }

  /** Who owns it; undefined where the VMM emulates it. */
  ownerOf(device: string): string | undefined {
    return this.#owners.get(device);
  }

  /** Takes a device from its owner. */
  release(device: string): void {
    this.#owners.delete(device);
  }
}
