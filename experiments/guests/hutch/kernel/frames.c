/*
 * The frame allocator: 4 KiB frames behind the image, with a count of holders each (copy-on-write shares frames).
 * Frames never handed out yet are taken in order; returned ones from a list threaded through them.
 */
#include "kernel.h"

extern char image_end[];

static u64 first_frame, next_new;
static u16 *holders;
static u64 *returned;

void frames_init(void) {
  u64 start = image_to_physical(image_end);
  u64 count = (boot_info.ram_end - start) / PAGE_SIZE;
  holders = direct(start);
  first_frame = start + PAGE_UP(count * sizeof(u16));
  next_new = first_frame;
  if (first_frame >= boot_info.ram_end) panic("RAM ends at %lx", boot_info.ram_end);
}

static u16 *count_of(u64 physical) { return &holders[(physical - first_frame) / PAGE_SIZE]; }

void *frame_alloc(void) {
  u64 *frame = returned;
  if (frame) {
    returned = (u64 *)*frame;
  } else {
    if (next_new >= boot_info.ram_end) return NULL;
    frame = direct(next_new);
    next_new += PAGE_SIZE;
  }
  *count_of(direct_to_physical(frame)) = 1;
  return frame;
}

void *frame_alloc_zeroed(void) {
  void *frame = frame_alloc();
  if (frame) memset(frame, 0, PAGE_SIZE);
  return frame;
}

/* Frames of the image (program text that processes share) have no count and are never returned. */
static bool counted(u64 physical) { return physical >= first_frame; }

void frame_hold(u64 physical) {
  if (counted(physical)) (*count_of(physical))++;
}

void frame_drop(u64 physical) {
  if (!counted(physical) || --*count_of(physical) > 0) return;
  u64 *frame = direct(physical);
  *frame = (u64)returned;
  returned = frame;
}

bool frame_shared(u64 physical) { return !counted(physical) || *count_of(physical) > 1; }
