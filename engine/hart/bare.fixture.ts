/**
 * Machine-mode programs for tests: they run until a trap, whose cause, value and pc are then in a0, a1 and a2.
 *
 * Each runs under full virtualization as well, where it must come to the same state.
 *
 * @module
 */
import { expect } from "vitest";
import { createMachine } from "../create.ts";
import { assemble } from "../isa/assemble.ts";
import { type Profile, strict } from "../isa/profile.ts";
import type { Digest } from "../machine/digest.ts";
import type { Machine, MachineStop } from "../machine/machine.ts";
import { full } from "../techniques/full.ts";
import { native } from "../techniques/native.ts";
import type { Technique } from "../vmm/technique.ts";
import type { Tier } from "./hart.ts";
import { RAM_BASE } from "./memory.ts";

export const TIERS = ["reference", "interpreter", "jit"] as const satisfies readonly Tier[];

/** The labels `handler` and `stop` can be jumped to. */
const HANDLER = `
  j start
  .align 3
handler:
  csrr a0, mcause
  csrr a1, mtval
  csrr a2, mepc
stop: j stop
  .align 2
start:
  la t0, handler
  csrw mtvec, t0
`;

/** A table at 0x80010000 whose entries `lines` writes; identity for RAM is in entry 2 of it (Sv39), executable by the supervisor. */
export const ROOT = RAM_BASE + 0x1_0000;

/** Machines by tier and profile, as they come out of reset: making one takes longer than running a test's program. */
const made = new Map<string, { readonly machine: Machine; readonly reset: Uint8Array }>();

function fresh(tier: Tier, profile: Profile, technique: Technique): Machine {
  const key = `${tier}/${profile.name}/${technique.name}`;
  let known = made.get(key);
  if (known === undefined) {
    const kernel = assemble("j .", { base: BigInt(RAM_BASE) }).bytes;
    const machine = createMachine({
      kernel,
      memoryBytes: 1 << 20,
      rtcSeconds: 0,
      machineMode: true,
      profile,
      technique,
      logging: false,
      tier,
      threshold: 2,
    });
    known = { machine, reset: machine.save() };
    made.set(key, known);
  } else known.machine.load(known.reset);
  return known.machine;
}

interface Run {
  readonly machine: Machine;
  readonly stop: MachineStop;
  readonly digest: Digest;
}

/**
 * Runs a program for some steps, from reset, on the bare machine and under full virtualization.
 *
 * @returns The bare machine, until the next run with its tier and profile.
 */
export function run(
  source: string,
  options: { readonly tier?: Tier; readonly profile?: Profile; readonly steps?: number } = {},
): Machine {
  const { tier = "interpreter", profile = strict, steps = 400 } = options;
  const { bytes } = assemble(HANDLER + source, { base: BigInt(RAM_BASE) });
  const [bare, virtual] = [native, full].map((technique) => {
    const machine = fresh(tier, profile, technique);
    machine.parts.platform.deviceMemory("loader").write(BigInt(RAM_BASE), bytes);
    return { machine, stop: machine.run(steps), digest: machine.digest() };
  }) as [Run, Run];
  expect([virtual.stop, virtual.digest], "under full virtualization").toEqual([bare.stop, bare.digest]);
  return bare.machine;
}

/** Cause, value and pc of the trap that the program ended in; the cause has bit 63 for an interrupt. */
export function trap({ parts }: Machine): readonly [cause: bigint, value: bigint, pc: bigint] {
  const { x } = parts.platform.hart;
  return [x[10]!, x[11]!, x[12]!];
}
/** An x register by its number. */
export const x = ({ parts }: Machine, register: number): bigint => parts.platform.hart.x[register]!;
/** A CSR as machine mode reads it. */
export function csr({ parts }: Machine, number: number): bigint {
  const { guest } = parts.platform;
  guest.read(number);
  return (BigInt(guest.high >>> 0) << 32n) | BigInt(guest.low >>> 0);
}

/** Opens all of memory to the lower modes. */
export const OPEN = "li t0, -1\ncsrw pmpaddr0, t0\nli t0, 0x1f\ncsrw pmpcfg0, t0\n";
/** Goes on in another mode, 0 or 1, at a label. */
export const enter = (mode: 0 | 1, label: string): string =>
  `la t0, ${label}\ncsrw mepc, t0\nli t0, 0x1800\ncsrc mstatus, t0\nli t0, ${mode << 11}\ncsrs mstatus, t0\nmret\n`;
/** Writes page-table entries: by address, the frame's address and flags. */
export const entries = (
  ...list: readonly (readonly [at: number | bigint, physical: number | bigint, flags: number])[]
): string =>
  list
    .map(
      ([at, physical, flags]) =>
        `li t0, ${at}\nli t1, ${(BigInt(physical) >> 12n) * 1024n + BigInt(flags)}\nsd t1, 0(t0)\n`,
    )
    .join("");
/** Turns translation on. */
export const satp = (mode: number, root = ROOT): string =>
  `li t0, ${(BigInt(mode) << 60n) | BigInt(root >>> 12)}\ncsrw satp, t0\nsfence.vma\n`;
