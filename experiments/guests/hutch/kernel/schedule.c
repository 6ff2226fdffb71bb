/*
 * Round-robin scheduling, wait queues, the tick.
 * The kernel is not preempted and runs with interrupts closed, so testing a condition and sleeping on it is one step.
 */
#include "process.h"

static struct process *run_first, *run_last;
static struct wait_queue sleepers;
static u64 tick, tick_length, next_tick;

struct process *current;

void make_runnable(struct process *p) {
  p->state = RUNNABLE;
  p->next = NULL;
  if (run_first) run_last->next = p;
  else run_first = p;
  run_last = p;
}

/* Gives the hart to the next runnable process. The caller has put current where it is to be found again. */
void schedule(void) {
  struct process *previous = current;
  while (!run_first) interrupts_wait();
  struct process *next = run_first;
  run_first = next->next;
  next->state = RUNNING;
  if (next == previous) return;
  fp_switch(next);
  if (next->satp != previous->satp) {
    space_next(next->satp);
  }
  current = next;
  switch_context(previous, next);
}

void yield(void) {
  current->work &= ~WORK_RESCHEDULE;
  if (!run_first) return;
  make_runnable(current);
  schedule();
}

void sleep_on(struct wait_queue *queue) {
  struct process **link = &queue->first;
  while (*link) link = &(*link)->next;
  *link = current;
  current->next = NULL;
  current->queue = queue;
  current->state = SLEEPING;
  schedule();
}

/* Returns true when a signal ended or prevented the sleep. */
bool sleep_interruptible(struct wait_queue *queue) {
  if (signal_pending()) return true;
  current->interruptible = true;
  sleep_on(queue);
  current->interruptible = false;
  return signal_pending();
}

void wake(struct process *p) {
  struct process **link = &p->queue->first;
  while (*link != p) link = &(*link)->next;
  *link = p->next;
  p->queue = NULL;
  make_runnable(p);
}

void wake_all(struct wait_queue *queue) {
  while (queue->first) wake(queue->first);
}

void timer_init(void) {
  tick_length = boot_info.timebase / 100;
  next_tick = read_time() + tick_length;
  sbi_set_timer(next_tick);
}

void timer_interrupt(void) {
  u64 now = read_time();
  tick++;
  next_tick += tick_length;
  if (next_tick <= now) next_tick = now + tick_length;
  sbi_set_timer(next_tick);
  for (struct process *p = sleepers.first, *next; p; p = next) {
    next = p->next;
    if (p->wake_time <= tick) wake(p);
  }
  current->work |= WORK_RESCHEDULE;
}

i64 sleep_ticks(u64 ticks) {
  current->wake_time = tick + ticks;
  while (current->wake_time > tick) {
    if (sleep_interruptible(&sleepers)) return -EINTR;
  }
  return 0;
}

u64 ticks_now(void) { return tick; }
