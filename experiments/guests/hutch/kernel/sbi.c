/* Calls to the firmware (SBI 0.2 and later): BASE probe, TIME, SRST. */
#include "kernel.h"

#define SBI_BASE 0x10
#define SBI_BASE_PROBE 3
#define SBI_TIME_SET 0
#define SBI_SRST_RESET 0

struct sbi_result {
  i64 error;
  i64 value;
};

static struct sbi_result sbi_call(u64 extension, u64 function, u64 argument0, u64 argument1) {
  register u64 a0 __asm__("a0") = argument0;
  register u64 a1 __asm__("a1") = argument1;
  register u64 a6 __asm__("a6") = function;
  register u64 a7 __asm__("a7") = extension;
  __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a6), "r"(a7) : "memory");
  return (struct sbi_result){(i64)a0, (i64)a1};
}

bool sbi_has(u64 extension) {
  struct sbi_result result = sbi_call(SBI_BASE, SBI_BASE_PROBE, extension, 0);
  return result.error == 0 && result.value != 0;
}

void sbi_set_timer(u64 time) { sbi_call(SBI_TIME, SBI_TIME_SET, time, 0); }

/* Type 0 is shutdown; reason 1 is system failure. */
void sbi_shutdown(bool failed) {
  sbi_call(SBI_SRST, SBI_SRST_RESET, 0, failed);
  for (;;) hart_rest();
}
