/*
 * A kernel module: code at no address in particular, which the kernel loads from a file long after it has begun to run. entry(x) in a0 gives
 * 3 * x for an even x, plus a word of its own and a last instruction's 1. On the way it does what kernels do: sensitive
 * instructions between compressed ones, on either halfword, one across its pages, and data that looks like one.
 */
  .option rvc
header:
  .8byte 0x646f6d6863747568 /* "hutchmod" */
  .8byte end - header
  .8byte entry - header
  .8byte last - header

entry:
  c.mv a1, a0
  csrr t1, sstatus
  csrrci t2, sstatus, 2
  c.li a0, 0
  csrrw t3, sscratch, a1
  csrrw a3, sscratch, t3
  c.add a0, a3
  csrr t4, sepc
  csrw sepc, a1
  csrr t5, sepc
  csrw sepc, t4
  c.add a0, t5
  csrr t6, scause
  csrw scause, a1
  csrr a4, scause
  csrw scause, t6
  c.add a0, a4
  j behind
word:
  .4byte 0x100022f3 /* csrr t0, sstatus, if it were code */
behind:
  lla a5, word
  lwu a5, 0(a5)
  c.add a0, a5
  j crossing

  .org 0xffc
crossing:
  c.nop
  csrr t1, stvec
  csrr t1, satp
  sfence.vma a1
  c.andi a5, 2
  andi t2, t2, 2
  beqz t2, last
  csrsi sstatus, 2
last:
  c.addi a0, 1
  ret
end:
