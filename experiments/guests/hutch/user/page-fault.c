/* page-fault N: the first touch of N pages, in fresh mappings of 1 MiB each. */
#include "libc.h"

#define PAGE 4096
#define BATCH 256

int main(int argc, char **argv) {
  u64 n = count_argument(argc, argv);
  u64 zeros = 0;
  MARK(MARK_BEGIN, MARK_FAULT);
  for (u64 done = 0; done < n;) {
    u64 count = n - done < BATCH ? n - done : BATCH;
    u64 start = (u64)must(mmap(count * PAGE), "page-fault: mmap");
    for (u64 i = 0; i < count; i++) {
      volatile u64 *page = (volatile u64 *)(start + i * PAGE);
      *page = i + 1;
      MARK(MARK_LAP, MARK_FAULT);
      zeros += page[1] == 0;
    }
    must(munmap(start, count * PAGE), "page-fault: munmap");
    done += count;
  }
  MARK(MARK_END, MARK_FAULT);
  print("page-fault: %d pages, %d of them fresh\n", n, zeros);
  return zeros == n ? 0 : 1;
}
