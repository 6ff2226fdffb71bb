/**
 * Runs a generated kernel bare and under every technique that can run it, and says where they first differ: in an event of the guest stream, of
 * which digests at a fixed stride are a part, in how the run ended, or in what the technique let the guest reach.
 *
 * Left out: ports of a kernel (para, pre), which are other binaries.
 *
 * @module
 */
import type { LogBatch } from "../../../engine/event/mod.ts";
import {
  brokenShadow,
  createMachine,
  full,
  guardVmmMemory,
  leakNames,
  type Machine,
  native,
  rewritingInline,
  rewritingTrap,
  shadowed,
  type Technique,
  type Tier,
} from "../../../engine/mod.ts";
import { compareGuestStreams, formatDifference } from "../../../traces/mod.ts";
import { LAYOUT } from "./constructs.ts";
import { firmwareOf } from "./firmware.ts";
import { assembled, type Kernel, profileOf, sourceOf } from "./generate.ts";

const MEMORY_BYTES = LAYOUT.end - 0x8000_0000;
/** Steps after which a kernel that does not end has shown what it can. */
const BUDGET = 6000;
const TECHNIQUES: readonly Technique[] = [full, rewritingTrap, rewritingInline];
/** With every way of shadow paging. */
export const ALL_TECHNIQUES: readonly Technique[] = [...TECHNIQUES, ...shadowed];
/** One in so many runs of the hart has shadows and the VMM's memory looked at around it. */
const LOOKED_AT = 8;

/** What is wrong with a run of a kernel. */
export interface KernelFailure {
  /** As its option has it: `rewriting:inline`. */
  readonly technique: string;
  readonly message: string;
}
export interface KernelResult {
  readonly steps: number;
  /** Events of the guest stream that were equal, over all techniques. */
  readonly events: number;
  readonly failure: KernelFailure | undefined;
}
export interface KernelOptions {
  readonly techniques?: readonly Technique[];
  /** Plants a fault in a technique's machine, to see it found. */
  readonly onMachine?: (machine: Machine) => void;
}

interface Run {
  readonly machine: Machine;
  readonly events: LogBatch;
  readonly stop: string;
}

interface Ready extends Kernel {
  readonly bytes: Uint8Array;
  readonly starts: { readonly firmware?: Uint8Array };
}
function run(kernel: Ready, technique: Technique, tier: Tier, onMachine?: (machine: Machine) => void): Run {
  const machine = createMachine({
    kernel: kernel.bytes,
    ...kernel.starts,
    memoryBytes: MEMORY_BYTES,
    rtcSeconds: 0,
    machineMode: false,
    profile: profileOf(kernel),
    technique,
    logging: true,
    tier,
    // A kernel is too short for what is hot after more.
    threshold: 3,
  });
  onMachine?.(machine);
  watchVmm(machine);
  for (;;) {
    const stop = machine.run(Math.min(BUDGET, machine.step + kernel.stride));
    machine.checkpoint();
    if (stop.kind === "until" && machine.step < BUDGET) continue;
    return { machine, events: machine.log.drain(), stop: JSON.stringify(stop) };
  }
}

/**
 * Makes a machine throw where a shadow is not what it must be when the guest is about to run, or the VMM's memory is not what it was when the guest
 * has left.
 */
function watchVmm(machine: Machine): void {
  guardVmmMemory(machine, LOOKED_AT);
  const { hart } = machine.parts.platform;
  const run = hart.run.bind(hart);
  let runs = 0;
  hart.run = (budget) => {
    const wrong = runs++ % LOOKED_AT === 0 ? brokenShadow(machine) : undefined;
    if (wrong !== undefined) throw new RangeError(`Cannot run the guest as a shadow is not what it must be: ${wrong}`);
    return run(budget);
  };
}

const nameOf = ({ name, variant }: Technique): string => (variant ? `${name}:${variant}` : name);

/** What a kernel runs under unless somebody says otherwise: each technique, and one way of shadow paging, each kernel another. */
const usual = ({ stride }: Kernel): readonly Technique[] => [...TECHNIQUES, shadowed[stride % shadowed.length]!];

/** Runs a kernel bare and under each technique, to the first that differs. */
export function compareKernel(
  kernel: Kernel,
  { techniques = usual(kernel), onMachine }: KernelOptions = {},
): KernelResult {
  const { firmware } = kernel;
  const starts = firmware === null ? {} : { firmware: firmwareOf(firmware) };
  const ready = { ...kernel, bytes: assembled(sourceOf(kernel)), starts };
  const bare = run(ready, native, "interpreter");
  const leaky = leakNames(profileOf(kernel)).length > 0;
  let events = 0;
  for (const technique of techniques) {
    if (leaky && technique.requires.includes("all-sensitive-trap")) continue;
    if (firmware !== null && technique.machineMode !== true) continue;
    const found = difference(bare, technique, () => run(ready, technique, kernel.tier, onMachine));
    if (typeof found === "string")
      return { steps: bare.machine.step, events, failure: { technique: nameOf(technique), message: found } };
    events += found;
  }
  return { steps: bare.machine.step, events, failure: undefined };
}

/** @returns How many events are equal, or what is not. */
function difference(bare: Run, technique: Technique, make: () => Run): number | string {
  let virtual: Run;
  try {
    virtual = make();
  } catch (error) {
    return (error as Error).message;
  }
  const compared = compareGuestStreams([bare.events], [virtual.events]);
  if (!compared.equal)
    return formatDifference(compared, { workload: "a generated kernel", left: "bare", right: nameOf(technique) });
  if (virtual.stop !== bare.stop) return `the bare run stopped with ${bare.stop}, this one with ${virtual.stop}`;
  const { execution } = virtual.machine.parts;
  const { supervisor } = (execution as unknown as { readonly leaked: { readonly supervisor: number } }).leaked;
  if (supervisor > 0) return `${supervisor} sensitive instructions of the kernel ran where they were not seen`;
  return compared.events;
}

/** @returns A failing kernel as text: where it differs, and its source. */
export const describeFailure = (kernel: Kernel, { technique, message }: KernelFailure): string =>
  `under ${technique}, on ${kernel.profile}, ${kernel.place}, in the ${kernel.tier}: ${message}\n${JSON.stringify(kernel)}\n${sourceOf(kernel)}`;
