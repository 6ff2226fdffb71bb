/**
 * Benchmarks of the simulator itself: how fast guests run, what an exit and an event cost.
 *
 * Times are CPU times of this process, so that a shared machine disturbs them little; they are of the host, and never enter a trace.
 *
 * @module
 */

import { cpuUsage } from "node:process";
import { Bench } from "tinybench";
import {
  createMachine,
  full,
  KIND_NUMBER,
  Log,
  type Machine,
  native,
  strict,
  type Technique,
  type Tier,
} from "../../engine/mod.ts";
import { readTrace } from "../../traces/mod.ts";
import { hutch } from "../guests/mod.ts";
import { MemorySink, record } from "../record.ts";
import { replay } from "../replay.ts";
import { type GuestLoop, HOT_ROUND, loops, SENSITIVE_SHARE } from "./guest-loops.ts";

/** One figure. */
export interface Benchmark {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
}

export interface BenchOptions {
  /** Small sizes: shows that everything works, not how fast it is. */
  readonly quick: boolean;
  /** Told what is being measured. */
  readonly say: (line: string) => void;
}

/** CPU time of this process in milliseconds, user and system. */
function cpuNow(): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1000;
}

/** Runs all benchmarks. @returns Their figures, in a fixed order. */
export async function runBenchmarks(options: BenchOptions): Promise<readonly Benchmark[]> {
  const { quick, say } = options;
  const figures: Benchmark[] = [];
  const add = (name: string, unit: string, value: number): void => {
    figures.push({ name, unit, value: Number(value.toPrecision(4)) });
    say(`${name}: ${figures.at(-1)!.value} ${unit}`);
  };
  const steps = quick ? 200_000 : 20_000_000;
  for (const tier of ["interpreter", "jit"] as const) {
    for (const kind of ["integer", "memory", "traps", "floating"] as const) {
      // The log of a trapping guest is emptied as a recording empties it.
      for (const logging of kind === "traps" ? [true, false] : [false]) {
        const machine = machineOf(loops[kind](), native, logging, tier);
        const count = kind === "traps" ? steps / 4 : steps;
        const milliseconds = await median(() => advance(machine, count), quick);
        const label = kind === "traps" ? `${tier}.traps.logging-${logging ? "on" : "off"}` : `${tier}.${kind}`;
        add(label, "million instructions a CPU second", count / milliseconds / 1000);
      }
    }
  }
  for (const [name, technique] of [
    ["exit.typescript", native],
    ["exit.vmm", full],
  ] as const) {
    const machine = machineOf(loops.sensitive(), technique, false, "interpreter");
    const count = quick ? 20_000 : 2_000_000;
    const milliseconds = await median(() => advance(machine, count), quick);
    add(name, "CPU nanoseconds", (milliseconds * 1e6) / (count * SENSITIVE_SHARE));
  }
  await hotExits(quick, add);
  const events = quick ? 20_000 : 1_000_000;
  const appending = await median(() => appendEvents(events), quick);
  add("log.append", "million events a CPU second", events / appending / 1000);
  await hutchFigures(quick, add);
  return figures;
}

/** What the exits that a kernel makes most cost under full virtualization, logging included. */
async function hotExits(quick: boolean, add: (name: string, unit: string, value: number) => void): Promise<void> {
  const rounds = quick ? 500 : 60_000;
  const kinds = ["sstatus", "sscratch", "sfence.vma", "sepc", "sret"] as const;
  const guests = kinds.map((exit) => ({
    exit,
    machine: machineOf(loops.hot(exit), full, true, "jit"),
    ...(exit === "sret" ? HOT_ROUND.sret : HOT_ROUND.alone),
  }));
  // A VMM runs for minutes: what the host's own compiler makes of it while it has seen one kind of exit only is not what they cost.
  for (let times = quick ? 0 : 3; times > 0; times--)
    for (const { machine, steps } of guests) advance(machine, rounds * steps);
  const each = new Map<string, number>();
  for (const { exit, machine, steps, exits } of guests) {
    const milliseconds = await median(() => advance(machine, rounds * steps), quick);
    const round = (milliseconds * 1e6) / rounds;
    const nanoseconds = exit === "sret" ? round - each.get("sstatus")! - each.get("sepc")! : round / exits;
    each.set(exit, nanoseconds);
    add(`exit.${exit}`, "CPU nanoseconds", Math.max(nanoseconds, Number.MIN_VALUE));
  }
}

/** Figures of a whole run of the trapping guest: what logging adds, and how large its events are when they are stored. */
async function hutchFigures(quick: boolean, add: (name: string, unit: string, value: number) => void): Promise<void> {
  const guest = { ...hutch.running(`null-syscall ${quick ? 100 : 50_000}`), memoryBytes: 16 << 20 };
  const { kernel } = await guest.load();
  const whole = (logging: boolean) => (): void => {
    const machine = createMachine({
      kernel,
      append: guest.append!,
      memoryBytes: guest.memoryBytes,
      rtcSeconds: 0,
      machineMode: false,
      profile: strict,
      technique: native,
      logging,
    });
    machine.logLimit = LOG_WORDS;
    while (machine.run(machine.step + SLICE_STEPS).kind !== "end") machine.log.take(() => {});
  };
  const [on, off] = [await median(whole(true), quick), await median(whole(false), quick)];
  add("logging.null-syscall", "% of run time", Math.max(0, ((on - off) / off) * 100));
  const recorded = new MemorySink();
  const { store } = await record({ guest, sink: recorded });
  const trace = readTrace(recorded.bytes());
  add("trace.native", "bytes an event", recorded.bytes().length / trace.index.events);
  const replayed = new MemorySink();
  await replay({ trace: () => trace, store }, { technique: full, sink: replayed });
  add("trace.full", "bytes an event", replayed.bytes().length / readTrace(replayed.bytes()).index.events);
}

function machineOf({ kernel, machineMode }: GuestLoop, technique: Technique, logging: boolean, tier: Tier): Machine {
  return createMachine({
    kernel,
    memoryBytes: 16 << 20,
    rtcSeconds: 0,
    machineMode,
    profile: strict,
    technique,
    logging,
    tier,
  });
}

/** Steps and words of events between two looks at the log, as in a recording. */
const SLICE_STEPS = 2_000_000;
const LOG_WORDS = 24_000;

/** Runs a machine for so many steps, and throws away what it logged. */
function advance(machine: Machine, steps: number): void {
  const end = machine.step + steps;
  machine.logLimit = LOG_WORDS;
  while (machine.step < end) {
    const stop = machine.run(Math.min(end, machine.step + SLICE_STEPS));
    if (stop.kind !== "until" && stop.kind !== "logged")
      throw new Error(`A benchmark's loop must not end: it stopped with ${stop.kind} at step ${machine.step}`);
    machine.log.take(() => {});
  }
}

/** Appends the two hottest kinds of event, and empties the log now and then, as a run does. */
function appendEvents(count: number): void {
  const log = new Log({ enabled: true });
  const [exit, resume] = [KIND_NUMBER["vmm.exit"], KIND_NUMBER["vmm.resume"]];
  const reason = log.name("privileged-instruction");
  for (let n = 0; n < count; n += 2) {
    log.appendWords(exit, n, reason, 0x80200000, 0xffff_ffff, 0x14011173);
    log.appendWords(resume, n, 1, 0);
    if (n % 4_096 === 0) log.take(() => {});
  }
}

/** The median CPU time of a task in milliseconds, after one run that warms it up. */
async function median(task: () => void, quick: boolean): Promise<number> {
  const bench = new Bench({
    now: cpuNow,
    time: 0,
    iterations: quick ? 1 : 5,
    warmup: !quick,
    warmupIterations: 1,
    warmupTime: 0,
    throws: true,
  });
  bench.add("task", task);
  const [measured] = await bench.run();
  const result = measured!.result;
  if (result.state !== "completed") throw new Error(`A benchmark must complete: it is ${result.state}`);
  return Math.max(result.latency.p50, Number.EPSILON);
}
