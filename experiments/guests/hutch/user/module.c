/* module N: writes a kernel module to a file, has the kernel load it, and calls it N times; then again with another last instruction. */
#include "libc.h"

__asm__(".data\n"
        ".balign 8\n"
        "blob: .incbin \"module.bin\"\n"
        "blob_end:\n"
        ".text\n");
extern const u8 blob[], blob_end[];
#define SIZE ((u64)(blob_end - blob))
#define WORD 0x100022f3UL

static u8 image[8192];

/* Writes the module with its last addition, loads it, and gives its name back. */
static void load(u16 last) {
  u64 at = ((const u64 *)blob)[3];
  memcpy(image, blob, SIZE);
  memcpy(image + at, &last, sizeof last);
  int file = (int)must(open("module", O_RDWR | O_CREAT | O_TRUNC), "module: no disk");
  must(write(file, image, SIZE), "module: write");
  must(system_call(SYS_MODULE_LOAD, (u64)file, 0, 0), "module: load");
  must(close(file), "module: close");
}

/* x is even: some machines keep the lowest bit of sepc. */
static u64 expected(u64 x, u64 last) { return 3 * x + WORD + last; }

int main(int argc, char **argv) {
  u64 n = count_argument(argc, argv);
  u64 right = 0, replaced = 0;
  load(0x0505); /* c.addi a0, 1 */
  MARK(MARK_BEGIN, MARK_MODULE);
  for (u64 i = 0; i < n; i++) {
    right += (u64)system_call(SYS_MODULE_CALL, 2 * i, 0, 0) == expected(2 * i, 1);
    MARK(MARK_LAP, MARK_MODULE);
  }
  MARK(MARK_END, MARK_MODULE);
  load(0x0509); /* c.addi a0, 2 */
  for (u64 i = 0; i < n; i++) replaced += (u64)system_call(SYS_MODULE_CALL, 2 * i, 0, 0) == expected(2 * i, 2);
  unlink("module");
  print("module: %d calls, %d right, %d after it was replaced\n", n, right, replaced);
  return right == n && replaced == n ? 0 : 1;
}
