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
  createMachine,
  full,
  leakNames,
  type Machine,
  native,
  rewritingInline,
  rewritingTrap,
  type Technique,
  type Tier,
} from "../../../engine/mod.ts";
import { compareGuestStreams, formatDifference } from "../../../traces/mod.ts";
import { LAYOUT } from "./constructs.ts";
import { assembled, type Kernel, profileOf, sourceOf } from "./generate.ts";

const MEMORY_BYTES = LAYOUT.end - 0x8000_0000;
/** Steps after which a kernel that does not end has shown what it can. */
const BUDGET = 6000;
const TECHNIQUES: readonly Technique[] = [full, rewritingTrap, rewritingInline];

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
}
function run(kernel: Ready, technique: Technique, tier: Tier, onMachine?: (machine: Machine) => void): Run {
  const machine = createMachine({
    kernel: kernel.bytes,
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
  for (;;) {
    const stop = machine.run(Math.min(BUDGET, machine.step + kernel.stride));
    machine.checkpoint();
    checkShadows(machine);
    if (stop.kind === "until" && machine.step < BUDGET) continue;
    return { machine, events: machine.log.drain(), stop: JSON.stringify(stop) };
  }
}

/** What a VMM has beside what every execution has. */
interface Shadowing {
  readonly leaked: { readonly supervisor: number };
  readonly shadow: {
    leaves(): Iterable<{ readonly key: string; readonly page: number; readonly frame: number; readonly flags: number }>;
  };
}
const PAGE_BYTES = 4096;
const [READ, WRITE, EXECUTE] = [2, 4, 8];
const STATE_PAGE = 2 ** 27 - 1;
const USER = "0";

/**
 * No shadow shows a frame that is not the guest's RAM, but to the guest's kernel: copies of its code and stubs, to be executed alone, and the state
 * page, never to be executed.
 *
 * @throws {RangeError} If one does.
 */
function checkShadows({ parts: { execution } }: Machine): void {
  if (!("shadow" in execution)) return;
  const { shadow } = execution as unknown as Shadowing;
  for (const { key, page, frame, flags } of shadow.leaves()) {
    if (frame >= 0x8000_0000 / PAGE_BYTES && frame < LAYOUT.end / PAGE_BYTES) continue;
    const allowed = page % 2 ** 27 === STATE_PAGE ? READ | WRITE : EXECUTE;
    if (key.split("/")[1] === USER || (flags & (READ | WRITE | EXECUTE)) !== allowed)
      throw new RangeError(
        `Cannot show the guest frame 0x${frame.toString(16)} as it is not of its RAM: root ${key}, page 0x${page.toString(16)}, flags 0x${flags.toString(16)}`,
      );
  }
}

const nameOf = ({ name, variant }: Technique): string => (variant ? `${name}:${variant}` : name);

/** Runs a kernel bare and under each technique, to the first that differs. */
export function compareKernel(
  kernel: Kernel,
  { techniques = TECHNIQUES, onMachine }: KernelOptions = {},
): KernelResult {
  const ready = { ...kernel, bytes: assembled(sourceOf(kernel)) };
  const bare = run(ready, native, "interpreter");
  const leaky = leakNames(profileOf(kernel)).length > 0;
  let events = 0;
  for (const technique of techniques) {
    if (leaky && technique.requires.includes("all-sensitive-trap")) continue;
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
  const { supervisor } = (execution as unknown as Shadowing).leaked;
  if (supervisor > 0) return `${supervisor} sensitive instructions of the kernel ran where they were not seen`;
  return compared.events;
}

/** @returns A failing kernel as text: where it differs, and its source. */
export const describeFailure = (kernel: Kernel, { technique, message }: KernelFailure): string =>
  `under ${technique}, on ${kernel.profile}, ${kernel.place}, in the ${kernel.tier}: ${message}\n${JSON.stringify(kernel)}\n${sourceOf(kernel)}`;
