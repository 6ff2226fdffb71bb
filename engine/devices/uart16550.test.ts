/** Sections and tables are those of the PC16550D data sheet (1995). */
import { describe, expect, test } from "vitest";
import { BusError } from "../machine/device.ts";
import { Uart16550 } from "./uart16550.ts";

const [RBR, THR, DLL, IER, DLM, IIR, FCR, LCR, MCR, LSR, MSR, SCR] = [0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 7] as const;

function bench() {
  const line = {
    asserted: false,
    set(level: boolean) {
      this.asserted = level;
    },
  };
  const sent: number[] = [];
  const uart = new Uart16550({ line, onTransmit: (byte) => sent.push(byte) });
  const get = (offset: number): number => Number(uart.read(offset, 1));
  const put = (offset: number, value: number): void => uart.write(offset, 1, BigInt(value));
  const receive = (text: string): void => uart.receive(new TextEncoder().encode(text));
  return { uart, line, get, put, receive, sent: () => String.fromCharCode(...sent) };
}

describe("as drivers meet it", () => {
  test("U-Boot's ns16550 sets the divisor behind DLAB, then prints once THRE holds", () => {
    const { get, put, sent } = bench();
    put(IER, 0);
    put(MCR, 0b11);
    put(FCR, 0b111);
    put(LCR, 0x83);
    put(DLL, 2);
    put(DLM, 1);
    expect([get(DLL), get(DLM)]).toEqual([2, 1]);
    put(LCR, 0x03);
    // The latches are hidden again (section 8.5): IER is still 0, and THR sends.
    expect(get(IER)).toBe(0);
    for (const character of "hi") {
      expect(get(LSR) & 0x60).toBe(0x60);
      put(THR, character.charCodeAt(0));
    }
    expect(sent()).toBe("hi");
  });

  test("Linux's 8250 autoconfig finds a 16550A: IER has 4 bits, loopback shows 0x90, FIFOs read as 11", () => {
    const { get, put } = bench();
    put(IER, 0);
    expect(get(IER)).toBe(0);
    put(IER, 0xff);
    expect(get(IER)).toBe(0x0f);
    put(IER, 0);
    put(MCR, 0x10 | 0x0a);
    expect(get(MSR) & 0xf0).toBe(0x90);
    put(MCR, 0);
    put(LCR, 0xbf);
    put(LCR, 0);
    put(FCR, 1);
    expect(get(IIR) >> 6).toBe(0b11);
    // Bit 5 would be a 16750's 64-byte FIFO.
    put(LCR, 0x80);
    put(FCR, 0x21);
    put(LCR, 0);
    expect(get(IIR) & 0x20).toBe(0);
    put(FCR, 0);
    expect(get(IIR) >> 6).toBe(0b00);
  });

  test("Linux's THRE test sees the interrupt each time IER asks for it anew", () => {
    const { get, put, line } = bench();
    for (let round = 0; round < 2; round++) {
      put(IER, 0b10);
      expect(line.asserted).toBe(true);
      expect(get(IIR)).toBe(0b0010);
      expect(line.asserted).toBe(false);
      put(IER, 0);
    }
  });

  test("the scratch register holds a byte", () => {
    const { get, put } = bench();
    put(SCR, 0xa5);
    expect(get(SCR)).toBe(0xa5);
  });
});

describe("interrupts (section 8.7, table IV)", () => {
  test("a received byte raises the line once IER asks for it, and reading it drops the line", () => {
    const { get, put, line, receive } = bench();
    receive("A");
    expect(line.asserted).toBe(false);
    put(IER, 1);
    expect(line.asserted).toBe(true);
    expect(get(IIR)).toBe(0b0100);
    expect(get(RBR)).toBe(0x41);
    expect(line.asserted).toBe(false);
    expect(get(IIR)).toBe(0b0001);
  });

  test.each([
    [0, 1],
    [1, 4],
    [2, 8],
    [3, 14],
  ])("FCR level %i: fewer than %i bytes show as the time-out, more as the trigger level", (level, bytes) => {
    const { get, put, receive } = bench();
    put(FCR, (level << 6) | 1);
    put(IER, 1);
    if (bytes > 1) {
      receive("x".repeat(bytes - 1));
      expect(get(IIR)).toBe(0b1100_1100);
    }
    receive("x");
    expect(get(IIR)).toBe(0b1100_0100);
  });

  test("an emptied THR interrupts until IIR shows it or THR is written, and again at once after that", () => {
    const { get, put, line } = bench();
    put(IER, 0b10);
    get(IIR);
    expect(line.asserted).toBe(false);
    put(THR, 0x41);
    expect(line.asserted).toBe(true);
    expect(get(IIR)).toBe(0b0010);
    expect(line.asserted).toBe(false);
  });

  test("nothing is asked for, nothing interrupts; what happened meanwhile shows once it is", () => {
    const { put, get, line } = bench();
    put(THR, 0x41);
    expect(get(IIR)).toBe(0b0001);
    expect(line.asserted).toBe(false);
    put(IER, 0b10);
    expect(line.asserted).toBe(true);
  });

  test("clearing the transmitter empties THR anew", () => {
    const { put, get } = bench();
    put(FCR, 1);
    put(IER, 0b10);
    get(IIR);
    put(FCR, 0b101);
    expect(get(IIR)).toBe(0b1100_0010);
    expect(get(IIR)).toBe(0b1100_0001);
    put(FCR, 0b001);
    expect(get(IIR)).toBe(0b1100_0001);
  });

  test("sources show in the order overrun, received, THR, modem; IIR clears none but THR's", () => {
    const { get, put } = bench();
    put(MCR, 0x10);
    put(THR, 1);
    put(THR, 2);
    put(MCR, 0x11);
    put(IER, 0x0f);
    expect(get(IIR)).toBe(0b0110);
    expect(get(IIR)).toBe(0b0110);
    expect(get(LSR)).toBe(0x60 | 0b11);
    expect(get(IIR)).toBe(0b0100);
    get(RBR);
    expect(get(IIR)).toBe(0b0010);
    expect(get(IIR)).toBe(0b0000);
    get(MSR);
    expect(get(IIR)).toBe(0b0001);
  });

  test("IIR does not lose the THR interrupt while it shows another", () => {
    const { get, put, receive } = bench();
    put(IER, 0b11);
    receive("x");
    expect(get(IIR)).toBe(0b0100);
    get(RBR);
    expect(get(IIR)).toBe(0b0010);
  });
});

describe("FIFOs (sections 8.4 and 8.6.3)", () => {
  test("the far end holds back what the receiver has no room for: nothing is lost", () => {
    const { uart, get, put, receive } = bench();
    put(FCR, 1);
    const text = "The quick brown fox jumps over the lazy dog";
    receive(text);
    expect(uart.unread).toBe(text.length);
    let read = "";
    while ((get(LSR) & 1) !== 0) read += String.fromCharCode(get(RBR));
    expect(read).toBe(text);
    expect(uart.reads).toBe(text.length);
    expect(get(LSR) & 0b10).toBe(0);
  });

  test("clearing the receiver drops its 16 bytes, not those still on their way", () => {
    const { get, put, receive } = bench();
    put(FCR, 1);
    receive("0123456789abcdefX");
    put(FCR, 0b11);
    expect(String.fromCharCode(get(RBR))).toBe("X");
  });

  test("switching FIFOs on or off empties them", () => {
    const { get, put, receive } = bench();
    receive("a");
    put(FCR, 1);
    expect(get(LSR) & 1).toBe(0);
    receive("b");
    put(FCR, 0);
    expect(get(LSR) & 1).toBe(0);
  });

  test("an empty receiver reads 0", () => {
    expect(bench().get(RBR)).toBe(0);
  });

  test("a 17th looped-back byte is lost with FIFOs; without, the second replaces the first; both are an overrun", () => {
    for (const [fifos, count, first] of [
      [1, 17, 0],
      [0, 2, 1],
    ] as const) {
      const { get, put } = bench();
      put(FCR, fifos);
      put(MCR, 0x10);
      for (let byte = 0; byte < count; byte++) put(THR, byte);
      expect(get(LSR) & 0b11).toBe(0b11);
      expect(get(LSR) & 0b10).toBe(0); // Reading LSR clears the error.
      expect(get(RBR)).toBe(first);
    }
  });

  test("more than 2^20 waiting bytes are a mistake of the input script", () => {
    const { uart } = bench();
    uart.receive(new Uint8Array(1 << 20));
    expect(() => uart.receive(new Uint8Array(2))).toThrow(
      new RangeError("Cannot receive on uart0 as at most 1048576 bytes may wait: 1048577 would"),
    );
  });
});

describe("modem lines and loopback (sections 8.6.7 and 8.6.8)", () => {
  test("the far end is there: DCD, DSR and CTS hold, RI does not", () => {
    expect(bench().get(MSR)).toBe(0xb0);
  });

  test("looped back, each of DTR, RTS, OUT1, OUT2 shows as DSR, CTS, RI, DCD", () => {
    const { get, put } = bench();
    for (const [control, status] of [
      [1, 0x20],
      [2, 0x10],
      [4, 0x40],
      [8, 0x80],
    ] as const) {
      put(MCR, 0x10 | control);
      expect(get(MSR) & 0xf0).toBe(status);
    }
  });

  test("MSR says what changed since it was read; the ring indicator only when it ends", () => {
    const { get, put } = bench();
    put(MCR, 0x10);
    expect(get(MSR)).toBe(0x0b);
    put(MCR, 0x14);
    expect(get(MSR)).toBe(0x40);
    put(MCR, 0x10);
    expect(get(MSR)).toBe(0x04);
    expect(get(MSR)).toBe(0x00);
  });

  test("looped back, bytes come back instead of leaving, and the outside waits", () => {
    const { get, put, sent, receive } = bench();
    put(MCR, 0x10);
    receive("o");
    expect(get(LSR) & 1).toBe(0);
    put(THR, 0x5a);
    expect(get(RBR)).toBe(0x5a);
    expect(sent()).toBe("");
    put(MCR, 0);
    expect(String.fromCharCode(get(RBR))).toBe("o");
  });
});

test("firmware's console takes what was received, past the registers", () => {
  const { uart, get, put, line, receive } = bench();
  put(IER, 1);
  receive("hello");
  expect(uart.take(3)).toEqual(new TextEncoder().encode("hel"));
  expect(uart.unread).toBe(2);
  expect(line.asserted).toBe(true);
  expect(uart.take(100)).toEqual(new TextEncoder().encode("lo"));
  expect(line.asserted).toBe(false);
  receive("x");
  expect(get(RBR)).toBe(0x78);
  // Looped back, what is still outside is not received.
  put(MCR, 0x10);
  receive("y");
  expect(uart.take(100)).toEqual(new Uint8Array(0));
});

test("registers are single bytes: other widths are no access to it", () => {
  const { uart } = bench();
  for (const size of [2, 4, 8]) {
    expect(() => uart.read(0, size)).toThrow(BusError);
    expect(() => uart.write(0, size, 0n)).toThrow(BusError);
  }
  expect(() => uart.read(8, 1)).toThrow(BusError);
});

test("a master reset clears what was programmed and received, and drops the line (table III)", () => {
  const { uart, get, put, line, receive } = bench();
  put(IER, 0x0f);
  put(LCR, 0x83);
  put(DLL, 1);
  put(MCR, 0x1f);
  put(FCR, 0xc1);
  receive("x");
  uart.reset();
  expect(line.asserted).toBe(false);
  expect([IER, IIR, LCR, MCR, LSR, MSR].map(get)).toEqual([0, 1, 0, 0, 0x60, 0xb0]);
  put(LCR, 0x80);
  expect(get(DLL)).toBe(0x0c);
});
