/** Generated kernels: every technique that can run them agrees with the bare machine, event by event, and no shadow shows what is not the guest's. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EVENTS, type EventKind, eventsOf } from "../../../engine/event/mod.ts";
import { createMachine, full, leakNames, native, rewritingInline } from "../../../engine/mod.ts";
import { Seeded } from "../seeded.ts";
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
  firmware: fc.constant(null),
});
/** The machine's seed of this suite; a failure names the one that shows it again. */
const SEED = 20_20;
const RUNS = 20;

type Named = readonly [construct: string, a: number, b: number, c: number];
const kernelWith = (items: readonly Named[], options: Partial<Kernel> = {}): Kernel => ({
  place: "high",
  profile: "strict",
  tier: "interpreter",
  passes: 2,
  stride: 100,
  firmware: null,
  ...options,
  items: items.map(([name, ...numbers]) => [CONSTRUCTS.findIndex((construct) => construct.name === name), ...numbers]),
});
/** A kernel of some constructs, each with several numbers. */
function ofConstructs(names: readonly string[], count = 8): Kernel {
  const random = new Seeded(1);
  const any = () => random.below(NUMBERS);
  return kernelWith(
    Array.from({ length: count * names.length }, (_, i) => [names[i % names.length]!, any(), any(), any()]),
  );
}
const NAMES = CONSTRUCTS.map(({ name }) => name);
const FIVES = Array.from({ length: Math.ceil(NAMES.length / 5) }, (_, i) => NAMES.slice(5 * i, 5 * i + 5));

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

  test("do all that a kernel may do, and come to an end", () => {
    const seen = new Set<string>();
    for (const place of PLACES) {
      // Far more of everything than one generated kernel has.
      const kernel = { ...ofConstructs(NAMES, 24), place };
      const machine = createMachine({ kernel: assembled(sourceOf(kernel)), memoryBytes: 4 << 20, rtcSeconds: 0, machineMode: false, profile: profileOf(kernel), technique: native, logging: true, tier: "interpreter" }); // biome-ignore format: one machine
      expect(machine.run(100_000).kind).toBe("end");
      for (const event of eventsOf(machine.log.drain())) {
        seen.add(event.kind);
        if (event.kind === "guest.trap") seen.add(`trap ${event.cause} from ${event.from}`);
        if (event.kind === "interrupt") seen.add(`interrupt ${event.cause} from ${event.from}`);
      }
    }
    // A generated kernel is given no input; checkpoints and ends are the harness's to log.
    const guest = (Object.keys(EVENTS) as EventKind[]).filter((kind) => EVENTS[kind].stream === "guest");
    expect(guest.filter((kind) => !seen.has(kind))).toEqual(["input.console", "checkpoint", "end"]);
    const traps = [
      ...[1, 2, 3, 4, 5, 6, 7, 12, 13, 15].map((cause) => `trap ${cause} from 1`),
      ...[2, 3, 8, 13, 15].map((cause) => `trap ${cause} from 0`),
    ];
    const interrupts = ["interrupt 1 from 1", "interrupt 5 from 1", "interrupt 9 from 1", "interrupt 5 from 0"];
    expect([...traps, ...interrupts].filter((one) => !seen.has(one))).toEqual([]);
  });

  test.each(FIVES.map((names) => [names]))("agree with %j alone", (names) => {
    const { failure, events } = compareKernel(ofConstructs(names));
    expect(failure).toBeUndefined();
    expect(events).toBeGreaterThan(0);
  });
});

describe("generated firmware", () => {
  const started = (firmware: number): Kernel => ({ ...kernelOf(firmware), profile: "strict", firmware });

  test("traps into machine mode for each mode below, and is run under full virtualization as on the bare machine", () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 20; seed++) {
      const result = compareKernel(started(seed), {
        techniques: [full],
        onMachine: ({ parts: { platform } }) => {
          const { guest } = platform;
          const enter = guest.enter.bind(guest);
          guest.enter = (cause, interrupt, low, high) => {
            const from = guest.mode;
            enter(cause, interrupt, low, high);
            seen.add(`${interrupt ? "interrupt" : "trap"} from ${from} to ${guest.mode}`);
          };
        },
      });
      expect(result.failure, `firmware ${seed}`).toBeUndefined();
    }
    const all = ["trap from 3 to 3", "trap from 1 to 3", "trap from 0 to 3", "trap from 1 to 1", "trap from 0 to 1"];
    expect(all.filter((one) => !seen.has(one))).toEqual([]);
    expect(seen).toContain("interrupt from 1 to 3");
  });

  test("is compared: a fault planted in what machine mode sees is found", () => {
    const found = Array.from({ length: 4 }, (_, seed) =>
      compareKernel(started(seed), {
        techniques: [full],
        onMachine: ({ parts: { platform } }) => {
          const { guest } = platform;
          const enter = guest.enter.bind(guest);
          guest.enter = (cause, interrupt, low, high) => {
            enter(cause, interrupt, low, high);
            if (guest.mode === 3) guest.write(0x343, guest.word(0x343) ^ 1, 0);
          };
        },
      }),
    );
    expect(found.some(({ failure }) => failure !== undefined)).toBe(true);
  });
});

describe("what generated kernels found once", () => {
  test("is not there: under Bare, the end of the address space is nobody's", () => {
    const traps = Array.from({ length: 40 }, (_, i): Named => ["trap", i, 0, 0]);
    expect(compareKernel(kernelWith(traps, { place: "bare" })).failure).toBeUndefined();
  });

  test("is not there: a deadline at the first floating-point instruction interrupts behind it", () => {
    const items = Array.from({ length: 60 }, (_, i): readonly Named[] => [
      // FS from Dirty to Initial, a deadline in one to three ticks, and arithmetic some steps later.
      ["calculate", 13, 14, 0],
      ["set the timer", 1 + (i % 3), 0, 0],
      ...Array.from({ length: i % 20 }, (): Named => ["add", 5, 5, 0]),
      ["calculate", 2, 2, 0],
    ]);
    const kernel = kernelWith(items.flat(), { passes: 1 });
    expect(compareKernel(kernel, { techniques: [rewritingInline] }).failure).toBeUndefined();
  });
});

describe("comparing generated kernels", () => {
  test("leaves no generated kernel with nothing to be compared with", () => {
    const made = Array.from({ length: 400 }, (_, seed) => kernelOf(seed));
    const alone = made.filter((kernel) => kernel.firmware !== null && leakNames(profileOf(kernel)).length > 0);
    expect(alone).toEqual([]);
    expect(made.filter(({ firmware }) => firmware !== null).length).toBeGreaterThan(20);
  });

  test("finds a fault that is planted in one technique, and makes the kernel small", () => {
    const { failures, kernels: count } = conformKernels(1, 2, {
      techniques: [full],
      onMachine: ({ parts: { platform } }) => {
        const { guest } = platform;
        const enter = guest.enter.bind(guest);
        guest.enter = (cause, interrupt, low, high) => enter(cause, interrupt, cause === 13 ? low + 1 : low, high);
      },
    });
    expect(count).toBe(2);
    expect(failures.length).toBeGreaterThan(0);
    expect(failures[0]).toMatch(/^generated kernel \d+ differs under full, /);
    expect(failures[0]).toMatch(/event \d+ of the guest stream differs/);
    expect(failures[0]!.match(/\nla s9, /g)!.length).toBeLessThanOrEqual(3);
  });

  test("finds a shadow that shows a frame behind the guest's RAM", () => {
    const { failure } = compareKernel(ofConstructs(["add"]), {
      techniques: [rewritingInline],
      onMachine: ({ parts: { execution } }) => {
        const { shadow } = execution as unknown as { shadow: { leaves: () => unknown } };
        shadow.leaves = () => [{ key: "1/1/0/0", page: 5, frame: 0x8_0400, flags: 0xdf, level: 0 }];
      },
    });
    expect(failure?.message).toMatch(/an entry shows what is not guest RAM: root 1\/1\/0\/0, page 0x5, frame 0x80400/);
  });

  test.each(["full", "rewriting"])("finds a change of the VMM's memory under the guest: %s", (name) => {
    const { failure } = compareKernel(ofConstructs(["add"]), {
      techniques: [full, rewritingInline].filter((technique) => technique.name === name),
      onMachine: ({ parts: { platform } }) => {
        const { hart, memory } = platform;
        const run = hart.run.bind(hart);
        hart.run = (budget) => {
          const stop = run(budget);
          // In a shadow table, behind the entries that kernels use; its first frame may be the state page.
          memory.write(0x8040_1ff0, 8, BigInt(platform.position.step + 1));
          return stop;
        };
      },
    });
    expect(failure?.message).toMatch(/the guest must not change the VMM's memory/);
  });
});
