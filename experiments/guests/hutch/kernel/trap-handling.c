/* Traps other than system calls: interrupts, page faults, the first floating-point instruction, errors. */
#include "process.h"

extern char copy_user_start[], copy_user_end[], copy_user_fault[];

static bool interrupt(u64 cause) {
  if (cause == CAUSE_TIMER) timer_interrupt();
  else if (cause == CAUSE_EXTERNAL) external_interrupt();
  else return arch_interrupt(cause);
  return true;
}

static u64 needed_permission(u64 cause) {
  return cause == CAUSE_FETCH_PAGE_FAULT ? PTE_X : cause == CAUSE_LOAD_PAGE_FAULT ? PTE_R : PTE_W;
}

static bool is_page_fault(u64 cause) {
  return cause == CAUSE_FETCH_PAGE_FAULT || cause == CAUSE_LOAD_PAGE_FAULT || cause == CAUSE_STORE_PAGE_FAULT;
}

/* Called by trap.S with the registers saved in current->frame. */
void user_trap(u64 cause) {
  if (interrupt(cause)) return;
  if (is_page_fault(cause)) {
    if (!space_fault(trap_value(), needed_permission(cause))) signal_force(SIGSEGV);
    return;
  }
  if (cause == CAUSE_ILLEGAL_INSTRUCTION) {
    if (!fp_trap()) signal_force(SIGILL);
    return;
  }
  signal_force(cause == CAUSE_BREAKPOINT ? SIGTRAP : SIGBUS);
}

/* Called by trap.S before a return to user mode while current->work is not 0. */
void user_work(void) {
  if (current->work & WORK_RESCHEDULE) yield();
  if (current->work & WORK_SIGNAL) signal_deliver();
}

/* Called by trap.S: returns to where the kernel was, or to the failure exit of copy_user. */
void kernel_trap(u64 cause) {
  if (interrupt(cause)) return;
  u64 pc = trap_pc();
  u64 address = trap_value();
  if (is_page_fault(cause) && pc >= (u64)copy_user_start && pc < (u64)copy_user_end) {
    if (address < USER_END && space_fault(address, needed_permission(cause))) return;
    trap_set_pc((u64)copy_user_fault);
    return;
  }
  panic("trap in the kernel: scause %lx, sepc %lx, stval %lx", cause, pc, address);
}
