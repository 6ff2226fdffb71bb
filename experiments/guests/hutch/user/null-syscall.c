/* null-syscall N: N getpid calls. */
#include "libc.h"

int main(int argc, char **argv) {
  u64 n = count_argument(argc, argv);
  MARK(MARK_BEGIN, MARK_SYSCALL);
  for (u64 i = 0; i < n; i++) {
    getpid();
    MARK(MARK_LAP, MARK_SYSCALL);
  }
  MARK(MARK_END, MARK_SYSCALL);
  print("null-syscall: %d calls\n", n);
  return 0;
}
