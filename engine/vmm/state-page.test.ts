/** The state page (T17): small kernels that work on it, under full virtualization with the page shared. */
import { describe, expect, test } from "vitest";
import { boot, guestEvents, PAGING, SHUTDOWN, setTimer, x } from "../boot.fixture.ts";
import { eventsOf } from "../event/record.ts";
import { MachineMemory } from "../hart/memory.ts";
import { CSR } from "../hart/privileged.ts";
import { PTE } from "../hart/translations.ts";
import type { Machine } from "../machine/machine.ts";
import { full } from "../techniques/full.ts";
import { native } from "../techniques/native.ts";
import { FIELDS, STATE_PAGE, StatePage } from "./state-page.ts";
import type { Technique } from "./technique.ts";
import type { Vmm } from "./vmm.ts";

const sharing: Technique = { ...full, name: "sharing", prepare: (mechanisms) => mechanisms.shareState() };
const { sscratch, sepc, scause, stval, status, stvec, satp, sie, sip, sieFlag, pending } = FIELDS;

const shared = (source: string): Machine => boot(source, { technique: sharing });
/** Runs to a number of steps. */
function ranTo(source: string, steps: number): Machine {
  const machine = shared(source);
  machine.run(steps);
  return machine;
}
const csr = (machine: Machine, number: number): bigint => {
  const { guest } = machine.parts.platform;
  guest.read(number);
  return (BigInt(guest.high >>> 0) << 32n) | BigInt(guest.low >>> 0);
};

describe("the state page's fields", () => {
  test("are aligned, do not overlap, and lie where one x0-relative access reaches", () => {
    const taken = new Set<number>();
    for (const { name, offset, bytes } of Object.values(FIELDS)) {
      expect(offset % bytes, name).toBe(-0);
      expect(offset, name).toBeGreaterThanOrEqual(-2048);
      for (let at = offset; at < offset + bytes; at++) {
        expect(at, name).toBeLessThan(0);
        expect(taken.has(at), name).toBe(false);
        taken.add(at);
      }
    }
  });

  test("show the CSRs as they are", () => {
    const machine = shared(`
      li t0, 0x123
      csrw sscratch, t0
      csrw sepc, t0
      csrw scause, t0
      csrw stval, t0
      csrw sie, t0
      la t0, 0x80200100
      csrw stvec, t0
      csrsi sstatus, 2
      ld a0, ${sscratch.offset}(x0)
      ld a1, ${sepc.offset}(x0)
      ld a2, ${scause.offset}(x0)
      ld a3, ${stval.offset}(x0)
      ld a4, ${status.offset}(x0)
      ld a5, ${stvec.offset}(x0)
      ld a6, ${satp.offset}(x0)
      ld a7, ${sie.offset}(x0)
      lbu s2, ${sieFlag.offset}(x0)
      csrr s3, sstatus
      1: j 1b
    `);
    machine.run(60);
    expect([10, 11, 12, 13].map((register) => x(machine, register))).toEqual([0x123n, 0x122n, 0x123n, 0x123n]);
    expect([15, 16, 17].map((register) => x(machine, register))).toEqual([0x8020_0100n, 0n, 0x22n]);
    expect(x(machine, 18)).toBe(2n);
    expect(x(machine, 14)).toBe(x(machine, 19) & ~2n);
  });

  test("reach the CSRs through their masks, at whatever step is looked at them", () => {
    const machine = ranTo(
      `
      li t0, -1
      sd t0, ${sepc.offset}(x0)
      sd t0, ${sscratch.offset}(x0)
      sd t0, ${status.offset}(x0)
      sb t0, ${sieFlag.offset}(x0)
    `,
      5,
    );
    expect(csr(machine, CSR.sepc)).toBe(2n ** 64n - 2n);
    expect(csr(machine, 0x140)).toBe(2n ** 64n - 1n);
    // SPP, SPIE, SIE and FS, which makes SD 1; UXL is 2; not SUM or MXR, nor what is reserved.
    expect(csr(machine, CSR.sstatus)).toBe(0x8000_0002_0000_6122n);
    expect(
      ranTo("sb zero, -1936(x0)\nli t0, -2\nsb t0, -1936(x0)\nsb zero, -1936(x0)", 3).parts.platform.guest.status & 2,
    ).toBe(2);
  });

  test("that are copies ignore what is written to them", () => {
    const machine = shared(
      [stvec, satp, sie, sip].map(({ offset }) => `li t0, -1\nsd t0, ${offset}(x0)`).join("\n") +
        `\nsb t0, ${pending.offset}(x0)\ncsrr t1, sip\nlbu a0, ${pending.offset}(x0)\nld a1, ${sie.offset}(x0)`,
    );
    machine.run(12);
    expect([CSR.stvec, CSR.satp, CSR.sie, CSR.sip].map((number) => csr(machine, number))).toEqual([0n, 0n, 0n, 0n]);
    expect([x(machine, 10), x(machine, 11)]).toEqual([0n, 0n]);
  });

  test("leave FS Dirty where instructions made it so, unless the kernel says otherwise (T14)", () => {
    const on = `li t0, 0x2000\nsd t0, ${status.offset}(x0)\n`;
    const fs = (source: string, steps: number) => (ranTo(source, steps).parts.platform.guest.status >>> 13) & 3;
    expect(fs(on, 2)).toBe(1);
    expect(fs(`${on}fmv.d.x f0, zero\n`, 3)).toBe(3);
    expect(fs(`${on}fmv.d.x f0, zero\nli t0, 0x4000\nsd t0, ${status.offset}(x0)\n`, 5)).toBe(2);
    expect(fs(`sd zero, ${status.offset}(x0)\nfmv.d.x f0, zero\n`, 2)).toBe(0);
  });
});

describe("where the state page is", () => {
  test("nothing of it is seen in a digest or a snapshot, at no step (T18)", () => {
    const source = `
      li t0, 0x8020001
      csrw sepc, t0
      csrsi sstatus, 2
      csrci sstatus, 2
      csrw sscratch, t0
      csrr t1, sstatus
    `;
    const [bare, virtual] = [boot(source), shared(source)];
    // The page is in use from the first step on: its frame is mapped as soon as the kernel looks.
    for (let step = 1; step <= 8; step++) {
      bare.run(step);
      virtual.run(step);
      expect(virtual.digest()).toEqual(bare.digest());
      expect(virtual.save()).toEqual(bare.save());
    }
  });

  test("only the kernel has it, and nobody executes it", () => {
    const machine = shared(`
      ld t0, ${sscratch.offset}(x0)
      la t0, handler
      csrw stvec, t0
      la t0, user
      csrw sepc, t0
      li t0, 0x100
      csrc sstatus, t0
      sret
      user: ld t1, ${sscratch.offset}(x0)
      .align 2
      handler:
      csrr a0, scause
      csrr a1, stval
      li t0, ${FIELDS.spill0.offset}
      la t1, after
      csrw stvec, t1
      jr t0
      .align 2
      after:
      csrr a2, scause
      csrr a3, stval
      1: j 1b
    `);
    const vmm = machine.parts.execution as Vmm;
    const keys = new Set<string>();
    while (machine.run(machine.step + 1).kind === "until" && machine.step < 200) {
      for (const { key, frame, flags } of vmm.shadow.leaves()) {
        if (frame !== vmm.state!.frame) continue;
        keys.add(key);
        expect(flags & (PTE.R | PTE.W | PTE.X)).toBe(PTE.R | PTE.W);
      }
    }
    expect([...keys]).toEqual(["-1/1/0/0"]);
    // Under Bare no RAM is there: access faults, of the load and of the fetch.
    const top = 2n ** 64n;
    expect([10, 11, 12, 13].map((register) => x(machine, register))).toEqual([
      5n,
      top - 2048n,
      1n,
      top + BigInt(FIELDS.spill0.offset),
    ]);
  });

  test("a guest that maps its address itself stops with shared-page.foreign-access (T17)", () => {
    const machine = shared(`${PAGING}
      li t0, 0x80300ff8
      li t1, 0x200000cf
      sd t1, 0(t0)
      ld t0, ${sscratch.offset}(x0)
    `);
    expect(machine.run(1000)).toMatchObject({ kind: "end", reason: "stopped" });
    expect(machine.end?.message).toMatch(/^shared-page\.foreign-access: .* at 0x8020/);
    const not = shared(`${PAGING}\nld t0, ${sscratch.offset}(x0)\nli a0, 5\n${SHUTDOWN}`);
    expect(not.run(1000)).toMatchObject({ kind: "end", reason: "poweroff" });
  });

  test("a kernel cannot unmap it, and keeps what it holds there", () => {
    const machine = shared(`${PAGING}
      li t0, 77
      sd t0, ${FIELDS.spill2.offset}(x0)
      sfence.vma
      ld a0, ${FIELDS.spill2.offset}(x0)
      li t1, -4096
      sfence.vma t1
      ld a1, ${FIELDS.spill2.offset}(x0)
      csrw satp, zero
      ld a2, ${FIELDS.spill2.offset}(x0)
      1: j 1b
    `);
    machine.run(100);
    expect([10, 11, 12].map((register) => x(machine, register))).toEqual([77n, 77n, 77n]);
  });

  test("a guest that is not given it has the bare machine's fault there", () => {
    const source = `ld t0, ${sscratch.offset}(x0)`;
    const [bare, virtual] = [boot(source, { technique: native }), boot(source, { technique: full })];
    bare.run(1);
    virtual.run(1);
    expect(guestEvents(virtual)).toEqual(guestEvents(bare));
    expect(csr(virtual, CSR.scause)).toBe(5n);
  });
});

describe("interrupts beside the state page", () => {
  const count = (steps: number) => `li t0, ${steps}\n1: addi t0, t0, -1\nbnez t0, 1b\n`;
  /** The timer comes due while interrupts are closed; then `open`. */
  const timed = (open: string) => `
      la t0, handler
      csrw stvec, t0
      li t0, 0x20
      csrw sie, t0
      ${setTimer(10)}
      lbu s2, ${pending.offset}(x0)
      ${count(200)}
      lbu s3, ${pending.offset}(x0)
      opens:
      ${open}
      nop
      nop
      csrr s4, time
      nop
      csrr s5, sip
      1: j 1b
      .align 2
      handler:
      csrr s6, sepc
      csrr s7, sstatus
      1: j 1b
  `;
  const flag = `li t0, 2\nsb t0, ${sieFlag.offset}(x0)`;

  test("pending says that one waits, and 0 that none does", () => {
    const machine = shared(timed(""));
    machine.run(600);
    expect([x(machine, 18), x(machine, 19), x(machine, 22)]).toEqual([0n, 1n, 0n]);
  });

  test("reach a kernel that opens them at its next exit, however the run is cut", () => {
    const seen = [1, 7, 1000].map((slice) => {
      const machine = shared(timed(flag));
      while (machine.step < 700) machine.run(Math.min(machine.step + slice, 700));
      return { pc: x(machine, 22), digest: machine.digest() };
    });
    const machine = shared(timed(flag));
    // The read of sip is the first exit after the store.
    expect(seen.map(({ pc }) => pc)).toEqual(Array(3).fill(seen[0]!.pc));
    expect(seen[0]!.pc).not.toBe(0n);
    expect(new Set(seen.map(({ digest }) => digest.low)).size).toBe(1);
    machine.run(700);
    expect(x(machine, 20)).not.toBe(0n);
    expect(x(machine, 21)).not.toBe(0n);
    expect(x(machine, 23) & 0x120n).toBe(0x120n);
  });

  test("are not brought by an exit that only fills the shadow: how many of those there are is the VMM's affair (T21)", () => {
    const taken = ["t1", "t3"].map((touched) => {
      const early = `li t1, 0x80300000\nli t3, 0x80301000\nld t2, 0(${touched})\n`;
      const machine = shared(early + timed(`${flag}\nld t2, 0(t1)`));
      machine.run(700);
      let fills = 0;
      for (const event of eventsOf(machine.log.drain())) if (event.kind === "shadow.fill") fills++;
      return { pc: x(machine, 22), fills, time: x(machine, 20) };
    });
    expect(taken[0]!.pc).not.toBe(0n);
    expect(taken.map(({ pc }) => pc)).toEqual(Array(2).fill(taken[0]!.pc));
    expect(taken.map(({ time }) => time)).toEqual(Array(2).fill(taken[0]!.time));
    expect(taken[1]!.fills - taken[0]!.fills).toBe(1);
  });

  test("that come due while the flag is open are taken at once", () => {
    const source = timed("").replace("lbu s2", `${flag}\nlbu s2`);
    const machine = shared(source);
    machine.run(600);
    expect(x(machine, 19)).toBe(0n);
    expect(x(machine, 22)).not.toBe(0n);
  });

  test("none is taken where the kernel closes them in time", () => {
    const machine = shared(timed(`${flag}\nsb zero, ${sieFlag.offset}(x0)`));
    machine.run(700);
    expect(x(machine, 22)).toBe(0n);
    expect(x(machine, 21)).not.toBe(0n);
  });
});

test("a page read back twice changes nothing, and only a page that was given out is read back", () => {
  const machine = ranTo("nop", 1);
  const { guest } = machine.parts.platform;
  const memory = new MachineMemory(4096, 4096);
  const page = new StatePage({ memory, guest, frame: (0x8000_0000 + 4096) / 4096 });
  const before = guest.save();
  page.write("sepc", 0x44n);
  expect(page.import()).toBe(false);
  expect(guest.save()).toEqual(before);
  page.export();
  page.write("sepc", 0x45n);
  page.import();
  expect(csr(machine, CSR.sepc)).toBe(0x44n);
  page.write("sepc", 0x88n);
  page.import();
  expect(csr(machine, CSR.sepc)).toBe(0x44n);
  page.export();
  page.write("sepc", 0x88n);
  page.reset();
  page.import();
  expect(csr(machine, CSR.sepc)).toBe(0x44n);
  expect(StatePage.holds(STATE_PAGE.low, STATE_PAGE.high)).toBe(true);
  expect(StatePage.holds(0xffff_efff, STATE_PAGE.high)).toBe(false);
});
