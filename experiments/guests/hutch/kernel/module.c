/*
 * One kernel module at a time: code from a file, in a place of its own in the image that is written and executed. It is called, and replaced, by
 * system calls.
 * Left out: relocation, as modules run at any address; symbols of the kernel; who may load one.
 */
#include "file.h"

#include "disk.h"

#define MODULE_SIZE (2 * PAGE_SIZE)
#define MODULE_MAGIC 0x646f6d6863747568

struct module {
  u64 magic;
  u64 size;
  u64 entry;
};

static u8 place[MODULE_SIZE] __attribute__((section(".bss.module"), aligned(PAGE_SIZE)));
static i64 (*entry)(u64);

i64 sys_module_load(u64 descriptor) {
  struct file *file = descriptor < DESCRIPTORS ? current->files[descriptor] : NULL;
  if (!file || !file->readable || file->kind != FILE_DISK) return -EBADF;
  i64 size = fs_load(file->inode, place, MODULE_SIZE);
  entry = NULL;
  if (size < 0) return size;
  const struct module *module = (const struct module *)place;
  if (size < (i64)sizeof *module || module->magic != MODULE_MAGIC) return -ENOEXEC;
  if (module->size != (u64)size || module->entry >= module->size || module->entry & 1) return -ENOEXEC;
  fence_code();
  entry = (i64(*)(u64))(place + module->entry);
  return 0;
}

i64 sys_module_call(u64 argument) { return entry ? entry(argument) : -ENOEXEC; }
