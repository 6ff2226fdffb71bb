/* What the kernel and the user programs agree on: system calls, signals, flags, errors. */
#ifndef ABI_H
#define ABI_H

/* ecall with the number in a7, arguments in a0..a2; the result or a negated error returns in a0. */
#define SYS_GETPID 0
#define SYS_EXIT 1
#define SYS_FORK 2
#define SYS_EXEC 3
#define SYS_WAIT 4
#define SYS_READ 5
#define SYS_WRITE 6
#define SYS_OPEN 7
#define SYS_CLOSE 8
#define SYS_DUP 9
#define SYS_PIPE 10
#define SYS_LSEEK 11
#define SYS_UNLINK 12
#define SYS_BRK 13
#define SYS_MMAP 14
#define SYS_MUNMAP 15
#define SYS_SLEEP 16
#define SYS_YIELD 17
#define SYS_KILL 18
#define SYS_SIGNAL 19
#define SYS_SIGRETURN 20
#define SYS_TICKS 21
#define SYS_IRQ_TOGGLE 22
#define SYS_MODULE_LOAD 23
#define SYS_MODULE_CALL 24
#define SYSTEM_CALLS 25

#define EPERM 1
#define ENOENT 2
#define ESRCH 3
#define EINTR 4
#define EIO 5
#define E2BIG 7
#define ENOEXEC 8
#define EBADF 9
#define ECHILD 10
#define EAGAIN 11
#define ENOMEM 12
#define EFAULT 14
#define EBUSY 16
#define ENODEV 19
#define EINVAL 22
#define EMFILE 24
#define EFBIG 27
#define ENOSPC 28
#define EPIPE 32
#define ENAMETOOLONG 36
#define ENOSYS 38

#define SIGINT 2
#define SIGILL 4
#define SIGTRAP 5
#define SIGBUS 7
#define SIGKILL 9
#define SIGUSR1 10
#define SIGSEGV 11
#define SIGUSR2 12
#define SIGTERM 15
#define SIGNALS 32
#define SIG_DFL 0
#define SIG_IGN 1

#define O_RDONLY 0
#define O_WRONLY 1
#define O_RDWR 2
#define O_CREAT 0x100
#define O_TRUNC 0x200

#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2

/* An exit status is 0..255, or STATUS_SIGNAL + the signal that ended the process. */
#define STATUS_SIGNAL 256

#endif
