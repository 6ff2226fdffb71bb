/* The way into the kernel and back: all registers are saved and restored. sscratch holds the kernel's frame in user mode. */
  .text
  .globl enter_user
  .balign 4
enter_user:
  addi sp, sp, -256
  csrw sscratch, sp
  la t0, trap_entry
  csrw stvec, t0
  csrw sepc, a0
  li t0, 0x100 # SPP: to user mode
  csrc sstatus, t0
  mv sp, a1
  la a0, rounds
  ld a0, 0(a0)
  slli a0, a0, 8 # calls in a round: 256
  sret

  .balign 4
trap_entry:
  csrrw sp, sscratch, sp
  sd x1, 8(sp)
  .irp n, 3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
  sd x\n, 8*\n(sp)
  .endr
  csrr t0, sepc
  csrr a1, scause
  sd t0, 0(sp)
  mv a0, sp
  call handle_trap
  ld t0, 0(sp)
  csrw sepc, t0
  ld x1, 8(sp)
  .irp n, 3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
  ld x\n, 8*\n(sp)
  .endr
  csrrw sp, sscratch, sp
  sret
