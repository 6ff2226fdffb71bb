/* Where everything lies, for C and assembly. */
#ifndef LAYOUT_H
#define LAYOUT_H

/* The image: linked at physical + IMAGE_OFFSET, 4 KiB pages, at most one 2 MiB table. All around it is unmapped. */
#define IMAGE_OFFSET 0xffffffff00000000

/* The direct map: RAM behind the image, and the device pages, at physical + DIRECT_OFFSET. */
#define DIRECT_OFFSET 0xffffffc000000000

#define RAM_BASE 0x80000000
#define IMAGE_BASE 0x80200000
#define UART_BASE 0x10000000
#define VIRTIO_BASE 0x10001000
#define PLIC_BASE 0x0c000000

#define PAGE_SIZE 4096
#define MEGAPAGE_SIZE 0x200000

/* User addresses: all below 1 GiB, so that one second-level table serves a process. */
#define USER_BASE 0x10000
#define MMAP_BASE 0x20000000
#define MMAP_END 0x30000000
#define STACK_SIZE 0x10000
#define USER_END 0x40000000

/* Bytes of one process slot: the kernel stack, with struct process at its upper end. */
#define SLOT_SIZE 8192

#define WORK_RESCHEDULE 1
#define WORK_SIGNAL 2

/* Offsets in struct process, whose first member is the trap frame (process.h asserts them). */
#define FRAME_RA 0
#define FRAME_SP 8
#define FRAME_T0 16
#define FRAME_A0 72
#define FRAME_PC 136
#define PROCESS_WORK 144
#define PROCESS_CONTEXT 152
#define PROCESS_SIZE 1024

#endif
