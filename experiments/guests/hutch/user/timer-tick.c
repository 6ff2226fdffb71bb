/* timer-tick N: sleeps for one tick N times, so every tick interrupts the idle hart and wakes this process. */
#include "libc.h"

int main(int argc, char **argv) {
  u64 n = count_argument(argc, argv);
  MARK(MARK_BEGIN, MARK_TICK);
  for (u64 i = 0; i < n; i++) {
    sleep(1);
    MARK(MARK_LAP, MARK_TICK);
  }
  MARK(MARK_END, MARK_TICK);
  print("timer-tick: %d ticks\n", n);
  return 0;
}
