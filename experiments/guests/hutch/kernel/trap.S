/*
 * Trap entry and return, the context switch, and access to user memory.
 *
 * sscratch holds the current process (the top of its kernel stack) in user mode and 0 in the kernel, so one swap tells
 * where a trap comes from. sstatus is not saved. A trap from user mode leaves SPP = 0 and SPIE = 1, which its return
 * needs again; a trap from the kernel in between changes them, but its own sret sets them to just that.
 */
#include "../abi.h"
#include "layout.h"
#include "riscv.h"
#include "arch.h"

  .text

/* The 16 registers that C does not keep, at sp. */
.macro SAVE_CALLER
  sd ra, FRAME_RA(sp)
  sd t0, FRAME_T0(sp)
  sd t1, FRAME_T0+8(sp)
  sd t2, FRAME_T0+16(sp)
  sd t3, FRAME_T0+24(sp)
  sd t4, FRAME_T0+32(sp)
  sd t5, FRAME_T0+40(sp)
  sd t6, FRAME_T0+48(sp)
  sd a0, FRAME_A0(sp)
  sd a1, FRAME_A0+8(sp)
  sd a2, FRAME_A0+16(sp)
  sd a3, FRAME_A0+24(sp)
  sd a4, FRAME_A0+32(sp)
  sd a5, FRAME_A0+40(sp)
  sd a6, FRAME_A0+48(sp)
  sd a7, FRAME_A0+56(sp)
.endm

.macro RESTORE_CALLER
  ld ra, FRAME_RA(sp)
  ld t0, FRAME_T0(sp)
  ld t1, FRAME_T0+8(sp)
  ld t2, FRAME_T0+16(sp)
  ld t3, FRAME_T0+24(sp)
  ld t4, FRAME_T0+32(sp)
  ld t5, FRAME_T0+40(sp)
  ld t6, FRAME_T0+48(sp)
  ld a0, FRAME_A0(sp)
  ld a1, FRAME_A0+8(sp)
  ld a2, FRAME_A0+16(sp)
  ld a3, FRAME_A0+24(sp)
  ld a4, FRAME_A0+32(sp)
  ld a5, FRAME_A0+40(sp)
  ld a6, FRAME_A0+48(sp)
  ld a7, FRAME_A0+56(sp)
.endm

  .balign 4
  .globl trap_entry
trap_entry:
  ARCH_SWAP_SP from_kernel
  SAVE_CALLER
  ARCH_USER_TRAP
  sd t1, FRAME_SP(sp)
  li t3, CAUSE_USER_ECALL
  bne t2, t3, not_system_call

  addi t0, t0, 4
  sd t0, FRAME_PC(sp)
  li t0, SYSTEM_CALLS
  bgeu a7, t0, 1f
  la t1, system_calls
  slli t2, a7, 3
  add t1, t1, t2
  ld t1, 0(t1)
  jalr t1
  sd a0, FRAME_A0(sp)
  j trap_return
1:
  li a0, -ENOSYS
  sd a0, FRAME_A0(sp)
  j trap_return

not_system_call:
  sd t0, FRAME_PC(sp)
  mv a0, t2
  call user_trap

  .globl trap_return
trap_return:
  lw t0, PROCESS_WORK(sp)
  bnez t0, return_work
  ld t0, FRAME_PC(sp)
  ARCH_RETURN_TO_USER

return_work:
  call user_work
  j trap_return

/* From the kernel: an interrupt where SIE is open, or a page fault in the copy routines. */
from_kernel:
  ARCH_SWAP_SP_BACK
  addi sp, sp, -144
  SAVE_CALLER
  ARCH_KERNEL_CAUSE
  call kernel_trap
  ARCH_RETURN_TO_KERNEL

/* enter_user(process): the first return to user mode of process 1, which finds nothing of the kernel's in its registers. */
  .globl enter_user
enter_user:
  mv sp, a0
  .irp register, gp, tp, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11
  li \register, 0
  .endr
  ARCH_USER_STATUS
  j trap_return

/* switch_context(from, to) */
  .globl switch_context
switch_context:
  addi a0, a0, PROCESS_CONTEXT
  addi a1, a1, PROCESS_CONTEXT
  sd ra, 0(a0)
  sd sp, 8(a0)
  sd s0, 16(a0)
  sd s1, 24(a0)
  sd s2, 32(a0)
  sd s3, 40(a0)
  sd s4, 48(a0)
  sd s5, 56(a0)
  sd s6, 64(a0)
  sd s7, 72(a0)
  sd s8, 80(a0)
  sd s9, 88(a0)
  sd s10, 96(a0)
  sd s11, 104(a0)
  sd gp, 112(a0)
  sd tp, 120(a0)
  /* Ends a reservation of the process that is left (unprivileged manual, LR/SC). */
  sc.d zero, ra, (a0)
  ld ra, 0(a1)
  ld sp, 8(a1)
  ld s0, 16(a1)
  ld s1, 24(a1)
  ld s2, 32(a1)
  ld s3, 40(a1)
  ld s4, 48(a1)
  ld s5, 56(a1)
  ld s6, 64(a1)
  ld s7, 72(a1)
  ld s8, 80(a1)
  ld s9, 88(a1)
  ld s10, 96(a1)
  ld s11, 104(a1)
  ld gp, 112(a1)
  ld tp, 120(a1)
  ret

/* The fork call: hands the callee-saved registers, still the caller's, to do_fork in the order of struct context. */
  .globl sys_fork
sys_fork:
  addi sp, sp, -128
  sd ra, 0(sp)
  sd s0, 16(sp)
  sd s1, 24(sp)
  sd s2, 32(sp)
  sd s3, 40(sp)
  sd s4, 48(sp)
  sd s5, 56(sp)
  sd s6, 64(sp)
  sd s7, 72(sp)
  sd s8, 80(sp)
  sd s9, 88(sp)
  sd s10, 96(sp)
  sd s11, 104(sp)
  sd gp, 112(sp)
  sd tp, 120(sp)
  mv a0, sp
  call do_fork
  ld ra, 0(sp)
  addi sp, sp, 128
  ret

/* irq_toggle(n): closes and opens interrupts n times, as a kernel's critical sections do. */
  .globl sys_irq_toggle
sys_irq_toggle:
  ARCH_OPEN
  beqz a0, 2f
1:
  ARCH_CLOSE_AND_TELL
  ARCH_OPEN
  addi a0, a0, -1
  bnez a0, 1b
2:
  ARCH_CLOSE
  li a0, 0
  ret

/*
 * copy_user(to, from, n): one of the two is a user address below USER_END, checked by the caller. Returns 0, or -EFAULT
 * when a fault inside cannot be served: kernel_trap then resumes at copy_user_fault.
 */
  .globl copy_user
copy_user:
  ARCH_USER_MEMORY
  .globl copy_user_start
copy_user_start:
  or t1, a0, a1
  andi t1, t1, 7
  bnez t1, 3f
  li t2, 32
  bltu a2, t2, 2f
1:
  ld t3, 0(a1)
  ld t4, 8(a1)
  ld t5, 16(a1)
  ld t6, 24(a1)
  sd t3, 0(a0)
  sd t4, 8(a0)
  sd t5, 16(a0)
  sd t6, 24(a0)
  addi a1, a1, 32
  addi a0, a0, 32
  addi a2, a2, -32
  bgeu a2, t2, 1b
2:
  li t2, 8
  bltu a2, t2, 3f
  ld t3, 0(a1)
  sd t3, 0(a0)
  addi a1, a1, 8
  addi a0, a0, 8
  addi a2, a2, -8
  j 2b
3:
  beqz a2, 5f
4:
  lb t3, 0(a1)
  sb t3, 0(a0)
  addi a1, a1, 1
  addi a0, a0, 1
  addi a2, a2, -1
  bnez a2, 4b
5:
  .globl copy_user_end
copy_user_end:
  ARCH_NO_USER_MEMORY
  li a0, 0
  ret
  .globl copy_user_fault
copy_user_fault:
  ARCH_NO_USER_MEMORY
  li a0, -EFAULT
  ret
