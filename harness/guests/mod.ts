/**
 * Guests: what runs on the machine. Start with `guest.ts`, which says what a guest is; then `hutch.ts`, the embedded one.
 *
 * @module
 */

export {
  ADDRESS_SPACE_MARKS,
  addressSpaceRemap,
  addressSpaceRemapAtOnce,
  addressSpaceSwitch,
  portedAddressSpaceSwitch,
} from "./address-space-switch.ts";
export { debianLinux } from "./debian-linux.ts";
export { type FileGuestOptions, fileGuest } from "./file-guest.ts";
export { DEFAULT_MEMORY_BYTES, type Guest, type GuestImages } from "./guest.ts";
export { HUTCH_MARKS, hutch, hutchPara, hutchPre } from "./hutch.ts";
export {
  INTERRUPT_FLAG_MARKS,
  interruptFlag,
  interruptFlagByCall,
  portedInterruptFlag,
} from "./interrupt-flag.ts";
export { linuxMini } from "./linux-mini.ts";
export { openSbi } from "./opensbi.ts";
export { uBoot } from "./u-boot.ts";
