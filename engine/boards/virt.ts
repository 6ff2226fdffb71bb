/**
 * The `virt` board: QEMU's memory map for one hart, as data, and the device tree made from it.
 *
 * Left out: flash, PCI, fw-cfg and the platform bus. Guests find devices by the device tree, which does not name them.
 * Source: QEMU 7.2, hw/riscv/virt.c; Linux, Documentation/devicetree/bindings (riscv/cpus.yaml, riscv/extensions.yaml,
 * interrupt-controller/sifive,plic-1.0.0.yaml, timer/sifive,clint.yaml, serial/8250.yaml, virtio/mmio.yaml, ata/ata-generic.yaml, power/reset/syscon-*).
 *
 * @module
 */
import { ATA_CONTROL_BLOCK, ATA_REGISTER_SHIFT } from "../devices/ata.ts";
import { BLOCK_BYTES } from "../hart/access.ts";
import { isaString, type Profile, strict } from "../isa/profile.ts";
import { cells64, type DeviceTreeNode, node } from "../machine/device-tree.ts";

/** A window of guest-physical addresses, and the interrupt source of what lies there. */
export interface Slot {
  readonly address: bigint;
  readonly bytes: number;
  /** PLIC source; absent where the device raises none. */
  readonly interrupt?: number;
}

export interface Board {
  readonly name: string;
  readonly ramBase: bigint;
  readonly testFinisher: Slot;
  readonly rtc: Slot & { readonly interrupt: number };
  readonly clint: Slot;
  readonly plic: Slot & { readonly sources: number };
  readonly uart: Slot & { readonly interrupt: number; readonly clockHertz: number };
  readonly virtio: readonly (Slot & { readonly interrupt: number })[];
  /** Of the disk, where the board is to have an ATA disk in place of a virtio one. */
  readonly ata: Slot & { readonly interrupt: number };
  /** Ticks of `time` in a second. */
  readonly timebaseHertz: number;
}

export const VIRT: Board = {
  name: "virt",
  ramBase: 0x8000_0000n,
  testFinisher: { address: 0x10_0000n, bytes: 0x1000 },
  rtc: { address: 0x10_1000n, bytes: 0x1000, interrupt: 11 },
  clint: { address: 0x200_0000n, bytes: 0x1_0000 },
  plic: { address: 0xc00_0000n, bytes: 0x60_0000, sources: 95 },
  uart: { address: 0x1000_0000n, bytes: 0x100, interrupt: 10, clockHertz: 3_686_400 },
  virtio: Array.from({ length: 8 }, (_, slot) => ({
    address: 0x1000_1000n + BigInt(slot) * 0x1000n,
    bytes: 0x1000,
    interrupt: slot + 1,
  })),
  ata: { address: 0x1000_9000n, bytes: 0x1000, interrupt: 9 },
  timebaseHertz: 10_000_000,
};

/** What the device tree says of the hart. Kernels read the old string or the new lists, so there are both. */
export interface HartDescription {
  /** `riscv,isa`: `rv64imafdc_zicntr_zicsr_zifencei` and so on. */
  readonly isa: string;
  /** `riscv,isa-base`: `rv64i`. */
  readonly isaBase: string;
  /** `riscv,isa-extensions`: `i`, `m`, … */
  readonly isaExtensions: readonly string[];
  /** `mmu-type`; absent on a hart without translation. */
  readonly mmuType?: string;
  /** Bytes of a cache block, for Zicbom and for Zicboz; absent without them. */
  readonly managedBlockBytes?: number;
  readonly zeroedBlockBytes?: number;
}

/** What a profile's hart is. */
export function describeHart(profile: Profile): HartDescription {
  const { extensions, satpModes } = profile;
  return {
    isa: isaString(profile),
    isaBase: "rv64i",
    isaExtensions: extensions,
    mmuType: `riscv,${satpModes.includes("sv48") ? "sv48" : "sv39"}`,
    ...(extensions.includes("zicbom") ? { managedBlockBytes: BLOCK_BYTES } : {}),
    ...(extensions.includes("zicboz") ? { zeroedBlockBytes: BLOCK_BYTES } : {}),
  };
}

/** What a board's disk is: a virtio block device in the first slot, or an ATA task file. */
export const DISK_DEVICES = ["virtio", "ata"] as const;
export type DiskDevice = (typeof DISK_DEVICES)[number];

export interface DeviceTreeOptions {
  readonly memoryBytes: number;
  /** The kernel's command line. */
  readonly append?: string;
  readonly initrd?: { readonly start: bigint; readonly end: bigint };
  readonly hart?: HartDescription;
  /** The disk is an ATA one. A virtio disk is found in its slot, which is named in any case. */
  readonly ata?: boolean;
  /** The guest starts in machine mode: the CLINT is its own. Otherwise it is the SBI's, and not named. */
  readonly machineMode: boolean;
}

/** Entropy that is the same in every run (T15): 32 bytes, from which Linux seeds its generator at once. */
export const RNG_SEED: readonly number[] = [
  0x7472_6170, 0x6c69_6e65, 0x2065_6e74, 0x726f_7079, 0x2069_7320, 0x636f_6e73, 0x7461_6e74, 0x2121_2121,
];

/** What a kernel's command line and initial RAM disk add to /chosen. */
export function chosenProperties(
  append: DeviceTreeOptions["append"],
  initrd: DeviceTreeOptions["initrd"],
): Readonly<Record<string, string | number[]>> {
  return {
    ...(append === undefined ? {} : { bootargs: append }),
    ...(initrd === undefined
      ? {}
      : { "linux,initrd-start": cells64(initrd.start), "linux,initrd-end": cells64(initrd.end) }),
  };
}

const HART_INTERRUPTS = 1;
const PLIC = 2;
const TEST_FINISHER = 3;
// Interrupt numbers of the hart's own controller (Privileged Architecture, mcause).
const SUPERVISOR_EXTERNAL = 9;
const MACHINE_SOFTWARE = 3;
const MACHINE_TIMER = 7;
const MACHINE_EXTERNAL = 11;

/**
 * The board's device tree. Its blob's length does not depend on where the initial RAM disk lies.
 *
 * @throws {RangeError} If the command line holds characters above U+00FF or a NUL.
 */
export function buildDeviceTree(board: Board, options: DeviceTreeOptions): DeviceTreeNode {
  const { memoryBytes, append, initrd, hart = describeHart(strict), machineMode, ata = false } = options;
  const reg = (slot: Slot): number[] => [...cells64(slot.address), ...cells64(BigInt(slot.bytes))];
  const at = (name: string, address: bigint): string => `${name}@${address.toString(16)}`;
  const wired = (interrupt: number): { interrupts: number[]; "interrupt-parent": number[] } => ({
    interrupts: [interrupt],
    "interrupt-parent": [PLIC],
  });

  return node("", { "#address-cells": [2], "#size-cells": [2], compatible: "riscv-virtio", model: "trapline,virt" }, [
    node("chosen", {
      ...chosenProperties(append, initrd),
      "rng-seed": RNG_SEED,
      "stdout-path": `/soc/${at("serial", board.uart.address)}`,
    }),
    syscon("poweroff", 0x5555),
    syscon("reboot", 0x7777),
    node(at("memory", board.ramBase), {
      device_type: "memory",
      reg: [...cells64(board.ramBase), ...cells64(BigInt(memoryBytes))],
    }),
    node("cpus", { "#address-cells": [1], "#size-cells": [0], "timebase-frequency": [board.timebaseHertz] }, [
      node(
        "cpu@0",
        {
          device_type: "cpu",
          reg: [0],
          status: "okay",
          compatible: "riscv",
          "riscv,isa": hart.isa,
          "riscv,isa-base": hart.isaBase,
          "riscv,isa-extensions": hart.isaExtensions,
          ...(hart.mmuType === undefined ? {} : { "mmu-type": hart.mmuType }),
          ...(hart.managedBlockBytes === undefined ? {} : { "riscv,cbom-block-size": [hart.managedBlockBytes] }),
          ...(hart.zeroedBlockBytes === undefined ? {} : { "riscv,cboz-block-size": [hart.zeroedBlockBytes] }),
        },
        [
          node("interrupt-controller", {
            "#interrupt-cells": [1],
            "#address-cells": [0],
            "interrupt-controller": true,
            compatible: "riscv,cpu-intc",
            phandle: [HART_INTERRUPTS],
          }),
        ],
      ),
    ]),
    node("soc", { "#address-cells": [2], "#size-cells": [2], compatible: "simple-bus", ranges: true }, [
      node(at("test", board.testFinisher.address), {
        compatible: ["sifive,test1", "sifive,test0", "syscon"],
        reg: reg(board.testFinisher),
        phandle: [TEST_FINISHER],
      }),
      node(at("rtc", board.rtc.address), {
        compatible: "google,goldfish-rtc",
        reg: reg(board.rtc),
        ...wired(board.rtc.interrupt),
      }),
      ...(machineMode
        ? [
            node(at("clint", board.clint.address), {
              compatible: ["sifive,clint0", "riscv,clint0"],
              reg: reg(board.clint),
              "interrupts-extended": [HART_INTERRUPTS, MACHINE_SOFTWARE, HART_INTERRUPTS, MACHINE_TIMER],
            }),
          ]
        : []),
      node(at("plic", board.plic.address), {
        compatible: ["sifive,plic-1.0.0", "riscv,plic0"],
        reg: reg(board.plic),
        "interrupts-extended": [HART_INTERRUPTS, MACHINE_EXTERNAL, HART_INTERRUPTS, SUPERVISOR_EXTERNAL],
        "interrupt-controller": true,
        "#interrupt-cells": [1],
        "#address-cells": [0],
        "riscv,ndev": [board.plic.sources],
        phandle: [PLIC],
      }),
      node(at("serial", board.uart.address), {
        compatible: "ns16550a",
        reg: reg(board.uart),
        "clock-frequency": [board.uart.clockHertz],
        ...wired(board.uart.interrupt),
      }),
      ...board.virtio.map((slot) =>
        node(at("virtio_mmio", slot.address), { compatible: "virtio,mmio", reg: reg(slot), ...wired(slot.interrupt) }),
      ),
      ...(ata ? [ataNode(board, wired(board.ata.interrupt))] : []),
    ]),
  ]);
}

/** Command block and control block, each as long as its registers. */
function ataNode({ ata }: Board, wire: Readonly<Record<string, number[]>>): DeviceTreeNode {
  return node(`ata@${ata.address.toString(16)}`, {
    compatible: "ata-generic",
    reg: [
      ...cells64(ata.address),
      ...cells64(BigInt(8 << ATA_REGISTER_SHIFT)),
      ...cells64(ata.address + BigInt(ATA_CONTROL_BLOCK)),
      ...cells64(BigInt(1 << ATA_REGISTER_SHIFT)),
    ],
    "reg-shift": [ATA_REGISTER_SHIFT],
    "ata-generic,use16bit": true,
    ...wire,
  });
}

function syscon(name: string, value: number): DeviceTreeNode {
  return node(name, { compatible: `syscon-${name}`, regmap: [TEST_FINISHER], offset: [0], value: [value] });
}
