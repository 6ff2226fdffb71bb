/**
 * Guests: what runs on the machine. Start with `guest.ts`, which says what a guest is; then `hutch.ts`, the embedded one.
 *
 * @module
 */

export { debianLinux } from "./debian-linux.ts";
export { type FileGuestOptions, fileGuest } from "./file-guest.ts";
export { DEFAULT_MEMORY_BYTES, type Guest, type GuestImages } from "./guest.ts";
export { HUTCH_MARKS, hutch, hutchPara, hutchPre } from "./hutch.ts";
export { linuxMini } from "./linux-mini.ts";
export { uBoot } from "./u-boot.ts";
