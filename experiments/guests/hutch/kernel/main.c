/* From the high half to process 1, which runs the command in bootargs. */
#include "disk.h"
#include "file.h"
#include "process.h"

/* Packs "sh", and "-c" and the command where there is one; returns the number of strings. */
static u64 shell_arguments(char *strings, u64 *length) {
  u64 count = 1, n = 0;
  memcpy(strings, "sh", 3), n = 3;
  if (boot_info.arguments[0]) {
    u64 size = strlen(boot_info.arguments) + 1;
    memcpy(strings + n, "-c", 3), n += 3;
    memcpy(strings + n, boot_info.arguments, size), n += size;
    count = 3;
  }
  *length = n;
  return count;
}

__attribute__((noreturn)) void main(void) {
  char strings[ARGUMENTS_SIZE + 8];
  u64 length;

  console_init();
  arch_options(boot_info.arguments);
  if (!boot_info.ram_end || !boot_info.timebase) panic("the device tree lacks memory or timebase-frequency");
  if (boot_info.arguments_length > ARGUMENTS_SIZE) {
    panic("bootargs has %d bytes, more than %d", (int)boot_info.arguments_length, ARGUMENTS_SIZE);
  }
  plic_init();
  frames_init();
  disk_init();
  if (!sbi_has(SBI_TIME)) panic("the firmware has no timer");
  processes_init();
  current = process_alloc();
  current->state = RUNNING;
  space_enter(current->satp);
  struct file *console = file_alloc(FILE_CONSOLE, true, true);
  for (u32 i = 0; i < 3; i++) current->files[i] = i ? file_hold(console) : console;
  u64 count = shell_arguments(strings, &length);
  i64 result = exec("sh", strings, length, count);
  if (result < 0) panic("cannot run sh: error %d", (int)-result);
  current->frame.a[0] = (u64)result;
  timer_init();
  interrupts_enable(SIE_STIE | SIE_SEIE);
  enter_user(current);
}
