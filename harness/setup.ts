/**
 * From a guest to a machine, and from a recording's header to the same machine again.
 *
 * @module
 */

import {
  createMachine,
  DISK_DEVICES,
  type DiskDevice,
  type Machine,
  type MachineConfig,
  native,
  type Technique,
} from "../engine/mod.ts";
import type { ImageRole, TraceHeader } from "../traces/mod.ts";
import { packAddressMarks, resolveAddressMarks, watchAddresses } from "./address-marks.ts";
import { numberConsoleMarks, packConsoleMarks } from "./console-marks.ts";
import { DEFAULT_MEMORY_BYTES, type Guest, type GuestImages } from "./guests/mod.ts";
import { version } from "./installation.ts";
import { profileNamed } from "./names.ts";
import { type ImageStore, sha256 } from "./store.ts";

/** 2025-01-01T00:00:00Z. */
export const DEFAULT_RTC_SECONDS = 1_735_689_600;
export const DEFAULT_CHECKPOINT_EVERY = 10_000_000;
/** The step budget (T5). */
export const DEFAULT_MAX_STEPS = 10_000_000_000;

/** What a recording fixes beside the guest. */
export interface RecordingSettings {
  readonly technique?: Technique;
  /** Devices that the technique's VMM leaves to the guest. */
  readonly passThrough?: readonly string[];
  /** Steps between checkpoints. */
  readonly checkpointEvery?: number;
  /** The step budget. */
  readonly maxSteps?: number;
  /** What the clock says at step 0, in seconds since 1970. */
  readonly rtcSeconds?: number;
  readonly profile?: string;
}

const ROLES: readonly ImageRole[] = ["kernel", "firmware", "initrd", "dtb", "disk"];

/** A machine that is ready to run, with the header that makes it again. */
export interface Setup {
  readonly header: TraceHeader;
  readonly machine: Machine;
}

/**
 * Makes the machine for a recording and keeps the guest's images.
 *
 * @throws {RangeError} If a setting is out of its range, or the guest cannot be loaded; {ImageError} if an image is not what it must be.
 */
export async function setUp(guest: Guest, settings: RecordingSettings, store: ImageStore): Promise<Setup> {
  const images = await guest.load();
  const technique = settings.technique ?? native;
  const present = ROLES.filter((role) => images[role] !== undefined);
  const texts = numberConsoleMarks(guest.consoleMarks ?? {}, Object.values(guest.marks ?? {}));
  const others = { ...guest.marks, ...Object.fromEntries(texts.map(({ id, name }) => [name, id])) };
  const places = resolveAddressMarks(guest.addressMarks ?? {}, images, others);
  // Each image is hashed once: a kernel has tens of megabytes.
  const hashes = new Map(present.map((role) => [role, sha256(images[role]!)]));
  const binary = guest.binary ?? hashes.get("kernel")!;
  const unnamed: Omit<TraceHeader, "devices"> = {
    engineVersion: version,
    guest: binary,
    workload: guest.workload,
    images: present.map((role) => {
      const name = role === "kernel" ? guest.name : role;
      return { role, name, sha256: hashes.get(role)!, sizeBytes: images[role]!.length };
    }),
    technique: technique.name,
    variant: technique.variant ?? "",
    profile: settings.profile ?? "strict",
    memoryBytes: guest.memoryBytes ?? DEFAULT_MEMORY_BYTES,
    append: guest.append ?? "",
    rtcSeconds: settings.rtcSeconds ?? DEFAULT_RTC_SECONDS,
    machineMode: guest.machineMode ?? false,
    checkpointEvery: settings.checkpointEvery ?? DEFAULT_CHECKPOINT_EVERY,
    maxSteps: settings.maxSteps ?? DEFAULT_MAX_STEPS,
    marks: [
      ...Object.entries(guest.marks ?? {}).map(([name, id]) => ({ id, name })),
      ...[...texts, ...places].map(({ id, name }) => ({ id, name })),
    ],
    settings: {
      name: guest.name,
      ...(guest.diskDevice === undefined || guest.diskDevice === "virtio" ? {} : { disk: guest.diskDevice }),
      ...passedThrough(settings.passThrough),
      ...(texts.length === 0 ? {} : { consoleMarks: packConsoleMarks(texts) }),
      ...(places.length === 0 ? {} : { addressMarks: packAddressMarks(places) }),
      ...Object.fromEntries(Object.entries(images.origins ?? {}).map(([file, hash]) => [`sha256 ${file}`, hash])),
    },
  };
  checkRange("checkpointEvery", unnamed.checkpointEvery, 1000);
  checkRange("maxSteps", unnamed.maxSteps, 1);
  checkRange("rtcSeconds", unnamed.rtcSeconds, 0);
  const machine = createMachine(configOf(unnamed, images, technique, settings.passThrough));
  watchAddresses(machine, unnamed.settings.addressMarks);
  // Only now is it known that the images are good: a bad one must leave nothing behind.
  for (const [role, hash] of hashes) store.put(images[role]!, hash);
  return { header: { ...unnamed, devices: [...machine.devices] }, machine };
}

/**
 * Makes the machine of a recording again, under any technique.
 *
 * @param header The recording's.
 * @param images What it started from: from a store, or freshly loaded; checked against the header's hashes.
 * @param options `unsound`: the technique runs even where the profile lacks what it requires. `passThrough`: devices that the guest has to itself.
 * @throws {RangeError} If an image is missing or is not the recorded one, or this machine has other devices.
 */
export function setUpAgain(
  header: TraceHeader,
  store: ImageStore,
  technique: Technique,
  { unsound = false, passThrough }: ReplayedMachine = {},
): Setup {
  const images: Partial<Record<ImageRole, Uint8Array>> = {};
  for (const image of header.images) images[image.role] = store.get(image.sha256);
  if (images.kernel === undefined)
    throw new RangeError("Cannot replay as a recording must have a kernel: its header names none");
  const machine = createMachine({
    ...configOf(header, { ...images, kernel: images.kernel }, technique, passThrough),
    unsound,
  });
  if (machine.devices.join() !== header.devices.join()) {
    throw new RangeError(
      `Cannot replay as the machine must have the recorded devices ${header.devices.join(", ")}: it has ${machine.devices.join(", ")}; version ${header.engineVersion} recorded it`,
    );
  }
  watchAddresses(machine, header.settings.addressMarks);
  // Who has a device is the VMM's to say: a replay's own trace tells of its own.
  const { passThrough: _, ...settings } = header.settings;
  return {
    header: {
      ...header,
      engineVersion: version,
      technique: technique.name,
      variant: technique.variant ?? "",
      settings: { ...settings, ...passedThrough(passThrough) },
    },
    machine,
  };
}

/**
 * Makes the machine of a recording with another binary in place of the recorded kernel. All else is the recording's: disk, memory, clock.
 *
 * @throws {RangeError} If the recording's disk is missing, or this machine has other devices.
 */
export async function setUpPort(
  header: TraceHeader,
  store: ImageStore,
  guest: Guest,
  technique: Technique,
  options?: ReplayedMachine,
): Promise<Setup> {
  const { kernel } = await guest.load();
  store.put(kernel);
  const images = header.images.map((image) =>
    image.role === "kernel"
      ? { role: image.role, name: guest.name, sha256: sha256(kernel), sizeBytes: kernel.length }
      : image,
  );
  const ported = { ...header, images, guest: guest.binary ?? sha256(kernel) };
  return setUpAgain({ ...ported, settings: { ...header.settings, name: guest.name } }, store, technique, options);
}

/** What a guest's images are to a replay that loads them itself: a store that knows these alone. */
export async function storeOfGuest(guest: Guest): Promise<ImageStore> {
  const images = await guest.load();
  const byHash = new Map(ROLES.flatMap((role) => images[role] ?? []).map((bytes) => [sha256(bytes), bytes] as const));
  return {
    put: sha256,
    get(hash) {
      const bytes = byHash.get(hash);
      if (bytes !== undefined) return bytes;
      throw new RangeError(
        `Cannot replay ${guest.name} as its images must be the recorded ones: none has the SHA-256 ${hash}; record it again`,
      );
    },
  };
}

/** What a replay may change of the recorded machine, besides its technique. */
export interface ReplayedMachine {
  readonly unsound?: boolean | undefined;
  readonly passThrough?: readonly string[] | undefined;
}

/** The setting that names devices which the guest has to itself. */
function passedThrough(devices: readonly string[] = []): { readonly passThrough?: string } {
  return devices.length === 0 ? {} : { passThrough: devices.join(",") };
}

/** @throws {RangeError} If there is no such disk. */
function diskDeviceOf({ disk = "virtio" }: TraceHeader["settings"]): DiskDevice {
  const found = DISK_DEVICES.find((device) => device === disk);
  if (found !== undefined) return found;
  throw new RangeError(
    `Cannot make the machine as its disk must be one of ${DISK_DEVICES.join(", ")}: it is ${String(disk)}`,
  );
}

function configOf(
  header: Omit<TraceHeader, "devices">,
  images: GuestImages,
  technique: Technique,
  passThrough: readonly string[] = [],
): MachineConfig {
  return {
    ...images,
    diskDevice: diskDeviceOf(header.settings),
    passThrough,
    append: header.append,
    memoryBytes: header.memoryBytes,
    rtcSeconds: header.rtcSeconds,
    machineMode: header.machineMode,
    profile: profileNamed(header.profile),
    technique,
    logging: true,
  };
}

function checkRange(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new RangeError(`Cannot record as ${name} must be a whole number of at least ${least}: it is ${value}`);
}
