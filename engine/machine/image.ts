/**
 * Guest images: which form a file has, where its parts go in RAM, and where it starts.
 *
 * Left out: compressed images and ELF relocation; a file that is neither ELF nor a RISC-V `Image` is taken as raw bytes.
 * Source: ELF-64 Object File Format 1.5; Linux, Documentation/arch/riscv/boot-image-header.rst and boot.rst.
 *
 * @module
 */
import { elfFrom } from "./elf.ts";

/** A file that cannot be loaded. Its message says which and why. */
export class ImageError extends RangeError {
  override readonly name = "ImageError";
}

/** Part of an image, by guest-physical address. */
export interface Segment {
  readonly address: bigint;
  /** Where the image's own code believes this part to be; the physical address unless an ELF file says otherwise. */
  readonly virtualAddress: bigint;
  readonly bytes: Uint8Array;
  /** Length in memory: what exceeds `bytes` is zero. */
  readonly memoryBytes: number;
}

export interface Image {
  readonly kind: "elf" | "image" | "raw";
  /** In order of address; they do not overlap, and all lie in RAM. */
  readonly segments: readonly Segment[];
  /** Physical address of the first instruction. */
  readonly entry: bigint;
  /** First physical address behind the image, its zeroed part included. */
  readonly end: bigint;
  /** ELF symbols, by name, with their values: virtual addresses. Of symbols of one name, the first global one. */
  readonly symbols: ReadonlyMap<string, bigint>;
  /** The physical address of a virtual one of the image's own, if a segment holds it. */
  physical(virtualAddress: bigint): bigint | undefined;
}

/** A range of guest-physical memory, in bytes. */
export interface MemoryRange {
  readonly base: bigint;
  readonly size: number;
}

export interface LoadOptions {
  readonly ram: MemoryRange;
  /** Where a raw image goes: 0x80200000 under an SBI, the start of RAM in machine mode. */
  readonly defaultLoad: bigint;
  /** The file's name, for errors. */
  readonly name?: string;
}

const IMAGE_HEADER_BYTES = 64;
const IMAGE_MAGIC = 0x0543_5352; // "RSC\x05"
const IMAGE_ALIGNMENT = 0x20_0000n;

/**
 * Finds out what an image is and where its parts go. Nothing is copied yet.
 *
 * @throws {ImageError} If it is empty, broken, or does not fit.
 */
export function loadImage(file: Uint8Array, { ram, defaultLoad, name = "image" }: LoadOptions): Image {
  if (file.length === 0)
    throw new ImageError(`Cannot load ${name} as an image has at least one byte: the file is empty`);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (isElf(file)) {
    const parsed = elfFrom(file, (rule, found) => new ImageError(`Cannot load ${name} as ${rule}: ${found}`));
    return placed("elf", name, ram, parsed.segments, parsed.entry, parsed.symbols);
  }
  if (file.length >= IMAGE_HEADER_BYTES && view.getUint32(0x38, true) === IMAGE_MAGIC) {
    return fromLinuxImage(file, view, ram, name);
  }
  const segment = { address: defaultLoad, virtualAddress: defaultLoad, bytes: file, memoryBytes: file.length };
  return placed("raw", name, ram, [segment], defaultLoad, () => new Map());
}

/**
 * The symbols of a file, by name, with their values: virtual addresses.
 *
 * @returns An empty map where the file is no ELF, or was stripped.
 * @throws {ImageError} If it is a broken ELF.
 */
export function symbolsOf(file: Uint8Array, name = "image"): ReadonlyMap<string, bigint> {
  if (!isElf(file)) return new Map();
  return elfFrom(file, (rule, found) => new ImageError(`Cannot load ${name} as ${rule}: ${found}`)).symbols();
}
/** Whether a file begins as ELF files do. */
export const isElf = (file: Uint8Array): boolean =>
  file.length >= 4 && file[0] === 0x7f && file[1] === 0x45 && file[2] === 0x4c && file[3] === 0x46;

function fromLinuxImage(file: Uint8Array, view: DataView, ram: MemoryRange, name: string): Image {
  const textOffset = view.getBigUint64(0x08, true);
  const imageSize = view.getBigUint64(0x10, true);
  const bigEndian = (view.getBigUint64(0x18, true) & 1n) !== 0n;
  if (bigEndian)
    throw new ImageError(`Cannot load ${name} as a RISC-V Image must be little-endian: its flags say big-endian`);
  if (textOffset % IMAGE_ALIGNMENT !== 0n) {
    throw new ImageError(
      `Cannot load ${name} as a RISC-V Image starts on a 2 MiB boundary: its text_offset is ${hex(textOffset)}`,
    );
  }
  const memory = imageSize > BigInt(file.length) ? imageSize : BigInt(file.length);
  const address = ram.base + textOffset;
  // Before the number is made of it: it may be any 64-bit value.
  checkInside(name, ram, address, memory);
  const segment = { address, virtualAddress: address, bytes: file, memoryBytes: Number(memory) };
  return placed("image", name, ram, [segment], address, () => new Map());
}

/** Checks that the parts fit into RAM and leave each other alone. */
function placed(
  kind: Image["kind"],
  name: string,
  ram: MemoryRange,
  segments: readonly Segment[],
  entry: bigint,
  symbols: () => ReadonlyMap<string, bigint>,
): Image {
  const ordered = [...segments].sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  let end = ram.base;
  for (const [at, segment] of ordered.entries()) {
    checkInside(name, ram, segment.address, BigInt(segment.memoryBytes));
    if (at > 0 && segment.address < end) {
      throw new ImageError(
        `Cannot load ${name} as its segments must not overlap: one starts at ${hex(segment.address)}, the one before it ends at ${hex(end)}`,
      );
    }
    end = segment.address + BigInt(segment.memoryBytes);
  }
  const physical = (virtualAddress: bigint): bigint | undefined => {
    const offset = (segment: Segment): bigint => virtualAddress - segment.virtualAddress;
    const holder = ordered.find((segment) => offset(segment) >= 0n && offset(segment) < BigInt(segment.memoryBytes));
    return holder === undefined ? undefined : holder.address + offset(holder);
  };
  const isPhysical = ordered.some(
    ({ address, memoryBytes }) => entry >= address && entry < address + BigInt(memoryBytes),
  );
  // Kernels are linked high and loaded low: their entry may be either address.
  const start = isPhysical ? entry : physical(entry);
  if (start === undefined)
    throw new ImageError(`Cannot load ${name} as its entry must lie in a segment: it is ${hex(entry)}`);
  let table: ReadonlyMap<string, bigint> | undefined;
  return {
    kind,
    segments: ordered,
    entry: start,
    end,
    get symbols() {
      table ??= symbols();
      return table;
    },
    physical,
  };
}

function checkInside(name: string, ram: MemoryRange, address: bigint, length: bigint): void {
  const ramEnd = ram.base + BigInt(ram.size);
  if (address >= ram.base && address + length <= ramEnd) return;
  throw new ImageError(
    `Cannot load ${name} as it must fit into RAM (${hex(ram.base)} to ${hex(ramEnd - 1n)}): it needs ${length} bytes at ${hex(address)}`,
  );
}

/** Where the boot data go. */
export interface BootPlacement {
  readonly deviceTree: bigint;
  readonly initrd?: { readonly start: bigint; readonly end: bigint };
}

/**
 * Places device tree and initial RAM disk near the top of RAM, out of the way of a kernel that grows or moves upwards: the tree
 * as high as 2 MiB alignment lets it (page alignment where RAM is that small), the disk below it on a page.
 *
 * @param used First address behind everything that is loaded, a kernel's zeroed part included.
 * @throws {ImageError} If RAM is too small.
 */
export function placeBootData(
  ram: MemoryRange,
  used: bigint,
  deviceTreeBytes: number,
  initrdBytes?: number,
): BootPlacement {
  const top = ram.base + BigInt(ram.size);
  for (const alignment of [IMAGE_ALIGNMENT, 0x1000n]) {
    const deviceTree = alignDown(top - BigInt(deviceTreeBytes), alignment);
    if (initrdBytes === undefined) {
      if (deviceTree >= used) return { deviceTree };
    } else {
      const start = alignDown(deviceTree - BigInt(initrdBytes), 0x1000n);
      if (start >= used) return { deviceTree, initrd: { start, end: start + BigInt(initrdBytes) } };
    }
  }
  const needs = deviceTreeBytes + (initrdBytes ?? 0);
  throw new ImageError(
    `Cannot place boot data as they must fit into RAM behind the kernel: ${needs} bytes of ${top > used ? top - used : 0n} left`,
  );
}

function alignDown(address: bigint, alignment: bigint): bigint {
  return address - (address % alignment);
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
