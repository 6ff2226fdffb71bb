/* The disk, through the first of the drivers that finds one. */
#include "disk.h"

static const struct disk_driver *driver;
static u64 blocks;
static struct lock lock;

void disk_init(void) {
  static const struct disk_driver *const drivers[] = {ARCH_DISK_DRIVERS &ata_disk, &virtio_disk};
  for (u32 i = 0; i < ARRAY_LENGTH(drivers) && !blocks; i++) {
    driver = drivers[i];
    blocks = driver->start();
  }
}

u64 disk_blocks(void) { return blocks; }

void disk_interrupt(u32 irq) { driver->interrupt(irq); }

/* Moves one block between the disk and a page of the direct map. Returns 0, or -EIO. */
i64 disk_transfer(u64 block, void *page, bool write) {
  if (block >= blocks) return -EIO;
  lock_take(&lock);
  i64 result = driver->transfer(block, page, write);
  lock_release(&lock);
  return result;
}
