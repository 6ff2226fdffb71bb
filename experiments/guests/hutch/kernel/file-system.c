/*
 * A small file system: one directory, files of up to 10 + 1024 blocks.
 *
 *   block 0   the magic number and the number of blocks
 *   block 1   a bit for each block: taken
 *   block 2   64 inodes; number 0 is never used, number 1 is the directory
 *   block 3.. the content of files, and their blocks of block numbers
 *
 * A disk whose first three blocks are zero is formatted when it is first used.
 * Left out: subdirectories, dates, owners, recovery after a power failure.
 */
#include "disk.h"
#include "file.h"

#define FS_MAGIC 0x3173666863747568 /* "hutchfs1" */
#define SUPER 0
#define BITMAP 1
#define INODES 2
#define FIRST_DATA 3
#define MAX_BLOCKS (PAGE_SIZE * 8)

#define DIRECT 10
#define NUMBERS_IN_BLOCK (PAGE_SIZE / 4)
#define MAX_SIZE ((u64)(DIRECT + NUMBERS_IN_BLOCK) * PAGE_SIZE)

#define ROOT 1
#define KIND_FREE 0
#define KIND_FILE 1
#define KIND_DIRECTORY 2

struct super {
  u64 magic, blocks;
};

struct inode {
  u32 kind, unused;
  u64 size;
  u32 direct[DIRECT];
  u32 indirect, unused2;
};

struct entry {
  u32 inode; /* 0: free */
  char name[28];
};

#define INODE_COUNT (PAGE_SIZE / sizeof(struct inode))

static struct lock lock;
static bool mounted;
static u64 block_count;

static bool is_zero(const u64 *page) {
  for (u32 i = 0; i < PAGE_SIZE / 8; i++) {
    if (page[i]) return false;
  }
  return true;
}

static i64 format(void) {
  u8 *bitmap = cache_zeroed(BITMAP);
  if (!bitmap) return -EIO;
  for (u64 block = 0; block < MAX_BLOCKS; block++) {
    if (block < FIRST_DATA || block >= block_count) bitmap[block / 8] |= (u8)(1 << block % 8);
  }
  if (!cache_write(BITMAP)) return -EIO;
  struct inode *inodes = cache_zeroed(INODES);
  if (!inodes) return -EIO;
  inodes[ROOT].kind = KIND_DIRECTORY;
  if (!cache_write(INODES)) return -EIO;
  struct super *super = cache_zeroed(SUPER);
  if (!super) return -EIO;
  *super = (struct super){FS_MAGIC, block_count};
  return cache_write(SUPER) ? 0 : -EIO;
}

static i64 mount(void) {
  if (mounted) return 0;
  u64 capacity = MIN(disk_blocks(), (u64)MAX_BLOCKS);
  if (capacity == 0) return -ENODEV;
  if (capacity <= FIRST_DATA) return -ENOSPC;
  struct super *super = cache_read(SUPER);
  if (!super) return -EIO;
  block_count = capacity;
  if (super->magic == FS_MAGIC) {
    if (super->blocks > capacity) return -EINVAL;
    block_count = super->blocks;
  } else {
    for (u64 block = SUPER; block < FIRST_DATA; block++) {
      const u64 *page = cache_read(block);
      if (!page) return -EIO;
      if (!is_zero(page)) return -EINVAL;
    }
    i64 result = format();
    if (result < 0) return result;
  }
  mounted = true;
  return 0;
}

/* A new block, zeroed in the cache for the caller to fill and write; or 0 when the disk is full or fails. */
static u32 allocate(void) {
  u8 *bitmap = cache_read(BITMAP);
  if (!bitmap) return 0;
  for (u32 block = FIRST_DATA; block < block_count; block++) {
    if (bitmap[block / 8] & 1 << block % 8) continue;
    bitmap[block / 8] |= (u8)(1 << block % 8);
    return cache_write(BITMAP) && cache_zeroed(block) ? block : 0;
  }
  return 0;
}

static void mark_free(u8 *bitmap, u32 block) {
  if (block) bitmap[block / 8] &= (u8) ~(1 << block % 8);
}

static bool get_inode(u32 number, struct inode *inode) {
  struct inode *inodes = cache_read(INODES);
  if (inodes) *inode = inodes[number];
  return inodes != NULL;
}

static bool put_inode(u32 number, const struct inode *inode) {
  struct inode *inodes = cache_read(INODES);
  if (!inodes) return false;
  inodes[number] = *inode;
  return cache_write(INODES);
}

/* The block that holds a part of a file, made if asked for (inode then changes too), or 0. */
static u32 block_of(struct inode *inode, u64 index, bool make) {
  if (index < DIRECT) {
    if (!inode->direct[index] && make) inode->direct[index] = allocate();
    return inode->direct[index];
  }
  if (!inode->indirect && make) {
    u32 indirect = allocate();
    if (!indirect || !cache_write(indirect)) return 0;
    inode->indirect = indirect;
  }
  if (!inode->indirect) return 0;
  u32 *numbers = cache_read(inode->indirect);
  if (!numbers) return 0;
  u32 block = numbers[index - DIRECT];
  if (block || !make) return block;
  block = allocate();
  numbers = cache_read(inode->indirect);
  if (!block || !numbers) return 0;
  numbers[index - DIRECT] = block;
  return cache_write(inode->indirect) ? block : 0;
}

/* Writes the inode with no content, then frees the blocks that it had. */
static bool truncate_inode(u32 number, struct inode *inode) {
  struct inode old = *inode;
  *inode = (struct inode){.kind = inode->kind};
  if (!put_inode(number, inode)) return false;
  u32 *numbers = old.indirect ? cache_read(old.indirect) : NULL;
  u8 *bitmap = cache_read(BITMAP);
  if (!bitmap || (old.indirect && !numbers)) return false;
  for (u32 i = 0; i < DIRECT; i++) mark_free(bitmap, old.direct[i]);
  for (u32 i = 0; numbers && i < NUMBERS_IN_BLOCK; i++) mark_free(bitmap, numbers[i]);
  mark_free(bitmap, old.indirect);
  return cache_write(BITMAP);
}

/* Returns the inode of a name, or 0. *at is the place of its entry in the directory, or of the first free one. */
static i64 look_up(const char *name, struct inode *root, u64 *at) {
  if (!get_inode(ROOT, root)) return -EIO;
  u64 free = root->size;
  for (u64 offset = 0; offset < root->size; offset += sizeof(struct entry)) {
    const u8 *page = cache_read(block_of(root, offset / PAGE_SIZE, false));
    if (!page) return -EIO;
    const struct entry *entry = (const struct entry *)(page + offset % PAGE_SIZE);
    if (entry->inode && strcmp(entry->name, name) == 0) {
      *at = offset;
      return entry->inode;
    }
    if (!entry->inode && free == root->size) free = offset;
  }
  *at = free;
  return 0;
}

static bool put_entry(struct inode *root, u64 at, u32 number, const char *name) {
  u32 block = block_of(root, at / PAGE_SIZE, true);
  u8 *page = block ? cache_read(block) : NULL;
  if (!page) return false;
  struct entry *entry = (struct entry *)(page + at % PAGE_SIZE);
  *entry = (struct entry){.inode = number};
  memcpy(entry->name, name, strlen(name) + 1);
  if (!cache_write(block)) return false;
  if (at == root->size) root->size += sizeof(struct entry);
  return put_inode(ROOT, root);
}

static i64 create(const char *name, struct inode *root, u64 at) {
  struct inode *inodes = cache_read(INODES);
  if (!inodes) return -EIO;
  u32 number = ROOT + 1;
  while (number < INODE_COUNT && inodes[number].kind != KIND_FREE) number++;
  if (number == INODE_COUNT || at >= MAX_SIZE) return -ENOSPC;
  if (!put_entry(root, at, number, name)) return -ENOSPC;
  struct inode inode = {.kind = KIND_FILE};
  return put_inode(number, &inode) ? (i64)number : -EIO;
}

static i64 open_locked(const char *name, bool make, bool truncate) {
  struct inode root, inode;
  u64 at;
  i64 number = mount();
  if (number < 0) return number;
  if (!*name) return -ENOENT;
  if (strlen(name) >= sizeof(((struct entry *)0)->name)) return -ENAMETOOLONG;
  number = look_up(name, &root, &at);
  if (number == 0) return make ? create(name, &root, at) : -ENOENT;
  if (number > 0 && truncate) {
    if (!get_inode((u32)number, &inode) || !truncate_inode((u32)number, &inode)) return -EIO;
  }
  return number;
}

i64 fs_open(const char *name, bool make, bool truncate) {
  lock_take(&lock);
  i64 result = open_locked(name, make, truncate);
  lock_release(&lock);
  return result;
}

static i64 unlink_locked(const char *name) {
  struct inode root, inode;
  u64 at;
  i64 number = mount();
  if (number < 0) return number;
  number = look_up(name, &root, &at);
  if (number <= 0) return number < 0 ? number : -ENOENT;
  if (file_is_open((u32)number)) return -EBUSY;
  if (!put_entry(&root, at, 0, "") || !get_inode((u32)number, &inode)) return -EIO;
  inode.kind = KIND_FREE;
  return truncate_inode((u32)number, &inode) ? 0 : -EIO;
}

i64 fs_unlink(const char *name) {
  lock_take(&lock);
  i64 result = unlink_locked(name);
  lock_release(&lock);
  return result;
}

i64 fs_size(u32 number) {
  struct inode inode;
  lock_take(&lock);
  i64 result = get_inode(number, &inode) ? (i64)inode.size : -EIO;
  lock_release(&lock);
  return result;
}

static i64 read_locked(u32 number, u64 offset, u64 to, u64 n) {
  static u8 hole[PAGE_SIZE];
  struct inode inode;
  if (!get_inode(number, &inode)) return -EIO;
  if (offset >= inode.size) return 0;
  n = MIN(n, inode.size - offset);
  for (u64 done = 0; done < n;) {
    u64 at = (offset + done) % PAGE_SIZE;
    u64 part = MIN(n - done, PAGE_SIZE - at);
    u32 block = block_of(&inode, (offset + done) / PAGE_SIZE, false);
    const u8 *page = block ? cache_read(block) : hole;
    if (!page) return -EIO;
    if (!copy_to_user(to + done, page + at, part)) return -EFAULT;
    done += part;
  }
  return (i64)n;
}

i64 fs_read(u32 number, u64 offset, u64 to, u64 n) {
  lock_take(&lock);
  i64 result = read_locked(number, offset, to, n);
  lock_release(&lock);
  return result;
}

static i64 load_locked(u32 number, u8 *to, u64 n) {
  struct inode inode;
  if (!get_inode(number, &inode)) return -EIO;
  if (inode.size > n) return -EFBIG;
  for (u64 done = 0; done < inode.size; done += PAGE_SIZE) {
    u64 part = MIN(inode.size - done, (u64)PAGE_SIZE);
    u32 block = block_of(&inode, done / PAGE_SIZE, false);
    const u8 *page = block ? cache_read(block) : NULL;
    if (block && !page) return -EIO;
    if (page) memcpy(to + done, page, part);
    else memset(to + done, 0, part);
  }
  return (i64)inode.size;
}

/* Reads a whole file into the kernel, if it has no more than n bytes. */
i64 fs_load(u32 number, void *to, u64 n) {
  lock_take(&lock);
  i64 result = load_locked(number, to, n);
  lock_release(&lock);
  return result;
}

static i64 write_locked(u32 number, u64 offset, u64 from, u64 n) {
  struct inode inode;
  i64 result = (i64)n;
  u64 done = 0;
  if (!get_inode(number, &inode)) return -EIO;
  if (offset > MAX_SIZE || n > MAX_SIZE - offset) return -EFBIG;
  while (done < n) {
    u64 at = (offset + done) % PAGE_SIZE;
    u64 part = MIN(n - done, PAGE_SIZE - at);
    u32 block = block_of(&inode, (offset + done) / PAGE_SIZE, true);
    u8 *page = block ? cache_read(block) : NULL;
    if (!page) {
      result = -ENOSPC;
      break;
    }
    bool copied = copy_from_user(page + at, from + done, part);
    if (!cache_write(block)) result = -EIO;
    else if (!copied) result = -EFAULT;
    if (result < 0) break;
    done += part;
    if (offset + done > inode.size) inode.size = offset + done;
  }
  if (!put_inode(number, &inode)) return -EIO;
  return done ? (i64)done : result;
}

i64 fs_write(u32 number, u64 offset, u64 from, u64 n) {
  lock_take(&lock);
  i64 result = write_locked(number, offset, from, n);
  lock_release(&lock);
  return result;
}
