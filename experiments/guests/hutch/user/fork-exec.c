/* fork-exec N: N times fork, exec of "true" in the child, wait in the parent. */
#include "libc.h"

int main(int argc, char **argv) {
  u64 n = count_argument(argc, argv);
  u64 ended = 0;
  char *arguments[] = {"true", NULL};
  MARK(MARK_BEGIN, MARK_SPAWN);
  for (u64 i = 0; i < n; i++) {
    u32 status = 1;
    i64 child = must(fork(), "fork-exec: fork");
    if (child == 0) {
      exec("true", arguments);
      exit(127);
    }
    ended += must(wait(&status), "fork-exec: wait") == child && status == 0;
    MARK(MARK_LAP, MARK_SPAWN);
  }
  MARK(MARK_END, MARK_SPAWN);
  print("fork-exec: %d processes, %d ended well\n", n, ended);
  return ended == n ? 0 : 1;
}
