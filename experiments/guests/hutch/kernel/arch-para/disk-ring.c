/* The disk by hypercall: one request at a time, and an event when it has completed (docs/hypercalls.md). */
#include "../disk.h"

#define REQUEST_READ 0
#define REQUEST_WRITE 1
#define WAITING 1

static volatile struct {
  u64 kind, sector, address, sectors, status;
} request;
static struct wait_queue waiter;

static u64 start(void) {
  u64 sectors;
  return hypercall_value(CALL_DISK, &sectors) == 0 ? sectors / SECTORS_IN_BLOCK : 0;
}

void arch_event(void) { wake_all(&waiter); }

static void interrupt(u32 irq) { (void)irq; }

static i64 transfer(u64 block, void *page, bool write) {
  request.kind = write ? REQUEST_WRITE : REQUEST_READ;
  request.sector = block * SECTORS_IN_BLOCK;
  request.address = direct_to_physical(page);
  request.sectors = SECTORS_IN_BLOCK;
  request.status = WAITING;
  if (hypercall(CALL_SUBMIT, image_to_physical((const void *)&request), 1, 0)) return -EIO;
  while (request.status == WAITING) sleep_on(&waiter);
  return request.status == 0 ? 0 : -EIO;
}

const struct disk_driver ring_disk = {start, interrupt, transfer};
