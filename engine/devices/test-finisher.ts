/**
 * SiFive's test finisher: one store ends the run. Linux and U-Boot reach it through the `syscon-poweroff` and `syscon-reboot` nodes.
 *
 * Left out: other values are ignored, as on QEMU.
 * Source: QEMU, hw/misc/sifive_test.c; device-tree binding `sifive,test0`.
 *
 * @module
 */
import { BusError, type Device } from "../machine/device.ts";
import { StateReader, StateWriter } from "./device-state.ts";

const FAIL = 0x3333;
const PASS = 0x5555;
const RESET = 0x7777;

export interface TestFinisherOptions {
  readonly name?: string;
  /** Told once for each store. `code` is the guest's own, from 0 to 65,535; 0 unless the guest says that it failed. */
  readonly onFinish: (kind: "poweroff" | "reboot" | "fail", code: number) => void;
}

export class TestFinisher implements Device {
  readonly name: string;
  readonly size = 0x1000;
  readonly #onFinish: TestFinisherOptions["onFinish"];

  constructor({ name = "test0", onFinish }: TestFinisherOptions) {
    this.name = name;
    this.#onFinish = onFinish;
  }

  read(offset: number, size: number): bigint {
    this.#check("read", offset, size);
    return 0n;
  }

  write(offset: number, size: number, value: bigint): void {
    this.#check("write", offset, size);
    if (offset !== 0) return;
    switch (Number(value & 0xffffn)) {
      case FAIL:
        this.#onFinish("fail", Number((value >> 16n) & 0xffffn));
        break;
      case PASS:
        this.#onFinish("poweroff", 0);
        break;
      case RESET:
        this.#onFinish("reboot", 0);
        break;
    }
  }

  #check(access: string, offset: number, size: number): void {
    // QEMU takes 2 or 4 bytes.
    if ((size !== 2 && size !== 4) || offset % size !== 0) {
      throw new BusError(`Cannot ${access} ${this.name} as it takes 2 or 4 aligned bytes: ${size} at ${offset}`);
    }
  }

  reset(): void {}

  save(): Uint8Array {
    return new StateWriter("test-finisher/1").finish();
  }

  load(state: Uint8Array): void {
    new StateReader(state, "test-finisher/1", this.name).end();
  }
}
