/*
 * The first instructions: entered at physical 0x80200000 in S-mode with a0 = hartid, a1 = device tree, satp = 0.
 * Left out: more than one hart.
 */
#include "layout.h"
#include "riscv.h"

  .section .text.start, "ax"
  .globl start
start:
  csrw sie, zero
  la t0, bss_start
  la t1, bss_end
1:
  sd zero, 0(t0)
  addi t0, t0, 8
  bltu t0, t1, 1b

  /* Boot on the kernel stack of slot 0, which becomes process 1. */
  la sp, slots + SLOT_SIZE - PROCESS_SIZE
  mv a0, a1
  call early_boot

  /* Nothing maps the physical address of the next fetch: its page fault is the jump to the high half. */
  li t0, IMAGE_OFFSET
  la t1, high
  add t1, t1, t0
  add sp, sp, t0
  csrw stvec, t1
  sfence.vma
  csrw satp, a0

  .balign 4
high:
  sfence.vma
  la t0, trap_entry
  csrw stvec, t0
  csrw sscratch, zero
  tail main
