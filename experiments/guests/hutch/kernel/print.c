/* Kernel messages. Formats: %s, %d (int), %lx (with 0x). */
#include <stdarg.h>

#include "kernel.h"

static void print_decimal(i64 value) {
  char digits[20];
  u64 rest = value < 0 ? -(u64)value : (u64)value;
  int n = 0;
  if (value < 0) console_putc('-');
  do digits[n++] = (char)('0' + rest % 10);
  while (rest /= 10);
  while (n) console_putc(digits[--n]);
}

static void print_hex(u64 value) {
  int shift = 60;
  console_putc('0'), console_putc('x');
  while (shift && value >> shift == 0) shift -= 4;
  for (; shift >= 0; shift -= 4) console_putc("0123456789abcdef"[value >> shift & 15]);
}

static void print_list(const char *format, va_list list) {
  for (; *format; format++) {
    if (*format != '%') {
      console_putc(*format);
      continue;
    }
    switch (*++format) {
      case 's':
        for (const char *s = va_arg(list, const char *); *s; s++) console_putc(*s);
        break;
      case 'd':
        print_decimal(va_arg(list, int));
        break;
      case 'l': /* %lx */
        format++;
        print_hex(va_arg(list, u64));
        break;
      default:
        console_putc(*format);
    }
  }
}

void print(const char *format, ...) {
  va_list list;
  va_start(list, format);
  print_list(format, list);
  va_end(list);
  console_flush();
}

void panic(const char *format, ...) {
  va_list list;
  va_start(list, format);
  print("hutch: panic: ");
  print_list(format, list);
  print("\n");
  va_end(list);
  sbi_shutdown(true);
}
