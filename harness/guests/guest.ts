/**
 * A guest: what runs on the machine, as a value that an experiment can name.
 *
 * @module
 */

import type { DiskDevice } from "../../engine/mod.ts";

/** The files of a guest, read. */
export interface GuestImages {
  /** ELF64, RISC-V `Image`, or raw bytes. */
  readonly kernel: Uint8Array;
  readonly firmware?: Uint8Array;
  readonly initrd?: Uint8Array;
  readonly dtb?: Uint8Array;
  readonly disk?: Uint8Array;
  /** SHA-256 of what the images were taken or made from, by name; a trace keeps them. */
  readonly origins?: Readonly<Record<string, string>>;
}

/** Everything about a guest but its bytes, which `load` reads. */
export interface Guest {
  /** What files and messages call it: `null-syscall`, `u-boot`. */
  readonly name: string;
  /** What it does, as tables show it: `null-syscall 10000`. */
  readonly workload: string;
  /** The word for its binary; where it has none, the kernel's SHA-256 stands for it. */
  readonly binary?: string;
  /** The kernel's command line. */
  readonly append?: string;
  /** Guest RAM; 128 MiB where it does not say. */
  readonly memoryBytes?: number;
  /** What its disk is, where it has one: a virtio block device where it does not say. */
  readonly diskDevice?: DiskDevice;
  /** Starts in machine mode, without the engine's SBI. */
  readonly machineMode?: boolean;
  /** Names of the marks it makes, with their ids. */
  readonly marks?: Readonly<Record<string, number>>;
  /** Marks for a guest that makes none: texts on its console, by mark name. Each is a lap. */
  readonly consoleMarks?: Readonly<Record<string, string>>;
  /** The same, where the guest is about to run an instruction: a symbol of the kernel, or a virtual address such as `0x80200000`, by mark name. */
  readonly addressMarks?: Readonly<Record<string, string>>;
  /** An input script that takes it to its end. */
  readonly input?: string;
  /** @throws {RangeError} If a file is not there, or cannot be read. */
  load(): Promise<GuestImages>;
}

/** Guest RAM where nothing else is said. */
export const DEFAULT_MEMORY_BYTES: number = 128 * 1024 * 1024;
