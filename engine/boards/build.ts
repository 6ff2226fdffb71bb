/**
 * Puts a board's devices on a platform's bus, in the board's order: it decides ties in time, and the order in digests.
 *
 * @module
 */
import { Ata } from "../devices/ata.ts";
import { Clint } from "../devices/clint.ts";
import { GoldfishRtc } from "../devices/goldfish-rtc.ts";
import { Plic } from "../devices/plic.ts";
import { TestFinisher } from "../devices/test-finisher.ts";
import { Uart16550 } from "../devices/uart16550.ts";
import { VirtioBlock } from "../devices/virtio-block.ts";
import { VirtioMmio } from "../devices/virtio-mmio.ts";
import type { Clock, Device, InterruptLine } from "../machine/device.ts";
import type { Platform } from "../machine/platform.ts";
import type { Board, DiskDevice } from "./virt.ts";

/** Interrupt bits in mip. */
const MSI = 3;
const MTI = 7;
const SEI = 9;
const MEI = 11;

export interface BoardOptions {
  /** Seconds since 1970 at guest time 0. */
  readonly rtcSeconds: number;
  /** Contents of the disk; without it there is none. */
  readonly disk: Uint8Array | undefined;
  /** What the disk is: in the first virtio slot, or an ATA one. */
  readonly diskDevice: DiskDevice;
}

/** Makes the devices and attaches them. */
export function attachBoard(board: Board, platform: Platform, options: BoardOptions): void {
  const { guest, bus, schedule, profile } = platform;
  const line = (bit: number): InterruptLine => ({ set: (asserted) => guest.setLine(bit, asserted) });
  // A device is made with its clock, and the clock calls the device: tie the knot with a variable.
  const clocked = <D extends Device>(make: (clock: Clock) => D): D => {
    const device: { made?: D } = {};
    device.made = make(schedule.clock(() => device.made?.due?.()));
    return device.made;
  };
  const attach = (address: bigint, device: Device) => bus.attach(Number(address), device);

  const plic = new Plic({ sources: board.plic.sources, contexts: [line(MEI), line(SEI)] });
  attach(
    board.testFinisher.address,
    new TestFinisher({
      onFinish: (kind, code) => {
        platform.end =
          kind === "fail"
            ? { reason: "panic", code, message: `the guest reported failure ${code}` }
            : { reason: kind, code };
      },
    }),
  );
  const nanosecondsPerStep = 1_000_000_000 / (profile.timebaseHertz * profile.stepsPerTick);
  attach(
    board.rtc.address,
    clocked(
      (clock) =>
        new GoldfishRtc({
          line: plic.source(board.rtc.interrupt),
          clock,
          startSeconds: options.rtcSeconds,
          nanosecondsPerStep,
        }),
    ),
  );
  // Under the SBI the CLINT is the firmware's, and its lines end there.
  const unheard: InterruptLine = { set: () => {} };
  attach(
    board.clint.address,
    clocked(
      (clock) =>
        new Clint({
          clock,
          software: platform.machineMode ? line(MSI) : unheard,
          timer: platform.machineMode ? line(MTI) : unheard,
          stepsPerTick: profile.stepsPerTick,
        }),
    ),
  );
  attach(board.plic.address, plic);
  const uart = new Uart16550({
    line: plic.source(board.uart.interrupt),
    onTransmit: (byte) => platform.print(Uint8Array.of(byte)),
  });
  attach(board.uart.address, uart);
  platform.console = uart;
  const image = options.disk;
  for (const [index, slot] of board.virtio.entries()) {
    const name = `virtio${index}`;
    const block =
      index === 0 && image !== undefined && options.diskDevice === "virtio" ? new VirtioBlock({ image }) : undefined;
    if (block !== undefined) platform.disk = { contents: block.disk, device: name };
    attach(
      slot.address,
      clocked(
        (clock) =>
          new VirtioMmio({
            name,
            line: plic.source(slot.interrupt),
            clock,
            memory: platform.deviceMemory(name),
            ...(block === undefined ? {} : { backend: block }),
          }),
      ),
    );
  }
  if (image !== undefined && options.diskDevice === "ata") {
    const line = plic.source(board.ata.interrupt);
    const ata = clocked((clock) => new Ata({ name: "ata0", line, clock, image }));
    platform.disk = { contents: ata.disk, device: ata.name };
    attach(board.ata.address, ata);
  }
}
