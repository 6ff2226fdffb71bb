/**
 * A guest from files that the user names.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { reasonOf } from "../files.ts";
import type { Guest, GuestImages } from "./guest.ts";

/** What a guest from files may say besides its kernel. Paths are as the file system takes them. */
export interface FileGuestOptions {
  readonly firmware?: string;
  readonly initrd?: string;
  readonly dtb?: string;
  readonly disk?: string;
  readonly append?: string;
  readonly memoryBytes?: number;
  readonly machineMode?: boolean;
  readonly marks?: Readonly<Record<string, number>>;
  readonly consoleMarks?: Readonly<Record<string, string>>;
  readonly addressMarks?: Readonly<Record<string, string>>;
  readonly input?: string;
}

/**
 * A guest whose kernel is a file: an ELF64, a RISC-V `Image`, or raw bytes.
 *
 * @param kernel Path of the kernel.
 * @returns The guest; its files are read when it is loaded, not before.
 *
 * @example fileGuest("./vmlinux", { initrd: "./initrd.cpio", append: "console=ttyS0" })
 */
export function fileGuest(kernel: string, options: FileGuestOptions = {}): Guest {
  const { firmware, initrd, dtb, disk, ...rest } = options;
  const name = basename(kernel).replace(/\.[^.]*$/, "") || basename(kernel);
  return {
    ...rest,
    name,
    workload: basename(kernel),
    load: async () => ({
      kernel: readImage("kernel", kernel),
      ...(firmware === undefined ? {} : { firmware: readImage("firmware", firmware) }),
      ...(initrd === undefined ? {} : { initrd: readImage("initrd", initrd) }),
      ...(dtb === undefined ? {} : { dtb: readImage("device tree", dtb) }),
      ...(disk === undefined ? {} : { disk: readImage("disk", disk) }),
    }),
  };
}

/** Reads an image that must have bytes. @throws {RangeError} If it cannot be read or is empty. */
export function readImage(what: Exclude<keyof GuestImages, "origins"> | "device tree", path: string): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new RangeError(`Cannot read the ${what} ${path} as it must be a readable file: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  if (bytes.length === 0) throw new RangeError(`Cannot use the ${what} ${path} as it must have content: it is empty`);
  return bytes;
}
