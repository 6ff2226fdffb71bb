/**
 * The devices of the `virt` board, made and wired: which source of the interrupt controller each drives, and where each lies.
 *
 * @module
 */
import { Clint } from "../devices/clint.ts";
import { GoldfishRtc } from "../devices/goldfish-rtc.ts";
import { Plic } from "../devices/plic.ts";
import { TestFinisher, type TestFinisherOptions } from "../devices/test-finisher.ts";
import { Uart16550 } from "../devices/uart16550.ts";
import { VirtioBlock } from "../devices/virtio-block.ts";
import { VirtioMmio } from "../devices/virtio-mmio.ts";
import type { Clock, Device, DeviceMemory, InterruptLine } from "../machine/device.ts";
import type { Board } from "./virt.ts";

/** What the devices need of the machine around them. */
export interface DeviceHost {
  /** A clock of the device's own: each has one deadline. */
  clock(device: string): Clock;
  /** The device's way to RAM, so that the machine can say whose access it was. */
  memory(device: string): DeviceMemory;
  /** The hart's lines: MSIP, MTIP, MEIP and SEIP. */
  readonly machineSoftware: InterruptLine;
  readonly machineTimer: InterruptLine;
  readonly machineExternal: InterruptLine;
  readonly supervisorExternal: InterruptLine;
  readonly onTransmit: (byte: number) => void;
  readonly onFinish: TestFinisherOptions["onFinish"];
}

export interface DeviceSettings {
  /** Steps of guest time in one tick of `time`. */
  readonly stepsPerTick: number;
  /** Seconds since 1970 at guest time 0. */
  readonly rtcSeconds: number;
  /** The image of the block device in the first virtio slot. Without one, all slots are empty. */
  readonly disk?: Uint8Array;
  readonly diskReadOnly?: boolean;
}

export interface BoardDevices {
  /** In a fixed order, which snapshots and digests keep. Each answers `device.size` bytes from `address` on. */
  readonly mapped: readonly { readonly address: bigint; readonly device: Device }[];
  readonly uart: Uart16550;
  readonly clint: Clint;
  readonly plic: Plic;
  readonly block: VirtioBlock | undefined;
}

/** Makes the devices in their state after a reset. */
export function createDevices(board: Board, host: DeviceHost, settings: DeviceSettings): BoardDevices {
  const { stepsPerTick, rtcSeconds, disk, diskReadOnly = false } = settings;
  const plic = new Plic({
    sources: board.plic.sources,
    // The order of the contexts is the one of `interrupts-extended` in the device tree.
    contexts: [host.machineExternal, host.supervisorExternal],
  });
  const testFinisher = new TestFinisher({ onFinish: host.onFinish });
  const rtc = new GoldfishRtc({
    line: plic.source(board.rtc.interrupt),
    clock: host.clock("rtc0"),
    startSeconds: rtcSeconds,
    nanosecondsPerStep: 1_000_000_000 / (board.timebaseHertz * stepsPerTick),
  });
  const clint = new Clint({
    clock: host.clock("clint"),
    software: host.machineSoftware,
    timer: host.machineTimer,
    stepsPerTick,
  });
  const uart = new Uart16550({ line: plic.source(board.uart.interrupt), onTransmit: host.onTransmit });
  const block = disk === undefined ? undefined : new VirtioBlock({ image: disk, readOnly: diskReadOnly });
  const virtio = board.virtio.map((slot, index) => {
    const name = `virtio${index}`;
    const backend = index === 0 && block !== undefined ? { backend: block } : {};
    const device = new VirtioMmio({
      name,
      line: plic.source(slot.interrupt),
      clock: host.clock(name),
      memory: host.memory(name),
      ...backend,
    });
    return { address: slot.address, device };
  });
  const mapped = [
    { address: board.testFinisher.address, device: testFinisher },
    { address: board.rtc.address, device: rtc },
    { address: board.clint.address, device: clint },
    { address: board.plic.address, device: plic },
    { address: board.uart.address, device: uart },
    ...virtio,
  ];
  for (const { device } of mapped) device.reset();
  return { mapped, uart, clint, plic, block };
}
