/* Creation and end of processes. */
#include "file.h"
#include "process.h"

/* Each slot is a kernel stack with its struct process above; boot runs on slot 0. */
u8 slots[PROCESSES][SLOT_SIZE] __attribute__((aligned(SLOT_SIZE), section(".bss.slots")));

static u32 last_pid;

static struct process *slot(u32 index) { return (struct process *)(slots[index] + SLOT_SIZE - PROCESS_SIZE); }

/* The slots are not part of .bss. */
void processes_init(void) {
  for (u32 i = 0; i < PROCESSES; i++) slot(i)->state = UNUSED;
}

/* A process with a page table and room for areas, or NULL. */
struct process *process_alloc(void) {
  struct process *p = NULL;
  for (u32 i = 0; i < PROCESSES && !p; i++) {
    if (slot(i)->state == UNUSED) p = slot(i);
  }
  if (!p) return NULL;
  memset(p, 0, sizeof *p);
  p->root = root_alloc();
  p->areas = p->root ? frame_alloc() : NULL;
  if (!p->areas) {
    if (p->root) frame_drop(direct_to_physical(p->root));
    return NULL;
  }
  memset(p->areas, 0, sizeof(struct area) * AREAS);
  p->fp = (struct fp_state *)(p->areas + AREAS);
  p->satp = SATP_SV39 | direct_to_physical(p->root) >> 12;
  p->pid = ++last_pid;
  return p;
}

static void process_release(struct process *p) {
  frame_drop(direct_to_physical(p->areas));
  p->state = UNUSED;
}

/* Called by sys_fork with the registers that the child starts with. */
i64 do_fork(const struct context *registers) {
  struct process *child = process_alloc();
  if (!child) return -EAGAIN;
  if (!space_copy(child)) {
    space_free(child->root, child->areas);
    process_release(child);
    return -ENOMEM;
  }
  child->frame = current->frame;
  child->frame.a[0] = 0;
  child->context = *registers;
  child->context.ra = (u64)trap_return;
  child->context.sp = (u64)child;
  if (current->fp_used) {
    fp_store();
    child->fp_used = true;
    *child->fp = *current->fp;
  }
  memcpy(child->handler, current->handler, sizeof child->handler);
  child->restorer = current->restorer;
  child->in_handler = current->in_handler;
  child->heap_end = current->heap_end;
  memcpy(child->name, current->name, NAME_LENGTH);
  for (u32 i = 0; i < DESCRIPTORS; i++) {
    if (current->files[i]) child->files[i] = file_hold(current->files[i]);
  }
  child->parent = current;
  make_runnable(child);
  return child->pid;
}

/* Ends the current process; the end of process 1 ends the machine. */
void process_exit(u32 status) {
  if (current->pid == 1) {
    if (status) print("hutch: exit status %d\n", (int)status);
    sbi_shutdown(status != 0);
  }
  for (u32 i = 0; i < DESCRIPTORS; i++) {
    if (current->files[i]) file_drop(current->files[i]);
  }
  struct process *init = slot(0);
  for (u32 i = 0; i < PROCESSES; i++) {
    struct process *p = slot(i);
    if (p->state == UNUSED || p->parent != current) continue;
    p->parent = init;
    if (p->state == ZOMBIE) wake_all(&init->children);
  }
  current->satp = SATP_SV39 | image_to_physical(kernel_root) >> 12;
  space_enter(current->satp);
  space_free(current->root, current->areas);
  fp_drop(current);
  current->status = status;
  current->state = ZOMBIE;
  wake_all(&current->parent->children);
  schedule();
  panic("process %d ran after its exit", (int)current->pid);
}

/* Waits for the exit of any child. */
i64 process_wait(u64 status_address) {
  for (;;) {
    bool any = false;
    for (u32 i = 0; i < PROCESSES; i++) {
      struct process *p = slot(i);
      if (p->state == UNUSED || p->parent != current) continue;
      any = true;
      if (p->state != ZOMBIE) continue;
      u32 pid = p->pid;
      u32 status = p->status;
      if (status_address && !copy_to_user(status_address, &status, sizeof status)) return -EFAULT;
      process_release(p);
      return pid;
    }
    if (!any) return -ECHILD;
    if (sleep_interruptible(&current->children)) return -EINTR;
  }
}

i64 do_kill(u64 pid, u64 signal) {
  if (signal == 0 || signal >= SIGNALS) return -EINVAL;
  for (u32 i = 0; i < PROCESSES; i++) {
    struct process *p = slot(i);
    if (p->state == UNUSED || p->pid != pid) continue;
    if (p->state != ZOMBIE) signal_post(p, (u32)signal);
    return 0;
  }
  return -ESRCH;
}
