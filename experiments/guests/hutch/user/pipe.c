/* pipe N: N messages of 512 bytes, written by the parent and read by a child that checks them. */
#include "libc.h"

#define WORDS 64

static u64 message[WORDS];

static u64 word(u64 number, u64 index) { return number * 0x9e3779b97f4a7c15 + index; }

/* Reads until nothing can come any more; the exit status is 0 if every message came as it was written. */
static int check(int from, u64 n) {
  bool right = true;
  for (u64 i = 0; i < n; i++) {
    u64 length = 0;
    while (length < sizeof message) {
      i64 part = read(from, (char *)message + length, sizeof message - length);
      if (part <= 0) return 1;
      length += (u64)part;
    }
    right = right && message[0] == word(i, 0) && message[WORDS - 1] == word(i, WORDS - 1);
  }
  return right && read(from, message, 1) == 0 ? 0 : 1;
}

int main(int argc, char **argv) {
  u64 n = count_argument(argc, argv);
  int ends[2];
  u32 status = 1;
  must(pipe(ends), "pipe");
  if (must(fork(), "pipe: fork") == 0) {
    close(ends[1]);
    return check(ends[0], n);
  }
  close(ends[0]);
  MARK(MARK_BEGIN, MARK_PIPE);
  for (u64 i = 0; i < n; i++) {
    message[0] = word(i, 0);
    message[WORDS - 1] = word(i, WORDS - 1);
    must(write(ends[1], message, sizeof message), "pipe: write");
    MARK(MARK_LAP, MARK_PIPE);
  }
  close(ends[1]);
  wait(&status);
  MARK(MARK_END, MARK_PIPE);
  print("pipe: %d messages, %s\n", n, status == 0 ? "all read" : "some wrong");
  return status == 0 ? 0 : 1;
}
