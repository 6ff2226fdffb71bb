/*
 * Floating-point state, given out lazily. sstatus.FS is Off until a process executes its first floating-point
 * instruction; a process that leaves with FS Dirty has its registers stored; they are loaded again only if another
 * process used them in between.
 */
#include "process.h"

/* The process whose state the registers hold. While FS is not Off, it is the current one. */
static struct process *owner;

void fp_save_registers(struct fp_state *to);
void fp_load_registers(const struct fp_state *from);

/* After an illegal instruction: true if it was floating point being Off, and now it is on. */
bool fp_trap(void) {
  if (fp_status() != 0) return false;
  if (!current->fp_used) memset(current->fp, 0, sizeof *current->fp);
  fp_status_set(SSTATUS_FS_INITIAL);
  fp_load_registers(current->fp);
  /* Loading made it Dirty; the registers hold what is stored, or the initial state. */
  fp_status_clear(SSTATUS_FS_DIRTY & ~(current->fp_used ? SSTATUS_FS_CLEAN : SSTATUS_FS_INITIAL));
  current->fp_used = true;
  owner = current;
  return true;
}

/* Brings current->fp up to date. */
void fp_store(void) {
  if (fp_status() != SSTATUS_FS_DIRTY) return;
  fp_save_registers(current->fp);
  fp_status_clear(SSTATUS_FS_DIRTY & ~SSTATUS_FS_CLEAN);
}

/* Before a switch from current to next. */
void fp_switch(const struct process *next) {
  u64 now = fp_status();
  if (now == SSTATUS_FS_DIRTY) fp_save_registers(current->fp);
  if (now) fp_status_clear(SSTATUS_FS);
  if (owner == next) fp_status_set(SSTATUS_FS_CLEAN);
}

/* The registers no longer count as the state of p: its next use loads what is stored. */
void fp_drop(const struct process *p) {
  if (owner != p) return;
  owner = NULL;
  if (p == current) fp_status_clear(SSTATUS_FS);
}
