/* signal N: sends itself a signal N times; each time a handler runs. */
#include "libc.h"

static volatile u64 handled;

static void handler(int number) { handled += number == SIGUSR1; }

int main(int argc, char **argv) {
  u64 n = count_argument(argc, argv);
  i64 self = getpid();
  must(signal(SIGUSR1, handler), "signal");
  MARK(MARK_BEGIN, MARK_SIGNAL);
  for (u64 i = 0; i < n; i++) {
    kill(self, SIGUSR1);
    MARK(MARK_LAP, MARK_SIGNAL);
  }
  MARK(MARK_END, MARK_SIGNAL);
  print("signal: %d sent, %d handled\n", n, handled);
  return handled == n ? 0 : 1;
}
