/*
 * The port to the bare machine: what the kernel asks of the privileged architecture, in its own instructions.
 * kernel/arch-para/arch.h has the same names for the port to a VMM.
 */
#ifndef ARCH_H
#define ARCH_H

#ifdef __ASSEMBLER__

/* The very first: nothing may interrupt. */
.macro ARCH_START
  csrw sie, zero
.endm

/* To the page table in a0 and the address in t1: nothing maps the address of the next fetch, so its page fault is the jump. */
.macro ARCH_ENTER_HIGH
  csrw stvec, t1
  sfence.vma
  csrw satp, a0
.endm

/* There: traps go to trap_entry from now on. */
.macro ARCH_TRAPS
  sfence.vma
  la t0, trap_entry
  csrw stvec, t0
  csrw sscratch, zero
.endm

/* sp becomes the process, which sscratch holds in user mode; in the kernel it is 0, and the trap is of the kernel's own. */
.macro ARCH_SWAP_SP from_kernel
  csrrw sp, sscratch, sp
  beqz sp, \from_kernel
.endm
/* Then sp is put back. */
.macro ARCH_SWAP_SP_BACK
  csrrw sp, sscratch, sp
.endm

/* After a swap in user mode: t0 = pc, t1 = the user's sp, t2 = cause; sscratch = 0. */
.macro ARCH_USER_TRAP
  csrr t0, sepc
  csrrw t1, sscratch, zero
  csrr t2, scause
.endm

/* sp is the process, t0 its pc. */
.macro ARCH_RETURN_TO_USER
  csrw sscratch, sp
  csrw sepc, t0
  RESTORE_CALLER
  ld sp, FRAME_SP(sp)
  sret
.endm

/* a0 = cause, after SAVE_CALLER. */
.macro ARCH_KERNEL_CAUSE
  csrr a0, scause
.endm

/* Back into the kernel, from a frame of 144 bytes. */
.macro ARCH_RETURN_TO_KERNEL
  RESTORE_CALLER
  addi sp, sp, 144
  sret
.endm

/* The next return goes to user mode, with interrupts open and floating point off. */
.macro ARCH_USER_STATUS
  li t0, SSTATUS_SPP | SSTATUS_SUM | SSTATUS_MXR | SSTATUS_FS | SSTATUS_SIE
  csrc sstatus, t0
  li t0, SSTATUS_SPIE
  csrs sstatus, t0
.endm

/* Interrupts: open; close and say in t0 whether they were open; close. */
.macro ARCH_OPEN
  csrsi sstatus, SSTATUS_SIE
.endm
.macro ARCH_CLOSE_AND_TELL
  csrrci t0, sstatus, SSTATUS_SIE
.endm
.macro ARCH_CLOSE
  csrci sstatus, SSTATUS_SIE
.endm

/* Around accesses to user memory; t0 stays in between. */
.macro ARCH_USER_MEMORY
  li t0, SSTATUS_SUM
  csrs sstatus, t0
.endm
.macro ARCH_NO_USER_MEMORY
  csrc sstatus, t0
.endm

#else

static inline u64 trap_pc(void) { return csr_read(sepc); }
static inline void trap_set_pc(u64 pc) { csr_write(sepc, pc); }
static inline u64 trap_value(void) { return csr_read(stval); }

/* sstatus.FS. */
static inline u64 fp_status(void) { return csr_read(sstatus) & SSTATUS_FS; }
static inline void fp_status_set(u64 bits) { csr_set(sstatus, bits); }
static inline void fp_status_clear(u64 bits) { csr_clear(sstatus, bits); }

static inline void interrupts_enable(u64 which) { csr_write(sie, which); }

/* Waits with interrupts closed: wfi ends when one is pending, and the window after it takes the interrupt. */
static inline void interrupts_wait(void) {
  __asm__ volatile("wfi" ::: "memory");
  csr_set(sstatus, SSTATUS_SIE);
  csr_clear(sstatus, SSTATUS_SIE);
}

/* Where nothing is left to do. */
static inline void hart_rest(void) { __asm__ volatile("wfi"); }

/* Changes the address space, and forgets what was translated before. */
static inline void space_enter(u64 satp) {
  csr_write(satp, satp);
  fence_translations();
}
/* The same, at the next access to user memory or the return to user mode at the latest. */
static inline void space_next(u64 satp) { space_enter(satp); }
/* Leaves of the space have lost rights or are gone. */
static inline void space_changed(u64 satp) {
  (void)satp;
  fence_translations();
}
/* One leaf of the current space is another; `known` if it was valid before. */
static inline void space_leaf_changed(u64 page, bool known) {
  (void)known;
  fence_translation(page);
}
/* The space is gone, and so are its tables. */
static inline void space_gone(u64 satp) { (void)satp; }

/* A page table comes into use, and goes out of it. */
static inline void table_made(const u64 *table) { (void)table; }
static inline void table_gone(const u64 *table) { (void)table; }
/* Sets an entry; `later`: not before the next space_changed or table_gone need it be seen. */
static inline void table_write(u64 *entry, u64 value) { *entry = value; }
static inline void table_write_later(u64 *entry, u64 value) { *entry = value; }

/* Options of the port, in front of the command. */
static inline void arch_options(char *arguments) { (void)arguments; }

/* Interrupts of the port's own, and ways to the disk that come first. */
static inline bool arch_interrupt(u64 cause) {
  (void)cause;
  return false;
}
#define ARCH_DISK_DRIVERS

/* Output through the 16550 of console.c. */
#define ARCH_CONSOLE_PUT(c)                                                   \
  while (!(mmio_read8(UART_BASE + LSR) & LSR_THR_EMPTY)) continue;            \
  mmio_write8(UART_BASE + THR, (u8)(c))
static inline void console_flush(void) {}

#endif
#endif
