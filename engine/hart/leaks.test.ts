/** What a leaking machine shows in user mode, as the profile `leaky-x86` pins it. */
import { describe, expect, test } from "vitest";
import { createMachine } from "../create.ts";
import { eventsOf } from "../event/record.ts";
import { assemble } from "../isa/assemble.ts";
import { leakNames, leakyMin, leakySilent, leakyX86, PROFILES, type Profile, strict } from "../isa/profile.ts";
import type { Machine } from "../machine/machine.ts";
import { full } from "../techniques/full.ts";
import { native } from "../techniques/native.ts";
import { rewritingTrap } from "../techniques/rewriting.ts";
import type { Technique } from "../vmm/technique.ts";
import type { Vmm } from "../vmm/vmm.ts";

const BASE = 0x8020_0000n;
function boot(source: string, technique: Technique, profile: Profile, unsound = true): Machine {
  const kernel = assemble(source, { base: BASE }).bytes;
  const common = { kernel, memoryBytes: 8 << 20, rtcSeconds: 0, machineMode: false, profile, technique };
  return createMachine({ ...common, logging: true, unsound });
}
const leaksOf = (machine: Machine) => [...eventsOf(machine.log.drain())].filter(({ kind }) => kind === "leak");
const x = (machine: Machine, register: number) => machine.parts.platform.hart.x[register]!;
const FS = 3n << 13n;

describe("a kernel run deprivileged on a leaking machine", () => {
  const run = (source: string, steps: number) => {
    const machine = boot(source, full, leakyX86);
    machine.run(steps);
    return machine;
  };

  test("reads FS of the real sstatus and nothing else, and writes nothing else", () => {
    const machine = run(
      "li t0, 0x46122\ncsrw sstatus, t0\ncsrr t1, sstatus\ncsrrci t2, sstatus, 2\ncsrs sstatus, t0\nj .",
      9,
    );
    expect([x(machine, 6), x(machine, 7)]).toEqual([FS, FS]);
    // The guest meant to set SUM, SPP, SPIE and SIE: its own sstatus knows nothing of it.
    machine.parts.platform.guest.read(0x100);
    expect(machine.parts.platform.guest.low & 0x46122).toBe(0);
    expect((machine.parts.execution as Vmm).leaked).toEqual({ user: 0, supervisor: 4 });
    expect(leaksOf(machine)).toMatchObject([{ mode: 1, pc: BASE + 8n, bits: 0x10029073 }, {}, {}, {}]);
  });

  test("switches the real floating point on and off by it", () => {
    const machine = run(
      "li t0, 0x6000\ncsrs sstatus, t0\nfcvt.d.w fa0, t0\ncsrc sstatus, t0\ncsrr t1, sstatus\nj .",
      7,
    );
    expect([machine.parts.platform.hart.context.float, x(machine, 6)]).toEqual([false, 0n]);
  });

  test("has the guest's own FS again once the VMM has looked at what the guest is", () => {
    const machine = run("li t0, 0x6000\ncsrs sstatus, t0\ncsrsi sie, 2\ncsrr t1, sstatus\nj .", 6);
    expect([machine.parts.platform.hart.context.float, x(machine, 6)]).toEqual([false, 0n]);
  });

  test("reads the VMM's registers, and cannot write them", () => {
    const machine = run(
      "csrr a0, satp\ncsrr a1, stvec\ncsrr a2, sscratch\ncsrr a3, sie\ncsrr a4, sip\ncsrr a5, scounteren\nj .",
      7,
    );
    const { root } = machine.parts.platform.hart.context;
    expect(x(machine, 10)).toBe((8n << 60n) | BigInt(root));
    expect([x(machine, 11), x(machine, 12)]).toEqual([0xffff_ffc0_0000_0000n, 0xffff_ffc0_0001_0000n]);
    expect([x(machine, 13), x(machine, 14), x(machine, 15)]).toEqual([0x222n, 0n, 7n]);
    for (const write of ["csrw sscratch, t0", "csrw satp, zero", "csrsi sie, 2", "csrrw t1, sepc, t0"]) {
      const writes = run(`${write}\nj .`, 2);
      expect([leaksOf(writes).length, writes.step], write).toEqual([0, 2]);
    }
  });

  test("reads what the VMM was last trapped for, not what its own handler was entered for", () => {
    const source =
      "la t0, handler\ncsrw stvec, t0\nld a0, (zero)\nj .\n.align 2\nhandler: csrr a1, scause\ncsrr a2, sepc\ncsrr a3, stval\nj .";
    // The load faulted in the shadow; what the guest should see is its own access fault.
    const machine = run(source, 8);
    expect([x(machine, 11), x(machine, 12), x(machine, 13)]).toEqual([13n, BASE + 12n, 0n]);
    const bare = boot(source, native, leakyX86);
    bare.run(8);
    expect([x(bare, 11), x(bare, 12), x(bare, 13)]).toEqual([5n, BASE + 12n, 0n]);
  });

  test("is refused unless asked for, and told what to do", () => {
    expect(() => boot("j .", full, leakyX86, false)).toThrow(
      /^Cannot run full as it requires that every .* on profile leaky-x86, sstatus, .*satp do not; use --technique rewriting:trap, or --unsound/,
    );
    for (const technique of [native, rewritingTrap])
      expect(() => boot("j .", technique, leakyX86, false)).not.toThrow();
    expect(PROFILES.filter((profile) => leakNames(profile).length > 0).map(({ name }) => name)).toEqual([
      ...["leaky-x86", "leaky-silent", "leaky-min"],
    ]);
  });
});

describe("user code", () => {
  const source = `la t0, user\ncsrw sepc, t0\nli t0, 0x4000\ncsrs sstatus, t0\nsret\nuser: csrr t1, sstatus\ncsrr t2, sscratch\nj .`;

  test.each([native, rewritingTrap])("sees a leaking machine under $name too, and is counted", (technique) => {
    const machine = boot(source, technique, leakyX86, false);
    machine.run(9);
    expect(x(machine, 6)).toBe(2n << 13n);
    expect(leaksOf(machine)).toMatchObject([{ mode: 0 }, { mode: 0 }]);
    if (technique === rewritingTrap)
      expect((machine.parts.execution as Vmm).leaked).toEqual({ user: 2, supervisor: 0 });
  });

  test("sees nothing of a strict one", () => {
    const machine = boot(source, native, strict);
    machine.run(9);
    expect(leaksOf(machine)).toEqual([]);
  });

  test("does nothing by an instruction that a profile ignores", () => {
    const machine = boot("li a0, 5\nsfence.vma\nwfi\ncsrrw a0, satp, a0\nj .", full, leakySilent);
    machine.run(5);
    expect([machine.step, x(machine, 10), leaksOf(machine).length]).toEqual([5, 0n, 3]);
    expect(machine.parts.platform.guest.root).toBe(-1);
    expect(() =>
      boot("j .", native, { ...leakySilent, leaks: { csrs: { pc: leakySilent.leaks.csrs.satp! }, nops: [] } }),
    ).toThrow("Cannot leak pc as a profile names CSRs: there is none");
  });

  test("on leaky-silent reads 0 and writes nothing, and on leaky-min does all but fence as it should", () => {
    const user = "csrrs a0, stvec, a1\ncsrrwi a2, stimecmp, 3\nsfence.vma\nwfi\nsret\nj .";
    const source = `la t0, user\ncsrw sepc, t0\nla t1, handler\ncsrw stvec, t1\nli t2, 7\ncsrw sscratch, t2\nli a0, 1\nli a2, 1\nsret
      .align 2\nhandler: csrr a5, sepc\nj .\n.align 2\n.option norvc\nuser: ${user}`;
    const run = (profile: Profile) => {
      const machine = boot(source, native, profile, false);
      machine.run(40);
      return machine;
    };
    const silent = run(leakySilent);
    const place = x(silent, 5);
    expect([x(silent, 10), x(silent, 12)]).toEqual([0n, 0n]);
    // sret is the first that traps, and the kernel, which is on the bare machine, had its own way before.
    expect([leaksOf(silent).length, x(silent, 15)]).toEqual([4, place + 16n]);
    const min = run(leakyMin);
    expect([leaksOf(min).length, x(min, 15), x(min, 10)]).toEqual([0, place, 1n]);
  });

  test.each([leakyX86, leakySilent, leakyMin])("makes no kernel on the bare machine see $name", (profile) => {
    const source = `li t0, 0x46122\ncsrw sstatus, t0\ncsrr t1, sstatus\ncsrrci t2, sstatus, 2\ncsrw sscratch, t0
      csrrw a0, sscratch, zero\ncsrr a1, stvec\nsfence.vma\ncsrr a2, satp\nli a3, 1000\ncsrw stimecmp, a3\ncsrsi sie, 2\nj .`;
    const digest = (of: Profile) => {
      const machine = boot(source, native, of, false);
      machine.run(60);
      expect(leaksOf(machine)).toEqual([]);
      return machine.digest();
    };
    expect(digest(profile)).toEqual(digest(strict));
  });
});
