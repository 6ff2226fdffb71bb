/* disk-read N: reads N blocks of 4 KiB from the raw disk, from its first block again behind its last. */
#include "libc.h"

#define BLOCK 4096

static u64 buffer[BLOCK / 8];

int main(int argc, char **argv) {
  u64 n = count_argument(argc, argv);
  u64 sum = 0;
  int disk = (int)must(open("/dev/disk", O_RDONLY), "disk-read: no disk");
  MARK(MARK_BEGIN, MARK_DISK);
  for (u64 i = 0; i < n; i++) {
    i64 length = must(read(disk, buffer, BLOCK), "disk-read: read");
    if (length == 0) {
      lseek(disk, 0, SEEK_SET);
      length = must(read(disk, buffer, BLOCK), "disk-read: read");
    }
    MARK(MARK_LAP, MARK_DISK);
    /* One word of every 64 bytes: the measured part is the disk, not the sum. */
    for (u64 w = i % 8; w < BLOCK / 8; w += 8) sum = sum * 31 + buffer[w];
  }
  MARK(MARK_END, MARK_DISK);
  print("disk-read: %d blocks, checksum %x\n", n, sum);
  return 0;
}
