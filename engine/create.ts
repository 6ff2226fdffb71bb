/**
 * Puts a machine together: memory, hart, platform, board, guest image, and the technique's way to run it.
 *
 * @module
 */
import { attachBoard } from "./boards/build.ts";
import { buildDeviceTree, chosenProperties, type DiskDevice, describeHart, VIRT } from "./boards/virt.ts";
import { Log } from "./event/log.ts";
import { Hart, type Tier } from "./hart/hart.ts";
import * as at from "./hart/layout.ts";
import { MachineMemory, RAM_BASE } from "./hart/memory.ts";
import { Position } from "./hart/position.ts";
import { CSR, MACHINE, Privileged, SUPERVISOR } from "./hart/privileged.ts";
import { Translations } from "./hart/translations.ts";
import { leakNames, type Profile } from "./isa/profile.ts";
import { SITE_SECTION } from "./isa/sites.ts";
import { Bus } from "./machine/bus.ts";
import { readDeviceTree, withProperties, writeDeviceTree } from "./machine/device-tree.ts";
import { elfSections } from "./machine/elf-sections.ts";
import { type Image, ImageError, isElf, loadImage, placeBootData } from "./machine/image.ts";
import { Machine } from "./machine/machine.ts";
import { Native } from "./machine/native.ts";
import { Platform } from "./machine/platform.ts";
import { Schedule } from "./machine/schedule.ts";
import type { Technique } from "./vmm/technique.ts";
import { VMM_BYTES, Vmm } from "./vmm/vmm.ts";

/** Everything that decides a run besides its inputs. */
export interface MachineConfig {
  /** ELF64, RISC-V `Image`, or raw bytes. */
  readonly kernel: Uint8Array;
  /** What errors call the kernel. */
  readonly kernelName?: string;
  readonly initrd?: Uint8Array;
  /** The kernel's command line. */
  readonly append?: string;
  /** A device tree blob in place of the board's own. Its /chosen is told of `append` and `initrd`, where those are given. */
  readonly dtb?: Uint8Array;
  /** Runs first, in machine mode, from the start of RAM. */
  readonly firmware?: Uint8Array;
  /** Contents of the block device; copied. */
  readonly disk?: Uint8Array;
  /** What the block device is; a virtio one where it is left out. */
  readonly diskDevice?: DiskDevice;
  /** Devices whose registers the guest reaches without an exit, under a VMM: `disk`, or names of devices. */
  readonly passThrough?: readonly string[];
  /** Bytes of guest RAM. */
  readonly memoryBytes: number;
  /** Seconds since 1970 at guest time 0. */
  readonly rtcSeconds: number;
  /** Start in machine mode, without the platform's SBI. */
  readonly machineMode: boolean;
  readonly profile: Profile;
  readonly technique: Technique;
  /** Runs the technique even where the profile lacks what it requires, to watch it fail. */
  readonly unsound?: boolean;
  /** Whether events are kept. Nothing about the run depends on it. */
  readonly logging: boolean;
  readonly tier?: Tier;
  /** Jumps to a place before it is compiled, in the jit tier. */
  readonly threshold?: number;
}

/** Where a raw image goes under an SBI, as QEMU and OpenSBI have it. */
const PAYLOAD_BASE = 0x8020_0000n;

/**
 * Makes a machine with its guest loaded and ready to run its first instruction.
 *
 * @throws {ImageError} If an image is unusable. @throws {RangeError} If the memory size or the device tree is, or the technique needs what the profile does not have; or a device cannot be passed through.
 */
export function createMachine(config: MachineConfig): Machine {
  const { technique, profile } = config;
  const virtualized = technique.on !== undefined;
  if ((config.machineMode || config.firmware !== undefined) && virtualized && technique.machineMode !== true) {
    const what = config.machineMode ? "a machine-mode guest" : "firmware";
    throw new RangeError(
      `Cannot run ${what} under ${technique.name} as it must have a virtual machine mode: it has none; use --technique native or full`,
    );
  }
  const leaks = leakNames(profile);
  if (technique.requires.includes("all-sensitive-trap") && leaks.length > 0 && config.unsound !== true) {
    throw new RangeError(
      `Cannot run ${technique.name} as it requires that every sensitive instruction traps in user mode: on profile ${profile.name}, ${leaks.join(", ")} do not; use --technique rewriting:trap, or --unsound to watch it fail`,
    );
  }
  if (!Number.isInteger(config.rtcSeconds)) {
    throw new RangeError(
      `Cannot make a machine as its clock starts at a whole number of seconds: ${config.rtcSeconds}`,
    );
  }
  const memory = new MachineMemory(config.memoryBytes, virtualized ? VMM_BYTES : 0);
  const position = new Position();
  const log = new Log({ enabled: config.logging });
  const schedule = new Schedule(position);
  const bus = new Bus(log, position);
  const hart = new Hart({
    memory,
    position,
    translations: new Translations(profile.translationCap),
    bus,
    extensions: profile.extensions,
    tier: config.tier ?? "jit",
    ...(config.threshold === undefined ? {} : { threshold: config.threshold }),
  });
  const guest = new Privileged({ memory, position, profile });
  const platform = new Platform({
    memory,
    position,
    log,
    schedule,
    bus,
    guest,
    hart,
    profile,
    machineMode: config.machineMode || config.firmware !== undefined,
  });
  attachBoard(VIRT, platform, {
    rtcSeconds: config.rtcSeconds,
    disk: config.disk,
    diskDevice: config.diskDevice ?? "virtio",
  });
  const images = boot(config, platform);
  if (config.machineMode) watchToHost(platform, images);
  const passThrough = config.passThrough ?? [];
  if (!virtualized && passThrough.length > 0) {
    throw new RangeError(
      `Cannot pass ${passThrough.join(", ")} through under ${technique.name} as that is what a VMM does: the bare machine has all its devices`,
    );
  }
  const execution = virtualized ? new Vmm(platform, technique, sitesFor(config), passThrough) : new Native(platform);
  return new Machine(platform, execution);
}

/** The records of the kernel's sites, where the technique patches those. */
function sitesFor({ technique, kernel, kernelName = "kernel" }: MachineConfig): Uint8Array {
  if (technique.port !== "pre") return new Uint8Array();
  const sections = isElf(kernel) ? elfSections(kernel, kernelName) : [];
  const found = sections.find(({ name }) => name === SITE_SECTION);
  if (found !== undefined) return found.bytes;
  throw new RangeError(
    `Cannot run ${technique.name} as the kernel must have been afterburned: it has no section ${SITE_SECTION}; see trapline afterburn --help`,
  );
}

/** Loads images and device tree, and puts the hart where firmware, or the reset, leaves it. */
function boot(config: MachineConfig, { memory, hart, guest, machineMode }: Platform): readonly Image[] {
  const ram = { base: BigInt(RAM_BASE), size: config.memoryBytes };
  const inMachineMode = machineMode || config.firmware !== undefined;
  const images: Image[] = [];
  if (config.firmware !== undefined)
    images.push(loadImage(config.firmware, { ram, defaultLoad: ram.base, name: "firmware" }));
  images.push(
    loadImage(config.kernel, {
      ram,
      defaultLoad: machineMode && images.length === 0 ? ram.base : PAYLOAD_BASE,
      name: config.kernelName ?? "kernel",
    }),
  );
  const end = images.reduce((last, image) => (image.end > last ? image.end : last), ram.base);
  if (
    images.length === 2 &&
    images[0]!.end > images[1]!.segments[0]!.address &&
    images[1]!.end > images[0]!.segments[0]!.address
  ) {
    throw new ImageError(
      `Cannot load kernel as images do not overlap: firmware ends at 0x${images[0]!.end.toString(16)}`,
    );
  }
  for (const image of images) for (const { address, bytes } of image.segments) memory.place(Number(address), bytes);

  const given = config.dtb === undefined ? undefined : readDeviceTree(config.dtb);
  const tree = (initrd?: { readonly start: bigint; readonly end: bigint }): Uint8Array => {
    if (config.dtb !== undefined && given !== undefined) {
      if (initrd === undefined && config.append === undefined) return config.dtb;
      return writeDeviceTree(withProperties(given, "/chosen", chosenProperties(config.append, initrd)));
    }
    return writeDeviceTree(
      buildDeviceTree(VIRT, {
        memoryBytes: config.memoryBytes,
        machineMode: inMachineMode,
        hart: describeHart(config.profile),
        ata: config.disk !== undefined && config.diskDevice === "ata",
        ...(config.append === undefined ? {} : { append: config.append }),
        ...(initrd === undefined ? {} : { initrd }),
      }),
    );
  };
  const size = tree(config.initrd === undefined ? undefined : { start: 0n, end: 0n }).length;
  const places = placeBootData(ram, end, size, config.initrd?.length);
  const blob = tree(places.initrd);
  memory.place(Number(places.deviceTree), blob);
  if (config.initrd !== undefined && places.initrd !== undefined)
    memory.place(Number(places.initrd.start), config.initrd);

  hart.pc = images[0]!.entry;
  // The boot protocol of Linux and of OpenSBI's payloads: hart number in a0, device tree in a1.
  hart.x[10] = 0n;
  hart.x[11] = places.deviceTree;
  guest.mode = inMachineMode ? MACHINE : SUPERVISOR;
  if (!inMachineMode) {
    // What firmware sets up before it enters its payload: everything delegated but the SBI's ecall, counters on, all memory open.
    guest.write(CSR.medeleg, 0xb1ff, 0);
    guest.write(CSR.mideleg, 0x222, 0);
    guest.write(CSR.mcounteren, 7, 0);
    // CBIE, CBCFE and CBZE; STCE; and ADUE, which payloads expect on where Svadu comes without Svade. What is not there ignores it.
    const adue = config.profile.extensions.includes("svade") ? 0 : 0x2000_0000;
    guest.write(CSR.menvcfg, 0xf0, 0x8000_0000 | adue);
    guest.write(CSR.pmpaddr0, 0xffff_ffff, 0x3f_ffff);
    guest.write(CSR.pmpcfg0, 0x1f, 0);
  }
  memory.u32[at.FLOAT_DIRTY >>> 2] = 0;
  return images;
}

/**
 * Ends the run where a bare-metal program stores its result into the doubleword that its symbol `tohost` names, as those of riscv-tests do:
 * 1 is success, (n << 1) | 1 says that test case n failed. Zero is no result: programs clear the upper half on its own.
 *
 * Left out: the calls to a host that even values make.
 * Source: riscv-test-env, `p/riscv_test.h` and `p/link.ld`.
 */
function watchToHost(platform: Platform, images: readonly Image[]): void {
  const { memory, hart } = platform;
  for (const image of images) {
    const symbol = image.symbols.get("tohost");
    if (symbol === undefined) continue;
    const physical = Number(image.physical(symbol) ?? symbol);
    if (!memory.guestHolds(physical, 8)) {
      throw new ImageError(`Cannot watch tohost as it must lie in RAM: it is 0x${symbol.toString(16)}`);
    }
    hart.watch(physical, () => {
      const value = memory.read(physical, 8);
      if (value === 0n) return;
      const code = Math.min(Number(value >> 1n), Number.MAX_SAFE_INTEGER);
      const failed =
        (value & 1n) !== 0n ? `test case ${code} failed` : `the guest left 0x${value.toString(16)} in tohost`;
      platform.end ??= { reason: "tohost", code, ...(value === 1n ? {} : { message: failed }) };
    });
    return;
  }
}
