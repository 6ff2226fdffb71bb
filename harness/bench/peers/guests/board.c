/* The board: page tables over RAM and two devices, the serial port, and the end of the run. */
#include "guest.h"

#define RAM 0x80000000ul
#define RAM_PAGES 4096ul /* 16 MiB */
#define UART 0x10000000ul
#define TEST_FINISHER 0x100000ul

/* Page-table entry bits (privileged specification, "Sv39"); A and D are set, so that no machine has to. */
#define V 1ul
#define R 2ul
#define W 4ul
#define X 8ul
#define U 16ul
#define AD 0xc0ul

#ifndef ROUNDS
#error "ROUNDS must say how often the workload repeats"
#endif
const volatile u64 rounds = ROUNDS;

typedef u64 table[512] __attribute__((aligned(4096)));
static table roots[2], device_middle, ram_middle, device_leaves[2], ram_leaves[RAM_PAGES / 512];
u64 spaces[2];
extern char user_start[], user_end[];

static u64 points_to(const void *next) { return (u64)next >> 12 << 10 | V; }
static u64 page(u64 address, u64 bits) { return address >> 12 << 10 | bits | V | R | AD; }

void map_memory(void) {
  for (u64 i = 0; i < RAM_PAGES; i++) {
    u64 address = RAM + i * 4096;
    u64 user = address >= (u64)user_start && address < (u64)user_end ? U : 0;
    ram_leaves[i / 512][i % 512] = page(address, W | X | user);
  }
  for (u64 i = 0; i < RAM_PAGES / 512; i++) ram_middle[i] = points_to(ram_leaves[i]);
  device_leaves[0][TEST_FINISHER >> 12 & 511] = page(TEST_FINISHER, W);
  device_leaves[1][UART >> 12 & 511] = page(UART, W);
  device_middle[TEST_FINISHER >> 21 & 511] = points_to(device_leaves[0]);
  device_middle[UART >> 21 & 511] = points_to(device_leaves[1]);
  for (u64 space = 0; space < 2; space++) {
    roots[space][0] = points_to(device_middle);
    roots[space][RAM >> 30] = points_to(ram_middle);
    spaces[space] = 8ul << 60 | (space + 1) << 44 | (u64)roots[space] >> 12;
  }
}

static void put(char c) {
  volatile u8 *uart = (volatile u8 *)UART;
  while ((uart[5] & 0x20) == 0) {
  }
  uart[0] = (u8)c;
}

void finish(u64 checksum) {
  for (const char *text = "checksum "; *text != 0; text++) put(*text);
  for (int shift = 60; shift >= 0; shift -= 4) put("0123456789abcdef"[checksum >> shift & 15]);
  put('\n');
  *(volatile u32 *)TEST_FINISHER = 0x5555;
  for (;;) {
  }
}

/* The compiler may ask for these two. */
void *memset(void *to, int value, u64 bytes) {
  u8 *p = to;
  while (bytes-- != 0) *p++ = (u8)value;
  return to;
}
void *memcpy(void *restrict to, const void *restrict from, u64 bytes) {
  u8 *p = to;
  const u8 *q = from;
  while (bytes-- != 0) *p++ = *q++;
  return to;
}
