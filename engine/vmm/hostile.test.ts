/** Guests that do what no kernel does: each ends the same on the bare machine and under full virtualization, and never ends the host. */
import { describe, expect, test } from "vitest";
import {
  boot,
  entry,
  guestEvents,
  HANDLER,
  LEAF,
  MEMORY_BYTES,
  NOTING_TRAPS,
  PAGING,
  SHUTDOWN,
  sbi,
  setTimer,
  x,
} from "../boot.fixture.ts";
import type { MachineConfig } from "../create.ts";
import { CSR } from "../hart/privileged.ts";
import { extended, svadu } from "../isa/profile.ts";
import type { Machine, MachineStop } from "../machine/machine.ts";
import { full } from "../techniques/full.ts";
import { native } from "../techniques/native.ts";

const RAM_END = 0x8000_0000 + MEMORY_BYTES;
const OVER: MachineStop = { kind: "end", reason: "poweroff", code: 0 };
/** Steps at which every one is looked at, and steps in all. */
const CLOSELY = 120;
const BUDGET = 4000;

/**
 * Runs a guest on both machines, comparing all state and all events, first at every step.
 *
 * @returns The bare machine, and how the run ended.
 */
function sameRun(source: string, options: Partial<MachineConfig> = {}): { machine: Machine; stop: MachineStop } {
  const bare = boot(source, { ...options, technique: native });
  const virtual = boot(source, { ...options, technique: full });
  for (;;) {
    const until = bare.step < CLOSELY ? bare.step + 1 : BUDGET;
    const stop = bare.run(until);
    expect(virtual.run(until), `step ${bare.step}`).toEqual(stop);
    expect(virtual.digest(), `step ${bare.step}, pc ${bare.parts.platform.hart.pc.toString(16)}`).toEqual(
      bare.digest(),
    );
    expect(guestEvents(virtual)).toEqual(guestEvents(bare));
    if (stop.kind !== "until" || bare.step >= BUDGET) return { machine: bare, stop };
  }
}

/** Runs a guest that notes its traps: what it has to do, then shutdown. */
function noted(source: string, options: Partial<MachineConfig> = {}): Machine {
  const { machine, stop } = sameRun(`${NOTING_TRAPS}${source}\n${SHUTDOWN}${HANDLER}`, options);
  expect(stop).toEqual(OVER);
  return machine;
}
const cause = (machine: Machine) => x(machine, 27);
const value = (machine: Machine) => x(machine, 26);

describe("an access that nothing answers", () => {
  const HOLE = "0x40000000";
  const DEVICE = "0x10000000";
  test.each([
    ["ld s2, 0(t0)", HOLE, 5n],
    ["sd t1, 0(t0)", HOLE, 7n],
    ["lr.d s2, (t0)", HOLE, 5n],
    ["sc.d s2, t1, (t0)", HOLE, 7n],
    ["amoadd.d s2, t1, (t0)", HOLE, 7n],
    ["lr.w s2, (t0)", DEVICE, 5n],
    ["sc.w s2, t1, (t0)", DEVICE, 7n],
    ["amoswap.w s2, t1, (t0)", DEVICE, 7n],
    ["ld s2, 0(t0)", DEVICE, 5n],
    ["lh s2, 1(t0)", DEVICE, 5n],
    ["lw s2, 8(t0)", DEVICE, 5n],
    ["ld s2, 4(t0)", "0x10001ffc", 5n],
    ["sd t1, 0(t0)", "0x10001ffc", 7n],
    ["ld s2, 0(t0)", `${RAM_END - 4}`, 5n],
    ["sd t1, 0(t0)", `${RAM_END - 4}`, 7n],
    ["ld s2, 0(t0)", "0x7ffffffc", 5n],
    ["ld s2, 0(t0)", "-4", 5n],
    ["ld s2, 0(t0)", "0x100000080200000", 5n],
    ["ld s2, 0(t0)", "0xffffffff80200000", 5n],
  ])("%s at %s is an access fault", (access, address, expected) => {
    expect(cause(noted(`li t0, ${address}\n${access}`))).toBe(expected);
  });

  test("leaves the reservation to the trap, and RAM as it was", () => {
    const machine = noted(`li t1, 0x80280000\nlr.d s2, (t1)\nli t0, 0x40000000\nsc.d s3, t1, (t0)\nsc.d s4, t1, (t1)`);
    expect([x(machine, 19), x(machine, 20)]).toEqual([0n, 1n]);
  });

  test("is one of the second page, if the first is RAM and the second is not", () => {
    const pages = entry(0, 0x8004_0000, LEAF.all) + entry(8, 0x4000_0000, LEAF.all);
    const machine = noted(`${PAGING}${pages}li t3, 0x40000ffc\nld s2, 0(t3)`);
    expect([cause(machine), value(machine)]).toEqual([5n, 0x4000_1000n]);
    const device = entry(0, 0x1000_0000, LEAF.all) + entry(8, 0x8004_0000, LEAF.all);
    const other = noted(`${PAGING}${device}li t3, 0x40000ffc\nsd t3, 0(t3)`);
    expect([cause(other), value(other)]).toEqual([7n, 0x4000_0ffcn]);
  });
});

describe("a jump", () => {
  test.each([
    ["to a device", "0x10000000", 1n],
    ["to a hole", "0x40000000", 1n],
    ["to the end of the address space", "-2", 1n],
    ["behind RAM", `${RAM_END}`, 1n],
    ["where no address can be", "0x4000000000", 1n],
  ])("%s is a fetch fault at its target", (_, target, expected) => {
    const { machine, stop } = sameRun(
      `la t6, handler\ncsrw stvec, t6\nli t0, ${target}\njr t0\n.align 2\nhandler:\ncsrr s10, sepc\ncsrr s11, scause\n${SHUTDOWN}`,
    );
    expect(stop).toEqual(OVER);
    expect([cause(machine), value(machine)]).toEqual([expected, BigInt.asUintN(64, BigInt(target))]);
  });

  test("to an instruction that RAM ends in is a fault of its second half", () => {
    const { machine } = sameRun(
      `la t6, handler\ncsrw stvec, t6\nli t0, ${RAM_END - 2}\nli t1, 3\nsh t1, 0(t0)\njr t0\n.align 2\nhandler:\ncsrr s10, stval\ncsrr s11, scause\n${SHUTDOWN}`,
    );
    expect([cause(machine), value(machine)]).toEqual([1n, BigInt(RAM_END)]);
  });

  test("to an odd address loses its lowest bit", () => {
    expect(x(noted("la t0, there + 1\njr t0\nli s2, 1\nthere: li s3, 1"), 18)).toBe(0n);
  });

  test("to the last page and over its end goes on at address 0", () => {
    // Root entries 511 and 0 map the last and the first gigapage; tables for both are at 0x80303000.
    const machine = noted(`${PAGING}
      li t0, 0x80300000
      ${entry(0, 0x8030_3000, 1)}
      li t0, 0x80300ff8
      ${entry(0, 0x8030_3000, 1)}
      li t0, 0x80303000
      ${entry(0, 0x8030_4000, 1)}
      li t0, 0x80303ff8
      ${entry(0, 0x8030_4000, 1)}
      li t0, 0x80304000
      ${entry(0, 0x8028_1000, LEAF.all)}
      li t0, 0x80304ff8
      ${entry(0, 0x8028_0000, LEAF.all)}
      li t0, 0x80280ffc
      li t1, 0x00100913
      sw t1, 0(t0)
      li t0, 0x80281000
      li t1, 0x00200993
      sw t1, 0(t0)
      li t1, 0x00008067
      sw t1, 4(t0)
      li t0, -4
      jalr t0`);
    expect([x(machine, 18), x(machine, 19)]).toEqual([1n, 2n]);
  });
});

describe("a trap vector", () => {
  test.each([0n, 0x1000n, 0x4000_0000n, 0x1000_0000n, 0x8000_0000n, -4n])(
    "that points nowhere (%s) makes a guest that traps for ever, and the budget ends it",
    (address) => {
      const { machine, stop } = sameRun(`li t0, ${address}\ncsrw stvec, t0\nebreak`);
      expect([stop.kind, machine.step, machine.instret < 10]).toEqual(["until", BUDGET, true]);
    },
  );

  test("carries into the upper half, where an interrupt's offset makes it", () => {
    const raise = "li t0, 2\ncsrw sie, t0\ncsrw sip, t0\ncsrsi sstatus, 2\nnop\n";
    const machine = boot(`li t0, 0xfffffffd\ncsrw stvec, t0\n${raise}`);
    machine.run(20);
    const [interrupt, fault] = guestEvents(machine);
    expect(interrupt).toMatchObject({ kind: "interrupt", cause: 1 });
    // Nothing is there to be fetched.
    expect(fault).toMatchObject({ kind: "guest.trap", cause: 1, pc: 0x1_0000_0000n });
  });
});

describe("a page table", () => {
  test("outside RAM is an access fault, of the fetch behind the write of satp", () => {
    const { machine, stop } = sameRun("li t0, 0x80000fffffffffff\ncsrw satp, t0\nnop");
    expect([stop.kind, machine.step, machine.instret < 10]).toEqual(["until", BUDGET, true]);
    expect(machine.parts.platform.guest.word(CSR.scause)).toBe(1);
  });

  test("that is its own child ends after three levels", () => {
    const machine = noted(
      `${PAGING}li t0, 0x80300000\n${entry(0, 0x8030_0000, 1)}li t3, 0\nld s2, 0(t3)\nli t3, 0x1000\nsd t3, 8(t3)`,
    );
    expect(cause(machine)).toBe(15n);
  });

  test.each([
    ["in a misaligned superpage", 0x8000_1000, LEAF.all, "0x80301000"],
    ["that may be written and not read", 0x8004_0000, 0xc5, "0x80302000"],
    ["that is a table with A set", 0x8030_2000, 0x41, "0x80301000"],
    ["with a reserved bit", 2 ** 57, LEAF.all, "0x80302000"],
  ])("entry %s is a page fault", (_, physical, flags, table) => {
    const bits = BigInt(Math.floor(physical / 4096)) * 1024n + BigInt(flags);
    expect(
      cause(noted(`${PAGING}li t0, ${table}\nli t1, ${bits}\nsd t1, 0(t0)\nli t3, 0x40000000\nld s2, 0(t3)`)),
    ).toBe(13n);
  });

  test("entry that turns from RAM to a device is seen as soon as an access walks again (T10)", () => {
    const machine = noted(`${PAGING}${entry(0, 0x8004_0000, LEAF.read)}li t3, 0x40000000\nld s2, 0(t3)
      ${entry(0, 0x1000_0000, LEAF.readWrite)}li t5, 0x55\nsb t5, 7(t3)\nlb s3, 7(t3)`);
    expect(x(machine, 19)).toBe(0x55n);
  });

  test("entry of a superpage that becomes a table: no page of the old leaf outlives it (T10)", () => {
    const machine = noted(`${PAGING}
      li t4, 0x80040000
      li t5, 7
      sd t5, 0(t4)
      li t0, 0x80301000
      ${entry(0, 0x8000_0000, LEAF.read)}
      li t3, 0x40040000
      ld s2, 0(t3)
      ${entry(0, 0x8030_2000, 1)}
      li t0, 0x80302000
      ${entry(0, 0x8005_0000, LEAF.readWrite)}${entry(0x200, 0x8005_0000, LEAF.readWrite)}
      li t3, 0x40000000
      li t5, 9
      sd t5, 0(t3)
      li t3, 0x40040000
      ld s3, 0(t3)`);
    expect([x(machine, 18), x(machine, 19)]).toEqual([7n, 9n]);
  });

  test("set that is full is dropped as a whole, also what shadows hold of it (T10)", () => {
    const profile = { ...svadu, name: "four leaves", translationCap: 4 };
    const pages = [0, 1, 2, 3, 4].map((page) => entry(8 * page, 0x8004_0000, LEAF.readWrite)).join("");
    const touch = [0, 1, 2, 3, 4].map((page) => `li t3, ${0x4000_0000 + 4096 * page}\nld s2, 0(t3)\n`).join("");
    // Page 0's leaf went when the fifth came, so its new entry counts.
    const machine = noted(
      `${PAGING}${pages}${touch}li t4, 0x80050000\nli t5, 9\nsd t5, 0(t4)\n${entry(0, 0x8005_0000, LEAF.readWrite)}li t3, 0x40000000\nld s3, 0(t3)`,
      { profile },
    );
    expect(x(machine, 19)).toBe(9n);
  });

  test("written through its own mapping and by the machine's own marks is the same (Svadu)", () => {
    const machine = noted(
      `${PAGING}${entry(0, 0x8030_2000, 0x07)}li t3, 0x40000000\nld s2, 0(t3)\nsd x0, 8(t3)\nld s3, 0(t3)`,
      { profile: svadu },
    );
    expect([x(machine, 18) & 0xffn, x(machine, 19) & 0xffn]).toEqual([0x47n, 0xc7n]);
  });
});

describe("a cache block's instruction", () => {
  const ON = "li s5, 0xf0\ncsrw senvcfg, s5\n";
  const [CLEAN, ZERO] = [".word 0x001e200f", ".word 0x004e200f"];
  test("needs to read what it cleans, and to write what it zeroes", () => {
    const page = `${ON}${PAGING}${entry(0, 0x8004_0000, LEAF.read)}li t3, 0x40000000\n`;
    expect(cause(noted(page + CLEAN, { profile: extended }))).toBe(0n);
    expect(cause(noted(page + ZERO, { profile: extended }))).toBe(15n);
  });
  test.each([
    ["a device", "0x10000000", 0n, 7n],
    ["nothing", "0x40000000", 7n, 7n],
  ])("at %s", (_, address, clean, zero) => {
    expect(cause(noted(`${ON}li t3, ${address}\n${CLEAN}`, { profile: extended }))).toBe(clean);
    expect(cause(noted(`${ON}li t3, ${address}\n${ZERO}`, { profile: extended }))).toBe(zero);
  });
});

describe("a wait", () => {
  test("with nothing enabled is for ever, and costs the host nothing", () => {
    expect(sameRun("wfi").stop).toEqual({ kind: "waiting" });
    // The CLINT and the RTC may come due, and wake nobody.
    expect(
      sameRun("li t0, 0x2004000\nli t1, 100\nsd t1, 0(t0)\nli t0, 0x101000\nli t1, 1000\nsw t1, 8(t0)\nwfi").stop,
    ).toEqual({ kind: "waiting" });
  });

  test("for what is pending and masked completes at once, without a trap", () => {
    const { machine, stop } = sameRun(`li t0, 2\ncsrw sie, t0\ncsrw sip, t0\nwfi\nwfi\n${SHUTDOWN}`);
    expect([stop, machine.instret]).toEqual([OVER, machine.step - 1]);
  });

  test("is a user program's illegal instruction", () => {
    expect(
      cause(
        noted(
          "la t0, user\ncsrw sepc, t0\nli t0, 0x100\ncsrc sstatus, t0\nla t0, over\ncsrw stvec, t0\nsret\nuser: wfi\n.align 2\nover: csrr s11, scause",
        ),
      ),
    ).toBe(2n);
  });

  test("until the end of guest time never ends, and guest time stays exact", () => {
    const wait = "li t0, 0x20\ncsrw sie, t0\nwfi\nrdtime s2\nnop\nrdcycle s3\nnop\nrdcycle s4\n";
    // 2^53 steps and more; 2^52 steps, the last that comes; and a timer that is told never to fire.
    expect(sameRun(`${setTimer(900_719_925_474_099n)}${wait}`).stop).toEqual({ kind: "waiting" });
    expect(sameRun(`${setTimer(-1)}${wait}`).stop).toEqual({ kind: "waiting" });
    const { machine, stop } = sameRun(`${setTimer(450_359_962_737_049n)}${wait}${SHUTDOWN}`);
    expect(stop).toEqual(OVER);
    expect(x(machine, 18)).toBe(450_359_962_737_049n);
    expect(x(machine, 20) - x(machine, 19)).toBe(2n);
    expect(() => machine.checkpoint()).not.toThrow();
  });
});

describe("a call of the SBI", () => {
  test.each([
    ["of no extension", sbi(0xdead, -1, -1, -1), -2n],
    ["whose numbers have upper halves", `li a7, 0x100000010\nli a6, 0\necall\n`, -2n],
    ["that prints from a hole", sbi(0x4442434e, 0, 16, 0x4000_0000), -3n],
    ["that prints over the end of RAM", sbi(0x4442434e, 0, 16, RAM_END - 8), -3n],
    ["that prints from the end of the address space", sbi(0x4442434e, 0, -1, -1), -3n],
    ["that reads into a device", sbi(0x4442434e, 1, 16, 0x1000_0000), -3n],
    ["that interrupts a hart that is not there", sbi(0x735049, 0, -1, 0), -3n],
    ["that fences up to the end of the address space", `li a2, -4096\nli a3, 8192\n${sbi(0x52464e43, 1, 1, 0)}`, 0n],
    ["that fences nothing", `li a2, 4096\nli a3, 0\n${sbi(0x52464e43, 1, 1, 0)}`, 0n],
    ["that fences a page at a time", `li a2, 0x1001\nli a3, 0x3fffe\n${sbi(0x52464e43, 2, 1, 0)}`, 0n],
    ["that stops the only hart", sbi(0x48534d, 1), -1n],
    ["that resets for a reason that does not exist", sbi(0x53525354, 0, 9, 9), -3n],
  ])("%s is answered", (_, call, error) => {
    expect(x(noted(`${call}mv s2, a0`), 18)).toBe(BigInt.asUintN(64, error));
  });

  test("that prints without end is stopped, before the host's memory is", () => {
    const flood = `li s1, 0x80000000\nagain: ${sbi(0x4442434e, 0, 1 << 20, 0x8000_0000)}beqz x0, again`;
    const [bare, virtual] = [native, full].map((technique) => boot(flood, { technique, logging: false }));
    const stop = bare!.run(BUDGET);
    expect(stop).toMatchObject({ kind: "end", reason: "stopped", message: expect.stringMatching(/printed more than/) });
    expect(virtual!.run(BUDGET)).toEqual(stop);
    expect([virtual!.step, virtual!.console.length]).toEqual([bare!.step, bare!.console.length]);
    expect(bare!.console.length).toBe(64 << 20);
  });

  test("from user mode is a system call, whatever its registers say", () => {
    expect(
      cause(
        noted(
          `la t0, user\ncsrw sepc, t0\nli t0, 0x100\ncsrc sstatus, t0\nla t0, over\ncsrw stvec, t0\nsret\nuser: ${SHUTDOWN}.align 2\nover: csrr s11, scause`,
        ),
      ),
    ).toBe(8n);
  });
});

describe("a disk's driver", () => {
  const VIRTIO = 0x1000_1000;
  const write = (offset: number, text: string) => `li t1, ${text}\nsw t1, ${offset}(t0)\n`;
  /** Queue 0 with 8 entries: descriptors at 0x80280000, available ring at 0x80281000, used ring at 0x80282000. */
  const queue = (parts: { descriptors?: string; available?: string; used?: string; size?: number } = {}) =>
    `li t0, ${VIRTIO}\n${write(0x70, "3")}${write(0x24, "1")}${write(0x20, "1")}${write(0x70, "11")}${write(0x30, "0")}${write(0x38, String(parts.size ?? 8))}` +
    `${write(0x80, parts.descriptors ?? "0x80280000")}${write(0x90, parts.available ?? "0x80281000")}${write(0xa0, parts.used ?? "0x80282000")}${write(0x44, "1")}${write(0x70, "15")}`;
  const half = (address: number, value: number) => `li t2, ${address}\nli t1, ${value}\nsh t1, 0(t2)\n`;
  const descriptor = (n: number, address: string, length: string, flags: number, next: number) =>
    `li t2, ${0x8028_0000 + 16 * n}\nli t1, ${address}\nsd t1, 0(t2)\nli t1, ${length}\nsw t1, 8(t2)\n${half(0x8028_000c + 16 * n, flags)}${half(0x8028_000e + 16 * n, next)}`;
  const ring = (index: number, head = 0) => half(0x8028_1004, head) + half(0x8028_1002, index) + write(0x50, "0");
  const disk = new Uint8Array(4096).fill(7);
  const NEEDS_RESET = 64n;
  const status = `li t0, ${VIRTIO}\nlw s2, 0x70(t0)\n`;
  const wait = "li t3, 20000\nspin: addi t3, t3, -2\nbnez t3, spin\n";

  test.each([
    ["a ring outside RAM", queue({ available: "0x40000000" }) + ring(1)],
    ["a ring that RAM ends in", queue({ available: `${RAM_END - 2}` }) + ring(1)],
    ["an index too far ahead", queue() + ring(9)],
    ["a head that is no descriptor", queue() + ring(1, 8)],
    ["a descriptor that is its own successor", queue() + descriptor(0, "0x80283000", "16", 1, 0) + ring(1)],
    ["a descriptor of no bytes", queue() + descriptor(0, "0x80283000", "0", 0, 0) + ring(1)],
    ["an indirect descriptor", queue() + descriptor(0, "0x80283000", "16", 4, 0) + ring(1)],
    ["a queue that is no power of two", queue({ size: 7 })],
    ["a queue that is not aligned", queue({ descriptors: "0x80280001" })],
  ])("with %s gets a device that needs a reset", (_, source) => {
    expect(x(noted(source + status, { disk }), 18) & NEEDS_RESET).toBe(NEEDS_RESET);
  });

  test("with a request that cannot be answered gets a device that needs a reset, once it would have been answered", () => {
    const source = queue() + descriptor(0, "0x80283000", "8", 0, 0) + ring(1);
    const bare = noted(source + status, { disk });
    expect(x(bare, 18) & NEEDS_RESET).toBe(0n);
    const later = boot(`${NOTING_TRAPS}${source}${wait}${status}${SHUTDOWN}${HANDLER}`, { disk });
    expect(later.run(100_000)).toEqual(OVER);
    expect(x(later, 18) & NEEDS_RESET).toBe(NEEDS_RESET);
  });

  test.each([
    ["at the end of the address space", "-16", "16"],
    ["of nearly four gigabytes", "0x80000000", "0xfffffe00"],
    ["in a hole", "0x40000000", "512"],
    ["of the rings themselves", "0x80282000", "512"],
  ])("that has a sector read into memory %s is answered", (_, address, length) => {
    const request =
      descriptor(0, "0x80283000", "16", 1, 1) +
      descriptor(1, address, length, 3, 2) +
      descriptor(2, "0x80283100", "1", 2, 0);
    const [bare, virtual] = [native, full].map((technique) => {
      const machine = boot(`${NOTING_TRAPS}${queue()}${request}${ring(1)}wfi\n${HANDLER}`, { disk, technique });
      // Sooner or later there is nothing left to wait for; a payload of 4 GiB takes its time.
      expect(machine.run(BUDGET)).toEqual({ kind: "waiting" });
      return machine;
    });
    expect(virtual!.digest()).toEqual(bare!.digest());
    expect(guestEvents(virtual!)).toEqual(guestEvents(bare!));
    const { memory } = bare!.parts.platform;
    expect(memory.read(0x8028_2000, 8)).not.toBe(0n);
  });

  test("that writes over its own program is carried out by what it wrote", () => {
    // A sector of instructions that set s3 and return, read over a page of code that has run.
    const code = new Uint8Array(512);
    new DataView(code.buffer).setUint32(0, 0x0550_0993, true);
    new DataView(code.buffer).setUint32(4, 0x0000_8067, true);
    const request =
      descriptor(0, "0x80283000", "16", 1, 1) +
      descriptor(1, "0x80284000", "512", 3, 2) +
      descriptor(2, "0x80283100", "1", 2, 0);
    const old = "li t2, 0x80284000\nli t1, 0x00100993\nsw t1, 0(t2)\nli t1, 0x8067\nsw t1, 4(t2)\njalr t2\nmv s2, s3\n";
    const source = `${NOTING_TRAPS}${old}${queue()}${request}${ring(1)}${wait}li t2, 0x80284000\njalr t2\n${SHUTDOWN}${HANDLER}`;
    for (const technique of [native, full]) {
      for (const tier of ["reference", "interpreter", "jit"] as const) {
        const machine = boot(source, { disk: code, technique, tier, threshold: 1 });
        expect(machine.run(200_000)).toEqual(OVER);
        expect([x(machine, 18), x(machine, 19)], `${technique.name} ${tier}`).toEqual([1n, 0x55n]);
      }
    }
  });
});
