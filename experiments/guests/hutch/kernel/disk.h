/* The block device in blocks of one page, and the file system on it. */
#ifndef DISK_H
#define DISK_H

#include "process.h"

#define SECTORS_IN_BLOCK 8

/* A way to the disk, for one transfer at a time. */
struct disk_driver {
  u64 (*start)(void); /* the number of blocks; 0: there is no such disk */
  void (*interrupt)(u32 irq);
  i64 (*transfer)(u64 block, void *page, bool write);
};
extern const struct disk_driver ata_disk, virtio_disk;

/* disk.c */
void disk_init(void);
void disk_interrupt(u32 irq);
u64 disk_blocks(void); /* 0: there is no disk */
i64 disk_transfer(u64 block, void *page, bool write);

/* lock.c: a lock whose holder may sleep. */
struct lock {
  bool held;
  struct wait_queue waiters;
};
void lock_take(struct lock *lock);
void lock_release(struct lock *lock);

/* block-cache.c: written through; the caller holds the file system's lock. */
void *cache_read(u64 block);
void *cache_zeroed(u64 block);
bool cache_write(u64 block);

/* file-system.c: results are inode numbers, byte counts or negated errors. */
i64 fs_open(const char *name, bool create, bool truncate);
i64 fs_unlink(const char *name);
i64 fs_size(u32 inode);
i64 fs_read(u32 inode, u64 offset, u64 to, u64 n);
i64 fs_load(u32 inode, void *to, u64 n);
i64 fs_write(u32 inode, u64 offset, u64 from, u64 n);

#endif
