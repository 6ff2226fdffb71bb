/* Supervisor-level RISC-V: CSR fields, PTE bits, one-instruction accessors (privileged manual, Supervisor-Level ISA). */
#ifndef RISCV_H
#define RISCV_H

#define SSTATUS_SIE 0x2
#define SSTATUS_SPIE 0x20
#define SSTATUS_SPP 0x100
#define SSTATUS_FS 0x6000
#define SSTATUS_FS_INITIAL 0x2000
#define SSTATUS_FS_CLEAN 0x4000
#define SSTATUS_FS_DIRTY 0x6000
#define SSTATUS_SUM 0x40000
#define SSTATUS_MXR 0x80000

#define SIE_SSIE 0x2
#define SIE_STIE 0x20
#define SIE_SEIE 0x200

#define CAUSE_ILLEGAL_INSTRUCTION 2
#define CAUSE_BREAKPOINT 3
#define CAUSE_USER_ECALL 8
#define CAUSE_FETCH_PAGE_FAULT 12
#define CAUSE_LOAD_PAGE_FAULT 13
#define CAUSE_STORE_PAGE_FAULT 15

#define PTE_V 0x1
#define PTE_R 0x2
#define PTE_W 0x4
#define PTE_X 0x8
#define PTE_U 0x10
#define PTE_A 0x40
#define PTE_D 0x80
#define PTE_COW 0x100 /* first of the two bits left to software */

#define SATP_SV39 (8UL << 60)

#ifndef __ASSEMBLER__

#define CAUSE_INTERRUPT (1UL << 63)
#define CAUSE_SOFTWARE (CAUSE_INTERRUPT | 1)
#define CAUSE_TIMER (CAUSE_INTERRUPT | 5)
#define CAUSE_EXTERNAL (CAUSE_INTERRUPT | 9)

#define csr_read(csr)                                        \
  ({                                                         \
    unsigned long value_;                                    \
    __asm__ volatile("csrr %0, " #csr : "=r"(value_)::"memory"); \
    value_;                                                  \
  })
#define csr_write(csr, value) __asm__ volatile("csrw " #csr ", %0" ::"rK"(value) : "memory")
#define csr_set(csr, bits) __asm__ volatile("csrs " #csr ", %0" ::"rK"(bits) : "memory")
#define csr_clear(csr, bits) __asm__ volatile("csrc " #csr ", %0" ::"rK"(bits) : "memory")

static inline unsigned long read_time(void) {
  unsigned long value;
  __asm__ volatile("rdtime %0" : "=r"(value)::"memory");
  return value;
}

/* Orders earlier page-table stores before later translations and drops every cached translation. */
/* Code that was stored is fetched from now on. Without a name, so that the extension need not be switched on: fence.i. */
static inline void fence_code(void) { __asm__ volatile(".4byte 0x0000100f" ::: "memory"); }
static inline void fence_translations(void) { __asm__ volatile("sfence.vma" ::: "memory"); }

/* The same for the leaf of one virtual address. */
static inline void fence_translation(unsigned long address) {
  __asm__ volatile("sfence.vma %0" ::"r"(address) : "memory");
}

#endif
#endif
