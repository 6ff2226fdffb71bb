/* context-switch N: N switches between two processes that do nothing but yield to each other. */
#include "libc.h"

static void yields(u64 n) {
  for (u64 i = 0; i < n; i++) {
    yield();
    MARK(MARK_LAP, MARK_SWITCH);
  }
}

int main(int argc, char **argv) {
  u64 n = count_argument(argc, argv);
  i64 child = must(fork(), "context-switch: fork");
  if (child == 0) {
    yields(n / 2);
    return 0;
  }
  MARK(MARK_BEGIN, MARK_SWITCH);
  yields(n - n / 2);
  MARK(MARK_END, MARK_SWITCH);
  must(wait(NULL), "context-switch: wait");
  print("context-switch: %d switches\n", n);
  return 0;
}
