/* compute N: N rounds of integer and double arithmetic, with no system call. */
#include "libc.h"

#define CELLS 64

static u64 integers[CELLS];
static double doubles[CELLS];

static u64 integer_round(u64 seed) {
  u64 sum = 0;
  for (u32 i = 0; i < CELLS; i++) {
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    integers[i] += seed * 0x9e3779b97f4a7c15 + integers[(i + 7) % CELLS] / (seed % 1000 + 1);
    sum += integers[i];
  }
  return sum;
}

/* A relaxation with divisions and square roots; its result is exact to the last bit, as IEEE 754 is. */
static double double_round(u64 seed) {
  double sum = 0;
  for (u32 i = 0; i < CELLS; i++) {
    double target = __builtin_sqrt((double)(seed >> 40) + (double)i);
    doubles[i] = 0.5 * (doubles[i] + target / (doubles[i] + 1.0)) + 0.25 * doubles[(i + 5) % CELLS];
    sum += doubles[i];
  }
  return sum;
}

int main(int argc, char **argv) {
  u64 n = count_argument(argc, argv);
  u64 integer_sum = 1;
  double double_sum = 0;
  MARK(MARK_BEGIN, MARK_COMPUTE);
  for (u64 i = 0; i < n; i++) {
    integer_sum = integer_sum * 31 + integer_round(integer_sum);
    double_sum = double_sum * 0.5 + double_round(integer_sum);
    MARK(MARK_LAP, MARK_COMPUTE);
  }
  MARK(MARK_END, MARK_COMPUTE);
  union {
    double value;
    u64 bits;
  } last = {.value = double_sum};
  print("compute: %d rounds, %x %x\n", n, integer_sum, last.bits);
  return 0;
}
