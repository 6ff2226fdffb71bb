/* Integer loops: a sieve, a table-driven CRC-32 and a product of matrices. */
#include "guest.h"

#define LIMIT 250000
#define SIDE 48

static u8 composite[LIMIT];
static u32 crc_table[256];
static i64 a[SIDE][SIDE], b[SIDE][SIDE], c[SIDE][SIDE];

static u64 sieve(void) {
  u64 primes = 0;
  for (u64 i = 0; i < LIMIT; i++) composite[i] = 0;
  for (u64 i = 2; i < LIMIT; i++) {
    if (composite[i]) continue;
    primes++;
    for (u64 j = i * i; j < LIMIT; j += i) composite[j] = 1;
  }
  return primes;
}

/* CRC-32 as Ethernet has it (IEEE 802.3), over the sieve's result. */
static u32 crc(void) {
  u32 crc = 0xffffffff;
  for (u64 i = 0; i < LIMIT; i++) crc = crc_table[(crc ^ composite[i]) & 255] ^ crc >> 8;
  return ~crc;
}

static u64 product(u64 seed) {
  for (u64 i = 0; i < SIDE; i++)
    for (u64 j = 0; j < SIDE; j++) {
      a[i][j] = (i64)(next_random(&seed) >> 40);
      b[i][j] = (i64)(next_random(&seed) >> 40);
    }
  u64 sum = 0;
  for (u64 i = 0; i < SIDE; i++)
    for (u64 j = 0; j < SIDE; j++) {
      i64 dot = 0;
      for (u64 k = 0; k < SIDE; k++) dot += a[i][k] * b[k][j];
      c[i][j] = dot;
      sum = mix(sum, (u64)dot);
    }
  return sum;
}

u64 work(void) {
  for (u32 i = 0; i < 256; i++) {
    u32 entry = i;
    for (int bit = 0; bit < 8; bit++) entry = entry & 1 ? entry >> 1 ^ 0xedb88320u : entry >> 1;
    crc_table[i] = entry;
  }
  u64 sum = 1;
  for (u64 round = 0; round < rounds; round++) {
    sum = mix(sum, sieve());
    composite[round % LIMIT] ^= 1;
    sum = mix(sum, crc());
    sum = mix(sum, product(sum | 1));
  }
  return sum;
}
