/** T19, T20, T22: the ported binary is driven by the recording, and its users must observe the recorded run. */
import { describe, expect, test } from "vitest";
import { full, type Machine, para } from "../engine/mod.ts";
import { ScriptedInput } from "./console-input.ts";
import { DivergenceError } from "./divergence.ts";
import { hutch, hutchPara } from "./guests/mod.ts";
import { parseInputScript } from "./input-script.ts";
import { compareObservations, Observation } from "./observable.ts";
import { RequestedInput } from "./ported.ts";
import { record, type Tape } from "./record.ts";
import { replay } from "./replay.ts";
import { verify } from "./verify.ts";

const running = (command: string) => ({ ...hutch.running(command), memoryBytes: 16 << 20 });
const ABI = { ends: [1n, 3n] };

describe("a recording of hutch under para", () => {
  test.each([
    "null-syscall 40",
    "context-switch 40",
    "page-fault 40",
    "fork-exec 4",
    "pipe 40",
    "irq-toggle 100",
    "timer-tick 4",
    "disk-read 4",
    "compute 10",
    "signal 10",
  ])("users observe the recorded run of %s", async (command) => {
    const tape = await record({ guest: running(command) });
    const run = await replay(tape, { technique: para });
    expect(run.identity).toEqual({ level: "observable", equal: true, firstDifference: null });
    expect(run.console).toEqual(tape.console);
    expect(run.ending).toEqual(tape.ending);
    const { header } = run.trace();
    expect([header.technique, header.guest, header.workload]).toEqual(["para", "hutch-para", command]);
    expect(header.images[0]!.sha256).not.toBe(tape.trace().header.images[0]!.sha256);
    // Where there are other binaries there are other digests.
    expect(run.digest).not.toBe(tape.digest);
  });

  test("gets the recorded inputs, each when it has come as far", async () => {
    const script =
      'expect "$ "\nsend "echo one two\\n"\nexpect "$ "\nsend "null-"\nwait 50000\nsend "syscall 3\\n"\nexpect "$ "\nsend "\\x04"\n';
    const tape = await record({
      guest: running("sh"),
      input: new ScriptedInput(parseInputScript(script, "the test's")),
    });
    expect(tape.unfinished).toBeUndefined();
    expect(tape.ending.reason).toBe("poweroff");
    const run = await replay(tape, { technique: para });
    expect(run.identity.equal).toBe(true);
    expect(new TextDecoder().decode(run.console)).toContain("one two");
    expect([...run.trace().inputs()].map(({ data }) => data)).toEqual(tape.inputs().map(({ data }) => data));
  });

  test("is compared exactly where the port itself was recorded", async () => {
    const tape = await record({
      guest: { ...hutchPara.running("null-syscall 10"), memoryBytes: 16 << 20 },
      technique: para,
    });
    const run = await replay(tape, { technique: para });
    expect(run.identity).toEqual({ level: "exact", equal: true, firstDifference: null });
    expect(run.digest).toBe(tape.digest);
  });

  test("is refused where it is of a guest that has no port: that would run as it is, and say nothing of para", async () => {
    const tape = await record({ guest: { ...running("null-syscall 5"), binary: "other" } });
    await expect(replay(tape, { technique: para })).rejects.toThrow(
      /^Cannot replay other under para as that needs a port of the guest: there is one of hutch, [a-z-]+, [a-z-]+$/,
    );
  });

  test("is refused where it was cut short", async () => {
    const tape = await record({ guest: running("null-syscall 5") });
    const cut = { ...tape, trace: () => Object.assign(Object.create(tape.trace()), { state: "prefix" }) as never };
    await expect(replay(cut, { technique: para })).rejects.toThrow(/cut short/);
  });
});

describe("the identity of users' observations fails", () => {
  const calls = record({ guest: running("null-syscall 30") });
  const ticks = record({ guest: running("timer-tick 3") });

  /** Plants a fault just behind the n-th return to user code within the measured part, and says what was found. */
  async function planted(tape: Tape, apply: (machine: Machine) => void, nth = 10): Promise<DivergenceError> {
    const sound = await replay(tape, { technique: para });
    let inside = false;
    const returns: number[] = [];
    for (const event of sound.events()) {
      if (event.kind === "mark") inside ||= event.code >>> 8 === 1;
      if (inside && event.kind === "guest.return" && event.to === 0) returns.push(event.step + 1);
    }
    const atStep = returns[Math.min(nth, returns.length - 1)]!;
    return replay(tape, { technique: para, tamper: { atStep, apply } }).then(
      () => expect.fail("the fault was not noticed"),
      (error: unknown) => {
        expect(error).toBeInstanceOf(DivergenceError);
        return error as DivergenceError;
      },
    );
  }

  test("for a wrong result of a system call", async () => {
    const { difference, level } = await planted(await calls, ({ parts }) => {
      parts.platform.hart.x[10]! ^= 4n;
    });
    expect(level).toBe("observable");
    expect(difference.message).toMatch(
      /^Cannot verify null-syscall 30 under para as item \d+ of address space \d+ differs:\n/,
    );
    const verified = await verify(await calls, {
      technique: para,
      tamper: {
        atStep: difference.step! + 1,
        apply: ({ parts }) => {
          parts.platform.hart.x[9]! ^= 1n;
        },
      },
    });
    expect(verified.identity).toMatchObject({ level: "observable", equal: false });
  });

  test.each([
    [
      "a bit of a user register",
      (machine: Machine) => {
        machine.parts.platform.hart.x[9]! ^= 1n;
      },
      /address space/,
    ],
    [
      "an instruction that is skipped",
      (machine: Machine) => {
        machine.parts.platform.hart.pc += 4n;
      },
      /address space|the end/,
    ],
    [
      "one console byte more",
      (machine: Machine) => {
        machine.parts.platform.print(Uint8Array.of(0x21));
      },
      /byte \d+ of the console/,
    ],
    [
      "a disk block",
      (machine: Machine) => {
        machine.parts.platform.disk!.contents.write(4096, Uint8Array.of(1));
      },
      /byte 4096 of the disk/,
    ],
    [
      "an end by failure",
      (machine: Machine) => {
        machine.parts.platform.end = { reason: "panic", code: 1 };
      },
      /address space|the end|console/,
    ],
  ] as const)("for %s", async (_, apply, message) => {
    const { difference } = await planted(await calls, apply);
    expect(difference.message).toMatch(message);
  });

  test("for a lost wake-up: the run never comes to the recorded end", async () => {
    const { difference, reached } = await planted(
      await ticks,
      ({ parts }) => {
        parts.platform.services.setTimer(2n ** 64n - 1n);
      },
      1,
    );
    expect(reached.ending.reason).toBe("idle-forever");
    expect(difference.message).toMatch(/does not return|nothing/);
  });

  test("for a run that was skipped, and for each side's surplus (T22)", async () => {
    const observation = new Observation(ABI);
    const run = await replay(await calls, { observation, technique: full });
    observation.finish(run.ending);
    const nothing = new Observation(ABI);
    const names = { workload: "w", left: "native", right: "para" };
    expect(compareObservations(observation, observation, names)).toBeUndefined();
    expect(compareObservations(observation, nothing, names)).toBeDefined();
    expect(compareObservations(nothing, observation, names)).toBeDefined();
    const seen = observation.spaces.at(-1)!.seen;
    expect(seen.filter(({ kind }) => kind === "call").length).toBeGreaterThan(30);
    expect(seen.filter(({ kind }) => kind === "mark").length).toBe(32);
    // Calls and marks stand in the order in which they were made.
    expect(seen.map(({ step }) => step)).toEqual(seen.map(({ step }) => step).sort((a, b) => a - b));
  });
});

describe("inputs by request", () => {
  const inputs = [
    { data: Uint8Array.of(1), request: 2, printed: 10 },
    { data: Uint8Array.of(2), request: 2, printed: 10 },
  ];
  const now = { step: 5, time: 5, waiting: false };

  test("come when the guest has read and printed as much, or can do nothing else", () => {
    let reads = 0;
    const input = new RequestedInput(inputs, () => reads);
    expect(input.take(now)).toBeUndefined();
    input.heard(new Uint8Array(10));
    expect(input.take(now)).toBeUndefined();
    reads = 2;
    expect(input.take(now)).toEqual(Uint8Array.of(1));
    expect(input.unfinished()).toBe("input 2 of 2");
    expect(input.nextStop(5)).toBeGreaterThan(5);
    expect(input.take(now)).toEqual(Uint8Array.of(2));
    expect([input.take(now), input.unfinished(), input.nextStop(5)]).toEqual([
      undefined,
      undefined,
      Number.POSITIVE_INFINITY,
    ]);
    expect(new RequestedInput(inputs, () => 0).take({ ...now, waiting: true })).toEqual(Uint8Array.of(1));
  });
});
