/* What every workload has: its own function `work`, and how the board is reached. */
#ifndef GUEST_H
#define GUEST_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef long i64;

/* How often the workload repeats its unit of work; the build decides. Volatile, so that both sizes are the same code. */
extern const volatile u64 rounds;

/* The workload; runs in supervisor mode under Sv39. Returns a checksum of all that it computed. */
u64 work(void);

/* Prints a checksum and ends the run. */
void finish(u64 checksum) __attribute__((noreturn));

/* satp values of two address spaces that map the same. */
extern u64 spaces[2];

/* Mixes a value into a checksum. */
static inline u64 mix(u64 sum, u64 value) {
  sum ^= value;
  sum *= 0x9e3779b97f4a7c15ul;
  return sum ^ (sum >> 29);
}

/* A generator of pseudo-random numbers (Marsaglia 2003, "Xorshift RNGs"). */
static inline u64 next_random(u64 *state) {
  u64 x = *state;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return *state = x;
}

#endif
