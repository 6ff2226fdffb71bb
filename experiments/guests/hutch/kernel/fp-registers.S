/* Save and load of the floating-point registers: the only kernel code that touches them. */
  .option arch, +d
  .text

.macro EACH operation
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
  \operation f\n, 8*\n(a0)
  .endr
  .irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
  \operation f\n, 8*\n(a0)
  .endr
.endm

  .globl fp_save_registers
fp_save_registers:
  EACH fsd
  frcsr t0
  sd t0, 256(a0)
  ret

  .globl fp_load_registers
fp_load_registers:
  EACH fld
  ld t0, 256(a0)
  fscsr t0
  ret
