/**
 * Where a generated image keeps what, in guest-physical memory; and what its page tables map.
 *
 * @module
 */

export const RAM = 0x8000_0000;
/** Both machines have as much; what lies behind it answers with access faults on both. */
export const RAM_BYTES = 32 << 20;

export const M_HANDLER = RAM + 0x1000;
export const S_HANDLER = RAM + 0x2000;
/** Root tables: their supervisor and user variants differ in the U bit of the code's gigapage. */
export const ROOT_S = RAM + 0x4000;
export const ROOT_U = RAM + 0x5000;
/** What the roots of four levels point to is those of three. */
export const ROOT_S_SV48 = RAM + 0xb000;
export const ROOT_U_SV48 = RAM + 0xc000;
export const WINDOW_TABLE = RAM + 0x6000;
/** Four tables of 4-KiB leaves. */
export const LEAF_TABLES = RAM + 0x7000;
/**
 * What the machine-mode handler saves to. Its address in mscratch doubles as the mask that clears MPRV: of its bits, only 17 is one
 * of mstatus's.
 */
export const SAVE = RAM + 0x2_0000;
export const CODE = RAM + 0x3_0000;
/** Returns through every register, far below and far above the programs, as far as the code of a jump can tell distances apart. */
export const ISLANDS: readonly (readonly [from: number, to: number])[] = [
  [RAM + 0xd000, RAM + 0x1_f000],
  [RAM + 0x11_0000, RAM + 0x1f_f000],
];

/** The page that all windows map: landings for fetches at its start and end, data between. 64 KiB aligned. */
export const WINDOW_PAGE = RAM + 0x21_0000;
/** Data that programs load and store. */
export const DATA = RAM + 0x22_0000;
export const DATA_BYTES = 0x4000;
/** Operands: 1024 doublewords for x registers, then as many for f registers. */
export const POOL = RAM + 0x22_8000;
export const POOL_ENTRIES = 1024;
/** Pages that the PMP protects. */
export const PROTECTED = RAM + 0x23_0000;
export const PROTECTED_BYTES = 0x4000;
/** What sections run under, one entry a section, read by the handler. */
export const ENVIRONMENTS = RAM + 0x24_0000;
export const IMAGE_END = RAM + 0x26_0000;

/** The 1-GiB alias of RAM that supervisor code runs the S handler in, under either root. */
export const ALIAS = 0xffff_ffff_c000_0000n;
/** The first window. Its physical address is unassigned on both boards, so that it faults where there is no translation. */
export const WINDOWS = 0x1_0000_0000;
/** Offsets in a window where data may be stored, from and to. */
export const STORE_FROM = 256;
export const STORE_TO = 0xff0;
/** Offset in a window of an instruction whose second half lies on the next page. */
export const STRADDLING = 0xffe;

export const TEST_FINISHER = 0x10_0000;
export const CLINT = 0x200_0000;
export const PLIC = 0xc00_0000;
export const UART = 0x1000_0000;
/** The UART's line into the PLIC; context 0 is machine mode's. */
export const UART_SOURCE = 10;
