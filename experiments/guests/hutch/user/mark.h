/*
 * Marks: HINT instructions (slti with rd = x0, a no-op on every RISC-V machine) that name points of a measurement.
 * The immediate is kind << 8 | id.
 */
#ifndef MARK_H
#define MARK_H

#define MARK_BEGIN 1
#define MARK_END 2
#define MARK_LAP 3

#define MARK_SYSCALL 1
#define MARK_SWITCH 2
#define MARK_FAULT 3
#define MARK_SPAWN 4
#define MARK_PIPE 5
#define MARK_IRQ 6
#define MARK_TICK 7
#define MARK_DISK 8
#define MARK_COMPUTE 9
#define MARK_SIGNAL 10
#define MARK_MODULE 11

#define MARK(kind, id) __asm__ volatile("slti x0, x0, %0" ::"i"((kind) << 8 | (id)) : "memory")

#endif
