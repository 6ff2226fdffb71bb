/*
 * The first instructions: entered at physical 0x80200000 in S-mode with a0 = hartid, a1 = device tree, satp = 0.
 * Left out: more than one hart.
 */
#include "layout.h"
#include "riscv.h"
#include "arch.h"

  .section .text.start, "ax"
  .globl start
start:
  ARCH_START
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

  li t0, IMAGE_OFFSET
  la t1, high
  add t1, t1, t0
  add sp, sp, t0
  ARCH_ENTER_HIGH

  .balign 4
high:
  ARCH_TRAPS
  tail main
