/*
 * selftest: every system call, the faults that end a process, floating point across switches, and, where there is a
 * disk, the file system. Prints a line for each group, and exits with status 1 at the first thing that is wrong.
 */
#include "libc.h"

#define PAGE 4096
#define CHECK(condition)                                                          \
  do {                                                                            \
    if (!(condition)) {                                                           \
      print("FAIL line %d: %s\n", (i64)__LINE__, #condition);                     \
      exit(1);                                                                    \
    }                                                                             \
  } while (0)

/* Runs the function in a child and returns the child's status. */
static u32 in_child(void (*body)(void)) {
  u32 status = 0;
  flush();
  i64 child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    body();
    exit(0);
  }
  CHECK(wait(&status) == child);
  return status;
}

static volatile u64 shared_word = 1;

static void exit_7(void) { exit(7); }

static void change_word(void) {
  shared_word = 2;
  exit(shared_word == 2 ? 0 : 1);
}

static void test_processes(void) {
  u32 status = 1;
  CHECK(getpid() > 0);
  CHECK(in_child(exit_7) == 7);
  CHECK(in_child(change_word) == 0);
  CHECK(shared_word == 1);
  /* A store of the parent right after fork does not reach the child. */
  i64 child = fork();
  if (child == 0) exit(shared_word == 1 ? 0 : 1);
  shared_word = 3;
  CHECK(child > 0 && wait(&status) == child && status == 0);
  shared_word = 1;
  CHECK(wait(&status) == -ECHILD);
  CHECK(system_call(999, 0, 0, 0) == -ENOSYS);
  CHECK(system_call(SYSTEM_CALLS, 0, 0, 0) == -ENOSYS);
  CHECK(yield() == 0);
  i64 before = ticks();
  CHECK(sleep(2) == 0);
  CHECK(ticks() >= before + 2);
  CHECK(irq_toggle(10) == 0);
  print("PASS processes\n");
}

static void orphan_maker(void) {
  if (fork() == 0) {
    sleep(1);
    exit(0);
  }
}

static void exec_without_arguments(void) {
  char *none[] = {NULL};
  exec("true", none);
}

static void exec_with_too_many(void) {
  char *many[40];
  for (u32 i = 0; i < 39; i++) many[i] = "x";
  many[39] = NULL;
  CHECK(exec("true", many) == -E2BIG);
  many[32] = NULL;
  exec("true", many);
}

static void test_exec(void) {
  char *arguments[] = {"echo", "one", "two", NULL};
  char text[16];
  int ends[2];
  u32 status = 1;
  CHECK(exec("nothing", arguments) == -ENOENT);
  CHECK(exec((const char *)8, arguments) == -EFAULT);
  CHECK(exec("echo", (char **)8) == -EFAULT);
  CHECK(pipe(ends) == 0);
  flush();
  i64 child = fork();
  if (child == 0) {
    close(1);
    CHECK(dup(ends[1]) == 1);
    close(ends[0]);
    close(ends[1]);
    exec("echo", arguments);
    exit(1);
  }
  close(ends[1]);
  u64 length = 0;
  for (i64 n; (n = read(ends[0], text + length, sizeof text - length)) > 0;) length += (u64)n;
  CHECK(length == 8);
  text[length] = 0;
  CHECK(strcmp(text, "one two\n") == 0);
  CHECK(wait(&status) == child && status == 0);
  CHECK(close(ends[0]) == 0);
  CHECK(in_child(exec_without_arguments) == 0);
  CHECK(in_child(exec_with_too_many) == 0);
  CHECK(in_child(orphan_maker) == 0);
  print("PASS exec\n");
}

static void test_pipes(void) {
  static u8 data[5000];
  int ends[2];
  u8 byte = 9;
  CHECK(pipe((int *)8) == -EFAULT);
  CHECK(pipe(ends) == 0);
  CHECK(ends[0] == 3 && ends[1] == 4);
  CHECK(read(ends[1], &byte, 1) == -EBADF);
  CHECK(write(ends[0], &byte, 1) == -EBADF);
  CHECK(read(15, &byte, 1) == -EBADF && read(99, &byte, 1) == -EBADF);
  CHECK(write(ends[1], (void *)8, 1) == -EFAULT);
  CHECK(write(ends[1], (void *)0xffffffff80200000, 8) == -EFAULT);
  CHECK(write(ends[1], &byte, 1) == 1);
  CHECK(read(ends[0], (void *)8, 1) == -EFAULT);
  byte = 0;
  CHECK(read(ends[0], &byte, 10) == 1 && byte == 9);
  CHECK(lseek(ends[0], 0, SEEK_SET) == -EINVAL);
  flush();
  i64 child = fork();
  if (child == 0) {
    for (u32 i = 0; i < sizeof data; i++) data[i] = (u8)(i * 7);
    CHECK(write(ends[1], data, sizeof data) == sizeof data);
    exit(0);
  }
  close(ends[1]);
  u64 length = 0;
  for (i64 n; (n = read(ends[0], data + length, 333)) > 0;) length += (u64)n;
  CHECK(length == sizeof data);
  for (u32 i = 0; i < sizeof data; i++) CHECK(data[i] == (u8)(i * 7));
  CHECK(wait(NULL) == child);
  CHECK(close(ends[0]) == 0 && close(ends[0]) == -EBADF);
  CHECK(pipe(ends) == 0);
  close(ends[0]);
  CHECK(write(ends[1], &byte, 1) == -EPIPE);
  close(ends[1]);
  int last = -1;
  for (i64 d; (d = dup(1)) >= 0;) last = (int)d;
  CHECK(last == 15 && dup(1) == -EMFILE && pipe(ends) == -EMFILE);
  while (last > 2) close(last--);
  print("PASS pipes\n");
}

static u64 heap_start;

static void touch_above_heap(void) { *(volatile u64 *)heap_start = 1; }

static void touch_unmapped(void) {
  volatile u64 *page = (volatile u64 *)mmap(PAGE);
  *page = 1;
  if (munmap((u64)page, PAGE) == 0) *page = 2;
}

static void test_memory(void) {
  heap_start = (u64)brk(0);
  CHECK(brk(heap_start + 3 * PAGE) == (i64)(heap_start + 3 * PAGE));
  volatile u64 *heap = (volatile u64 *)heap_start;
  CHECK(heap[0] == 0 && heap[2 * PAGE / 8] == 0);
  heap[0] = 1, heap[2 * PAGE / 8] = 2;
  CHECK(brk(heap_start + 10) == (i64)(heap_start + 10));
  CHECK(heap[0] == 1);
  CHECK(brk(heap_start + 3 * PAGE) > 0);
  CHECK(heap[0] == 1 && heap[2 * PAGE / 8] == 0);
  CHECK(brk(0x7fffffff0000) == (i64)(heap_start + 3 * PAGE));
  CHECK(brk(heap_start) == (i64)heap_start);
  CHECK(in_child(touch_above_heap) == STATUS_SIGNAL + SIGSEGV);
  CHECK(in_child(touch_unmapped) == STATUS_SIGNAL + SIGSEGV);

  u64 one = (u64)mmap(4 * PAGE), two = (u64)mmap(1);
  CHECK((i64)one > 0 && (i64)two > 0 && two >= one + 4 * PAGE);
  CHECK(mmap(0) == -EINVAL && munmap(one + 1, PAGE) == -EINVAL && munmap(0x10000, PAGE) == -EINVAL);
  volatile u8 *bytes = (volatile u8 *)one;
  for (u32 i = 0; i < 4; i++) {
    CHECK(bytes[i * PAGE] == 0);
    bytes[i * PAGE] = (u8)(i + 1);
  }
  CHECK(munmap(one + PAGE, PAGE) == 0);
  CHECK(bytes[0] == 1 && bytes[2 * PAGE] == 3 && bytes[3 * PAGE] == 4);
  CHECK(mmap(PAGE) == (i64)(one + PAGE));
  CHECK(bytes[PAGE] == 0);
  CHECK(munmap(one, PAGE) == 0 && munmap(one + PAGE, PAGE) == 0);
  CHECK(munmap(one + 2 * PAGE, 2 * PAGE) == 0 && munmap(two, PAGE) == 0);
  CHECK(munmap(two, PAGE) == -EINVAL);
  CHECK(mmap(PAGE) == (i64)one && munmap(one, PAGE) == 0);

  /* The kernel writes to a page that fork shares: the child's copy changes, the parent's does not. */
  static volatile u32 cell[2] = {5, 6};
  int ends[2];
  CHECK(pipe(ends) == 0);
  flush();
  i64 child = fork();
  if (child == 0) {
    u32 value = 77;
    CHECK(write(ends[1], &value, 4) == 4 && read(ends[0], (void *)&cell[0], 4) == 4);
    exit(cell[0] == 77 && cell[1] == 6 ? 0 : 1);
  }
  u32 status = 1;
  CHECK(wait(&status) == child && status == 0 && cell[0] == 5 && cell[1] == 6);
  close(ends[0]), close(ends[1]);
  print("PASS memory\n");
}

static void load_null(void) { (void)*(volatile u64 *)0; }
static void load_kernel(void) { (void)*(volatile u64 *)0xffffffff80200000; }
static void store_text(void) { *(volatile u32 *)(u64)store_text = 0; }
static void run_data(void) { ((void (*)(void))(u64)&shared_word)(); }
static void illegal(void) { __asm__ volatile(".4byte 0"); }
static void supervisor(void) { __asm__ volatile("csrr t0, sstatus" ::: "t0"); }
static void breakpoint(void) { __asm__ volatile("ebreak"); }
static void overflow(void) { __asm__ volatile("li t0, 0x20000; sub sp, sp, t0; sd zero, 0(sp)" ::: "t0", "memory"); }
static void loop_forever(void) {
  for (;;) __asm__ volatile("");
}
static void wait_forever(void) { sleep(1000000); }

static u32 killed(void (*body)(void), int number) {
  u32 status = 0;
  flush();
  i64 child = fork();
  if (child == 0) {
    body();
    exit(0);
  }
  sleep(3); /* two whole ticks, in which the child comes to its loop or sleep */
  CHECK(kill(child, number) == 0);
  CHECK(wait(&status) == child);
  return status;
}

static void test_faults(void) {
  CHECK(in_child(load_null) == STATUS_SIGNAL + SIGSEGV);
  CHECK(in_child(load_kernel) == STATUS_SIGNAL + SIGSEGV);
  CHECK(in_child(store_text) == STATUS_SIGNAL + SIGSEGV);
  CHECK(in_child(run_data) == STATUS_SIGNAL + SIGSEGV);
  CHECK(in_child(overflow) == STATUS_SIGNAL + SIGSEGV);
  CHECK(in_child(illegal) == STATUS_SIGNAL + SIGILL);
  CHECK(in_child(supervisor) == STATUS_SIGNAL + SIGILL);
  CHECK(in_child(breakpoint) == STATUS_SIGNAL + SIGTRAP);
  print("PASS faults\n");
}

static volatile int handled;
static volatile double handler_double;

static void handler(int number) {
  handled = number;
  handler_double = handler_double * 3.0 + 1.0;
  /* A fork stores the handler's floating-point registers where the interrupted code's were. */
  if (fork() == 0) system_call(SYS_EXIT, 0, 0, 0); /* without a flush of the parent's output */
  wait(NULL);
}

static void skip_instruction(int number) {
  handled = number;
  exit(33);
}

static void fault_with_handler(void) {
  CHECK(signal(SIGSEGV, skip_instruction) == 0);
  load_null();
}

static void ignore_term(void) {
  signal(SIGTERM, (void (*)(int))SIG_IGN);
  CHECK(kill(getpid(), SIGTERM) == 0);
  exit(5);
}

static void interrupted_sleep(void) {
  signal(SIGUSR2, handler);
  CHECK(sleep(1000000) == -EINTR);
  CHECK(handled == SIGUSR2);
  exit(6);
}

static void interrupted_read(void) {
  int ends[2];
  u8 byte;
  signal(SIGUSR2, handler);
  CHECK(pipe(ends) == 0);
  CHECK(read(ends[0], &byte, 1) == -EINTR);
  exit(8);
}

static void test_signals(void) {
  CHECK(signal(SIGUSR1, handler) == 0);
  CHECK(signal(SIGKILL, handler) == -EINVAL && signal(0, handler) == -EINVAL && signal(32, handler) == -EINVAL);
  CHECK(kill(9999, SIGTERM) == -ESRCH && kill(getpid(), 0) == -EINVAL);
  CHECK(system_call(SYS_SIGRETURN, 0, 0, 0) == -EINVAL);
  handler_double = 1.0;
  double before = 0.1;
  __asm__ volatile("" : "+f"(before));
  CHECK(kill(getpid(), SIGUSR1) == 0);
  __asm__ volatile("" : "+f"(before));
  CHECK(handled == SIGUSR1 && handler_double == 4.0 && before == 0.1);
  CHECK(signal(SIGUSR1, (void (*)(int))SIG_DFL) == (i64)handler);
  CHECK(in_child(fault_with_handler) == 33);
  CHECK(in_child(ignore_term) == 5);
  CHECK(killed(loop_forever, SIGTERM) == STATUS_SIGNAL + SIGTERM);
  CHECK(killed(wait_forever, SIGKILL) == STATUS_SIGNAL + SIGKILL);
  CHECK(killed(interrupted_sleep, SIGUSR2) == 6);
  CHECK(killed(interrupted_read, SIGUSR2) == 8);
  print("PASS signals\n");
}

/* Three chaotic sequences, each in a register that lives across the yields: any bit lost shows in the sum. */
static u64 float_sum(double seed) {
  register double a __asm__("fs0") = seed, b __asm__("fs1") = seed / 2, c __asm__("ft8") = seed / 3;
  for (u32 i = 0; i < 200; i++) {
    a = 3.7 * a * (1.0 - a), b = 3.8 * b * (1.0 - b), c = 3.9 * c * (1.0 - c);
    __asm__ volatile("" : "+f"(a), "+f"(b), "+f"(c));
    yield();
    __asm__ volatile("" : "+f"(a), "+f"(b), "+f"(c));
  }
  union {
    double value;
    u64 bits;
  } sum = {.value = a + b + c};
  return sum.bits;
}

static void test_floating_point(void) {
  u64 alone = float_sum(0.3), rounding;
  u32 status = 1;
  __asm__ volatile("fsrmi 2");
  flush();
  i64 child = fork();
  if (child == 0) {
    __asm__ volatile("frrm %0" : "=r"(rounding));
    if (rounding != 2) exit(2);
    __asm__ volatile("fsrmi 0");
    exit(float_sum(0.3) == alone ? 0 : 1);
  }
  __asm__ volatile("fsrmi 0");
  CHECK(float_sum(0.3) == alone);
  CHECK(float_sum(0.4) != alone);
  CHECK(wait(&status) == child && status == 0);
  print("PASS floating point\n");
}

#define FILE_WORDS 8192

static u64 words[FILE_WORDS];

static void test_disk(void) {
  u64 block[PAGE / 8];
  i64 file = open("selftest.a", O_RDWR | O_CREAT | O_TRUNC);
  if (file == -ENODEV) {
    CHECK(open("/dev/disk", O_RDONLY) == -ENODEV && unlink("x") == -ENODEV);
    print("PASS no disk\n");
    return;
  }
  CHECK(file >= 0);
  int f = (int)file;
  CHECK(open("selftest.none", O_RDONLY) == -ENOENT && open("/dev/disk", O_RDWR) == -EPERM);
  CHECK(open("a-name-that-is-too-long-for-it", O_RDWR | O_CREAT) == -ENAMETOOLONG);
  for (u64 i = 0; i < FILE_WORDS; i++) words[i] = i * 0x9e3779b97f4a7c15;
  CHECK(write(f, words, sizeof words) == sizeof words); /* 16 blocks: six of them by the indirect block */
  CHECK(lseek(f, 0, SEEK_CUR) == sizeof words && lseek(f, 0, SEEK_END) == sizeof words);
  CHECK(read(f, words, 8) == 0);
  CHECK(lseek(f, 0, SEEK_SET) == 0 && lseek(f, -1, SEEK_SET) == -EINVAL);
  memset(words, 0, sizeof words);
  CHECK(read(f, words, sizeof words) == sizeof words);
  for (u64 i = 0; i < FILE_WORDS; i++) CHECK(words[i] == i * 0x9e3779b97f4a7c15);
  CHECK(lseek(f, 8 * 1000 + 3, SEEK_SET) == 8 * 1000 + 3);
  CHECK(write(f, "across", 6) == 6);
  CHECK(lseek(f, 8 * 1000, SEEK_SET) == 8 * 1000 && read(f, words, 16) == 16);
  CHECK(((char *)words)[3] == 'a' && ((char *)words)[8] == 's');
  CHECK(unlink("selftest.a") == -EBUSY);
  CHECK(close(f) == 0);

  f = (int)must(open("/selftest.a", O_RDONLY), "selftest: open");
  CHECK(write(f, words, 8) == -EBADF);
  CHECK(lseek(f, 0, SEEK_END) == sizeof words);
  close(f);
  f = (int)must(open("selftest.b", O_WRONLY | O_CREAT), "selftest: open");
  CHECK(lseek(f, 5 * PAGE, SEEK_SET) == 5 * PAGE && write(f, "end", 3) == 3); /* four holes before it */
  CHECK(lseek(f, 0x10000000, SEEK_SET) == 0x10000000 && write(f, "x", 1) == -EFBIG);
  close(f);
  f = (int)must(open("selftest.b", O_RDONLY), "selftest: open");
  CHECK(read(f, block, PAGE) == PAGE && block[0] == 0 && lseek(f, 5 * PAGE, SEEK_SET) == 5 * PAGE);
  CHECK(read(f, block, PAGE) == 3 && ((char *)block)[2] == 'd');
  close(f);
  CHECK(unlink("selftest.a") == 0 && unlink("selftest.b") == 0 && unlink("selftest.b") == -ENOENT);

  /* What was freed can be taken again: more than a disk of 1 MiB holds, in turns. */
  for (u32 turn = 0; turn < 5; turn++) {
    f = (int)must(open("selftest.c", O_RDWR | O_CREAT | O_TRUNC), "selftest: open");
    for (u32 i = 0; i < 4; i++) CHECK(write(f, words, sizeof words) == sizeof words);
    close(f);
  }
  CHECK(unlink("selftest.c") == 0);
  f = (int)must(open("/dev/disk", O_RDONLY), "selftest: open");
  CHECK(read(f, block, 8) == -EINVAL && read(f, block, PAGE) == PAGE && block[0] == 0x3173666863747568);
  CHECK(lseek(f, 0, SEEK_END) >= 4 * PAGE && read(f, block, PAGE) == 0);
  close(f);
  print("PASS disk\n");
}

static void test_output(void) {
  int console = (int)must(open("/dev/console", O_WRONLY), "selftest: console");
  flush();
  CHECK(write(console, "PASS console\n", 13) == 13);
  CHECK(read(console, words, 1) == -EBADF);
  close(console);
}

int main(void) {
  test_processes();
  test_exec();
  test_pipes();
  test_memory();
  test_faults();
  test_signals();
  test_floating_point();
  test_disk();
  test_output();
  print("selftest: all passed\n");
  return 0;
}
