/* The file system's blocks in memory: the least recently used of a few pages gives way. Writes go through at once. */
#include "disk.h"

#define PAGES 8
#define NOTHING (~0UL)

static struct {
  u64 block;
  u64 used;
  u8 *page;
} cache[PAGES];
static u64 uses;

/* The index of a block's page, which may hold something else yet; PAGES without memory. */
static u32 find(u64 block, bool *holds) {
  u32 oldest = 0;
  for (u32 i = 0; i < PAGES; i++) {
    if (cache[i].page && cache[i].block == block) {
      cache[i].used = ++uses;
      *holds = true;
      return i;
    }
    if (cache[i].used < cache[oldest].used) oldest = i;
  }
  *holds = false;
  if (!cache[oldest].page) cache[oldest].page = frame_alloc();
  if (!cache[oldest].page) return PAGES;
  cache[oldest].used = ++uses;
  cache[oldest].block = NOTHING;
  return oldest;
}

/* The content of a block, or NULL when it cannot be read. Valid until the PAGES-th call after this one. */
void *cache_read(u64 block) {
  bool holds;
  u32 i = find(block, &holds);
  if (i == PAGES) return NULL;
  if (!holds) {
    if (disk_transfer(block, cache[i].page, false) < 0) return NULL;
    cache[i].block = block;
  }
  return cache[i].page;
}

/* A page of zeros that stands for the block, which is not read. */
void *cache_zeroed(u64 block) {
  bool holds;
  u32 i = find(block, &holds);
  if (i == PAGES) return NULL;
  memset(cache[i].page, 0, PAGE_SIZE);
  cache[i].block = block;
  return cache[i].page;
}

/* Writes a block that cache_read or cache_zeroed has given out. */
bool cache_write(u64 block) {
  bool holds;
  u32 i = find(block, &holds);
  return i < PAGES && holds && disk_transfer(block, cache[i].page, true) == 0;
}
