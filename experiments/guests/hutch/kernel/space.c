/*
 * User address spaces: three-level tables filled by page faults, copy-on-write after fork.
 * A leaf is fenced after it becomes valid too, since hardware may cache that it was not (privileged manual,
 * "SFENCE.VMA"). Every leaf is made with A, and with D where it can be written, as no hardware sets them here (Svade).
 * Left out: paging to disk, shared writable mappings.
 */
#include "process.h"

#define ENTRIES 512
#define HEAP 0  /* index of the heap's area */
#define FIRST 1 /* of the areas that area_add gives out */

static u64 table_entry(const u64 *table) { return direct_to_physical(table) >> 12 << 10 | PTE_V; }
static u64 physical_of(u64 entry) { return entry >> 10 << 12; }
static u64 *table_of(u64 entry) { return direct(physical_of(entry)); }

static u64 user_leaf(u64 physical, u64 permissions) {
  return physical >> 12 << 10 | permissions | PTE_V | PTE_U | PTE_A | (permissions & PTE_W ? PTE_D : 0);
}

u64 *root_alloc(void) {
  static const u64 shared[] = {DIRECT_OFFSET, DIRECT_OFFSET + RAM_BASE, IMAGE_OFFSET + IMAGE_BASE};
  u64 *root = frame_alloc_zeroed();
  if (!root) return NULL;
  for (u64 i = 0; i < ARRAY_LENGTH(shared); i++) {
    u64 index = shared[i] >> 30 & (ENTRIES - 1);
    root[index] = kernel_root[index];
  }
  table_made(root);
  return root;
}

/* The leaf entry of an address, or NULL where there is no table (and, if asked to make one, no memory). */
static u64 *leaf_entry(u64 *root, u64 address, bool make) {
  u64 *table = root;
  for (int shift = 30; shift > 12; shift -= 9) {
    u64 *entry = &table[address >> shift & (ENTRIES - 1)];
    if (!(*entry & PTE_V)) {
      u64 *lower = make ? frame_alloc_zeroed() : NULL;
      if (!lower) return NULL;
      table_made(lower);
      table_write(entry, table_entry(lower));
    }
    table = table_of(*entry);
  }
  return &table[address >> 12 & (ENTRIES - 1)];
}

/* Clears the leaves of a range and drops their frames. The caller fences before user memory is used again. */
static void unmap(u64 *root, u64 start, u64 end) {
  for (u64 page = start; page < end; page += PAGE_SIZE) {
    u64 *entry = leaf_entry(root, page, false);
    if (!entry || !(*entry & PTE_V)) continue;
    frame_drop(physical_of(*entry));
    table_write_later(entry, 0);
  }
}

/* Frees the pages that areas cover, then the tables. The root must no longer be in satp. */
void space_free(u64 *root, const struct area *areas) {
  for (u32 i = 0; i < AREAS; i++) unmap(root, areas[i].start, areas[i].end);
  if (root[0] & PTE_V) {
    u64 *middle = table_of(root[0]);
    for (u32 i = 0; i < ENTRIES; i++) {
      if (middle[i] & PTE_V) {
        table_gone(table_of(middle[i]));
        frame_drop(physical_of(middle[i]));
      }
    }
    table_gone(middle);
    frame_drop(direct_to_physical(middle));
  }
  table_gone(root);
  frame_drop(direct_to_physical(root));
  space_gone(SATP_SV39 | direct_to_physical(root) >> 12);
}

/* Gives the child of a fork the parent's areas and pages; pages that can be written become copy-on-write in both. */
bool space_copy(struct process *child) {
  memcpy(child->areas, current->areas, sizeof(struct area) * AREAS);
  bool complete = true;
  for (u32 i = 0; i < AREAS && complete; i++) {
    for (u64 page = current->areas[i].start; page < current->areas[i].end; page += PAGE_SIZE) {
      u64 *from = leaf_entry(current->root, page, false);
      if (!from || !(*from & PTE_V)) continue;
      u64 *to = leaf_entry(child->root, page, true);
      if (!to) {
        complete = false;
        break;
      }
      u64 value = *from;
      if (value & PTE_W) {
        value = (value & ~(u64)PTE_W) | PTE_COW;
        table_write_later(from, value);
      }
      table_write_later(to, value);
      frame_hold(physical_of(value));
    }
  }
  space_changed(current->satp);
  return complete;
}

static struct area *area_at(u64 address) {
  for (u32 i = 0; i < AREAS; i++) {
    struct area *area = &current->areas[i];
    if (address >= area->start && address < area->end) return area;
  }
  return NULL;
}

/* The entry for a page of an area that has none yet, or 0 without memory. */
static u64 new_page(const struct area *area, u64 page) {
  const u8 *file = area->file;
  if (file && !(area->permissions & PTE_W)) {
    return user_leaf(image_to_physical(file + (page - area->file_start)), area->permissions);
  }
  void *frame = frame_alloc_zeroed();
  if (!frame) return 0;
  if (file && page < area->file_end) {
    u64 from = page > area->file_start ? page : area->file_start;
    u64 to = MIN(page + PAGE_SIZE, area->file_end);
    if (to > from) memcpy((u8 *)frame + (from - page), file + (from - area->file_start), to - from);
  }
  return user_leaf(direct_to_physical(frame), area->permissions);
}

static bool break_sharing(u64 *entry) {
  u64 shared = physical_of(*entry);
  u64 bits = (*entry & 0x3ff & ~(u64)PTE_COW) | PTE_W | PTE_D;
  u64 own = shared;
  if (frame_shared(shared)) {
    void *frame = frame_alloc();
    if (!frame) return false;
    memcpy(frame, direct(shared), PAGE_SIZE);
    own = direct_to_physical(frame);
    frame_drop(shared);
  }
  table_write(entry, own >> 12 << 10 | bits);
  return true;
}

/* Serves a page fault of the current process: true if the access can be tried again. */
bool space_fault(u64 address, u64 needed) {
  struct area *area = area_at(address);
  if (!area || !(area->permissions & needed)) return false;
  u64 page = PAGE_DOWN(address);
  u64 *entry = leaf_entry(current->root, page, true);
  if (!entry) return false;
  bool known = *entry & PTE_V;
  if (!known) {
    u64 made = new_page(area, page);
    if (!made) return false;
    table_write(entry, made);
  } else if (needed == PTE_W && *entry & PTE_COW) {
    if (!break_sharing(entry)) return false;
  }
  space_leaf_changed(page, known);
  return true;
}

struct area *area_add(struct area *areas, u64 start, u64 end, u64 permissions) {
  for (u32 i = FIRST; i < AREAS; i++) {
    if (areas[i].end) continue;
    areas[i] = (struct area){.start = start, .end = end, .permissions = permissions};
    return &areas[i];
  }
  return NULL;
}

void heap_init(struct area *areas, u64 start) {
  areas[HEAP] = (struct area){.start = start, .end = start, .permissions = PTE_R | PTE_W};
}

/* Sets the end of the heap, or leaves it where that cannot be; returns where it is. */
i64 do_brk(u64 end) {
  struct area *heap = &current->areas[HEAP];
  if (end >= heap->start && end <= MMAP_BASE) {
    u64 old = heap->end;
    heap->end = PAGE_UP(end);
    current->heap_end = end;
    if (heap->end < old) {
      unmap(current->root, heap->end, old);
      space_changed(current->satp);
    }
  }
  return (i64)current->heap_end;
}

i64 do_mmap(u64 length) {
  if (length == 0 || length > MMAP_END - MMAP_BASE) return -EINVAL;
  u64 size = PAGE_UP(length);
  u64 start = MMAP_BASE;
  for (u32 i = 0; i < AREAS; i++) {
    const struct area *area = &current->areas[i];
    if (area->start < start + size && start < area->end) {
      start = area->end;
      i = (u32)-1; /* the range moved up: look at every area again */
    }
  }
  if (start + size > MMAP_END) return -ENOMEM;
  return area_add(current->areas, start, start + size, PTE_R | PTE_W) ? (i64)start : -ENOMEM;
}

/* Takes a range out of the one mmap area that holds it: all of it, or one of its ends, or its middle. */
i64 do_munmap(u64 start, u64 length) {
  u64 end = start + PAGE_UP(length);
  if (start % PAGE_SIZE || length == 0 || start < MMAP_BASE || end > MMAP_END || end <= start) return -EINVAL;
  struct area *area = area_at(start);
  if (!area || end > area->end) return -EINVAL;
  u64 area_start = area->start, area_end = area->end;
  if (start > area_start && end < area_end) {
    if (!area_add(current->areas, end, area_end, area->permissions)) return -ENOMEM;
    area->end = start;
  } else if (start > area_start) {
    area->end = start;
  } else if (end < area_end) {
    area->start = end;
  } else {
    *area = (struct area){0};
  }
  unmap(current->root, start, end);
  space_changed(current->satp);
  return 0;
}
