import { describe, expect, test } from "vitest";
import { csr, enter, entries, OPEN, ROOT, run, satp, TIERS, trap, x } from "./bare.fixture.ts";
import { RAM_BASE } from "./memory.ts";

const CAUSES = 0x342;
const MSTATUS = 0x300;
const INTERRUPT = 1n << 63n;
const [V, R, W, X, U, A, D] = [1, 2, 4, 8, 16, 64, 128];
const ALL = V | R | W | X | A | D;
/** Identity for RAM, for the supervisor, and a table of 4-KiB pages from 0x40000000. */
const L1 = ROOT + 0x1000;
const L0 = ROOT + 0x2000;
const PAGE = 0x4000_0000;
const DATA = RAM_BASE + 0x8000;
type Page = readonly [index: number, physical: number, flags: number];
const paged = (...pages: readonly Page[]): string =>
  entries(
    [ROOT + 16, RAM_BASE, ALL],
    [ROOT + 8, L1, V],
    [L1, L0, V],
    ...pages.map(([index, physical, flags]) => [L0 + 8 * index, physical, flags] as const),
  ) + satp(8);
const supervised = (body: string, ...pages: readonly Page[]): string =>
  `${OPEN}${paged(...pages)}${enter(1, "inside")}inside:\n${body}`;

// Privileged specification, "Machine Cause (mcause) Register" and "Machine Trap Value (mtval) Register".
describe.each(TIERS)("each exception has its cause, its value and its pc, in the %s", (tier) => {
  const of = (source: string) => trap(run(`${source}\nli a7, 1\nj stop`, { tier }));

  test("1: a fetch of what is no memory, with its address", () => {
    expect(of("li t1, 0x20000000\njr t1")).toEqual([1n, 0x2000_0000n, 0x2000_0000n]);
    expect(of("li t1, 0x10000000\njr t1")).toEqual([1n, 0x1000_0000n, 0x1000_0000n]);
    // Physical addresses have 56 bits.
    expect(of("li t1, -2\njr t1")).toEqual([1n, 2n ** 64n - 2n, 2n ** 64n - 2n]);
  });

  test("1: a fetch whose second half is no memory, with that half's address", () => {
    // The last halfword of RAM begins a 32-bit instruction.
    const last = RAM_BASE + (1 << 20) - 2;
    expect(of(`li t1, ${last}\nli t2, 0x13\nsh t2, 0(t1)\njr t1`)).toEqual([1n, BigInt(last + 2), BigInt(last)]);
  });

  test("2: an illegal instruction, with its bits, 16 or 32", () => {
    for (const bits of [0x0000_0000, 0xffff_ffff, 0x0000_0057, 0x3020_0077]) {
      expect(of(`.align 2\n.word 0x${bits.toString(16)}`).slice(0, 2), bits.toString(16)).toEqual([
        2n,
        BigInt(bits & 3 ? bits : bits & 0xffff),
      ]);
    }
    expect(of("csrr t0, 0x5c0").slice(0, 2)).toEqual([2n, 0x5c00_22f3n]);
    expect(of("csrw cycle, t0").slice(0, 2)).toEqual([2n, 0xc002_9073n]);
    expect(of(".half 0x8002").slice(0, 2)).toEqual([2n, 0x8002n]);
  });

  test("3: a breakpoint, with no value", () => {
    const machine = run("here: ebreak", { tier });
    expect(trap(machine).slice(0, 2)).toEqual([3n, 0n]);
    expect(trap(run("c.ebreak", { tier })).slice(0, 2)).toEqual([3n, 0n]);
  });

  test("4 and 6: misaligned atomics, with the address, before any translation", () => {
    expect(of("li t1, 0x80008002\nlr.w t2, (t1)").slice(0, 2)).toEqual([4n, 0x8000_8002n]);
    expect(of("li t1, 0x80008004\nlr.d t2, (t1)").slice(0, 2)).toEqual([4n, 0x8000_8004n]);
    expect(of("li t1, 0x80008001\nsc.w t2, t1, (t1)").slice(0, 2)).toEqual([6n, 0x8000_8001n]);
    expect(of("li t1, 0x80008004\namoadd.d t2, t1, (t1)").slice(0, 2)).toEqual([6n, 0x8000_8004n]);
    expect(of("li t1, 0x20000001\namoadd.w t2, t1, (t1)").slice(0, 2)).toEqual([6n, 0x2000_0001n]);
  });

  test("5 and 7: an access to what is no memory, with its address; atomics count as stores", () => {
    expect(of("li t1, 0x20000008\nld t2, 0(t1)").slice(0, 2)).toEqual([5n, 0x2000_0008n]);
    expect(of("li t1, 0x20000008\nsb t2, 3(t1)").slice(0, 2)).toEqual([7n, 0x2000_000bn]);
    expect(of("li t1, 0x20000008\nlr.w t2, (t1)").slice(0, 2)).toEqual([5n, 0x2000_0008n]);
    expect(of("li t1, 0x20000008\nsc.w t2, t1, (t1)").slice(0, 2)).toEqual([7n, 0x2000_0008n]);
    expect(of("li t1, 0x20000008\namoor.w t2, t1, (t1)").slice(0, 2)).toEqual([7n, 0x2000_0008n]);
    // A device takes no atomics, and no misaligned access.
    expect(of("li t1, 0x10001000\namoor.w t2, t1, (t1)").slice(0, 2)).toEqual([7n, 0x1000_1000n]);
    expect(of("li t1, 0x10001002\nlw t2, 0(t1)").slice(0, 2)).toEqual([5n, 0x1000_1002n]);
  });

  test("misaligned loads and stores are carried out, over a page's end too", () => {
    const machine = run(
      "li t1, 0x80008ffd\nli t2, 0x0123456789abcdef\nsd t2, 0(t1)\nld s1, 0(t1)\nlw s2, 5(t1)\nlh s3, 3(t1)\nj stop",
      { tier },
    );
    expect([x(machine, 9), x(machine, 18), x(machine, 19)]).toEqual([0x0123_4567_89ab_cdefn, 0x0001_2345n, 0x6789n]);
    expect(csr(machine, CAUSES)).toBe(0n);
  });

  test("8, 9 and 11: an environment call by the mode it is made from, with no value", () => {
    expect(of("ecall").slice(0, 2)).toEqual([11n, 0n]);
    for (const mode of [0, 1] as const)
      expect(of(`${OPEN}${enter(mode, "inside")}inside: ecall`).slice(0, 2)).toEqual([BigInt(8 + mode), 0n]);
  });

  test("12, 13 and 15: a page fault by the access, with its address", () => {
    const of = (body: string) => trap(run(supervised(body), { tier }));
    expect(of(`li t1, ${PAGE + 0x10}\njr t1`)).toEqual([12n, BigInt(PAGE + 0x10), BigInt(PAGE + 0x10)]);
    expect(of(`li t1, ${PAGE + 0x11}\nlh t2, 0(t1)`).slice(0, 2)).toEqual([13n, BigInt(PAGE + 0x11)]);
    expect(of(`li t1, ${PAGE + 0x18}\nlr.d t2, (t1)`).slice(0, 2)).toEqual([13n, BigInt(PAGE + 0x18)]);
    expect(of(`li t1, ${PAGE + 0x18}\nsd t2, 0(t1)`).slice(0, 2)).toEqual([15n, BigInt(PAGE + 0x18)]);
    expect(of(`li t1, ${PAGE + 0x18}\nsc.d t2, t1, (t1)`).slice(0, 2)).toEqual([15n, BigInt(PAGE + 0x18)]);
    expect(of(`li t1, ${PAGE + 0x18}\namoadd.d t2, t1, (t1)`).slice(0, 2)).toEqual([15n, BigInt(PAGE + 0x18)]);
    // Bits 63 to 39 must equal bit 38.
    expect(of("li t1, 0x4000000000\nld t2, 0(t1)").slice(0, 2)).toEqual([13n, 0x40_0000_0000n]);
  });

  test("an access over two pages faults at the first byte that fails, and does nothing before (T13)", () => {
    const both = `li t1, ${PAGE + 0xffc}\nli t2, -1\n`;
    const second = run(supervised(`${both}sd t2, 0(t1)`, [0, DATA, ALL]), { tier });
    expect(trap(second).slice(0, 2)).toEqual([15n, BigInt(PAGE + 0x1000)]);
    expect(second.parts.platform.memory.read(DATA + 0xff8, 8)).toBe(0n);
    expect(trap(run(supervised(`${both}ld t2, 0(t1)`, [1, DATA, ALL]), { tier })).slice(0, 2)).toEqual([
      13n,
      BigInt(PAGE + 0xffc),
    ]);
    expect(trap(run(supervised(`${both}ld t2, 0(t1)`, [0, DATA, ALL]), { tier })).slice(0, 2)).toEqual([
      13n,
      BigInt(PAGE + 0x1000),
    ]);
    const fetched = run(
      supervised(`li t1, ${DATA + 0xffe}\nli t2, 0x13\nsh t2, 0(t1)\nli t1, ${PAGE + 0xffe}\njr t1`, [0, DATA, ALL]),
      { tier },
    );
    expect(trap(fetched)).toEqual([12n, BigInt(PAGE + 0x1000), BigInt(PAGE + 0xffe)]);
  });
});

// "Supervisor Address Translation and Protection", "Virtual Address Translation Process", and the fields of mstatus.
describe.each(TIERS)("permissions of a page, in the %s", (tier) => {
  /** Which of load, store and fetch a page permits from a mode, as letters; `status` is set in mstatus besides. */
  const permitted = (flags: number, mode: 0 | 1, status = 0): string => {
    const attempt = (body: string) => {
      // Code of the mode's own kind: the gigapage is the supervisor's, its copy at 0xc0000000 the user's.
      const start = mode === 0 ? "li t0, 0x40000000\nadd t0, t0, t1\n" : "mv t0, t1\n";
      const source = `${OPEN}${entries([ROOT + 24, RAM_BASE, ALL | U])}${paged([0, DATA, flags])}li t0, ${DATA}\nli t1, 0x8082\nsh t1, 0(t0)\nli t0, ${status}\ncsrs mstatus, t0\nla t1, inside\n${start}csrw mepc, t0\nli t0, 0x1800\ncsrc mstatus, t0\nli t0, ${mode << 11}\ncsrs mstatus, t0\nmret\n.align 2\ninside:\nli t1, ${PAGE}\n${body}\nli s11, 1\necall`;
      return x(run(source, { tier }), 27) === 1n;
    };
    return [
      ["r", "ld t2, 0(t1)"],
      ["w", "sd t2, 8(t1)"],
      ["x", "jalr t1"],
    ]
      .filter(([, body]) => attempt(body!))
      .map(([letter]) => letter)
      .join("");
  };
  const [SUM, MXR] = [1 << 18, 1 << 19];

  test.each([
    [V | R, "r"],
    [V | R | W, "rw"],
    [V | X, "x"],
    [V | R | X, "rx"],
    [V | R | W | X, "rwx"],
    [V | W, ""],
    [V | W | X, ""],
    [R | W | X, ""],
  ])("flags %i permit the supervisor %s, and with U the user", (flags, letters) => {
    expect(permitted(flags | A | D, 1)).toBe(letters);
    expect(permitted(flags | A | D | U, 0)).toBe(letters);
    expect(permitted(flags | A | D, 0)).toBe("");
  });

  test("SUM lets the supervisor read and write user pages, never run them", () => {
    expect(permitted(ALL | U, 1)).toBe("");
    expect(permitted(ALL | U, 1, SUM)).toBe("rw");
    expect(permitted(ALL, 0, SUM)).toBe("");
  });

  test("MXR makes executable pages readable, to whom they belong", () => {
    expect(permitted(V | X | A, 1, MXR)).toBe("rx");
    expect(permitted(V | X | A | U, 0, MXR)).toBe("rx");
    expect(permitted(V | X | A | U, 1, MXR)).toBe("");
    expect(permitted(V | X | A | U, 1, MXR | SUM)).toBe("r");
  });

  test("Svade: A must be set for any access, D for a store (T11)", () => {
    expect(permitted(V | R | W | X | D, 1)).toBe("");
    expect(permitted(V | R | W | X | A, 1)).toBe("rx");
  });

  test("MPRV makes machine mode's loads and stores MPP's, with its SUM and MXR, and leaves fetches alone", () => {
    const with_ = (mpp: number, status: number, flags: number) =>
      trap(
        run(
          `${OPEN}${paged([0, DATA, flags])}li t0, 0x1800\ncsrc mstatus, t0\nli t0, ${(1 << 17) | (mpp << 11) | status}\ncsrs mstatus, t0\nli t1, ${PAGE}\nld s1, 0(t1)\nsd s1, 0(t1)\nli s1, 1\nebreak`,
          { tier },
        ),
      ).slice(0, 2);
    const done = [3n, 0n];
    expect(with_(1, 0, ALL)).toEqual(done);
    expect(with_(0, 0, ALL | U)).toEqual(done);
    expect(with_(0, 0, ALL)).toEqual([13n, BigInt(PAGE)]);
    expect(with_(1, 0, ALL | U)).toEqual([13n, BigInt(PAGE)]);
    expect(with_(1, SUM, ALL | U)).toEqual(done);
    expect(with_(1, MXR, V | X | A)).toEqual([15n, BigInt(PAGE)]);
    // Machine mode itself has no translation, and nothing lies at the address.
    expect(with_(3, 0, ALL)).toEqual([5n, BigInt(PAGE)]);
  });

  test("MPRV ends at a return to a lower mode, and at none to machine mode", () => {
    const after = (mode: number) =>
      (csr(
        run(
          `${OPEN}li t0, 0x1800\ncsrc mstatus, t0\nli t0, ${(1 << 17) | (mode << 11)}\ncsrs mstatus, t0\nla t0, there\ncsrw mepc, t0\nmret\nthere: ecall`,
          { tier },
        ),
        MSTATUS,
      ) >>
        17n) &
      1n;
    expect([0, 1, 3].map(after)).toEqual([0n, 0n, 1n]);
  });
});

// "Virtualization Support in mstatus Register", "Machine-Mode Privileged Instructions", "Supervisor Instructions".
describe.each(TIERS)("instructions that a mode or mstatus forbids, in the %s", (tier) => {
  const [TVM, TW, TSR] = [1 << 20, 1 << 21, 1 << 22];
  /** The cause that an instruction ends in: 9 or 8 for the ecall behind it. */
  const cause = (mode: 0 | 1, status: number, body: string) =>
    trap(
      run(
        `${OPEN}csrwi mideleg, 2\nli t0, ${status}\ncsrs mstatus, t0\nla t0, behind\ncsrw sepc, t0\n${enter(mode, "inside")}inside:\n${body}\nbehind: ecall`,
        { tier },
      ),
    )[0];

  test("the supervisor returns unless TSR, waits unless TW, and touches satp and translations unless TVM", () => {
    expect([cause(1, 0, "sret"), cause(1, TSR, "sret"), cause(1, TVM | TW, "sret")]).toEqual([8n, 2n, 8n]);
    // Something is pending, so that the wait is over at once.
    const awake = "csrsi sie, 2\ncsrsi sip, 2\nwfi";
    expect([cause(1, 0, awake), cause(1, TW, awake), cause(1, TSR | TVM, awake)]).toEqual([9n, 2n, 9n]);
    for (const body of ["csrr t0, satp", "csrw satp, x0", "csrci satp, 1", "sfence.vma", "sfence.vma a0, a1"]) {
      expect([cause(1, 0, body), cause(1, TVM, body), cause(1, TSR | TW, body)], body).toEqual([9n, 2n, 9n]);
    }
  });

  test("mret is machine mode's; user mode has none of them", () => {
    expect(cause(1, 0, "mret")).toBe(2n);
    for (const body of ["mret", "sret", "sfence.vma", "wfi", "csrr t0, sstatus", "csrr t0, mstatus"])
      expect(cause(0, 0, body), body).toBe(2n);
  });

  test("machine mode is bound by none of the switches", () => {
    const machine = run(
      `li t0, ${TVM | TW | TSR}\ncsrs mstatus, t0\nsfence.vma\ncsrw satp, x0\ncsrwi mideleg, 2\ncsrsi mie, 2\ncsrsi mip, 2\nwfi\nla t0, there\ncsrw sepc, t0\nli t0, 0x100\ncsrs mstatus, t0\nsret\nthere: ecall`,
      { tier },
    );
    // Without an open PMP entry the supervisor cannot fetch: that is where the return went.
    expect(trap(machine)[0]).toBe(1n);
    expect(trap(machine)[1]).toBe(trap(machine)[2]);
  });

  test("counters are the lower modes' as mcounteren and scounteren say", () => {
    const readable = (mode: 0 | 1, machineBits: number, supervisorBits: number) =>
      ["cycle", "time", "instret", "hpmcounter3"].filter(
        (counter) =>
          trap(
            run(
              `${OPEN}csrwi mcounteren, ${machineBits}\ncsrwi scounteren, ${supervisorBits}\n${enter(mode, "inside")}inside:\ncsrr t0, ${counter}\necall`,
              { tier },
            ),
          )[0] !== 2n,
      );
    expect(readable(1, 0, 7)).toEqual([]);
    expect(readable(1, 7, 0)).toEqual(["cycle", "time", "instret"]);
    expect(readable(0, 7, 0)).toEqual([]);
    expect(readable(0, 7, 2)).toEqual(["time"]);
    expect(readable(0, 1, 7)).toEqual(["cycle"]);
  });

  test("floating point is illegal while FS is off, in every mode, and so are its CSRs", () => {
    for (const body of [
      "fadd.d f0, f0, f0",
      "flw f0, 0(t0)",
      "fsd f0, 0(t0)",
      "csrr t0, fcsr",
      "csrwi frm, 0",
      "fmv.x.d t0, f0",
    ]) {
      expect(trap(run(`la t0, start\n${body}`, { tier }))[0], body).toBe(2n);
      expect(trap(run(`li t0, 0x2000\ncsrs mstatus, t0\nla t0, start\n${body}\necall`, { tier }))[0], body).toBe(11n);
    }
  });
});

// "Machine Trap Delegation (medeleg and mideleg) Registers", "Trap-Handling".
describe.each(TIERS)("a trap goes, in the %s", (tier) => {
  const supervisor = (delegation: string, body: string, mode: 0 | 1 = 1) =>
    run(
      `${OPEN}la t0, shandler\ncsrw stvec, t0\n${delegation}\n${enter(mode, "inside")}.align 2\nshandler:\ncsrr s3, scause\ncsrr s4, stval\ncsrr s5, sepc\ncsrr s6, sstatus\nsdone: j sdone\ninside:\n${body}`,
      { tier },
    );

  test("to the supervisor where its cause is delegated, from the supervisor and from the user", () => {
    for (const mode of [0, 1] as const) {
      const machine = supervisor("li t0, 4\ncsrw medeleg, t0", ".half 0", mode);
      expect([x(machine, 19), x(machine, 20)]).toEqual([2n, 0n]);
      // SPP holds the mode that it came from, SPIE what SIE was.
      expect((x(machine, 22) >> 8n) & 1n).toBe(BigInt(mode));
      expect(csr(machine, CAUSES)).toBe(0n);
    }
  });

  test("to machine mode where it is not, and always from machine mode", () => {
    expect(trap(supervisor("csrw medeleg, x0", ".half 0"))[0]).toBe(2n);
    expect(trap(run("li t0, -1\ncsrw medeleg, t0\n.half 0", { tier }))[0]).toBe(2n);
    // An ecall from M-mode cannot be delegated at all.
    expect(csr(run("li t0, -1\ncsrw medeleg, t0\nj stop", { tier }), 0x302)).toBe(0xb3ffn);
  });

  test("and returns by sret with SIE from SPIE and the mode from SPP, which becomes user", () => {
    const machine = run(
      `${OPEN}la t0, there\ncsrw sepc, t0\nli t0, 0x120\ncsrs mstatus, t0\n${enter(1, "inside")}inside: sret\nthere: ecall`,
      { tier },
    );
    expect(trap(machine)[0]).toBe(9n);
    // SPP 0, SPIE 1, SIE 1.
    expect(csr(machine, MSTATUS) & 0x122n).toBe(0x22n);
  });
});

// "Machine Interrupt (mip and mie) Registers": MEI, MSI, MTI, SEI, SSI, STI; and machine mode's before the supervisor's.
describe.each(TIERS)("interrupts, in the %s", (tier) => {
  /** Causes in the order in which they are taken, when all of `pending` becomes pending at once. */
  const order = (pending: number, delegated: number): bigint[] => {
    const machine = run(
      `${OPEN}li t0, ${delegated}\ncsrw mideleg, t0\nli t0, 0xaaa\ncsrw mie, t0\nla t0, shandler\ncsrw stvec, t0\n${enter(0, "inside")}inside: j inside\n.align 2\nshandler: j shandler`,
      { tier },
    );
    const { guest } = machine.parts.platform;
    const taken: bigint[] = [];
    for (let rest = pending; rest !== 0; ) {
      guest.lines = rest;
      guest.mode = 0;
      machine.run(machine.step + 1);
      const cause = guest.mode === 3 ? csr(machine, CAUSES) : csr(machine, 0x142);
      taken.push(cause & ~INTERRUPT);
      expect(cause & INTERRUPT).toBe(INTERRUPT);
      rest &= ~(1 << Number(cause & 15n));
    }
    return taken;
  };

  test("are taken by urgency, those for machine mode first", () => {
    expect(order(0xaaa, 0)).toEqual([11n, 3n, 7n, 9n, 1n, 5n]);
    expect(order(0xaaa, 0x222)).toEqual([11n, 3n, 7n, 9n, 1n, 5n]);
    expect(order(0x222, 0x200)).toEqual([1n, 5n, 9n]);
    expect(order(0x22, 0x222)).toEqual([1n, 5n]);
  });

  test("enter a vectored table at four bytes a cause; exceptions do not", () => {
    const source = (then: string) =>
      `la t0, table\nori t0, t0, 1\ncsrw mtvec, t0\n${then}\n.align 6\ntable: j exception\nnop\n.align 2\n.word 0\n.word 0\nj software\nexception: li s1, 1\nhere: j here\nsoftware: li s1, 3\nj here`;
    const plain = source("ecall").replace("nop\n.align 2\n.word 0\n.word 0", ".align 2\n.word 0\n.word 0");
    expect(x(run(plain.replace("j exception\n", ".option norvc\nj exception\n"), { tier }), 9)).toBe(1n);
    const interrupted = run(
      plain
        .replace("j exception\n", ".option norvc\nj exception\n")
        .replace("ecall", "csrsi mie, 8\ncsrsi mstatus, 8\nwait: j wait"),
      { tier, steps: 60 },
    );
    interrupted.parts.platform.guest.setLine(3, true);
    interrupted.run(interrupted.step + 5);
    expect(x(interrupted, 9)).toBe(3n);
  });

  test("are held back in a mode by its own enable, never by a lower one's", () => {
    const taken = (mode: 0 | 1 | 3, mstatus: number, delegated: number, bit: number): boolean => {
      const machine = run("j stop", { tier });
      const { guest } = machine.parts.platform;
      guest.write(0x303, delegated, 0);
      guest.write(0x304, 0xaaa, 0);
      guest.write(MSTATUS, mstatus, 0);
      guest.lines = 1 << bit;
      guest.mode = mode;
      return guest.interrupt() === bit;
    };
    const [SIE, MIE] = [2, 8];
    expect([taken(3, 0, 0, 7), taken(3, MIE, 0, 7), taken(3, SIE, 0, 7)]).toEqual([false, true, false]);
    expect([taken(1, 0, 0, 7), taken(0, 0, 0, 7)]).toEqual([true, true]);
    expect([taken(1, 0, 0x222, 5), taken(1, SIE, 0x222, 5), taken(0, 0, 0x222, 5)]).toEqual([false, true, true]);
    expect([taken(3, MIE | SIE, 0x222, 5), taken(3, MIE, 0, 5)]).toEqual([false, true]);
  });
});
