/* Platform-level interrupt controller: context 1 (hart 0, S-mode), every source at priority 1. Source: PLIC 1.0. */
#include "device.h"
#include "disk.h"
#include "kernel.h"

#define PRIORITY(irq) (PLIC_BASE + 4 * (irq))
#define ENABLE(irq) (PLIC_BASE + 0x2080 + 4 * ((irq) / 32))
#define THRESHOLD (PLIC_BASE + 0x201000)
#define CLAIM (PLIC_BASE + 0x201004)

void plic_init(void) { mmio_write32(THRESHOLD, 0); }

void plic_enable(u32 irq) {
  mmio_write32(PRIORITY(irq), 1);
  mmio_write32(ENABLE(irq), mmio_read32(ENABLE(irq)) | 1u << irq % 32);
}

void external_interrupt(void) {
  for (u32 irq; (irq = mmio_read32(CLAIM)) != 0;) {
    if (irq == UART_IRQ) console_interrupt();
    else disk_interrupt(irq);
    mmio_write32(CLAIM, irq);
  }
}
