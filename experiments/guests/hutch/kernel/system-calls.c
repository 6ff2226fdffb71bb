/* The table that trap.S indexes by a7, and the bodies that are one line. */
#include "file.h"
#include "process.h"

typedef i64 (*system_call)(u64, u64, u64);

i64 sys_fork(void);
i64 sys_irq_toggle(u64 n);
i64 sys_module_load(u64 descriptor);
i64 sys_module_call(u64 argument);

static i64 sys_getpid(void) { return current->pid; }

static i64 sys_exit(u64 status) { process_exit((u32)status & 0xff); }

static i64 sys_yield(void) {
  yield();
  return 0;
}

static i64 sys_ticks(void) { return (i64)ticks_now(); }

const system_call system_calls[SYSTEM_CALLS] = {
    [SYS_GETPID] = (system_call)sys_getpid,
    [SYS_EXIT] = (system_call)sys_exit,
    [SYS_FORK] = (system_call)sys_fork,
    [SYS_EXEC] = (system_call)do_exec,
    [SYS_WAIT] = (system_call)process_wait,
    [SYS_READ] = do_read,
    [SYS_WRITE] = do_write,
    [SYS_OPEN] = (system_call)do_open,
    [SYS_CLOSE] = (system_call)do_close,
    [SYS_DUP] = (system_call)do_dup,
    [SYS_PIPE] = (system_call)do_pipe,
    [SYS_LSEEK] = do_lseek,
    [SYS_UNLINK] = (system_call)do_unlink,
    [SYS_BRK] = (system_call)do_brk,
    [SYS_MMAP] = (system_call)do_mmap,
    [SYS_MUNMAP] = (system_call)do_munmap,
    [SYS_SLEEP] = (system_call)sleep_ticks,
    [SYS_YIELD] = (system_call)sys_yield,
    [SYS_KILL] = (system_call)do_kill,
    [SYS_SIGNAL] = do_signal,
    [SYS_SIGRETURN] = (system_call)do_sigreturn,
    [SYS_TICKS] = (system_call)sys_ticks,
    [SYS_IRQ_TOGGLE] = (system_call)sys_irq_toggle,
    [SYS_MODULE_LOAD] = (system_call)sys_module_load,
    [SYS_MODULE_CALL] = (system_call)sys_module_call,
};
