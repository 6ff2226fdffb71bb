/*
 * exec: replaces a process by one of the programs embedded in the image. Nothing is copied here but the arguments:
 * page faults map the text where it lies in the image and copy the data.
 * Left out: programs on disk. Source: ELF-64 object file format, version 1.5.
 */
#include "process.h"

struct program {
  const char *name;
  const u8 *file;
};
extern const struct program programs[];

struct elf_header {
  u8 ident[16];
  u16 type, machine;
  u32 version;
  u64 entry, program_headers, section_headers;
  u32 flags;
  u16 header_size, program_header_size, program_header_count;
};

struct elf_program_header {
  u32 type, flags;
  u64 offset, virtual, physical, file_size, memory_size, align;
};

#define PT_LOAD 1
#define PF_X 1
#define PF_W 2
#define PF_R 4

#define ARGUMENTS 32

static const u8 *find_program(const char *name) {
  for (const struct program *p = programs; p->name; p++) {
    if (strcmp(p->name, name) == 0) return p->file;
  }
  return NULL;
}

/* Fills areas from the program's segments, the heap behind the last, and the stack. */
static bool plan_areas(struct area *areas, const u8 *file) {
  const struct elf_header *header = (const struct elf_header *)file;
  const struct elf_program_header *segment = (const struct elf_program_header *)(file + header->program_headers);
  u64 end = USER_BASE;
  if (memcmp(header->ident, "\177ELF", 4) != 0) return false;
  for (u32 i = 0; i < header->program_header_count; i++, segment++) {
    if (segment->type != PT_LOAD) continue;
    u64 permissions = (segment->flags & PF_R ? PTE_R : 0) | (segment->flags & PF_W ? PTE_W : 0) |
                      (segment->flags & PF_X ? PTE_X : 0);
    u64 segment_end = segment->virtual + segment->memory_size;
    if (segment->virtual < USER_BASE || segment_end > MMAP_BASE || segment_end < segment->virtual ||
        (segment->virtual - segment->offset) % PAGE_SIZE) {
      return false;
    }
    struct area *area = area_add(areas, PAGE_DOWN(segment->virtual), PAGE_UP(segment_end), permissions);
    if (!area) return false;
    area->file = file + segment->offset;
    area->file_start = segment->virtual;
    area->file_end = segment->virtual + segment->file_size;
    if (area->end > end) end = area->end;
  }
  heap_init(areas, end);
  return area_add(areas, USER_END - STACK_SIZE, USER_END, PTE_R | PTE_W) != NULL;
}

/* Puts the strings and argv on the new stack; returns the address of argv, which is the stack pointer, or 0. */
static u64 push_arguments(const char *strings, u64 length, u64 count) {
  u64 base = USER_END - length;
  u64 vector = (base - 8 * (count + 1)) & ~15UL;
  u64 addresses[ARGUMENTS + 1];
  const char *next = strings;
  for (u64 i = 0; i < count; i++) {
    addresses[i] = base + (u64)(next - strings);
    next += strlen(next) + 1;
  }
  addresses[count] = 0;
  bool pushed = copy_to_user(base, strings, length) && copy_to_user(vector, addresses, 8 * (count + 1));
  return pushed ? vector : 0;
}

/*
 * strings holds count strings with their NULs, at most ARGUMENTS of them, length bytes in all. Returns what the new
 * program finds in a0, its argc, or an error.
 */
i64 exec(const char *name, const char *strings, u64 length, u64 count) {
  const u8 *file = find_program(name);
  if (!file) return -ENOENT;
  struct area areas[AREAS] = {0};
  if (!plan_areas(areas, file)) return -ENOEXEC;
  u64 *root = root_alloc();
  if (!root) return -ENOMEM;

  u64 *old_root = current->root;
  current->root = root;
  current->satp = SATP_SV39 | direct_to_physical(root) >> 12;
  space_enter(current->satp);
  space_free(old_root, current->areas);
  memcpy(current->areas, areas, sizeof areas);
  current->heap_end = areas[0].end;
  fp_drop(current);
  current->fp_used = false;
  memset(current->handler, 0, sizeof current->handler);
  current->in_handler = false;
  for (u64 i = 0; i < NAME_LENGTH - 1 && (current->name[i] = name[i]); i++) continue;

  u64 sp = push_arguments(strings, length, count);
  if (!sp) process_exit(STATUS_SIGNAL + SIGKILL);
  memset(&current->frame, 0, sizeof current->frame);
  current->frame.pc = ((const struct elf_header *)file)->entry;
  current->frame.sp = sp;
  current->frame.a[1] = sp;
  return (i64)count;
}

/* The system call: arguments is a NULL-terminated array of strings, at most a page of text. */
i64 do_exec(u64 name_address, u64 arguments) {
  char name[NAME_LENGTH];
  i64 result = copy_string_from_user(name, name_address, sizeof name);
  if (result < 0) return result;
  char *strings = frame_alloc();
  if (!strings) return -ENOMEM;
  u64 length = 0, count = 0;
  for (;;) {
    u64 address;
    result = copy_from_user(&address, arguments + 8 * count, 8) ? 0 : -EFAULT;
    if (result < 0 || !address) break;
    if (count == ARGUMENTS) result = -E2BIG;
    if (result < 0) break;
    result = copy_string_from_user(strings + length, address, PAGE_SIZE - length);
    if (result < 0) break;
    length += (u64)result + 1;
    count++;
  }
  result = result == -ENAMETOOLONG ? -E2BIG : result < 0 ? result : exec(name, strings, length, count);
  frame_drop(direct_to_physical(strings));
  return result;
}
