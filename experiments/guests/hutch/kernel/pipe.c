/* Pipes: a ring in one frame, with readers and writers asleep at its ends. */
#include "file.h"

#define PIPE_SIZE 2048

struct pipe {
  u64 taken, put; /* bytes ever read and written */
  bool readers, writers; /* someone holds that end */
  struct wait_queue not_empty, not_full;
  u8 ring[PIPE_SIZE];
};

_Static_assert(sizeof(struct pipe) <= PAGE_SIZE, "a pipe is one frame");

i64 do_pipe(u64 descriptors_address) {
  struct pipe *pipe = frame_alloc();
  if (!pipe) return -ENOMEM;
  memset(pipe, 0, offsetof(struct pipe, ring));
  pipe->readers = pipe->writers = true;
  struct file *reader = file_alloc(FILE_PIPE, true, false);
  struct file *writer = reader ? file_alloc(FILE_PIPE, false, true) : NULL;
  if (!writer) {
    if (reader) reader->kind = FILE_FREE;
    frame_drop(direct_to_physical(pipe));
    return -EMFILE;
  }
  reader->pipe = writer->pipe = pipe;
  i64 from = descriptor_add(reader);
  i64 to = descriptor_add(writer);
  int pair[2] = {(int)from, (int)to};
  i64 result = from < 0 || to < 0 ? -EMFILE : copy_to_user(descriptors_address, pair, sizeof pair) ? 0 : -EFAULT;
  if (result < 0) {
    if (from >= 0) do_close((u64)from);
    if (to >= 0) do_close((u64)to);
  }
  return result;
}

/* The last holder of one end is gone. */
void pipe_close(struct pipe *pipe, bool writer) {
  if (writer) pipe->writers = false, wake_all(&pipe->not_empty);
  else pipe->readers = false, wake_all(&pipe->not_full);
  if (!pipe->readers && !pipe->writers) frame_drop(direct_to_physical(pipe));
}

/* Returns as soon as there is something to read; 0 when nothing can come any more. */
i64 pipe_read(struct pipe *pipe, u64 to, u64 n) {
  while (n && pipe->taken == pipe->put) {
    if (!pipe->writers) return 0;
    if (sleep_interruptible(&pipe->not_empty)) return -EINTR;
  }
  u64 done = 0;
  while (done < n && pipe->taken < pipe->put) {
    u64 at = pipe->taken % PIPE_SIZE;
    u64 part = MIN(MIN(n - done, pipe->put - pipe->taken), PIPE_SIZE - at);
    if (!copy_to_user(to + done, pipe->ring + at, part)) return -EFAULT;
    pipe->taken += part;
    done += part;
  }
  wake_all(&pipe->not_full);
  return (i64)done;
}

/* Returns when everything is in the pipe, or what is when a signal comes in between. */
i64 pipe_write(struct pipe *pipe, u64 from, u64 n) {
  u64 done = 0;
  while (done < n) {
    if (!pipe->readers) return -EPIPE;
    u64 room = PIPE_SIZE - (pipe->put - pipe->taken);
    if (!room) {
      if (sleep_interruptible(&pipe->not_full)) return done ? (i64)done : -EINTR;
      continue;
    }
    u64 at = pipe->put % PIPE_SIZE;
    u64 part = MIN(MIN(n - done, room), PIPE_SIZE - at);
    if (!copy_from_user(pipe->ring + at, from + done, part)) return -EFAULT;
    pipe->put += part;
    done += part;
    wake_all(&pipe->not_empty);
  }
  return (i64)done;
}
