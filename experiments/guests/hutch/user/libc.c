/* The parts of the C library that are not inline. */
#include "libc.h"

#include <stdarg.h>

static char output[512];
static u32 output_length;

void flush(void) {
  if (output_length) write(1, output, output_length);
  output_length = 0;
}

static void put(char c) {
  output[output_length++] = c;
  if (output_length == sizeof output) flush();
}

static void put_decimal(i64 value) {
  char digits[20];
  u64 rest = value < 0 ? -(u64)value : (u64)value;
  int n = 0;
  if (value < 0) put('-');
  do digits[n++] = (char)('0' + rest % 10);
  while (rest /= 10);
  while (n) put(digits[--n]);
}

void print(const char *format, ...) {
  va_list list;
  va_start(list, format);
  for (; *format; format++) {
    if (*format != '%') {
      put(*format);
      continue;
    }
    switch (*++format) {
      case 's':
        for (const char *s = va_arg(list, const char *); *s; s++) put(*s);
        break;
      case 'd':
        put_decimal(va_arg(list, i64));
        break;
      case 'x':
        for (u64 value = va_arg(list, u64), shift = 64; shift;) put("0123456789abcdef"[value >> (shift -= 4) & 15]);
        break;
      case 'c':
        put((char)va_arg(list, int));
        break;
      default:
        put(*format);
    }
  }
  va_end(list);
}

void exit(int status) {
  flush();
  system_call(SYS_EXIT, (u64)status, 0, 0);
  __builtin_unreachable();
}

u64 count_argument(int argc, char **argv) {
  u64 n = 0;
  const char *s = argc == 2 ? argv[1] : "";
  bool valid = *s != 0;
  for (; *s; s++) {
    valid = valid && *s >= '0' && *s <= '9';
    n = n * 10 + (u64)(*s - '0');
  }
  if (!valid) {
    print("usage: %s N\n", argv[0]);
    exit(2);
  }
  return n;
}

i64 must(i64 result, const char *message) {
  if (result < 0) {
    print("%s: error %d\n", message, -result);
    exit(1);
  }
  return result;
}

void *memset(void *to, int value, size_t n) {
  char *p = to;
  while (n--) *p++ = (char)value;
  return to;
}

void *memcpy(void *to, const void *from, size_t n) {
  char *p = to;
  const char *q = from;
  while (n--) *p++ = *q++;
  return to;
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
