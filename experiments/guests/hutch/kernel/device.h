/* Device registers, reached through the direct map, and the board's interrupt numbers. */
#ifndef DEVICE_H
#define DEVICE_H

#include "kernel.h"

#define UART_IRQ 10
#define VIRTIO_IRQ 1 /* of slot 0; slot n has VIRTIO_IRQ + n */
#define VIRTIO_SLOTS 8

static inline u8 mmio_read8(u64 physical) { return *(volatile u8 *)direct(physical); }
static inline void mmio_write8(u64 physical, u8 value) { *(volatile u8 *)direct(physical) = value; }
static inline u16 mmio_read16(u64 physical) { return *(volatile u16 *)direct(physical); }
static inline void mmio_write16(u64 physical, u16 value) { *(volatile u16 *)direct(physical) = value; }
static inline u32 mmio_read32(u64 physical) { return *(volatile u32 *)direct(physical); }
static inline void mmio_write32(u64 physical, u32 value) { *(volatile u32 *)direct(physical) = value; }

#endif
