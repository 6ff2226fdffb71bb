/* The memory and string routines that C needs. */
#include "kernel.h"

void *memset(void *to, int value, size_t n) {
  u8 *p = to;
  u64 word = (u8)value * 0x0101010101010101UL;
  while (n && (u64)p & 7) *p++ = (u8)value, n--;
  for (; n >= 64; n -= 64, p += 64) {
    u64 *w = (u64 *)p;
    w[0] = w[1] = w[2] = w[3] = w[4] = w[5] = w[6] = w[7] = word;
  }
  for (; n >= 8; n -= 8, p += 8) *(u64 *)p = word;
  while (n--) *p++ = (u8)value;
  return to;
}

void *memcpy(void *to, const void *from, size_t n) {
  u8 *p = to;
  const u8 *q = from;
  if ((((u64)p | (u64)q) & 7) == 0) {
    for (; n >= 32; n -= 32, p += 32, q += 32) {
      u64 a = ((const u64 *)q)[0], b = ((const u64 *)q)[1], c = ((const u64 *)q)[2], d = ((const u64 *)q)[3];
      ((u64 *)p)[0] = a, ((u64 *)p)[1] = b, ((u64 *)p)[2] = c, ((u64 *)p)[3] = d;
    }
    for (; n >= 8; n -= 8, p += 8, q += 8) *(u64 *)p = *(const u64 *)q;
  }
  while (n--) *p++ = *q++;
  return to;
}

int memcmp(const void *a, const void *b, size_t n) {
  const u8 *p = a, *q = b;
  for (; n; n--, p++, q++) {
    if (*p != *q) return *p - *q;
  }
  return 0;
}

size_t strlen(const char *s) {
  size_t n = 0;
  while (s[n]) n++;
  return n;
}

int strcmp(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return (u8)*a - (u8)*b;
}
