/* arch_take_interrupt: interrupts are open and one is pending: any hypercall lets the VMM deliver it. Called by jal t1; keeps all registers. */
#include "../layout.h"
#include "../riscv.h"
#include "arch.h"

  .text
  .globl arch_take_interrupt
arch_take_interrupt:
  addi sp, sp, -32
  sd a0, 0(sp)
  sd a1, 8(sp)
  sd a6, 16(sp)
  sd a7, 24(sp)
  HYPERCALL CALL_YIELD
  ld a0, 0(sp)
  ld a1, 8(sp)
  ld a6, 16(sp)
  ld a7, 24(sp)
  addi sp, sp, 32
  jr t1
