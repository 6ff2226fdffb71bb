/*
 * Signals: a bit each, delivered before a return to user mode. A handler runs on the user stack with every other
 * signal held back until its sigreturn. Only the registers of the trap frame are put there: the handler, a C function,
 * keeps the callee-saved ones.
 * Left out: masks, nested handlers, stop and continue.
 */
#include "process.h"

struct signal_frame {
  struct trap_frame frame;
  u64 fp_used;
  struct fp_state fp;
};

static bool ignored(const struct process *p, u32 signal) { return p->handler[signal] == SIG_IGN; }

/* SIGKILL ends a process also while it is in a handler. */
static u32 deliverable(const struct process *p) { return p->in_handler ? p->pending & 1u << SIGKILL : p->pending; }

bool signal_pending(void) { return deliverable(current) != 0; }

void signal_post(struct process *p, u32 signal) {
  if (ignored(p, signal)) return;
  p->pending |= 1u << signal;
  if (!deliverable(p)) return;
  p->work |= WORK_SIGNAL;
  if (p->state == SLEEPING && p->interruptible) wake(p);
}

/* A signal for what the current process just did: if it cannot be handled now, the process ends. */
void signal_force(u32 signal) {
  if (ignored(current, signal) || current->in_handler) process_exit(STATUS_SIGNAL + signal);
  signal_post(current, signal);
}

static bool push_frame(u32 signal) {
  struct signal_frame saved;
  u64 sp = (current->frame.sp - sizeof saved) & ~15UL;
  saved.frame = current->frame;
  saved.fp_used = current->fp_used;
  if (current->fp_used) {
    fp_store();
    saved.fp = *current->fp;
  }
  if (!copy_to_user(sp, &saved, current->fp_used ? sizeof saved : offsetof(struct signal_frame, fp))) return false;
  current->frame.sp = sp;
  current->frame.a[0] = signal;
  current->frame.ra = current->restorer;
  current->frame.pc = current->handler[signal];
  return true;
}

/* Called before a return to user mode with WORK_SIGNAL set. */
void signal_deliver(void) {
  current->work &= ~WORK_SIGNAL;
  u32 ready = deliverable(current);
  if (!ready) return;
  u32 signal = 1;
  while (!(ready & 1u << signal)) signal++;
  current->pending &= ~(1u << signal);
  if (current->handler[signal] == SIG_DFL || !push_frame(signal)) process_exit(STATUS_SIGNAL + signal);
  current->in_handler = true;
  if (current->pending & 1u << SIGKILL) current->work |= WORK_SIGNAL;
}

i64 do_signal(u64 signal, u64 handler, u64 restorer) {
  if (signal == 0 || signal >= SIGNALS || signal == SIGKILL) return -EINVAL;
  i64 before = (i64)current->handler[signal];
  current->handler[signal] = handler;
  current->restorer = restorer;
  if (handler == SIG_IGN) current->pending &= ~(1u << signal);
  return before;
}

/* Ends a handler: the saved frame lies at the stack pointer. Returns the a0 that the frame holds. */
i64 do_sigreturn(void) {
  struct signal_frame saved;
  if (!current->in_handler) return -EINVAL;
  u64 sp = current->frame.sp;
  u64 fp_offset = offsetof(struct signal_frame, fp);
  bool copied = copy_from_user(&saved, sp, fp_offset);
  if (copied && saved.fp_used) copied = copy_from_user(&saved.fp, sp + fp_offset, sizeof saved.fp);
  if (!copied) process_exit(STATUS_SIGNAL + SIGSEGV);
  current->frame = saved.frame;
  fp_drop(current);
  current->fp_used = saved.fp_used != 0;
  if (current->fp_used) *current->fp = saved.fp;
  current->in_handler = false;
  if (current->pending) current->work |= WORK_SIGNAL;
  return (i64)saved.frame.a[0];
}
