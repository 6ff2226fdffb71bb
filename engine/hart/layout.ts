/**
 * Where the hart keeps its state in linear memory, so that wasm and TypeScript share it without copying.
 *
 * Hart block, then TLB banks, then the pool of decoded pages, then the machine's RAM.
 *
 * @module
 */

/** x0 to x31, then a slot that swallows writes to x0. */
export const X = 0x000;
/** Where decoded instructions with rd = x0 write to. */
export const X_DISCARD = 32;
/** The base register of the VMM's own accesses to the page that its code alone reaches: never written, so it is 0. */
export const X_OWN = 33;
export const F = 0x200;
export const PC = 0x300;
/** Instructions that may still be completed before `run` must return. */
export const BUDGET = 0x308;
/** The decoded slot of the instruction that `run` left at. */
export const EXIT_SLOT = 0x30c;
/** The data address of the access that `run` left at. */
export const EXIT_ADDRESS = 0x310;
export const READ_TLB = 0x318;
export const WRITE_TLB = 0x31c;
export const FETCH_TLB = 0x320;
/** 1 while FS is Off: every F and D instruction is then illegal. */
export const FLOAT_OFF = 0x324;
/** 1 once an instruction has set FS to Dirty (T14). */
export const FLOAT_DIRTY = 0x328;
export const FFLAGS = 0x32c;
export const FRM = 0x330;
/** Linear address of the reserved doubleword, 0 for none (T12). */
export const RESERVATION = 0x334;
/** The mode whose plain CSRs the wasm may access by itself: 1 or 3 on the bare machine, 0 in user mode and under a VMM. */
export const CSR_MODE = 0x348;
/** 1 while some interrupt is both pending and enabled in mie, so that enabling interrupts is TypeScript's to do. */
export const INTERRUPT_READY = 0x34c;
/** Instructions so far that counted for nothing: of stubs, and jumps to them (T4). Pads have a weight of 0 of their own and are not among them. */
export const WEIGHTLESS = 0x338;
/**
 * What to add to an address of the page that the VMM's own code alone reaches, relative to x0, to reach linear memory; 0 while there is none.
 * It is in no TLB, so no other access finds it.
 */
export const OWN_PAGE = 0x350;
/** Scratch for results that wasm hands over as 64 bits. */
export const SCRATCH = 0x340;

export const TLB_ENTRIES = 1024;
/** An entry: the page's virtual address (i64), then what to add to an address to reach linear memory, or the page's slots (i32). */
export const TLB_ENTRY_BYTES = 16;
export const TLB_BYTES = TLB_ENTRIES * TLB_ENTRY_BYTES;
/** Banks are keyed by address space and mode, so that changing either needs no flush. */
export const TLB_BANKS = 8;
/** A bank is a read, a write and a fetch TLB. */
export const BANK_BYTES = 3 * TLB_BYTES;
export const TLBS = 0x1000;

/** The guest's CSRs, 64 bits each, by number; and how the wasm may access each, as one of the CSR_ kinds. */
export const CSRS = 0x62000;
export const CSR_KINDS = 0x6a000;
/** Holds what is written, whole; holds a pc; sstatus, of which SIE may be changed. 0: TypeScript's. */
export const CSR_PLAIN = 1;
export const CSR_PC = 2;
export const CSR_SSTATUS = 3;

/** Where what is no memory of the guest's is hashed. */
export const DIGEST_WINDOW = 0x70000;
export const DIGEST_WINDOW_BYTES = 0x10000;

/** A decoded slot stands for a halfword: op, rd, rs1, rs2, then the immediate (24 bits) above the slot's advance (8 bits). */
export const SLOT_BYTES = 8;
export const SLOTS_PER_PAGE = 2048;
/** Behind a page's slots and their sentinel: the true op of each slot whose op is {@link OP_FRAMED}. */
export const TRUE_OPS = (SLOTS_PER_PAGE + 1) * SLOT_BYTES;
/** Then a u16 for each slot: how often it was jumped to, or the number of the entry that it is, from {@link FIRST_ENTRY}. */
export const ENTRIES = 0x4880;
export const FIRST_ENTRY = 0x8000;
/** A u32 for each entry: the number of a compiled region times 256, plus that of the block to begin with. */
export const ENTRY_TABLE = 0x80000;
export const MOST_ENTRIES = 0x8000;
export const DECODED_PAGE_BYTES = 0x5880;
export const DECODE_POOL = 0xa0000;
export const DECODE_POOL_PAGES = 2048;

/** Linear address of the machine's first RAM byte. */
export const RAM = (DECODE_POOL + DECODE_POOL_PAGES * DECODED_PAGE_BYTES + 0xffff) & ~0xffff;

/** Ops that are no instruction of the table. The table's own are numbered from 1. */
export const OP_UNDECODED = 0;
/** Beyond the page's last slot: look the next page up. */
export const OP_PAGE_END = 255;
/** Weight 0 and no step boundary before it (T4); the true op stands in {@link TRUE_OPS}. */
export const OP_FRAMED = 254;
/** A 4-byte instruction whose second half lies on the next page: fetched anew each time. */
export const OP_STRADDLE = 253;
export const OP_ILLEGAL = 252;
/** A compiled region can be entered here; the true op stands in {@link TRUE_OPS}. */
export const OP_REGION = 251;
/** The address may be watched; the true op stands in {@link TRUE_OPS}. */
export const OP_WATCHED = 250;

/** Weight 0, though its row's is 1: the jump of a site whose stub carries the weight (T4); the true op stands in {@link TRUE_OPS}. */
export const OP_WEIGHTLESS = 249;

/** Why `run` returned. */
export const EXIT_BUDGET = 0;
export const EXIT_FETCH = 1;
export const EXIT_DECODE = 2;
export const EXIT_LOAD = 3;
export const EXIT_STORE = 4;
/** The instruction is TypeScript's to carry out. */
export const EXIT_EVALUATE = 5;
export const EXIT_ILLEGAL = 6;
/** A slot has been jumped to so often that compiling it may pay. */
export const EXIT_HOT = 7;
