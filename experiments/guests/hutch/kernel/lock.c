/* A lock whose holder may sleep. */
#include "disk.h"

void lock_take(struct lock *lock) {
  while (lock->held) sleep_on(&lock->waiters);
  lock->held = true;
}

void lock_release(struct lock *lock) {
  lock->held = false;
  wake_all(&lock->waiters);
}
