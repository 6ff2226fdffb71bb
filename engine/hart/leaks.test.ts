/** What a leaking machine shows in user mode, as the profile `leaky-x86` pins it. */
import { describe, expect, test } from "vitest";
import { createMachine } from "../create.ts";
import { eventsOf } from "../event/record.ts";
import { assemble } from "../isa/assemble.ts";
import { leakNames, leakyX86, PROFILES, type Profile, strict } from "../isa/profile.ts";
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
    expect(PROFILES.filter((profile) => leakNames(profile).length > 0)).toEqual([leakyX86]);
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
    const silent: Profile = {
      ...strict,
      name: "silent",
      leaks: {
        csrs: { satp: { read: "zero", userReadable: 0n, write: "silent", userWritable: 0n } },
        nops: ["sfence.vma", "wfi"],
      },
    };
    const machine = boot("li a0, 5\nsfence.vma\nwfi\ncsrrw a0, satp, a0\nj .", full, silent);
    machine.run(5);
    expect([machine.step, x(machine, 10), leaksOf(machine).length]).toEqual([5, 0n, 3]);
    expect(machine.parts.platform.guest.root).toBe(-1);
    expect(() =>
      boot("j .", native, { ...silent, leaks: { csrs: { pc: silent.leaks.csrs.satp! }, nops: [] } }),
    ).toThrow("Cannot leak pc as a profile names CSRs: there is none");
  });
});
