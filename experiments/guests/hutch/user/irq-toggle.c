/* irq-toggle N: one system call in which the kernel closes and opens interrupts N times. */
#include "libc.h"

int main(int argc, char **argv) {
  u64 n = count_argument(argc, argv);
  MARK(MARK_BEGIN, MARK_IRQ);
  irq_toggle(n);
  MARK(MARK_LAP, MARK_IRQ);
  MARK(MARK_END, MARK_IRQ);
  print("irq-toggle: %d times\n", n);
  return 0;
}
