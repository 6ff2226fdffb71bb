/** One test for each rule of guest time that the engine can show by itself; the rules stand in docs/guest-time.md. */
import { describe, expect, test } from "vitest";
import { createMachine } from "./create.ts";
import type { Event } from "./event/event.ts";
import { eventsOf } from "./event/record.ts";
import type { Tier } from "./hart/hart.ts";
import * as at from "./hart/layout.ts";
import { RAM_BASE } from "./hart/memory.ts";
import { assemble } from "./isa/assemble.ts";
import { strict } from "./isa/profile.ts";
import type { Machine } from "./machine/machine.ts";
import { full } from "./techniques/full.ts";
import { native } from "./techniques/native.ts";
import type { Technique } from "./vmm/technique.ts";

const BASE = 0x8020_0000n;
const PAD = ".word 0x5a503013";
const SHUTDOWN = "li a7, 0x53525354\nli a6, 0\nli a0, 0\nli a1, 0\necall\n";

interface Options {
  readonly technique?: Technique;
  readonly tier?: Tier;
  readonly logging?: boolean;
  readonly disk?: Uint8Array;
}
function boot(
  source: string,
  { technique = native, tier = "interpreter", logging = true, disk }: Options = {},
): Machine {
  const kernel = assemble(source, { base: BASE }).bytes;
  return createMachine({
    kernel,
    memoryBytes: 8 << 20,
    rtcSeconds: 0,
    machineMode: false,
    profile: strict,
    technique,
    logging,
    tier,
    ...(disk === undefined ? {} : { disk }),
  });
}
const x = (machine: Machine, register: number) => machine.parts.platform.hart.x[register]!;
const both = [native, full];
const guestEvents = (machine: Machine): Event[] =>
  [...eventsOf(machine.log.drain())].filter(
    ({ kind }) => !kind.startsWith("vmm.") && !kind.startsWith("shadow.") && kind !== "device.path",
  );

/** An identity-mapped Sv39 table at 0x80300000 (gigapage at 2, a page table for 0x40000000 at 0x80302000), and satp set to it. */
const PAGING = `
  li t0, 0x80300000
  li t1, 0x200000cf
  sd t1, 16(t0)
  li t1, 0x200c0401
  sd t1, 8(t0)
  li t0, 0x80301000
  li t1, 0x200c0801
  sd t1, 0(t0)
  li t0, 0x80302000
  li t1, 8
  slli t1, t1, 60
  li t2, 0x80300
  or t1, t1, t2
  csrw satp, t1
`;

describe("guest time", () => {
  test.each(both)(
    "T1: under $name, a step is a retired instruction, a guest-visible trap or an SBI call; instret leaves the last two out",
    (technique) => {
      // la (2), csrw, ebreak -> trap, then at the handler: li (a7: 1), li (1), ecall -> SBI.
      const machine = boot(
        `la t0, handler\ncsrw stvec, t0\nebreak\n.align 2\nhandler:\nli a7, 16\nli a6, 0\necall\nj .`,
        { technique },
      );
      machine.run(7);
      expect([machine.step, machine.instret]).toEqual([7, 5]);
      expect(x(machine, 11)).toBe(0x0200_0000n);
      expect(guestEvents(machine).map(({ kind, step }) => [kind, step])).toEqual([
        ["guest.trap", 3],
        ["sbi", 6],
      ]);
    },
  );

  test("T2: an instruction counts once, whether the hart or the VMM carries it out, and the run stops at the same one", () => {
    const source = "csrr t0, sscratch\naddi t1, t1, 1\ncsrw sscratch, t1\nj .";
    for (let until = 0; until <= 5; until++) {
      const [bare, virtual] = both.map((technique) => boot(source, { technique }));
      bare!.run(until);
      virtual!.run(until);
      expect([virtual!.step, virtual!.instret]).toEqual([until, until]);
      expect(virtual!.digest()).toEqual(bare!.digest());
    }
  });

  test.each(["interpreter", "reference"] as const)(
    "T3: a pad counts nothing and no stop lies before it, a mark counts one (%s)",
    (tier) => {
      const machine = boot(`addi t0, t0, 1\n${PAD}\n${PAD}\naddi t0, t0, 1\nslti x0, x0, 0x105\naddi t0, t0, 1\nj .`, {
        tier,
      });
      machine.run(1);
      expect(machine.parts.platform.hart.pc).toBe(BASE + 12n);
      machine.run(3);
      expect([machine.step, x(machine, 5)]).toEqual([3, 2n]);
      expect(guestEvents(machine)).toMatchObject([{ kind: "mark", code: 0x105, step: 2 }]);
    },
  );

  test("T4: code of the VMM's own weighs nothing and cannot be stopped in", () => {
    const machine = boot(
      `li t1, 0x80203000\nli t3, 0x80200100\n.org 0xfc\njr t1\n.org 0x100\naddi s2, s2, 1\nj .\n.org 0x3000\naddi t2, t2, 1\naddi t2, t2, 1\naddi t2, t2, 1\njr t3`,
    );
    const { hart, memory } = machine.parts.platform;
    hart.decoded.frame(memory.frame(0x8020_3000));
    // Up to the jump, which is a step; the zero words before it are illegal, so go there at once.
    while (hart.pc < BASE + 0x20n && x(machine, 28) !== 0x8020_0100n) machine.run(machine.step + 1);
    hart.pc = BASE + 0xfcn;
    const start = machine.step;
    machine.run(start + 1);
    expect([x(machine, 7), hart.pc]).toEqual([0n, 0x8020_3000n]);
    // The next step is the one behind the frame: nothing in the frame was one.
    machine.run(start + 2);
    expect([x(machine, 7), x(machine, 18), hart.pc]).toEqual([3n, 1n, BASE + 0x104n]);
  });

  test.each(both)(
    "T5: under $name, a wfi that completes is a step, and idle moves guest time to what is due",
    (technique) => {
      const machine = boot(
        `li a7, 0x54494d45\nli a6, 0\nli a0, 5000\necall\nli t0, 0x20\ncsrw sie, t0\nwfi\naddi t1, t1, 1\nwfi\nj .`,
        { technique },
      );
      let steps = 0;
      while (machine.run(machine.step + 1).kind === "until" && x(machine, 6) === 0n) steps++;
      expect(steps).toBeLessThan(20);
      expect(machine.time).toBeGreaterThanOrEqual(50_000);
      expect(guestEvents(machine).filter(({ kind }) => kind === "idle")).toHaveLength(1);
    },
  );
  test("T5: with nothing due, the run waits for input that may never come", () => {
    expect(boot("wfi\nj .").run(100)).toEqual({ kind: "waiting" });
    expect(boot("wfi\nj .", { technique: full }).run(100)).toEqual({ kind: "waiting" });
  });

  test.each(both)(
    "T6: under $name, time and cycle read guest time and instret reads retired instructions",
    (technique) => {
      const machine = boot(`${"nop\n".repeat(25)}rdtime t0\nrdcycle t1\nrdinstret t2\nj .`, { technique });
      machine.run(28);
      expect([x(machine, 5), x(machine, 6), x(machine, 7)]).toEqual([2n, 26n, 27n]);
    },
  );

  test.each(both)(
    "T7: under $name, a timer interrupt is taken at its step, and at once where it was held back until enabled",
    (technique) => {
      const setup = `la t0, handler\ncsrw stvec, t0\nli t0, 0x20\ncsrw sie, t0\nli a7, 0x54494d45\nli a6, 0\nli a0, 5\necall\n`;
      const handler = "\n.align 2\nhandler:\ncsrr s1, sepc\nj .";
      const enabled = boot(`${setup}csrsi sstatus, 2\nloop: addi t1, t1, 1\nj loop${handler}`, { technique });
      enabled.run(60);
      const taken = guestEvents(enabled).find(({ kind }) => kind === "interrupt");
      // Tick 5 is guest time 50: the interrupt is taken before the instruction that would be the 51st step.
      expect(taken).toMatchObject({ step: 50, cause: 5 });
      const held = boot(
        `${setup}li t1, 100\nloop: addi t1, t1, -1\nbnez t1, loop\nenable: csrsi sstatus, 2\nafter: j .${handler}`,
        { technique },
      );
      held.run(400);
      const late = guestEvents(held).find(({ kind }) => kind === "interrupt")!;
      expect(late).toMatchObject({
        cause: 5,
        pc: BigInt(
          assemble(
            `${setup}li t1, 100\nloop: addi t1, t1, -1\nbnez t1, loop\nenable: csrsi sstatus, 2\nafter: j .${handler}`,
            { base: BASE },
          ).labels.get("after")!,
        ),
      });
    },
  );

  test.each(both)("T10: under $name, a leaf serves until sfence.vma, whatever becomes of its PTE", (technique) => {
    const map = (physical: string) => `li t1, ${physical}\nsd t1, 0(t0)\n`;
    const source = `${PAGING}${map("0x200100cf")}li t3, 0x40000000\nli t4, 0x80040000\nli t5, 7\nsd t5, 0(t4)\nli t4, 0x80050000\nli t5, 9\nsd t5, 0(t4)
      ld s2, 0(t3)\n${map("0x200140cf")}ld s3, 0(t3)\nsfence.vma t3\nld s4, 0(t3)\n${map("0x200100cf")}ld s5, 0(t3)\nsfence.vma\nld s6, 0(t3)\n${SHUTDOWN}`;
    const machine = boot(source, { technique });
    expect(machine.run(10_000)).toMatchObject({ kind: "end", reason: "poweroff" });
    expect([18, 19, 20, 21, 22].map((register) => x(machine, register))).toEqual([7n, 7n, 9n, 9n, 7n]);
  });
  test.each(both)(
    "T10: under $name, an access that the held leaf does not permit walks again before it faults",
    (technique) => {
      const source = `${PAGING}li t1, 0x20010043\nsd t1, 0(t0)\nli t3, 0x40000000\nld s2, 0(t3)\nli t1, 0x200100c7\nsd t1, 0(t0)\nli t5, 5\nsd t5, 0(t3)\nld s3, 0(t3)\n${SHUTDOWN}`;
      const machine = boot(source, { technique });
      expect(machine.run(10_000)).toMatchObject({ kind: "end", reason: "poweroff" });
      expect(x(machine, 19)).toBe(5n);
    },
  );

  test.each(both)(
    "T11: under $name, a clear A bit, or a clear D bit at a store, is a page fault, and the table is left alone",
    (technique) => {
      const source = `la t0, handler\ncsrw stvec, t0\n${PAGING}li t1, 0x2001000f\nsd t1, 0(t0)\nli t3, 0x40000000\nld s2, 0(t3)\nli t1, 0x2001004f\nsd t1, 0(t0)\nld s2, 0(t3)\nsd s2, 0(t3)\nld s7, 0(t0)\n${SHUTDOWN}
      .align 2\nhandler:\ncsrr t1, scause\nslli s3, s3, 8\nor s3, s3, t1\ncsrr t1, sepc\naddi t1, t1, 4\ncsrw sepc, t1\nsret`;
      const machine = boot(source.replaceAll("ld s2, 0(t3)", ".option norvc\nld s2, 0(t3)"), { technique });
      expect(machine.run(10_000)).toMatchObject({ kind: "end", reason: "poweroff" });
      expect(x(machine, 19)).toBe(0x0d0fn);
      expect(x(machine, 23)).toBe(0x2001004fn);
    },
  );

  test.each(both)(
    "T12: under $name, a reservation outlives own stores and hidden exits, and ends at a trap",
    (technique) => {
      const source = (between: string) =>
        `la t6, handler\ncsrw stvec, t6\nla t0, word\nlr.d t1, (t0)\n${between}\nsc.d s2, t1, (t0)\n${SHUTDOWN}\n.align 2\nhandler:\ncsrr t5, sepc\naddi t5, t5, 4\ncsrw sepc, t5\nsret\n.align 3\nword: .dword 1`;
      const result = (between: string) => {
        const machine = boot(source(between), { technique });
        expect(machine.run(1000)).toMatchObject({ kind: "end" });
        return x(machine, 18);
      };
      expect(result("sd x0, 0(t0)")).toBe(0n);
      expect(result("csrw sscratch, t1")).toBe(0n);
      expect(result(".word 0x00100073")).toBe(1n);
      expect(result("sc.d t2, t1, (t0)")).toBe(1n);
    },
  );

  test.each(both)(
    "T13: under $name, an access that spans pages has no effect where its second page faults, and names that page's first byte",
    (technique) => {
      const source = `la t6, handler\ncsrw stvec, t6\n${PAGING}li t1, 0x200100cf\nsd t1, 0(t0)\nsd x0, 8(t0)\nli t3, 0x40000ffc\nli t5, -1\n.word 0x01ee3023\nli t3, 0x40000ff8\nld s4, 0(t3)\n${SHUTDOWN}
      .align 2\nhandler:\ncsrr s2, stval\ncsrr s3, scause\ncsrr t1, sepc\naddi t1, t1, 4\ncsrw sepc, t1\nsret`;
      const machine = boot(source, { technique });
      expect(machine.run(1000)).toMatchObject({ kind: "end", reason: "poweroff" });
      expect([x(machine, 18), x(machine, 19), x(machine, 20)]).toEqual([0x4000_1000n, 15n, 0n]);
    },
  );

  test.each(both)(
    "T14: under $name, a floating-point instruction makes FS dirty for the guest, and is illegal while FS is off",
    (technique) => {
      const source = `la t6, handler\ncsrw stvec, t6\nfadd.d f1, f2, f3\nli t0, 0x2000\ncsrs sstatus, t0\ncsrr s2, sstatus\nfmv.x.d t1, f1\ncsrr s3, sstatus\nfadd.d f1, f2, f3\ncsrr s4, sstatus\n${SHUTDOWN}
      .align 2\nhandler:\ncsrr s5, scause\ncsrr t1, sepc\naddi t1, t1, 4\ncsrw sepc, t1\nsret`;
      const machine = boot(source, { technique });
      expect(machine.run(1000)).toMatchObject({ kind: "end", reason: "poweroff" });
      const fs = [18, 19, 20].map((register) => (x(machine, register) >> 13n) & 3n);
      expect([...fs, x(machine, 21)]).toEqual([1n, 1n, 3n, 2n]);
    },
  );

  test("T15: device tree and SBI answers are the same bytes on the bare machine and in the VMM", () => {
    const [bare, virtual] = both.map((technique) =>
      boot(`li a7, 16\nli a6, 3\nli a0, 0x54494d45\necall\n${SHUTDOWN}`, { technique }),
    );
    expect(x(virtual!, 11)).toBe(x(bare!, 11));
    const tree = (machine: Machine) => machine.parts.platform.memory.view(Number(x(machine, 11)), 2048).slice();
    expect(tree(virtual!)).toEqual(tree(bare!));
    bare!.run(1000);
    virtual!.run(1000);
    expect(guestEvents(virtual!)).toEqual(guestEvents(bare!));
  });

  test("T18: each part of what the guest can see is in the digest, and nothing of the shadow's is", () => {
    const machine = boot("li t0, 5\nj .", { technique: full });
    machine.run(20);
    const { hart, memory, guest, bus, position, schedule } = machine.parts.platform;
    const before = machine.digest();
    // Each does something, and gives back what undoes it.
    const twice = (flip: () => void) => () => {
      flip();
      return flip;
    };
    const there = (go: () => void, back: () => void) => () => {
      go();
      return back;
    };
    const flips: Record<string, () => () => void> = {
      "an x register": twice(() => {
        hart.x[9]! ^= 1n;
      }),
      "an f register": twice(() => {
        hart.f[9]! ^= 1n << 63n;
      }),
      pc: twice(() => {
        hart.pc ^= 4n;
      }),
      "a RAM bit": there(
        () => memory.write(0x8040_0123, 1, 1n),
        () => memory.write(0x8040_0123, 1, 0n),
      ),
      "the last RAM byte": there(
        () => memory.write(RAM_BASE + (8 << 20) - 1, 1, 1n),
        () => memory.write(RAM_BASE + (8 << 20) - 1, 1, 0n),
      ),
      sscratch: there(
        () => guest.write(0x140, 1, 0),
        () => guest.write(0x140, 0, 0),
      ),
      "the mode": twice(() => {
        guest.mode ^= 1;
      }),
      fflags: twice(() => {
        memory.u32[at.FFLAGS >>> 2]! ^= 1;
      }),
      "the reservation": twice(() => {
        memory.u32[at.RESERVATION >>> 2]! ^= at.RAM + 8;
      }),
      "a translation": there(
        () => machine.parts.execution.translations.insert(5, 7, 0, 4096),
        () => machine.parts.execution.translations.fence(0x7000, 0),
      ),
      "a device": there(
        () => bus.write(0x1000_0007, 1, 0x55n),
        () => bus.write(0x1000_0007, 1, 0n),
      ),
      steps: there(
        () => {
          position.step += 1;
        },
        () => {
          position.step -= 1;
        },
      ),
      "idle time": there(
        () => {
          position.idle += 1;
        },
        () => {
          position.idle -= 1;
        },
      ),
      "a deadline": () => {
        const saved = schedule.save();
        schedule.load(saved.map((deadline, i) => (i === 0 ? 123 : deadline)));
        return () => schedule.load(saved);
      },
    };
    for (const [what, flip] of Object.entries(flips)) {
      const undo = flip();
      expect(machine.digest(), what).not.toEqual(before);
      undo();
      expect(machine.digest(), `${what}, undone`).toEqual(before);
    }
    memory.write(RAM_BASE + (8 << 20) + 5000, 8, 0xdeadn);
    expect(machine.digest()).toEqual(before);
  });

  test("T21: neither logging, nor slices, nor the tier changes the run", () => {
    const source = `la t0, handler\ncsrw stvec, t0\nloop: addi t1, t1, 1\nli t2, 300\nbltu t1, t2, loop2\n${SHUTDOWN}loop2: ebreak\nj loop\n.align 2\nhandler:\ncsrr t3, sepc\naddi t3, t3, 2\ncsrw sepc, t3\nsret`;
    const ends = [{}, { logging: false }, { tier: "reference" as const }, { technique: full }].flatMap((options) =>
      [1, 17, 1_000_000].map((slice) => {
        const machine = boot(source.replace("ebreak", "c.ebreak"), options);
        while (machine.run(machine.step + slice).kind === "until");
        return { step: machine.step, end: machine.end?.reason, ...machine.digest() };
      }),
    );
    expect(ends[0]?.end).toBe("poweroff");
    for (const end of ends) expect(end).toEqual(ends[0]);
  });
});
