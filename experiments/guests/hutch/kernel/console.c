/*
 * The console: a 16550 with polled output and interrupt-driven input, one line at a time with echo.
 * Left out: output interrupts, modem lines, job control.
 */
#include "device.h"
#include "process.h"

#define RBR 0
#define THR 0
#define IER 1
#define FCR 2
#define LCR 3
#define MCR 4
#define LSR 5

#define IER_RECEIVE 0x01
#define FCR_ENABLE_AND_CLEAR 0x07
#define LCR_8N1 0x03
#define MCR_DTR_RTS_OUT2 0x0b
#define LSR_DATA_READY 0x01
#define LSR_THR_EMPTY 0x20

#define LINE 256
#define END_OF_FILE 4

static char line[LINE];
static u32 line_length;
static u32 line_taken;
static bool line_complete;
static struct wait_queue readers;

void console_init(void) {
  mmio_write8(UART_BASE + IER, 0);
  mmio_write8(UART_BASE + LCR, LCR_8N1);
  mmio_write8(UART_BASE + FCR, FCR_ENABLE_AND_CLEAR);
  mmio_write8(UART_BASE + MCR, MCR_DTR_RTS_OUT2);
  mmio_write8(UART_BASE + IER, IER_RECEIVE);
  plic_enable(UART_IRQ);
}

void console_putc(char c) {
  ARCH_CONSOLE_PUT(c);
}

/* Takes bytes from the device while there is room: the bytes of a complete line wait in the FIFO for its reader. */
static void receive(void) {
  while (!line_complete && mmio_read8(UART_BASE + LSR) & LSR_DATA_READY) {
    char c = (char)mmio_read8(UART_BASE + RBR);
    if (c == '\r') c = '\n';
    if (c == '\b' || c == 0x7f) {
      if (line_length) line_length--, console_putc('\b'), console_putc(' '), console_putc('\b');
      continue;
    }
    if (c == END_OF_FILE) {
      line_complete = true;
    } else if (line_length < LINE - 1 || c == '\n') {
      line[line_length++] = c;
      console_putc(c);
      line_complete = c == '\n';
    }
  }
  console_flush();
  if (line_complete) {
    mmio_write8(UART_BASE + IER, 0);
    wake_all(&readers);
  }
}

void console_interrupt(void) { receive(); }

i64 console_read(u64 to, u64 n) {
  while (!line_complete) {
    if (sleep_interruptible(&readers)) return -EINTR;
  }
  u64 count = MIN(n, (u64)(line_length - line_taken));
  if (!copy_to_user(to, line + line_taken, count)) return -EFAULT;
  line_taken += (u32)count;
  if (line_taken == line_length) {
    line_length = line_taken = 0;
    line_complete = false;
    mmio_write8(UART_BASE + IER, IER_RECEIVE);
    receive();
  }
  return (i64)count;
}
