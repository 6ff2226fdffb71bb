/* Descriptors and the table of open files. */
#include "file.h"

#include "disk.h"

#define FILES 64
#define CHUNK 128
#define NAME_LIMIT 40

static struct file files[FILES];

/* A file with one holder, or NULL when the table is full. */
struct file *file_alloc(u32 kind, bool readable, bool writable) {
  for (u32 i = 0; i < FILES; i++) {
    if (files[i].kind != FILE_FREE) continue;
    files[i] = (struct file){.kind = kind, .holders = 1, .readable = readable, .writable = writable};
    return &files[i];
  }
  return NULL;
}

struct file *file_hold(struct file *file) {
  file->holders++;
  return file;
}

void file_drop(struct file *file) {
  if (--file->holders) return;
  if (file->kind == FILE_PIPE) pipe_close(file->pipe, file->writable);
  file->kind = FILE_FREE;
}

/* Takes over the caller's hold on the file, also when it fails. */
i64 descriptor_add(struct file *file) {
  for (u32 i = 0; i < DESCRIPTORS; i++) {
    if (current->files[i]) continue;
    current->files[i] = file;
    return i;
  }
  file_drop(file);
  return -EMFILE;
}

static struct file *file_of(u64 descriptor) { return descriptor < DESCRIPTORS ? current->files[descriptor] : NULL; }

static i64 console_write(u64 from, u64 n) {
  char chunk[CHUNK];
  for (u64 done = 0; done < n;) {
    u64 part = MIN(n - done, (u64)CHUNK);
    if (!copy_from_user(chunk, from + done, part)) return -EFAULT;
    for (u64 i = 0; i < part; i++) console_putc(chunk[i]);
    console_flush();
    done += part;
  }
  return (i64)n;
}

/* Whole blocks only, from the offset, which lies on one. */
static i64 raw_disk_read(struct file *file, u64 to, u64 n) {
  if (n % PAGE_SIZE || file->offset % PAGE_SIZE) return -EINVAL;
  u8 *page = frame_alloc();
  if (!page) return -ENOMEM;
  i64 done = 0, error = 0;
  while (done < (i64)n && file->offset / PAGE_SIZE < disk_blocks()) {
    error = disk_transfer(file->offset / PAGE_SIZE, page, false);
    if (error == 0 && !copy_to_user(to + (u64)done, page, PAGE_SIZE)) error = -EFAULT;
    if (error < 0) break;
    file->offset += PAGE_SIZE;
    done += PAGE_SIZE;
  }
  frame_drop(direct_to_physical(page));
  return done ? done : error;
}

i64 do_read(u64 descriptor, u64 to, u64 n) {
  struct file *file = file_of(descriptor);
  if (!file || !file->readable) return -EBADF;
  switch (file->kind) {
    case FILE_PIPE:
      return pipe_read(file->pipe, to, n);
    case FILE_CONSOLE:
      return console_read(to, n);
    case FILE_RAW_DISK:
      return raw_disk_read(file, to, n);
    default: {
      i64 done = fs_read(file->inode, file->offset, to, n);
      if (done > 0) file->offset += (u64)done;
      return done;
    }
  }
}

i64 do_write(u64 descriptor, u64 from, u64 n) {
  struct file *file = file_of(descriptor);
  if (!file || !file->writable) return -EBADF;
  switch (file->kind) {
    case FILE_PIPE:
      return pipe_write(file->pipe, from, n);
    case FILE_CONSOLE:
      return console_write(from, n);
    default: {
      i64 done = fs_write(file->inode, file->offset, from, n);
      if (done > 0) file->offset += (u64)done;
      return done;
    }
  }
}

/* "/dev/console" and "/dev/disk" (read only) are devices, every other name a file on the disk. */
static i64 open_file(const char *name, u64 flags, bool readable, bool writable) {
  if (strcmp(name, "/dev/console") == 0) {
    struct file *file = file_alloc(FILE_CONSOLE, readable, writable);
    return file ? descriptor_add(file) : -EMFILE;
  }
  if (strcmp(name, "/dev/disk") == 0) {
    if (writable) return -EPERM;
    if (disk_blocks() == 0) return -ENODEV;
    struct file *file = file_alloc(FILE_RAW_DISK, true, false);
    return file ? descriptor_add(file) : -EMFILE;
  }
  struct file *file = file_alloc(FILE_DISK, readable, writable);
  if (!file) return -EMFILE;
  i64 inode = fs_open(*name == '/' ? name + 1 : name, flags & O_CREAT, writable && flags & O_TRUNC);
  if (inode < 0) {
    file->kind = FILE_FREE;
    return inode;
  }
  file->inode = (u32)inode;
  return descriptor_add(file);
}

i64 do_open(u64 name_address, u64 flags) {
  char name[NAME_LIMIT];
  u64 mode = flags & 3;
  i64 length = copy_string_from_user(name, name_address, sizeof name);
  if (length < 0) return length;
  if (mode == 3) return -EINVAL;
  return open_file(name, flags, mode != O_WRONLY, mode != O_RDONLY);
}

i64 do_unlink(u64 name_address) {
  char name[NAME_LIMIT];
  i64 length = copy_string_from_user(name, name_address, sizeof name);
  if (length < 0) return length;
  return fs_unlink(*name == '/' ? name + 1 : name);
}

i64 do_lseek(u64 descriptor, u64 offset, u64 from) {
  struct file *file = file_of(descriptor);
  if (!file) return -EBADF;
  if (file->kind != FILE_DISK && file->kind != FILE_RAW_DISK) return -EINVAL;
  i64 size = file->kind == FILE_DISK ? fs_size(file->inode) : (i64)(disk_blocks() * PAGE_SIZE);
  if (size < 0) return size;
  if (from > SEEK_END) return -EINVAL;
  i64 target = (i64)offset + (from == SEEK_CUR ? (i64)file->offset : from == SEEK_END ? size : 0);
  if (target < 0) return -EINVAL;
  file->offset = (u64)target;
  return target;
}

bool file_is_open(u32 inode) {
  for (u32 i = 0; i < FILES; i++) {
    if (files[i].kind == FILE_DISK && files[i].inode == inode) return true;
  }
  return false;
}

i64 do_close(u64 descriptor) {
  struct file *file = file_of(descriptor);
  if (!file) return -EBADF;
  current->files[descriptor] = NULL;
  file_drop(file);
  return 0;
}

i64 do_dup(u64 descriptor) {
  struct file *file = file_of(descriptor);
  return file ? descriptor_add(file_hold(file)) : -EBADF;
}
