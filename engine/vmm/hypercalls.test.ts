/** Hypercalls, by small kernels: what each does, what it refuses, and that no wake-up is lost (docs/hypercalls.md). */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { BASE, boot, SHUTDOWN, sbi, x } from "../boot.fixture.ts";
import { EVENTS, type EventOf } from "../event/event.ts";
import { eventsOf } from "../event/record.ts";
import { CSR } from "../hart/privileged.ts";
import { assemble } from "../isa/assemble.ts";
import type { Machine } from "../machine/machine.ts";
import { full } from "../techniques/full.ts";
import { native } from "../techniques/native.ts";
import { para } from "../techniques/para.ts";
import {
  type Argument,
  answered,
  call,
  DENIED,
  INVALID_ADDRESS,
  INVALID_PARAM,
  NOT_SUPPORTED,
  ported,
  put,
  RAM_END,
  ran,
  STAY,
  TABLE,
} from "./hypercalls.fixture.ts";
import { CALL, EXTENSION, HYPERCALLS } from "./hypercalls.ts";
import { FIELDS } from "./state-page.ts";

const csr = (machine: Machine, number: number): bigint => {
  const { guest } = machine.parts.platform;
  guest.read(number);
  return (BigInt(guest.high >>> 0) << 32n) | BigInt(guest.low >>> 0);
};
const status = (machine: Machine) => machine.parts.platform.guest.status;
const hypercalls = (machine: Machine): EventOf<"hypercall">[] =>
  [...eventsOf(machine.log.drain())].filter((event) => event.kind === "hypercall");

describe("the interface", () => {
  test("is in the SBI's range for experiments, and found by its probe under para alone", () => {
    expect(EXTENSION >= 0x0800_0000n && EXTENSION <= 0x08ff_ffffn).toBe(true);
    const probe = `${sbi(0x10, 3, EXTENSION)}\n${STAY}`;
    const found = [native, full, para].map((technique) => {
      const machine = boot(probe, { technique });
      machine.run(40);
      return [x(machine, 10), x(machine, 11)];
    });
    expect(found).toEqual([
      [0n, 0n],
      [0n, 0n],
      [0n, 1n],
    ]);
    expect(answered("probe")).toEqual([0n, 1n]);
    // Of other extensions the platform's own code speaks.
    const other = ran(sbi(0x10, 3, 0x54494d45), 40);
    expect([x(other, 10), x(other, 11)]).toEqual([0n, 1n]);
  });

  test("numbers its calls by their places, which never change", () => {
    expect(HYPERCALLS.map(({ name }) => name)).toEqual([
      "probe", "register", "enable", "status", "switch", "return", "flush", "timer", "block", "yield", "write",
      "shutdown", "multicall", "update", "guard", "unguard", "disk", "submit", "interrupts", "regions",
    ]); // biome-ignore format: a list
  });

  test("changes a0 and a1 alone, counts as one step, and is logged", () => {
    const machine = ported(`${call("enable", 0x222, 7, 8)}${STAY}`);
    const { hart, position } = machine.parts.platform;
    while (hart.x[12] !== 8n) machine.run(machine.step + 1);
    const before = [...hart.x];
    const { step, instret, pc } = { step: position.step, instret: position.instret, pc: hart.pc };
    machine.log.drain();
    machine.run(step + 1);
    const after = [...hart.x];
    before[10] = 0n;
    before[11] = 0n;
    expect(after).toEqual(before);
    expect([position.step, position.instret, hart.pc]).toEqual([step + 1, instret, pc + 4n]);
    const [made] = hypercalls(machine);
    expect(made).toMatchObject({ step, call: CALL.enable, a0: 0x222n, a1: 7n, a2: 8n, error: 0n, value: 0n });
    expect(EVENTS.hypercall.stream).toBe("machine");
  });

  test("is the kernel's alone: the same ecall of user code is its system call", () => {
    const machine = ported(`
      la a0, handler
      ${call("register", 0).replace("li a0, 0\n", "")}
      la t0, user
      sd t0, ${FIELDS.sepc.offset}(x0)
      sd zero, ${FIELDS.status.offset}(x0)
      ${call("return")}
      user: ${call("shutdown")}
      .align 2
      handler: ld s2, ${FIELDS.scause.offset}(x0)
      ${STAY}
    `);
    machine.run(200);
    expect(machine.end).toBeUndefined();
    expect(x(machine, 18)).toBe(8n);
  });

  test.each([20, 21, 99, 0xffff_ffffn, 2n ** 32n, 2n ** 63n])("refuses call %s, which there is not", (number) => {
    const source = call("probe").replace("li a6, 0", `li a6, ${number}`);
    const machine = ran(source, 60);
    expect([x(machine, 10), x(machine, 11)]).toEqual([NOT_SUPPORTED, 0n]);
  });
});

describe("what is written down elsewhere", () => {
  const document = readFileSync(new URL("../../docs/hypercalls.md", import.meta.url), "utf8");
  const header = readFileSync(
    new URL("../../experiments/guests/hutch/kernel/arch-para/arch.h", import.meta.url),
    "utf8",
  );

  test("docs/hypercalls.md lists the calls and the fields as they are", () => {
    for (const [number, { name, arguments: names, doc }] of HYPERCALLS.entries())
      expect(document).toContain(`| ${number} | \`${name}\` | ${names.join(", ") || "–"} | ${doc} |`);
    for (const { name, offset, bytes, doc } of Object.values(FIELDS))
      expect(document).toContain(`| ${offset} | ${bytes} | \`${name}\` | ${doc} |`);
  });

  test("hutch's header has the same numbers", () => {
    const upper = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
    const defined = [...header.matchAll(/^#define (CALL|STATE)_(\w+) (-?\d+)$/gm)];
    expect(defined.length).toBeGreaterThan(15);
    const known = new Map<string, number>([
      ...HYPERCALLS.map(({ name }, number) => [`CALL_${upper(name)}`, number] as const),
      ...Object.values(FIELDS).map(({ name, offset }) => [`STATE_${upper(name)}`, offset] as const),
    ]);
    for (const [, kind, name, value] of defined) expect(known.get(`${kind}_${name}`), name).toBe(Number(value));
    expect(header).toContain(`#define HYPERCALLS 0x0${EXTENSION.toString(16)}`);
  });
});

describe("calls", () => {
  test("register says where the state page is, and refuses an entry that no trap can have", () => {
    const machine = ran(call("register", BASE + 0x100n), 60);
    expect(csr(machine, CSR.stvec)).toBe(BASE + 0x100n);
    expect(x(machine, 11)).toBe(2n ** 64n - 4096n);
    for (const entry of [1n, 2n, BASE + 3n]) expect(answered("register", entry)[0]).toBe(INVALID_ADDRESS);
  });

  test("enable and status set no more than sie, SUM, MXR and FS", () => {
    const machine = ran(`${call("enable", -1)}${call("status", 0xc6000, -1)}`, 60);
    expect(csr(machine, CSR.sie)).toBe(0x222n);
    expect(status(machine) & 0xc6122).toBe(0xc6000);
    expect(answered("status", 0x2, 0x2)[0]).toBe(INVALID_PARAM);
    expect(answered("status", -1, 0)[0]).toBe(INVALID_PARAM);
  });

  test("switch takes a root in guest RAM, with status, and leaves everything as it was otherwise", () => {
    const satp = (8n << 60n) | (TABLE >> 12n);
    // RAM as a gigapage, so that the kernel goes on where it is.
    const map = put(TABLE + 16n, 0x2000_00cfn);
    const machine = ran(`${map}${call("switch", satp, 0x40000, 0x40000)}li s2, 5\n`, 80);
    expect(csr(machine, CSR.satp)).toBe(satp);
    expect(status(machine) & 0x40000).toBe(0x40000);
    expect(x(machine, 18)).toBe(5n);
    const refused: [Argument, Argument, bigint][] = [
      [(8n << 60n) | (RAM_END >> 12n), 0, INVALID_ADDRESS],
      [(8n << 60n) | 1n, 0, INVALID_ADDRESS],
      [(8n << 60n) | 0xfff_ffff_ffffn, 0, INVALID_ADDRESS],
      [(5n << 60n) | (TABLE >> 12n), 0, INVALID_PARAM],
      [(9n << 60n) | (TABLE >> 12n), 0, INVALID_PARAM],
      [satp, 2, INVALID_PARAM],
    ];
    for (const [value, mask, error] of refused) {
      const not = ran(`${map}${call("switch", value, mask, -1)}`, 80);
      expect(x(not, 10), value.toString(16)).toBe(error);
      expect([csr(not, CSR.satp), status(not) & 0xc6122]).toEqual([0n, 0]);
    }
  });

  test("return goes to sepc with a6 and a7 of its own, and takes the next address space along", () => {
    const satp = (8n << 60n) | (TABLE >> 12n);
    const back = (next: bigint) => `
      ${put(TABLE + 16n, 0x2000_00cfn)}
      li t0, ${next}
      sd t0, ${FIELDS.next.offset}(x0)
      li t0, 66
      sd t0, ${FIELDS.spill0.offset}(x0)
      li t0, 77
      sd t0, ${FIELDS.spill1.offset}(x0)
      la t0, there
      sd t0, ${FIELDS.sepc.offset}(x0)
      li t0, 0x120
      sd t0, ${FIELDS.status.offset}(x0)
      ${call("return", 1, 2, 3)}
      mv s2, a0
      li s3, 1
      ${STAY}
      there: lbu s4, ${FIELDS.sieFlag.offset}(x0)
      ld s5, ${FIELDS.next.offset}(x0)
      ${STAY}
    `;
    const machine = ran(back(satp), 100);
    expect([10, 11, 12, 16, 17].map((register) => x(machine, register))).toEqual([1n, 2n, 3n, 66n, 77n]);
    // SPIE beside SIE, as sstatus has them.
    expect([x(machine, 19), x(machine, 20), x(machine, 21)]).toEqual([0n, 0x22n, 0n]);
    expect(csr(machine, CSR.satp)).toBe(satp);
    const not = ran(back((8n << 60n) | 1n), 100);
    expect([x(not, 18), x(not, 19), csr(not, CSR.satp)]).toEqual([INVALID_ADDRESS, 1n, 0n]);
  });

  test("interrupts closes and opens, says what they were, and changes nothing else", () => {
    const machine = ran(
      `${call("interrupts", 1)}mv s2, a1\nlbu s3, ${FIELDS.sieFlag.offset}(x0)\n${call("interrupts", 1)}mv s4, a1\n
      ${call("interrupts", 0)}mv s5, a1\nlbu s6, ${FIELDS.sieFlag.offset}(x0)\n${call("interrupts", 0)}mv s7, a1\n`,
      120,
    );
    const [opened, again, closed, still] = [18, 20, 21, 23].map((register) => x(machine, register));
    expect([opened, again, closed, still]).toEqual([0n, 1n, 1n, 0n]);
    expect([x(machine, 19) !== 0n, x(machine, 22)]).toEqual([true, 0n]);
    expect(status(machine) & 2).toBe(0);
  });

  test.each([2, 3, -1, 2n ** 32n, 2n ** 63n])("interrupts takes 0 and 1, and refuses %s without a change", (open) => {
    for (const before of [0, 1]) {
      const machine = ran(`${call("interrupts", before)}${call("interrupts", open)}`, 80);
      expect([x(machine, 10), x(machine, 11)]).toEqual([INVALID_PARAM, 0n]);
      expect(status(machine) & 2).toBe(2 * before);
    }
  });

  test("timer and yield: an interrupt that waits is taken behind the next call", () => {
    const machine = ran(`
      la a0, handler
      ${call("register", 0).replace("li a0, 0\n", "")}
      ${call("enable", 0x20)}
      ${call("timer", 5)}
      li t0, 60
      1: addi t0, t0, -1
      bnez t0, 1b
      li t0, 2
      sb t0, ${FIELDS.sieFlag.offset}(x0)
      lbu s2, ${FIELDS.pending.offset}(x0)
      ${call("yield")}
      behind: ${STAY}
      .align 2
      handler: ld s3, ${FIELDS.scause.offset}(x0)
      ld s4, ${FIELDS.sepc.offset}(x0)
      la s5, behind
    `);
    expect([x(machine, 18), x(machine, 19)]).toEqual([1n, 2n ** 63n + 5n]);
    expect(x(machine, 20)).toBe(x(machine, 21));
  });

  test("write puts bytes of guest RAM on the console, 4096 at a time, and nothing of what is not", () => {
    const text = `la a0, text\n${call("write", 0, 5).replace("li a0, 0\n", "")}j 2f\ntext: .ascii "hello"\n.align 2\n2:`;
    const machine = ran(text, 60);
    expect(new TextDecoder().decode(machine.console)).toBe("hello");
    expect([x(machine, 10), x(machine, 11)]).toEqual([0n, 5n]);
    expect(answered("write", BASE, -1)).toEqual([0n, 4096n]);
    expect(answered("write", BASE, 0)).toEqual([0n, 0n]);
    for (const [address, length] of [
      [0, 1],
      [0x7fff_ffff, 2],
      [RAM_END - 4n, 5],
      [RAM_END, 1],
      [-1, 1],
      [-8, 16],
      [2n ** 53n, 8],
    ] as const) {
      const refused = ran(call("write", address, length), 60);
      expect([x(refused, 10), x(refused, 11)], String(address)).toEqual([INVALID_ADDRESS, 0n]);
      expect(refused.console.length).toBe(0);
    }
  });

  test("shutdown ends the run as the SBI's does", () => {
    expect(ran(call("shutdown"), 60).end).toMatchObject({ reason: "poweroff", code: 0 });
    expect(ran(call("shutdown", 1), 60).end).toMatchObject({ reason: "reboot", code: 0 });
    expect(ran(call("shutdown", 0, 1), 60).end).toMatchObject({ reason: "panic", code: 1 });
    expect(answered("shutdown", 2)[0]).toBe(INVALID_PARAM);
    expect(answered("shutdown", 0, 2)[0]).toBe(INVALID_PARAM);
  });
});

describe("block", () => {
  /** Blocks with the timer due in `ticks`, or at once; the handler notes where it came from. */
  const idle = (open: number, before: string, ticks: number) => `
    la a0, handler
    ${call("register", 0).replace("li a0, 0\n", "")}
    ${call("enable", 0x20)}
    ${call("timer", ticks)}
    ${before}
    ${call("block", open)}
    behind: sb zero, ${FIELDS.sieFlag.offset}(x0)
    li s2, 1
    ${STAY}
    .align 2
    handler: addi s3, s3, 1
    ld s4, ${FIELDS.sepc.offset}(x0)
    la s5, behind
    ${call("timer", -1)}
    ${call("return")}
  `;
  const WHILE = "li t0, 300\n3: addi t0, t0, -1\nbnez t0, 3b\n";

  test.each([
    ["comes later", "", 500],
    ["came before (the idle race)", WHILE, 2],
  ])("an interrupt that %s ends it, and is taken behind it with interrupts open", (_, before, ticks) => {
    const machine = ran(idle(1, before, ticks), 20_000);
    expect([x(machine, 18), x(machine, 19)]).toEqual([1n, 1n]);
    expect(x(machine, 20)).toBe(x(machine, 21));
  });

  test("an interrupt ends it where interrupts stay closed, as it ends wfi, and is not taken", () => {
    const machine = ran(idle(0, "", 500), 20_000);
    expect([x(machine, 18), x(machine, 19)]).toEqual([1n, 0n]);
    expect(answered("block", 2)[0]).toBe(INVALID_PARAM);
  });

  test("no cut of the run, whether or not in a wait, loses a wake-up or changes anything", () => {
    const digests = [1, 3, 50, 20_000].map((slice) => {
      const machine = ported(idle(1, "", 500));
      while (machine.step < 600) machine.run(Math.min(machine.step + slice, 600));
      return machine.digest();
    });
    expect(new Set(digests.map(({ low }) => low)).size).toBe(1);
  });

  test("a machine restored while its guest waits wakes it all the same", () => {
    const machine = ported(idle(1, "", 500));
    machine.run(machine.step + 60);
    const restored = ported(idle(1, "", 500));
    restored.load(machine.save());
    for (const one of [machine, restored]) one.run(600);
    expect(restored.digest()).toEqual(machine.digest());
    expect(x(restored, 19)).toBe(1n);
  });

  test("input given to a guest that nothing else would wake finds it behind its call, with one interrupt", () => {
    // The PLIC's source 10 at priority 1 for the supervisor, and the 16550's receive interrupt.
    const machine = ported(`
      la a0, handler
      ${call("register", 0).replace("li a0, 0\n", "")}
      ${call("enable", 0x200)}
      li t0, 0x0c000000
      li t1, 1
      sw t1, 40(t0)
      li t0, 0x0c002080
      li t1, 0x400
      sw t1, 0(t0)
      li t0, 0x10000000
      li t1, 1
      sb t1, 1(t0)
      ${call("block", 1)}
      behind: sb zero, ${FIELDS.sieFlag.offset}(x0)
      li s2, 1
      ${STAY}
      .align 2
      handler: addi s3, s3, 1
      ld s4, ${FIELDS.sepc.offset}(x0)
      la s5, behind
      li t1, 0x0c201004
      lw t2, 0(t1)
      lbu s6, 0(t0)
      sw t2, 0(t1)
      ${call("return")}
    `);
    expect(machine.run(5000)).toEqual({ kind: "waiting" });
    machine.input(Uint8Array.of(0x41));
    machine.run(5000);
    expect([x(machine, 18), x(machine, 19), x(machine, 22)]).toEqual([1n, 1n, 0x41n]);
    expect(x(machine, 20)).toBe(x(machine, 21));
  });
});

describe("interrupts that come while the kernel works", () => {
  /**
   * A loop that opens and closes interrupts by the state page as a kernel does, with the timer set again by its handler. Counts how often the
   * handler ran; each deadline must come through, wherever in the loop it falls.
   */
  const flipping = (first: number) => `
    la a0, handler
    ${call("register", 0).replace("li a0, 0\n", "")}
    ${call("enable", 0x20)}
    li s6, ${first}
    mv a0, s6
    ${call("timer", 0).replace("li a0, 0\n", "")}
    li s7, 20
    li s8, 2
    loop: sb s8, ${FIELDS.sieFlag.offset}(x0)
    lbu t0, ${FIELDS.pending.offset}(x0)
    beqz t0, 2f
    ${call("yield")}
    2: sb zero, ${FIELDS.sieFlag.offset}(x0)
    blt s3, s7, loop
    li s2, 1
    ${STAY}
    .align 2
    handler: addi s3, s3, 1
    sd t0, ${FIELDS.spill2.offset}(x0)
    ld s4, ${FIELDS.scause.offset}(x0)
    addi s6, s6, 3
    mv s9, a6
    mv s10, a7
    mv a0, s6
    ${call("timer", 0).replace("li a0, 0\n", "")}
    ld t0, ${FIELDS.spill2.offset}(x0)
    sd s9, ${FIELDS.spill0.offset}(x0)
    sd s10, ${FIELDS.spill1.offset}(x0)
    ${call("return")}
  `;

  test.each([10, 11, 12, 13, 14, 15, 16, 17])(
    "none is lost: twenty timers from tick %i on all come through, while the flag flips and during returns",
    (first) => {
      const machine = ported(flipping(first));
      machine.run(20_000);
      expect([x(machine, 18), x(machine, 19), x(machine, 20)]).toEqual([1n, 20n, 2n ** 63n + 5n]);
    },
  );

  test.each([10, 11, 12, 13, 14, 15, 16, 17])(
    "none is lost where calls flip the flag, by themselves or in a multicall, from tick %i on: each is taken behind a call that opens",
    (first) => {
      const array = 0x8031_0000n;
      const opening = [call("interrupts", 1), call("multicall", array, 1)];
      const setUp = `${put(array, BigInt(CALL.interrupts))}${put(array + 8n, 1n)}`;
      for (const [index, open] of opening.entries()) {
        const source = flipping(first)
          .replace(/loop: sb s8.*?2: sb zero[^\n]*\n/s, `loop: ${open}opened: ${call("interrupts", 0)}`)
          .replace("li s7, 20", `${setUp}la s5, opened\nli s7, 20`)
          .replace("handler: addi", `handler: ld t6, ${FIELDS.sepc.offset}(x0)\nsub t6, t6, s5\nor s11, s11, t6\naddi`);
        const machine = ported(source);
        machine.run(40_000);
        // The handler sets the next one, so twenty come only if each came through.
        expect([x(machine, 18), x(machine, 20)], String(index)).toEqual([1n, 2n ** 63n + 5n]);
        expect(x(machine, 19), String(index)).toBeGreaterThanOrEqual(20n);
        // Interrupts are open between the two calls alone: each was taken at `opened`, or at an instruction of the call that closes.
        expect(x(machine, 27) & ~0x3fn, String(index)).toBe(0n);
      }
    },
  );

  test("a run that is saved and restored after every step goes on as it would have (no interrupt comes early)", () => {
    const whole = ported(flipping(11));
    let restored = ported(flipping(11));
    const withheld = new Set<boolean>();
    // The first timers come due here.
    for (let step = 100; step <= 190; step++) {
      whole.run(step);
      restored.run(step);
      expect(restored.digest(), `step ${step}`).toEqual(whole.digest());
      const { platform, execution } = restored.parts;
      withheld.add(platform.guest.interrupt() >= 0 && !execution.interruptible);
      const state = restored.save();
      restored = ported(flipping(11));
      restored.load(state);
      expect(restored.save()).toEqual(state);
    }
    expect([...withheld].sort()).toEqual([false, true]);
  });

  test("without the check of `pending` some wait for the next call: the check is what delivers them", () => {
    const machine = ported(flipping(10).replace("beqz t0, 2f", "j 2f"));
    machine.run(5000);
    expect(x(machine, 18)).toBe(0n);
  });
});

describe("multicall", () => {
  const ARRAY = 0x8031_0000n;
  const entry = (index: number, ...words: Argument[]): string =>
    words.map((word, i) => put(ARRAY + BigInt(48 * index + 8 * i), BigInt(word))).join("");
  const word = (machine: Machine, index: number): bigint =>
    machine.parts.platform.memory.read(Number(ARRAY) + 8 * index, 8);

  test("makes calls in order and writes each answer where it stood", () => {
    const machine = ran(
      `${entry(0, CALL.enable, 0x20)}${entry(1, 99)}${entry(2, CALL.status, 0x40000, 0x40000)}${call("multicall", ARRAY, 3)}`,
      400,
    );
    expect([x(machine, 10), x(machine, 11)]).toEqual([0n, 3n]);
    expect([word(machine, 4), word(machine, 10), word(machine, 16)]).toEqual([0n, NOT_SUPPORTED, 0n]);
    expect([csr(machine, CSR.sie), status(machine) & 0x40000]).toEqual([0x20n, 0x40000]);
    // One hypercall, one step, whatever is in it.
    expect(hypercalls(machine).map((made) => made.call)).toEqual([CALL.multicall]);
  });

  test.each([
    ["too many", ARRAY, 65, INVALID_PARAM],
    ["a count beyond all counting", ARRAY, -1, INVALID_PARAM],
    ["an array in front of RAM", 0x7fff_ffe0n, 1, INVALID_ADDRESS],
    ["an array across the end of RAM", RAM_END - 40n, 1, INVALID_ADDRESS],
    ["an array at the end of the address space", -16, 1, INVALID_ADDRESS],
    ["an array that is not aligned", ARRAY + 4n, 1, INVALID_ADDRESS],
  ] as const)("refuses %s, and does none of it", (_, address, count, error) => {
    const machine = ran(`${entry(0, CALL.enable, 0x20)}${call("multicall", address, count)}`, 200);
    expect([x(machine, 10), csr(machine, CSR.sie)]).toEqual([error, 0n]);
  });

  test("refuses a call that returns, waits or holds calls itself", () => {
    const machine = ran(
      `${entry(0, CALL.return)}${entry(1, CALL.block)}${entry(2, CALL.multicall, ARRAY, 1)}${call("multicall", ARRAY, 3)}li s2, 1\n`,
      400,
    );
    expect([word(machine, 4), word(machine, 10), word(machine, 16), x(machine, 18)]).toEqual([
      INVALID_PARAM,
      INVALID_PARAM,
      INVALID_PARAM,
      1n,
    ]);
  });

  test("reads its array once: what a call of it writes there changes no other", () => {
    // The second entry begins a frame that is guarded, so that `update` can write to it, and no answer can.
    const [first, second, batch] = [0x8031_0fd0n, 0x8031_1000n, 0x8032_0000n];
    const machine = ran(
      `${put(batch, second + 8n)}${put(batch + 8n, 0x22n)}
      ${put(first, BigInt(CALL.update))}${put(first + 8n, batch)}${put(first + 16n, 1n)}
      ${put(second, BigInt(CALL.enable))}${put(second + 8n, 0x20n)}
      ${call("guard", second)}${call("multicall", first, 2)}`,
      800,
    );
    const { memory } = machine.parts.platform;
    expect([x(machine, 10), x(machine, 11)]).toEqual([DENIED, 2n]);
    expect([memory.read(Number(first) + 32, 8), memory.read(Number(first) + 40, 8)]).toEqual([0n, 1n]);
    expect(memory.read(Number(second) + 8, 8)).toBe(0x22n);
    expect(csr(machine, CSR.sie)).toBe(0x20n);
  });

  test("writes no answer into what a call of it has made a page table", () => {
    const machine = ran(
      `${entry(0, CALL.guard, ARRAY)}${entry(1, CALL.enable, 0x20)}${call("multicall", ARRAY, 2)}`,
      400,
    );
    expect([x(machine, 10), x(machine, 11)]).toEqual([DENIED, 1n]);
    expect([word(machine, 4), csr(machine, CSR.sie)]).toEqual([0n, 0n]);
  });
});

test("a guest that never heard of the VMM runs under para as under full virtualization", () => {
  const source = `li t0, 2\ncsrs sstatus, t0\ncsrr s2, sstatus\ncsrr s3, time\n${SHUTDOWN}`;
  const [bare, under] = [boot(source), ported(source)];
  for (let step = 1; step < 20; step++) {
    bare.run(step);
    under.run(step);
    expect(under.digest()).toEqual(bare.digest());
  }
  expect(assemble("nop", { base: BASE }).bytes).toHaveLength(4);
});
