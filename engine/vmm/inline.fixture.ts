/**
 * Guests for tests of what stands in for sites: code that runs where stubs have room, compared with the bare machine after each step.
 *
 * @module
 */
import { expect } from "vitest";
import { createMachine } from "../create.ts";
import { eventsOf } from "../event/record.ts";
import type { Tier } from "../hart/hart.ts";
import { assemble } from "../isa/assemble.ts";
import { strict } from "../isa/profile.ts";
import type { Machine } from "../machine/machine.ts";
import { native } from "../techniques/native.ts";
import { rewritingInline } from "../techniques/rewriting.ts";
import type { Technique } from "./technique.ts";
import type { Vmm } from "./vmm.ts";

/**
 * Sv39: RAM's first gigabyte as it is; and the 2 MiB at 0x80200000 at 0xffffffff_80200000 too, with nothing below, where the code goes on.
 */
export const HIGH = `
  li t0, 0x80300000
  li t1, 0x200000cf
  sd t1, 16(t0)
  li t1, 0x200c0401
  li t2, 0x80300ff0
  sd t1, 0(t2)
  li t0, 0x80301000
  li t1, 0x200800cf
  sd t1, 8(t0)
  li t1, 8
  slli t1, t1, 60
  li t2, 0x80300
  or t1, t1, t2
  csrw satp, t1
  li t0, 0xffffffff
  slli t0, t0, 32
  la t1, high
  add t0, t0, t1
  jr t0
  .align 3
  high:
`;

export function boot(source: string, technique: Technique, tier: Tier, threshold = 4000): Machine {
  const kernel = assemble(HIGH + source, { base: 0x8020_0000n }).bytes;
  const common = {
    kernel,
    memoryBytes: 8 << 20,
    rtcSeconds: 0,
    machineMode: false,
    profile: strict,
    technique,
    tier,
    threshold,
  };
  return createMachine({ ...common, logging: true });
}

/** The timer's line rises, as at a deadline. */
function interrupt({ parts: { platform, execution } }: Machine): void {
  platform.guest.setLine(5, true);
  execution.notice();
}

/** Runs a guest bare and inline, and compares after each step. `at`: the step before which an interrupt comes. */
export function compare(source: string, steps: number, at = -1, tier: Tier = "interpreter"): Record<string, number> {
  const [bare, virtual] = [native, rewritingInline].map((technique) => boot(source, technique, tier)) as [
    Machine,
    Machine,
  ];
  for (let step = 1; step <= steps; step++) {
    for (const machine of [bare, virtual]) {
      if (step === at) interrupt(machine);
      machine.run(step);
    }
    const [left, right] = [bare, virtual].map(({ parts: { platform } }) => [platform.hart.pc, ...platform.hart.x]);
    expect(right, `step ${step}, interrupted before ${at}`).toEqual(left);
    expect(virtual.digest(), `step ${step}, interrupted before ${at}`).toEqual(bare.digest());
  }
  const exits: Record<string, number> = {};
  for (const event of eventsOf(virtual.log.drain()))
    if (event.kind === "vmm.exit") exits[event.reason] = (exits[event.reason] ?? 0) + 1;
  expect((virtual.parts.execution as Vmm).leaked).toEqual({ user: 0, supervisor: 0 });
  return exits;
}
