/* The C library of the user programs: system calls (-1 .. -4095 are errors), buffered printing, strings. */
#ifndef LIBC_H
#define LIBC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../abi.h"
#include "mark.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t i64;

static inline i64 system_call(u64 number, u64 argument0, u64 argument1, u64 argument2) {
  register u64 a0 __asm__("a0") = argument0;
  register u64 a1 __asm__("a1") = argument1;
  register u64 a2 __asm__("a2") = argument2;
  register u64 a7 __asm__("a7") = number;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
  return (i64)a0;
}

static inline i64 getpid(void) {
  register u64 a0 __asm__("a0");
  register u64 a7 __asm__("a7") = SYS_GETPID;
  __asm__ volatile("ecall" : "=r"(a0) : "r"(a7) : "memory");
  return (i64)a0;
}
static inline i64 yield(void) { return system_call(SYS_YIELD, 0, 0, 0); }
static inline i64 fork(void) { return system_call(SYS_FORK, 0, 0, 0); }
static inline i64 exec(const char *name, char *const *arguments) {
  return system_call(SYS_EXEC, (u64)name, (u64)arguments, 0);
}
static inline i64 wait(u32 *status) { return system_call(SYS_WAIT, (u64)status, 0, 0); }
static inline i64 read(int file, void *to, u64 n) { return system_call(SYS_READ, (u64)file, (u64)to, n); }
static inline i64 write(int file, const void *from, u64 n) { return system_call(SYS_WRITE, (u64)file, (u64)from, n); }
static inline i64 open(const char *name, u64 flags) { return system_call(SYS_OPEN, (u64)name, flags, 0); }
static inline i64 close(int file) { return system_call(SYS_CLOSE, (u64)file, 0, 0); }
static inline i64 dup(int file) { return system_call(SYS_DUP, (u64)file, 0, 0); }
static inline i64 pipe(int *files) { return system_call(SYS_PIPE, (u64)files, 0, 0); }
static inline i64 lseek(int file, i64 offset, int from) {
  return system_call(SYS_LSEEK, (u64)file, (u64)offset, (u64)from);
}
static inline i64 unlink(const char *name) { return system_call(SYS_UNLINK, (u64)name, 0, 0); }
static inline i64 brk(u64 end) { return system_call(SYS_BRK, end, 0, 0); }
static inline i64 mmap(u64 length) { return system_call(SYS_MMAP, length, 0, 0); }
static inline i64 munmap(u64 start, u64 length) { return system_call(SYS_MUNMAP, start, length, 0); }
static inline i64 sleep(u64 ticks) { return system_call(SYS_SLEEP, ticks, 0, 0); }
static inline i64 kill(i64 pid, int signal) { return system_call(SYS_KILL, (u64)pid, (u64)signal, 0); }
static inline i64 ticks(void) { return system_call(SYS_TICKS, 0, 0, 0); }
static inline i64 irq_toggle(u64 n) { return system_call(SYS_IRQ_TOGGLE, n, 0, 0); }

extern char signal_return[];
static inline i64 signal(int number, void (*handler)(int)) {
  return system_call(SYS_SIGNAL, (u64)number, (u64)handler, (u64)signal_return);
}

__attribute__((noreturn)) void exit(int status);
/* Formats: %s, %d (i64), %x (u64, 16 digits), %c. Output is kept until flush or exit. */
void print(const char *format, ...);
void flush(void);
/* The count in argv[1]; without one, prints how to call the program and exits with status 2. */
u64 count_argument(int argc, char **argv);
/* Prints the message and exits with status 1 when the result is an error. */
i64 must(i64 result, const char *message);

void *memset(void *to, int value, size_t n);
void *memcpy(void *to, const void *from, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);

#endif
