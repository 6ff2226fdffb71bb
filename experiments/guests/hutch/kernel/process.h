/* Processes: the slot layout that trap.S relies on, wait queues, scheduling, system-call bodies. */
#ifndef PROCESS_H
#define PROCESS_H

#include "kernel.h"

#define PROCESSES 16
#define DESCRIPTORS 16
#define AREAS 16
#define NAME_LENGTH 32

/* What a trap from user mode saves: the callee-saved registers stay with the C calling convention and the switch. */
struct trap_frame {
  u64 ra, sp, t[7], a[8], pc;
};

/* What a switch saves. gp and tp are never used by the kernel, so a trap leaves them alone. */
struct context {
  u64 ra, sp, s[12], gp, tp;
};

struct fp_state {
  u64 f[32];
  u64 fcsr;
};

/* A range of user addresses. A fault inside it maps a page: of the file where there is one, else of zeros. */
struct area {
  u64 start, end;       /* page-aligned; start == end means unused */
  u64 permissions;      /* PTE_R, PTE_W, PTE_X */
  const u8 *file;       /* bytes at user address file_start, in the kernel image; NULL: anonymous */
  u64 file_start, file_end;
};

enum process_state { UNUSED, RUNNABLE, RUNNING, SLEEPING, ZOMBIE };

struct wait_queue {
  struct process *first;
};

struct file;

struct process {
  struct trap_frame frame;
  u32 work; /* WORK_* bits, looked at before every return to user mode */
  u32 state;
  struct context context;
  u64 satp;
  u64 *root;
  struct process *next;     /* in the run queue or a wait queue */
  struct wait_queue *queue; /* the wait queue it sleeps on */
  struct process *parent;
  struct wait_queue children; /* this process, waiting for a child's exit */
  u32 pid;
  u32 status;
  bool interruptible;
  bool fp_used;       /* fp holds a state, unless the registers hold a newer one */
  bool in_handler;
  u32 pending;        /* signals */
  u64 wake_time;      /* in ticks */
  u64 handler[SIGNALS];
  u64 restorer;
  struct file *files[DESCRIPTORS];
  struct area *areas; /* AREAS of them, in a frame of their own */
  u64 heap_end;       /* as set by brk, to the byte */
  struct fp_state *fp; /* in the same frame */
  char name[NAME_LENGTH];
} __attribute__((aligned(16)));

_Static_assert(offsetof(struct process, frame.sp) == FRAME_SP, "FRAME_SP");
_Static_assert(offsetof(struct process, frame.t) == FRAME_T0, "FRAME_T0");
_Static_assert(offsetof(struct process, frame.a) == FRAME_A0, "FRAME_A0");
_Static_assert(offsetof(struct process, frame.pc) == FRAME_PC, "FRAME_PC");
_Static_assert(offsetof(struct process, work) == PROCESS_WORK, "PROCESS_WORK");
_Static_assert(offsetof(struct process, context) == PROCESS_CONTEXT, "PROCESS_CONTEXT");
_Static_assert(sizeof(struct process) <= PROCESS_SIZE, "PROCESS_SIZE");

extern struct process *current;

/* process.c */
void processes_init(void);
struct process *process_alloc(void);
void process_start(struct process *p);
__attribute__((noreturn)) void process_exit(u32 status);
i64 process_wait(u64 status_address);
i64 do_kill(u64 pid, u64 signal);

/* schedule.c */
void schedule(void);
void yield(void);
void make_runnable(struct process *p);
void sleep_on(struct wait_queue *queue);
bool sleep_interruptible(struct wait_queue *queue);
void wake_all(struct wait_queue *queue);
void wake(struct process *p);
void timer_init(void);
void timer_interrupt(void);
i64 sleep_ticks(u64 ticks);
u64 ticks_now(void);

/* space.c: user address spaces. */
u64 *root_alloc(void);
void space_free(u64 *root, const struct area *areas);
bool space_copy(struct process *child);
bool space_fault(u64 address, u64 needed);
struct area *area_add(struct area *areas, u64 start, u64 end, u64 permissions);
void heap_init(struct area *areas, u64 start);
i64 do_brk(u64 end);
i64 do_mmap(u64 length);
i64 do_munmap(u64 start, u64 length);

/* copy.c and trap.S: access to user memory. */
bool copy_from_user(void *to, u64 from, u64 n);
bool copy_to_user(u64 to, const void *from, u64 n);
i64 copy_string_from_user(char *to, u64 from, u64 limit);

/* exec.c */
i64 exec(const char *name, const char *strings, u64 length, u64 count);
i64 do_exec(u64 name, u64 arguments);

/* fp.c */
bool fp_trap(void);
void fp_switch(const struct process *next);
void fp_store(void);
void fp_drop(const struct process *p);

/* signal.c */
void signal_post(struct process *p, u32 signal);
bool signal_pending(void);
void signal_force(u32 signal);
void signal_deliver(void);
i64 do_signal(u64 signal, u64 handler, u64 restorer);
i64 do_sigreturn(void);

/* trap.S */
void switch_context(struct process *from, struct process *to);
__attribute__((noreturn)) void enter_user(struct process *p);
extern char trap_return[];

#endif
