/* Open files: the console, pipe ends, files on disk, the raw disk. */
#ifndef FILE_H
#define FILE_H

#include "process.h"

enum file_kind { FILE_FREE, FILE_CONSOLE, FILE_PIPE, FILE_DISK, FILE_RAW_DISK };

struct pipe;

struct file {
  u32 kind;
  u32 holders;
  bool readable, writable;
  struct pipe *pipe;
  u32 inode;
  u64 offset;
};

/* file.c */
struct file *file_alloc(u32 kind, bool readable, bool writable);
struct file *file_hold(struct file *file);
void file_drop(struct file *file);
i64 descriptor_add(struct file *file);
i64 do_read(u64 descriptor, u64 to, u64 n);
i64 do_write(u64 descriptor, u64 from, u64 n);
i64 do_close(u64 descriptor);
i64 do_dup(u64 descriptor);
i64 do_open(u64 name, u64 flags);
i64 do_unlink(u64 name);
i64 do_lseek(u64 descriptor, u64 offset, u64 from);
bool file_is_open(u32 inode);

/* pipe.c */
i64 do_pipe(u64 descriptors);
i64 pipe_read(struct pipe *pipe, u64 to, u64 n);
i64 pipe_write(struct pipe *pipe, u64 from, u64 n);
void pipe_close(struct pipe *pipe, bool writer);

#endif
