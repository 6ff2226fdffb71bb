/* Declarations shared by the whole kernel. */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../abi.h"
#include "layout.h"
#include "riscv.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t i64;

#include "arch.h"

#define ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))
#define PAGE_DOWN(x) ((u64)(x) & ~(u64)(PAGE_SIZE - 1))
#define PAGE_UP(x) PAGE_DOWN((u64)(x) + PAGE_SIZE - 1)
#define MIN(a, b) ((a) < (b) ? (a) : (b))

#define ARGUMENTS_SIZE 256

/* early.c: what the device tree said, and the kernel's page table. */
struct boot_info {
  u64 ram_end;           /* 0: it named no memory */
  u64 timebase;          /* 0: it named none */
  u64 arguments_length;  /* with the NUL; more than ARGUMENTS_SIZE: the rest is cut off */
  char arguments[ARGUMENTS_SIZE];
  struct {
    u64 command, control; /* the two blocks of registers; 0: there is none */
    u32 shift, irq;
  } ata;
};
extern struct boot_info boot_info;
extern u64 kernel_root[512];

/* sbi.c */
bool sbi_has(u64 extension);
void sbi_set_timer(u64 time);
__attribute__((noreturn)) void sbi_shutdown(bool failed);
#define SBI_TIME 0x54494d45
#define SBI_SRST 0x53525354

/* print.c */
__attribute__((format(printf, 1, 2))) void print(const char *format, ...);
__attribute__((noreturn, format(printf, 1, 2))) void panic(const char *format, ...);

/* string.c */
void *memset(void *to, int value, size_t n);
void *memcpy(void *to, const void *from, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);

/* console.c */
void console_init(void);
void console_putc(char c);
void console_interrupt(void);
i64 console_read(u64 to, u64 n);

/* plic.c */
void plic_init(void);
void plic_enable(u32 irq);
void external_interrupt(void);

/* frames.c: physical frames, named by their address in the direct map. */
void frames_init(void);
void *frame_alloc(void);
void *frame_alloc_zeroed(void);
void frame_hold(u64 physical);
void frame_drop(u64 physical);
bool frame_shared(u64 physical);

static inline void *direct(u64 physical) { return (void *)(physical + DIRECT_OFFSET); }
static inline u64 direct_to_physical(const void *p) { return (u64)p - DIRECT_OFFSET; }
static inline u64 image_to_physical(const void *p) { return (u64)p - IMAGE_OFFSET; }

#endif
