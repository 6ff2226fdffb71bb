/*
 * The port to Trapline's VMM: trap state and interrupts in the state page, hypercalls for the rest (docs/hypercalls.md).
 * No instruction here is sensitive. User memory stays accessible to the kernel (SUM is set once).
 */
#ifndef ARCH_H
#define ARCH_H

/* Hypercalls: ecall with the extension in a7 and the call in a6. */
#define HYPERCALLS 0x08005250
#define CALL_REGISTER 1
#define CALL_ENABLE 2
#define CALL_SWITCH 4
#define CALL_RETURN 5
#define CALL_FLUSH 6
#define CALL_BLOCK 8
#define CALL_YIELD 9
#define CALL_WRITE 10
#define CALL_UPDATE 13
#define CALL_GUARD 14
#define CALL_UNGUARD 15
#define CALL_DISK 16
#define CALL_SUBMIT 17

/* Fields of the state page, from address 0. */
#define STATE_SSCRATCH -2048
#define STATE_SEPC -2040
#define STATE_SCAUSE -2032
#define STATE_STVAL -2024
#define STATE_STATUS -2016
#define STATE_SPILL0 -1976
#define STATE_SPILL1 -1968
#define STATE_SPILL3 -1952
#define STATE_SIE_FLAG -1936
#define STATE_NEXT -1928
#define STATE_PENDING -1912

#ifdef __ASSEMBLER__

.macro HYPERCALL number
  li a7, HYPERCALLS
  li a6, \number
  ecall
.endm

/* Without the VMM, says so on the console and ends. Keeps a1. */
.macro ARCH_START
  mv s1, a1
  li a7, 0x10
  li a6, 3
  li a0, HYPERCALLS
  ecall
  mv t0, a1
  mv a1, s1
  bnez a0, no_vmm
  beqz t0, no_vmm
  j 8f
no_vmm:
  la t0, no_vmm_message
  li t1, UART_BASE
6:
  lbu t2, 0(t0)
  beqz t2, 7f
  lbu t3, 5(t1)
  andi t3, t3, 0x20
  beqz t3, 6b
  sb t2, 0(t1)
  addi t0, t0, 1
  j 6b
7:
  li a7, 0x53525354
  li a6, 0
  li a0, 0
  li a1, 1
  ecall
  j 7b
no_vmm_message:
  .asciz "hutch-para: cannot run without Trapline's VMM, as the SBI has no hypercalls: boot hutch.elf, or use --technique para\n"
  .balign 4
8:
.endm

/* The fault of the next fetch is the jump, as on the bare machine. */
.macro ARCH_ENTER_HIGH
  mv t2, a0
  mv a0, t1
  HYPERCALL CALL_REGISTER
  mv a0, t2
  li a1, SSTATUS_SUM
  li a2, SSTATUS_SUM
  HYPERCALL CALL_SWITCH
.endm

.macro ARCH_TRAPS
  la a0, trap_entry
  HYPERCALL CALL_REGISTER
  sd zero, STATE_SSCRATCH(zero)
.endm

/* sp is kept in spill3 in the meantime: traps do not nest before it is taken out. */
.macro ARCH_SWAP_SP from_kernel
  sd sp, STATE_SPILL3(zero)
  ld sp, STATE_SSCRATCH(zero)
  beqz sp, \from_kernel
.endm
.macro ARCH_SWAP_SP_BACK
  ld sp, STATE_SPILL3(zero)
.endm

.macro ARCH_USER_TRAP
  ld t0, STATE_SEPC(zero)
  ld t1, STATE_SPILL3(zero)
  sd zero, STATE_SSCRATCH(zero)
  ld t2, STATE_SCAUSE(zero)
.endm

.macro ARCH_RETURN
  sd a6, STATE_SPILL0(zero)
  sd a7, STATE_SPILL1(zero)
  HYPERCALL CALL_RETURN
  j .
.endm

.macro ARCH_RETURN_TO_USER
  sd sp, STATE_SSCRATCH(zero)
  sd t0, STATE_SEPC(zero)
  RESTORE_CALLER
  ld sp, FRAME_SP(sp)
  ARCH_RETURN
.endm

.macro ARCH_KERNEL_CAUSE
  ld a0, STATE_SCAUSE(zero)
.endm

.macro ARCH_RETURN_TO_KERNEL
  RESTORE_CALLER
  addi sp, sp, 144
  ARCH_RETURN
.endm

.macro ARCH_USER_STATUS
  sb zero, STATE_SIE_FLAG(zero)
  li t0, SSTATUS_SPIE
  sd t0, STATE_STATUS(zero)
.endm

/* Open; an interrupt that waited meanwhile needs the VMM. Changes t1 only. */
.macro ARCH_OPEN
  li t1, SSTATUS_SIE
  sb t1, STATE_SIE_FLAG(zero)
  lbu t1, STATE_PENDING(zero)
  beqz t1, 9f
  jal t1, arch_take_interrupt
9:
.endm
.macro ARCH_CLOSE_AND_TELL
  lbu t0, STATE_SIE_FLAG(zero)
  sb zero, STATE_SIE_FLAG(zero)
.endm
.macro ARCH_CLOSE
  sb zero, STATE_SIE_FLAG(zero)
.endm

/* User memory is that of the current process only once its address space is in force. */
.macro ARCH_USER_MEMORY
  ld t0, STATE_NEXT(zero)
  beqz t0, 9f
  mv t4, a0
  mv t5, a1
  mv t6, a2
  mv a0, t0
  li a1, 0
  HYPERCALL CALL_SWITCH
  mv a0, t4
  mv a1, t5
  mv a2, t6
9:
.endm
.macro ARCH_NO_USER_MEMORY
.endm

#else

#define STATE(type, field) (*(volatile type *)(i64)(field))

static inline u64 hypercall(u64 call, u64 argument0, u64 argument1, u64 argument2) {
  register u64 a0 __asm__("a0") = argument0;
  register u64 a1 __asm__("a1") = argument1;
  register u64 a2 __asm__("a2") = argument2;
  register u64 a6 __asm__("a6") = call;
  register u64 a7 __asm__("a7") = HYPERCALLS;
  __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
  return a0;
}

/* One that answers a value. */
static inline u64 hypercall_value(u64 call, u64 *value) {
  register u64 a0 __asm__("a0") = 0;
  register u64 a1 __asm__("a1") = 0;
  register u64 a6 __asm__("a6") = call;
  register u64 a7 __asm__("a7") = HYPERCALLS;
  __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a6), "r"(a7) : "memory");
  *value = a1;
  return a0;
}

static inline u64 trap_pc(void) { return STATE(u64, STATE_SEPC); }
static inline void trap_set_pc(u64 pc) { STATE(u64, STATE_SEPC) = pc; }
static inline u64 trap_value(void) { return STATE(u64, STATE_STVAL); }

static inline u64 fp_status(void) { return STATE(u64, STATE_STATUS) & SSTATUS_FS; }
static inline void fp_status_set(u64 bits) { STATE(u64, STATE_STATUS) |= bits; }
static inline void fp_status_clear(u64 bits) { STATE(u64, STATE_STATUS) &= ~bits; }

/* Events come as the software interrupt. */
static inline void interrupts_enable(u64 which) { hypercall(CALL_ENABLE, which | SIE_SSIE, 0, 0); }
void arch_event(void);
static inline bool arch_interrupt(u64 cause) {
  if (cause != CAUSE_SOFTWARE) return false;
  arch_event();
  return true;
}

/* The call opens interrupts as it ends, so one that is pending is taken right behind it. */
static inline void interrupts_wait(void) {
  hypercall(CALL_BLOCK, 1, 0, 0);
  STATE(u8, STATE_SIE_FLAG) = 0;
}

static inline void hart_rest(void) { hypercall(CALL_BLOCK, 0, 0, 0); }

static inline void space_enter(u64 satp) { hypercall(CALL_SWITCH, satp, 0, 0); }
/* Put off: the return to user mode takes it along. */
static inline void space_next(u64 satp) { STATE(u64, STATE_NEXT) = satp; }

/*
 * Page tables are stored to, and what changed is flushed; or, with the option `guard` in front of the command, the VMM guards
 * them, and changes are made by batches, which need no flush (guarded-tables.c).
 */
extern bool tables_guarded;
void tables_update(void);
void table_queue(u64 *entry, u64 value);

static inline void table_write_later(u64 *entry, u64 value) {
  if (tables_guarded) table_queue(entry, value);
  else *entry = value;
}
static inline void table_write(u64 *entry, u64 value) {
  table_write_later(entry, value);
  if (tables_guarded) tables_update();
}
void table_made(const u64 *table);
void table_gone(const u64 *table);
void arch_options(char *arguments);

static inline void space_changed(u64 satp) {
  if (tables_guarded) tables_update();
  else hypercall(CALL_FLUSH, 2, satp, 0);
}
/* What was not valid was not remembered. */
static inline void space_leaf_changed(u64 page, bool known) {
  if (known && !tables_guarded) hypercall(CALL_FLUSH, 1, page, 1);
}
static inline void space_gone(u64 satp) { hypercall(CALL_FLUSH, 2, satp, 0); }

/* The disk's own way, where the VMM has one (disk-ring.c). */
extern const struct disk_driver ring_disk;
#define ARCH_DISK_DRIVERS &ring_disk,

/* Output is collected and written in one call. */
void arch_console_put(char c);
#define ARCH_CONSOLE_PUT(c) arch_console_put(c)
void console_flush(void);

#endif
#endif
