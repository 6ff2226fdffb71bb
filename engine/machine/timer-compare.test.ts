import { describe, expect, test } from "vitest";
import { createMachine } from "../create.ts";
import { csr, enter, OPEN, run, trap, x } from "../hart/bare.fixture.ts";
import { assemble } from "../isa/assemble.ts";
import { extended, type Profile, strict } from "../isa/profile.ts";
import { full } from "../techniques/full.ts";
import { native } from "../techniques/native.ts";
import type { Technique } from "../vmm/technique.ts";
import type { Machine } from "./machine.ts";

const STIP = 0x20n;
/** Of mip, the supervisor's timer interrupt; machine mode's own is pending from reset on. */
const pending = (machine: Machine) => csr(machine, 0x344) & STIP;
const seen = (machine: Machine, register: number) => x(machine, register) & STIP;
const STCE = "li t0, 1\nslli t0, t0, 63\ncsrs menvcfg, t0\n";
const without: Profile = {
  ...strict,
  name: "no-sstc",
  extensions: strict.extensions.filter((name) => name !== "sstc"),
};

// "Sstc Extension for Supervisor-mode Timer Interrupts".
describe("stimecmp", () => {
  test("makes the supervisor's timer interrupt pending from its tick on, and takes it back when it is moved on", () => {
    const machine = run(
      `${STCE}li t1, 30\ncsrw stimecmp, t1\ncsrr s1, mip\nwait: csrr s2, mip\nrdtime s3\nandi s6, s2, 0x20\nbeqz s6, wait\ncsrr s4, time\nli t1, -1\ncsrw stimecmp, t1\ncsrr s5, mip\necall`,
    );
    expect([9, 18, 21].map((register) => seen(machine, register))).toEqual([0n, STIP, 0n]);
    // A step is a tenth of a tick: it was pending at the first step of tick 30, and seen before its end.
    expect(x(machine, 20)).toBe(30n);
  });

  test("is pending at once where its tick has passed, and never where guest time cannot get to it", () => {
    expect(pending(run(`${STCE}csrw stimecmp, x0\nj stop`))).toBe(STIP);
    const far = run(`${STCE}li t1, -2\ncsrw stimecmp, t1\nj stop`);
    expect([pending(far), far.parts.platform.schedule.next]).toEqual([0n, Number.POSITIVE_INFINITY]);
  });

  test("decides alone while STCE is set: software's own STIP counts only without", () => {
    const machine = run(
      `li t1, 0x20\ncsrs mip, t1\ncsrr s1, mip\n${STCE}csrr s2, mip\ncsrs mip, t1\ncsrr s3, mip\ncsrw stimecmp, x0\ncsrc mip, t1\ncsrr s4, mip\nli t0, 1\nslli t0, t0, 63\ncsrc menvcfg, t0\ncsrr s5, mip\necall`,
    );
    expect([9, 18, 19, 20, 21].map((register) => seen(machine, register))).toEqual([STIP, 0n, 0n, STIP, STIP]);
    const plain = run(`csrw stimecmp, x0\ncsrr s1, mip\necall`);
    expect([trap(plain)[0], seen(plain, 9)]).toEqual([11n, 0n]);
  });

  test("is the supervisor's where STCE and mcounteren.TM say so, never the user's", () => {
    const cause = (mode: 0 | 1, setup: string) =>
      trap(run(`${OPEN}${setup}${enter(mode, "inside")}inside:\ncsrr t0, stimecmp\ncsrw stimecmp, t0\necall`))[0];
    expect(cause(1, `${STCE}csrwi mcounteren, 2\n`)).toBe(9n);
    expect(cause(1, `${STCE}csrwi mcounteren, 5\n`)).toBe(2n);
    expect(cause(1, "csrwi mcounteren, 7\n")).toBe(2n);
    expect(cause(0, `${STCE}csrwi mcounteren, 7\ncsrwi scounteren, 7\n`)).toBe(2n);
  });

  test("is no CSR on a machine without Sstc, nor STCE a bit", () => {
    expect(trap(run("csrw stimecmp, x0", { profile: without }))[0]).toBe(2n);
    expect(csr(run(`${STCE}j stop`, { profile: without }), 0x30a)).toBe(0n);
  });

  test("wakes a wait at its time, to the step", () => {
    const machine = run(
      `${STCE}csrwi mideleg, 0x0\nli t1, 0x20\ncsrw mie, t1\nli t1, 1000\ncsrw stimecmp, t1\nwfi\nrdtime s1\ncsrr s2, cycle\necall`,
    );
    // Guest time is 10,000 when it comes due; the wait itself is one step more.
    expect([x(machine, 9), x(machine, 18)]).toEqual([1000n, 10_002n]);
  });
});

const SHUTDOWN = "li a7, 0x53525354\nli a6, 0\nli a0, 0\nli a1, 0\necall\n";

/** A supervisor that counts ten timer interrupts, a thousand ticks apart, and powers off. */
const timed = (set: string) => `
  la t0, handler
  csrw stvec, t0
  li t0, 0x20
  csrw sie, t0
  li s0, 10
  li s1, 1000
  ${set}
  csrsi sstatus, 2
idle: wfi
  bnez s0, idle
  ${SHUTDOWN}
  .align 2
handler:
  rdtime s3
  add s2, s2, s3
  addi s0, s0, -1
  addi s1, s1, 1000
  ${set}
  sret
`;
const BY_CSR = "csrw stimecmp, s1";
const BY_SBI = "mv a0, s1\nli a7, 0x54494d45\nli a6, 0\necall";

function boot(source: string, technique: Technique, profile: Profile) {
  const kernel = assemble(source, { base: 0x8020_0000n }).bytes;
  return createMachine({
    kernel,
    memoryBytes: 8 << 20,
    rtcSeconds: 0,
    machineMode: false,
    profile,
    technique,
    logging: false,
  });
}

describe.each([native, full])("under $name, a supervisor's timer", (technique) => {
  test.each([
    ["its comparator", BY_CSR],
    ["the SBI", BY_SBI],
  ])("is set by %s, and comes at its tick", (_, set) => {
    for (const profile of [strict, extended]) {
      const machine = boot(timed(set), technique, profile);
      expect(machine.run(1_000_000)).toMatchObject({ kind: "end", reason: "poweroff" });
      // 1000 + 2000 + … + 10000: each at its own tick.
      expect(machine.parts.platform.hart.x[18]).toBe(55_000n);
    }
  });

  test("is the SBI's alone on a machine without Sstc", () => {
    const machine = boot(timed(BY_SBI), technique, without);
    expect(machine.run(1_000_000)).toMatchObject({ kind: "end", reason: "poweroff" });
    expect(machine.parts.platform.hart.x[18]).toBe(55_000n);
  });

  test("goes on from a snapshot as it would have", () => {
    for (const at of [20, 45, 99]) {
      const whole = boot(timed(BY_CSR), technique, strict);
      whole.run(at);
      const state = whole.save();
      whole.run(1_000_000);
      const rest = boot(timed(BY_CSR), technique, strict);
      rest.load(state);
      expect(rest.save()).toEqual(state);
      rest.run(1_000_000);
      expect(rest.digest()).toEqual(whole.digest());
    }
  });
});

test("the bare machine and the VMM agree on every step of a timed guest", () => {
  const [bare, virtual] = [native, full].map((technique) => boot(timed(BY_CSR), technique, strict));
  for (let kind = "until"; kind === "until"; ) {
    const stops = [bare!.run(bare!.step + 1), virtual!.run(virtual!.step + 1)];
    expect(stops[1]).toEqual(stops[0]);
    expect(virtual!.digest()).toEqual(bare!.digest());
    kind = stops[0]!.kind;
  }
  expect(bare!.step).toBeGreaterThan(100);
});
