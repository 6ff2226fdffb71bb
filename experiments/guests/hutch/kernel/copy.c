/* Access to user memory from the kernel, through the process's own page table with sstatus.SUM open (trap.S). */
#include "process.h"

/* How much of a string is copied before its end is looked for. */
#define STRING_PART 32

i64 copy_user(void *to, const void *from, u64 n);

static bool in_user_range(u64 address, u64 n) { return n <= USER_END && address <= USER_END - n; }

bool copy_from_user(void *to, u64 from, u64 n) {
  return in_user_range(from, n) && copy_user(to, (const void *)from, n) == 0;
}

bool copy_to_user(u64 to, const void *from, u64 n) {
  return in_user_range(to, n) && copy_user((void *)to, from, n) == 0;
}

/* Copies a string of at most limit bytes with its final NUL, and whatever lies behind it; returns its length. */
i64 copy_string_from_user(char *to, u64 from, u64 limit) {
  for (u64 done = 0; done < limit;) {
    u64 rest_of_page = PAGE_SIZE - (from + done) % PAGE_SIZE;
    u64 part = MIN(MIN(limit - done, rest_of_page), (u64)STRING_PART);
    if (!copy_from_user(to + done, from + done, part)) return -EFAULT;
    for (u64 end = done + part; done < end; done++) {
      if (!to[done]) return (i64)done;
    }
  }
  return -ENAMETOOLONG;
}
