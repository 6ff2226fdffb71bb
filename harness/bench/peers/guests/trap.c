/* System calls: a user program that makes them, and a kernel that changes the address space at every eighth. */
#include "guest.h"

#define WORK 1
#define EXIT 2

/* Registers as trap-entry.S saves them, by number; 0 is sepc. */
struct frame {
  u64 x[32];
};

void enter_user(u64 pc, u64 sp) __attribute__((noreturn));
void unexpected(void) __attribute__((noreturn));

__attribute__((section(".user.data"), aligned(4096))) static u64 user_stack[512] = {1};

static u64 calls;
static u64 history[64];

void handle_trap(struct frame *frame, u64 cause) {
  /* 8 is an ecall from user mode. */
  if (cause != 8) unexpected();
  frame->x[0] += 4;
  u64 argument = frame->x[10];
  if (frame->x[17] == EXIT) finish(mix(argument, calls));
  u64 call = calls++;
  u64 *slot = &history[call & 63];
  frame->x[10] = mix(*slot, argument);
  *slot = argument;
  if ((call & 7) == 7) {
    asm volatile("csrw satp, %0\n\tsfence.vma" : : "r"(spaces[call >> 3 & 1]) : "memory");
  }
}

__attribute__((section(".user.text"), noinline)) static u64 user_call(u64 number, u64 argument) {
  register u64 a0 asm("a0") = argument;
  register u64 a7 asm("a7") = number;
  asm volatile("ecall" : "+r"(a0) : "r"(a7) : "memory");
  return a0;
}

__attribute__((section(".user.text"), noreturn)) static void user_main(u64 count) {
  u64 value = 1;
  for (u64 i = 0; i < count; i++) {
    /* The multiplier is small enough to need no constant in memory, which the user could not read. */
    for (u64 j = 0; j < 5; j++) value = value * 0x5851f42d + (value >> 33 ^ j);
    value = user_call(WORK, value);
  }
  user_call(EXIT, value);
  for (;;) {
  }
}

u64 work(void) {
  enter_user((u64)user_main, (u64)(user_stack + 512));
}
