/* Entry of a user program: a0 = argc, a1 = argv. And the return from a signal handler. */
#include "../abi.h"

  .section .text.start, "ax"
  .globl start
start:
  call main
  call exit

  .globl signal_return
signal_return:
  li a7, SYS_SIGRETURN
  ecall
