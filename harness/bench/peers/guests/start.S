/* From reset in machine mode to `work` in supervisor mode under Sv39: all memory open, exceptions delegated, floating point on. */
  .section .text.start, "ax"
  .globl _start
_start:
  la t0, unexpected
  csrw mtvec, t0
  la sp, stack_top
  la t0, bss_start
  la t1, bss_end
1:
  sd zero, 0(t0)
  addi t0, t0, 8
  bltu t0, t1, 1b
  call map_memory
  li t0, -1
  csrw pmpaddr0, t0
  li t0, 0x1f # NAPOT, readable, writable, executable
  csrw pmpcfg0, t0
  li t0, 0xb1ff
  csrw medeleg, t0
  la t0, unexpected
  csrw stvec, t0
  la t0, spaces
  ld t0, 0(t0)
  csrw satp, t0
  sfence.vma
  li t0, 0x1800
  csrc mstatus, t0
  li t0, 0x2800 # MPP is supervisor, FS is Initial
  csrs mstatus, t0
  la t0, supervisor
  csrw mepc, t0
  mret
supervisor:
  call work
  call finish

/* A trap that no workload wants: the test finisher ends the run as failed. */
  .globl unexpected
  .balign 4
unexpected:
  li t0, 0x100000
  li t1, 0x13333
  sw t1, 0(t0)
1:
  j 1b
