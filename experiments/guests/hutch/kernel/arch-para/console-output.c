/* Console output by hypercall: bytes are collected until there are many, or until somebody waits for them. */
#include "../kernel.h"

static char collected[256];
static u32 count;

void console_flush(void) {
  if (count) hypercall(CALL_WRITE, image_to_physical(collected), count, 0);
  count = 0;
}

void arch_console_put(char c) {
  collected[count++] = c;
  if (count == sizeof collected) console_flush();
}
