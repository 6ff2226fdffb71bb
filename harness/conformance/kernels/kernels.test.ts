/** Generated kernels: every technique that can run them agrees with the bare machine, event by event, and no shadow shows what is not the guest's. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EVENTS, type EventKind, eventsOf } from "../../../engine/event/mod.ts";
import { createMachine, full, native, rewritingInline } from "../../../engine/mod.ts";
import { compareKernel, describeFailure } from "./compare-kernel.ts";
import { conformKernels } from "./conform-kernels.ts";
import { CONSTRUCTS, type Item, NUMBERS, PLACES } from "./constructs.ts";
import {
  assembled,
  KERNEL_PROFILES,
  type Kernel,
  kernelOf,
  MOST_ITEMS,
  MOST_PASSES,
  profileOf,
  STRIDES,
  sourceOf,
  TIERS,
} from "./generate.ts";

const number = fc.nat(NUMBERS - 1);
const kernels: fc.Arbitrary<Kernel> = fc.record({
  place: fc.constantFrom(...PLACES),
  profile: fc.constantFrom(...KERNEL_PROFILES),
  tier: fc.constantFrom(...TIERS),
  passes: fc.integer({ min: 1, max: MOST_PASSES }),
  stride: fc.integer({ min: STRIDES.least, max: STRIDES.most }),
  items: fc.array(fc.tuple(fc.nat(CONSTRUCTS.length - 1), number, number, number) as fc.Arbitrary<Item>, {
    minLength: 1,
    maxLength: MOST_ITEMS,
    size: "max",
  }),
});
/** The machine's seed of this suite; a failure names the one that shows it again. */
const SEED = 20_20;
const RUNS = 24;

/** A kernel of one construct, again and again with other numbers. */
const ofConstruct = (name: string, count = 12): Kernel => ({
  place: "high",
  profile: "strict",
  tier: "interpreter",
  passes: 2,
  stride: 100,
  items: Array.from({ length: count }, (_, i) => [
    CONSTRUCTS.findIndex((construct) => construct.name === name),
    7 * i,
    13 * i + 1,
    29 * i + 2,
  ]),
});

describe("generated kernels", () => {
  test("run under every technique as on the bare machine", () => {
    let events = 0;
    const agrees = (kernel: Kernel) => {
      const result = compareKernel(kernel);
      events += result.events;
      if (result.failure !== undefined) throw new Error(describeFailure(kernel, result.failure));
    };
    fc.assert(fc.property(kernels, agrees), { seed: SEED, numRuns: RUNS });
    expect(events).toBeGreaterThan(20 * RUNS);
  });

  test("are the same for a seed, and end by the budget now and then only", () => {
    expect(sourceOf(kernelOf(7))).toBe(sourceOf(kernelOf(7)));
    const ends = Array.from({ length: 20 }, (_, seed) => {
      const kernel = kernelOf(seed);
      const machine = createMachine({ kernel: assembled(sourceOf(kernel)), memoryBytes: 4 << 20, rtcSeconds: 0, machineMode: false, profile: profileOf(kernel), technique: native, logging: false, tier: "interpreter" }); // biome-ignore format: one machine
      return machine.run(6000).kind;
    });
    expect(ends.filter((kind) => kind === "end").length).toBeGreaterThan(15);
  });

  test("do all that a kernel may do: each kind of event, trap and interrupt occurs", () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const kernel = kernelOf(seed);
      const machine = createMachine({ kernel: assembled(sourceOf(kernel)), memoryBytes: 4 << 20, rtcSeconds: 0, machineMode: false, profile: profileOf(kernel), technique: native, logging: true, tier: "interpreter" }); // biome-ignore format: one machine
      machine.run(6000);
      for (const event of eventsOf(machine.log.drain())) {
        seen.add(event.kind);
        if (event.kind === "guest.trap") seen.add(`trap ${event.cause} from ${event.from}`);
        if (event.kind === "interrupt") seen.add(`interrupt ${event.cause} from ${event.from}`);
      }
    }
    // A generated kernel is given no input; checkpoints are the harness's, leaks a technique's.
    const guest = (Object.keys(EVENTS) as EventKind[]).filter((kind) => EVENTS[kind].stream === "guest");
    expect(guest.filter((kind) => !seen.has(kind))).toEqual(["input.console", "checkpoint"]);
    const traps = [
      ...[1, 2, 3, 4, 5, 6, 7, 12, 13, 15].map((cause) => `trap ${cause} from 1`),
      ...[2, 3, 8, 13, 15].map((cause) => `trap ${cause} from 0`),
    ];
    const interrupts = ["interrupt 1 from 1", "interrupt 5 from 1", "interrupt 9 from 1", "interrupt 5 from 0"];
    expect([...traps, ...interrupts].filter((one) => !seen.has(one))).toEqual([]);
  });

  test.each(CONSTRUCTS.map(({ name }) => name))("of one construct agree: %s", (name) => {
    const { failure, events } = compareKernel(ofConstruct(name));
    expect(failure).toBeUndefined();
    expect(events).toBeGreaterThan(0);
  });
});

describe("comparing generated kernels", () => {
  test("finds a fault that is planted in one technique, and makes the kernel small", () => {
    const { failures, kernels: count } = conformKernels(1, 6, {
      techniques: [full],
      onMachine: ({ parts: { platform } }) => {
        const { guest } = platform;
        const enter = guest.enter.bind(guest);
        guest.enter = (cause, interrupt, low, high) => enter(cause, interrupt, cause === 13 ? low + 1 : low, high);
      },
    });
    expect(count).toBe(6);
    expect(failures.length).toBeGreaterThan(0);
    expect(failures[0]).toMatch(/^generated kernel \d+ differs under full, /);
    expect(failures[0]).toMatch(/event \d+ of the guest stream differs/);
    expect(failures[0]!.match(/\nla s9, /g)!.length).toBeLessThanOrEqual(3);
  });

  test("finds a shadow that shows a frame behind the guest's RAM", () => {
    const { failure } = compareKernel(ofConstruct("add"), {
      techniques: [rewritingInline],
      onMachine: ({ parts: { execution } }) => {
        const { shadow } = execution as unknown as { shadow: { leaves: () => unknown } };
        shadow.leaves = () => [
          { key: "1/1/false/false", page: 5, frame: (0x8000_0000 + (4 << 20)) / 4096, flags: 0xdf },
        ];
      },
    });
    expect(failure?.message).toMatch(/Cannot show the guest frame 0x80400 as it is not of its RAM/);
  });
});
