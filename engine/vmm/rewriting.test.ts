/** Rewriting is transparent: every guest here is compared with the bare machine step by step (T16; reliability checklist, section C). */
import { describe, expect, test } from "vitest";
import { createMachine } from "../create.ts";
import { eventsOf } from "../event/record.ts";
import { CSR } from "../hart/privileged.ts";
import { assemble } from "../isa/assemble.ts";
import { extended, leakyX86, type Profile, strict } from "../isa/profile.ts";
import type { Machine } from "../machine/machine.ts";
import { native } from "../techniques/native.ts";
import { rewritingInline, rewritingTrap } from "../techniques/rewriting.ts";
import type { Technique } from "./technique.ts";
import type { Vmm } from "./vmm.ts";

const BASE = 0x8020_0000n;
const MEMORY = 8 << 20;

function boot(source: string, technique: Technique, profile: Profile = strict, memoryBytes = MEMORY): Machine {
  const kernel = assemble(source, { base: BASE }).bytes;
  const common = { kernel, memoryBytes, rtcSeconds: 0, machineMode: false, profile, technique };
  return createMachine({ ...common, logging: true, tier: "interpreter" });
}

interface Seen {
  readonly machine: Machine;
  /** Exits by reason. */
  readonly exits: Readonly<Record<string, number>>;
  /** pc and bits of each exit at a site. */
  readonly sites: readonly (readonly [pc: bigint, bits: number])[];
}

function seen(machine: Machine): Seen {
  const exits: Record<string, number> = {};
  const sites: [bigint, number][] = [];
  for (const event of eventsOf(machine.log.drain())) {
    if (event.kind !== "vmm.exit") continue;
    exits[event.reason] = (exits[event.reason] ?? 0) + 1;
    if (event.reason === "rewritten-site") sites.push([event.pc, event.bits]);
  }
  return { machine, exits, sites };
}

/**
 * Runs a guest bare and rewritten in both variants, and compares after each of `steps` steps. `meddle` is done to all before a step.
 *
 * @returns What was seen of the variant `trap`.
 */
function compare(
  source: string,
  steps: number,
  {
    profile = strict,
    meddle = () => {},
  }: { profile?: Profile; meddle?: (machine: Machine, step: number) => void } = {},
): Seen {
  const bare = boot(source, native, profile);
  const rewritten = [rewritingTrap, rewritingInline].map((technique) => boot(source, technique, profile));
  const registers = ({ parts: { platform } }: Machine) => [platform.hart.pc, ...platform.hart.x];
  for (let step = 1; step <= steps; step++) {
    for (const machine of [bare, ...rewritten]) {
      meddle(machine, step);
      machine.run(step);
    }
    for (const virtual of rewritten) {
      expect(registers(virtual), `step ${step}`).toEqual(registers(bare));
      expect(virtual.digest(), `step ${step}`).toEqual(bare.digest());
    }
  }
  for (const virtual of rewritten) expect((virtual.parts.execution as Vmm).leaked).toEqual({ user: 0, supervisor: 0 });
  return seen(rewritten[0]!);
}
const x = ({ machine }: Seen, register: number) => machine.parts.platform.hart.x[register]!;

/**
 * Sv39 at 0x80300000: RAM as it is, a gigapage, and two 4-KiB pages from 0x40000000 on, at frames 0x80400 and 0x80401.
 * `second` is the flag byte of the second's entry, which stands at 0x80302008.
 */
const paging = (first: string, second: string) => `
  li t0, 0x80300000
  li t1, 0x200000cf
  sd t1, 16(t0)
  li t1, 0x200c0401
  sd t1, 8(t0)
  li t0, 0x80301000
  li t1, 0x200c0801
  sd t1, 0(t0)
  li t0, 0x80302000
  li t1, 0x20100000 + ${first}
  sd t1, 0(t0)
  li t1, 0x20100400 + ${second}
  sd t1, 8(t0)
  li t1, 8
  slli t1, t1, 60
  li t2, 0x80300
  or t1, t1, t2
  csrw satp, t1
`;
const halves = (address: number, ...values: number[]) =>
  `li a3, ${address}\n${values.map((value, i) => `li a4, ${value}\nsh a4, ${2 * i}(a3)`).join("\n")}`;
const HANDLER = "la t0, handler\ncsrw stvec, t0\n";

describe("rewriting", () => {
  test.each([strict, leakyX86])("carries out what is sensitive at its site, once a step, on $name", (profile) => {
    const run = compare("csrw sscratch, sp\ncsrr t0, sscratch\ncsrr t1, sstatus\naddi t2, t2, 1\nj .", 12, { profile });
    expect(run.exits["rewritten-site"]).toBe(3);
    expect(run.exits["privileged-instruction"]).toBeUndefined();
    expect(run.sites[1]).toEqual([BASE + 4n, 0x140022f3]);
  });

  test("shows a guest that sums up its own text the original bytes, and writes none of them", () => {
    const run = compare(
      `la a0, start
      la a1, end
      start: loop: lwu t0, 0(a0)
      add s0, s0, t0
      addi a0, a0, 4
      bltu a0, a1, loop
      csrr t1, sscratch
      csrw sscratch, t1
      sfence.vma
      end: j .`,
      60,
    );
    expect(run.exits["code-access"]).toBeGreaterThanOrEqual(7);
    expect(run.sites.length).toBe(3);
  });

  test.each(["", "fence.i"])("follows code that changes itself, to and from what is sensitive (%s)", (fence) => {
    const [csrr, addi] = [0x140022f3, 0x00128293];
    compare(
      `la a0, place
      li s1, ${csrr}
      li s2, ${addi}
      li s0, 40
      csrw sscratch, s0
      again: sw s1, 0(a0)
      ${fence}
      call place
      sw s2, 0(a0)
      ${fence}
      call place
      addi s0, s0, -1
      bnez s0, again
      j .
      .align 2
      place: addi t0, t0, 1
      addi t1, t1, 1
      ret`,
      // More stores than a copy lives through.
      700,
    );
  });

  test("follows a store to an instruction behind it, and to one half of another", () => {
    compare(
      `la a0, place
      li t0, 0x1463
      sh t0, 0(a0)
      li t1, 0x0293
      place: csrr t0, sscratch
      sh t1, 0(a0)
      li t2, 0x22f3
      sh t2, 0(a0)
      bnez s0, done
      li s0, 1
      j place
      done: j .`,
      40,
    );
  });

  // csrw sscratch, s0 has c.addi4spn s1, sp, 544 in its second half; with t1 it has the first half of lh s0, …
  test.each(["before", "after"])("runs what a jump into the middle of a site means, %s the site itself ran", (when) => {
    const run = compare(
      `la a0, site
      la a1, back
      li sp, 0x80400000
      ${when === "after" ? "li s3, 1\njal site" : ""}
      addi a0, a0, 2
      jr a0
      site: csrw sscratch, s0
      back: bnez s3, out
      j over
      out: li s3, 0
      ret
      over: bnez s4, end
      li s4, 1
      j site
      end: j .`,
      30,
    );
    expect(x(run, 9)).toBe(0x8040_0000n + 544n);
  });

  test("runs what a jump into the middle of a site means, where that reaches into the next site", () => {
    const run = compare(
      `la a0, site
      la t1, site
      addi a0, a0, 2
      addi t1, t1, 0x7ff
      jr a0
      site: csrw sscratch, t1
      csrw sscratch, s0
      c.addi s5, 1
      bnez s4, end
      li s4, 1
      j site
      end: j .`,
      30,
    );
    expect(run.sites.filter(([, bits]) => (bits & 0x7f) === 0x03)).toHaveLength(1);
  });

  test("runs what a jump into the middle of an innocuous instruction means", () => {
    // addi a0, zero, 0x140 has c.addi4spn s0, sp, 160 in its second half.
    const run = compare("la a1, at\nli sp, 0x80400000\naddi a1, a1, 2\njr a1\nat: addi a0, zero, 0x140\nj at", 20);
    expect(run.exits["rewritten-site"]).toBeUndefined();
    expect(x(run, 10)).toBe(0x140n);
    expect(x(run, 8)).toBeGreaterThan(0x8040_0000n);
  });

  test.each([strict, leakyX86])("leaves nothing sensitive inside an innocuous instruction, on $name", (profile) => {
    // addi a0, t1, 0x22f, and behind it a compressed instruction: from the middle they are csrr t0, sscratch.
    const source = `la a1, at\nli s3, 77\ncsrw sscratch, s3\nla s4, other\nbnez s5, other\naddi a1, a1, 2\njr a1
      at: addi a0, t1, 0x22f\n.half 0x1400\nbnez s5, end\nother: li s5, 1\nj at\nend: j .`;
    const run = compare(source, 30, { profile });
    expect(x(run, 5)).toBe(77n);
    expect(run.sites.map(([, bits]) => bits)).toContain(0x140022f3);
    // The whole gives way, and is carried out by the VMM.
    expect(run.sites.map(([, bits]) => bits)).toContain(0x22f30513);
  });

  test("finds sites at odd halfwords and at a page's end", () => {
    const run = compare(
      `c.nop
      csrw sscratch, sp
      c.nop
      csrr t0, sscratch
      j near
      .org 0xffa
      near: addi t0, t0, 1
      csrr t2, sscratch
      addi t0, zero, 1
      j far
      .org 0x1ffa
      far: addi t0, t0, 1
      addi t0, t0, 2
      addi t0, t0, 4
      j .`,
      20,
    );
    expect(x(run, 5)).toBe(8n);
    expect(run.sites.map(([pc]) => Number(pc - BASE))).toEqual([2, 8, 0xffe, 0x1ffe]);
  });

  test("carries out any instruction that crosses the page's end: marks, calls, breakpoints, counters, floats, jumps", () => {
    const crossing = (index: number, instruction: string) =>
      `j at${index}\n.org ${0x1000 * (index + 1) - 2}\nat${index}: ${instruction}\n`;
    const run = compare(
      `${HANDLER}li a7, 16\nli a6, 0\nli t3, 0x2000\ncsrs sstatus, t3\n
      ${[
        "slti x0, x0, 0x105",
        "ecall",
        ".word 0x00100073",
        "csrr s2, time",
        "fcvt.d.w fa0, a7",
        "csrr s3, fcsr",
        "sd s2, 0(sp)",
        "lr.d s4, (sp)",
        "fence.i",
        ".word 0xffffffff",
        ".word 0x5a503013",
        "wfi",
        "sfence.vma",
        "jal s5, next",
      ]
        .map((instruction, index) => crossing(index, instruction))
        .join("")}
      next: j .
      .align 2
      handler: csrr s8, sepc
      csrr s9, scause
      csrr s10, stval
      addi s8, s8, 4
      csrw sepc, s8
      sret`,
      60,
      {
        meddle: (machine, step) => {
          if (step !== 1) return;
          const { hart, guest } = machine.parts.platform;
          hart.x[2] = 0x8040_0000n;
          // A software interrupt is enabled and pending, so that wfi goes on.
          guest.write(CSR.sie, 2, 0);
          guest.raise(1);
        },
      },
    );
    expect(x(run, 21)).toBeGreaterThan(BASE);
    expect(run.exits).toMatchObject({ "environment-call": 1, exception: 2 });
  });

  test("reads both pages of a crossing site as the fetch does, and faults where the second is not there", () => {
    // csrr t0, sscratch across 0x40000fff: the first half at 0x80400ffe, the second at 0x80401000, then a return.
    const run = compare(
      `${HANDLER}${paging("0xcb", "0")}
      ${halves(0x8040_0ffe, 0x22f3, 0x1400, 0x8082)}
      li s0, 99
      csrw sscratch, s0
      li a0, 0x40000ffe
      jalr a0
      jalr a0
      j .
      .align 2
      handler: csrr s1, scause
      csrr s2, stval
      li a1, 0x80302008
      li a2, 0x201004cb
      sd a2, 0(a1)
      sret`,
      110,
    );
    expect([x(run, 9), x(run, 18), x(run, 5)]).toEqual([12n, 0x4000_1000n, 99n]);
    expect(run.sites.filter(([pc]) => pc === 0x4000_0ffen)).toHaveLength(2);
  });

  test("follows writes by another address, mapped to be written only, and reads by it", () => {
    // The page runs at 0x40000000; 0x40001000 is the same frame, data only.
    const run = compare(
      `${paging("0xcb", "0xc7").replace("0x20100400", "0x20100000")}
      ${halves(0x8040_0000, 0x22f3, 0x1400, 0x8082)}
      li s0, 0x40000000
      li s1, 0x40001000
      jalr s0
      lw s2, 0(s1)
      li s6, 0x80400000
      li s3, 0x00128293
      sw s3, 0(s1)
      jalr s0
      lw s4, 0(s1)
      li t2, 0x40001010
      amoadd.w s5, s3, (t2)
      sw s2, 0(s1)
      jalr s0
      # What could be written before the code ran can be no longer.
      sw s3, 0(s6)
      jalr s0
      j .`,
      100,
    );
    expect([x(run, 18), x(run, 20)]).toEqual([0x140022f3n, 0x00128293n]);
    expect(run.exits["code-access"]).toBe(4);
  });

  test("forgets a copy at every address, once its frame is taken for data", () => {
    const run = compare(
      `${paging("0xcb", "0xc7").replace("0x20100400", "0x20100000")}
      ${halves(0x8040_0000, 0x22f3, 0x1400, 0x8082)}
      li s0, 0x40000000
      li s1, 0x40001000
      jalr s0
      li s2, 100
      again: sw s2, 64(s1)
      addi s2, s2, -1
      bnez s2, again
      li s3, 0x00128293
      sw s3, 0(s1)
      jalr s0
      j .`,
      380,
    );
    expect(run.exits["code-access"]).toBe(64);
  });

  test("follows what user code writes over the kernel's", () => {
    const run = compare(
      `${HANDLER}${paging("0xcb", "0xd7").replace("0x20100400", "0x20100000")}
      ${halves(0x8040_0000, 0x8293, 0x0012, 0x8082)}
      li s4, 77
      csrw sscratch, s4
      # User code on a third page, at frame 0x80401: lw a5, 0(a0); sw a1, 0(a0); ecall.
      li t1, 0x201004db
      sd t1, 16(t0)
      ${halves(0x8040_1000, 0x2783, 0x0005, 0x2023, 0x00b5, 0x0073, 0x0000)}
      li s0, 0x40000000
      jalr s0
      li a0, 0x40001000
      li a1, 0x140022f3
      li a2, 0x40002000
      csrw sepc, a2
      sret
      .align 2
      handler: csrr s5, scause
      li a4, 8
      bne s5, a4, stay
      jalr s0
      stay: j stay`,
      110,
    );
    // The kernel's page was read, written and run again, where it is csrr t0, sscratch now.
    expect([x(run, 15), x(run, 21), x(run, 5)]).toEqual([0x00128293n, 8n, 77n]);
  });

  test("carries out one site and what had to give way to it in one exit", () => {
    // addi t1, t1, 1: its second half would reach into the site.
    const run = compare(
      "li t1, 1\naddi t1, t1, 1\ncsrr t2, sscratch\naddi t1, t1, 1\naddi t1, t1, 1\ncsrr t0, sepc\nj .",
      14,
    );
    expect(run.exits["rewritten-site"]).toBe(2);
  });

  test.each([0xf0, 0])("asks whether a cache-block operation that crosses is permitted (menvcfg %i)", (menvcfg) => {
    const run = compare(
      `${HANDLER}li sp, 0x80400000\nsd sp, 8(sp)\nj at\n.org 0xffe\nat: cbo.zero (sp)\nld t3, 8(sp)\nj .\n.align 2\nhandler: csrr t4, scause\nj .`,
      16,
      {
        profile: extended,
        meddle: ({ parts: { platform } }, step) => {
          if (step === 1) platform.guest.write(CSR.menvcfg, menvcfg, 0);
        },
      },
    );
    expect([x(run, 28), x(run, 29)]).toEqual(menvcfg === 0 ? [0n, 2n] : [0n, 0n]);
  });

  test("carries out every kind of access to code: across its edge, atomic, reserved", () => {
    const run = compare(
      `la a0, data
      la a2, page
      ld s0, -4(a2)
      sd s0, -4(a2)
      lr.w s1, (a2)
      sc.w s2, s1, (a2)
      amoor.w s3, zero, (a2)
      lb s4, 1(a2)
      jalr a2
      ld s5, -4(a2)
      sd s5, -4(a2)
      lr.w s6, (a2)
      sc.w s7, s6, (a2)
      amoor.w s8, zero, (a2)
      lb s9, 1(a2)
      jalr a2
      j .
      .org 0x1000
      data: .zero 0x1000
      page: csrr t1, sscratch
      ret`,
      50,
    );
    expect(run.exits["code-access"]).toBeGreaterThanOrEqual(6);
    expect(x(run, 23)).toBe(0n);
  });

  test("follows a device that writes over code that has run", () => {
    const run = compare(`loop: csrr t0, sscratch\naddi t1, t1, 1\nj loop`, 60, {
      meddle: ({ parts: { platform } }, step) => {
        const memory = platform.deviceMemory("disk");
        if (step === 20) memory.write(BASE, Uint8Array.of(0x13, 0x03, 0x23, 0x00)); // addi t1, t1, 2
        if (step === 40) memory.write(BASE + 4n, Uint8Array.of(0xf3, 0x22, 0x00, 0x14)); // csrr t0, sscratch
      },
    });
    expect(run.exits["rewritten-site"]).toBeGreaterThan(10);
  });

  test("runs the guest's user code from the original, with satp Bare too", () => {
    const run = compare(
      `${HANDLER}la t1, user
      csrw sepc, t1
      sret
      user: csrr t2, sscratch
      ebreak
      addi t3, t3, 1
      ecall
      j user
      .align 2
      handler: csrr s1, sepc
      addi s1, s1, 4
      csrw sepc, s1
      sret`,
      60,
    );
    expect(run.exits["privileged-instruction"]).toBeGreaterThan(2);
    const user = BASE + 28n;
    expect(run.sites.filter(([pc]) => pc >= user && pc < user + 16n)).toEqual([]);
  });

  test("lets the guest's own breakpoints through", () => {
    const run = compare(
      `${HANDLER}c.ebreak\nc.nop\nebreak\ncsrr t1, sscratch\nj .\n.align 2
      handler: csrr s1, sepc\ncsrr s2, scause\naddi s3, s3, 1\naddi s1, s1, 4\ncsrw sepc, s1\nsret`,
      40,
    );
    expect(run.exits.exception).toBe(2);
    expect(x(run, 19)).toBe(2n);
  });

  test("takes code that is written again and again for data, until it runs again", () => {
    const run = compare(
      `li s1, 2
      again: call place
      la a0, place
      li s0, 150
      loop: sw s0, 8(a0)
      lw t0, 8(a0)
      addi s0, s0, -1
      bnez s0, loop
      addi s1, s1, -1
      bnez s1, again
      j .
      .org 0x1000
      place: csrr t0, sscratch
      ret
      .word 0`,
      1300,
    );
    // 64 stores each time, and the loads between them.
    expect(run.exits["code-access"]).toBeLessThan(260);
  });

  test("stays within its memory, however many pages run", () => {
    // 5,000 pages, each written with a return and called; more than the copies that are kept.
    const source = `li a0, 0x80400000\nli a1, 5000\nli a2, 0x8082\nli a3, 4096
      loop: sh a2, 0(a0)\njalr a0\nadd a0, a0, a3\naddi a1, a1, -1\nbnez a1, loop\ncsrr s0, sscratch\nj .`;
    const [bare, virtual] = [native, rewritingTrap].map((technique) => boot(source, technique, strict, 32 << 20)) as [
      Machine,
      Machine,
    ];
    bare.run(31_000);
    virtual.run(31_000);
    expect(virtual.digest()).toEqual(bare.digest());
    expect(bare.parts.platform.hart.x[11]).toBe(0n);
    expect((virtual.parts.execution as Vmm).copies).toBeLessThan(4096);
  });

  test("takes over a run that another machine began, and hands one on", () => {
    const source = "loop: csrr t0, sscratch\naddi t0, t0, 3\ncsrw sscratch, t0\nj loop";
    const [bare, virtual, other] = [native, rewritingTrap, native].map((technique) => boot(source, technique)) as [
      Machine,
      Machine,
      Machine,
    ];
    virtual.run(9);
    bare.run(50);
    // The code is another one there: addi t0, t0, 5.
    bare.parts.platform.deviceMemory("disk").write(BASE + 4n, Uint8Array.of(0x93, 0x82, 0x52, 0x00));
    virtual.load(bare.save());
    bare.run(101);
    virtual.run(101);
    expect(virtual.digest()).toEqual(bare.digest());
    other.load(virtual.save());
    bare.run(150);
    other.run(150);
    expect(other.digest()).toEqual(bare.digest());
  });
});
