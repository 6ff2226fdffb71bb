import { describe, expect, test } from "vitest";
import { assemble, full, Log, type LogBatch, native, type Technique } from "../engine/mod.ts";
import { readTrace, type Trace, TraceWriter } from "../traces/mod.ts";
import { ScriptedInput } from "./console-input.ts";
import { DivergenceError } from "./divergence.ts";
import { hutch } from "./guests/mod.ts";
import { parseInputScript } from "./input-script.ts";
import { MemorySink, record, type Tape } from "./record.ts";
import { replay } from "./replay.ts";
import { verify, verifyTraces } from "./verify.ts";

/** Little memory: digests take time by the megabyte. */
const running = (command: string) => ({ ...hutch.running(command), memoryBytes: 16 << 20 });
const guest = running("null-syscall 30");
const techniques: readonly Technique[] = [native, full];
const talk =
  'expect "hutch$ "\nsend "echo one\\n"\nwait 100\nsend "echo two\\n"\nexpect "two\\n"\nexpect "hutch$ "\nsend "exit\\n"';

const recorded = record({ guest, checkpointEvery: 10_000 });
const typed = record({ guest: running("sh"), input: new ScriptedInput(parseInputScript(talk)) });

async function bytesOf(tape: Tape, technique: Technique): Promise<Uint8Array> {
  const sink = new MemorySink();
  await replay(tape, { technique, sink });
  return sink.bytes();
}

/** A recording with its events changed: what somebody lost, or added. */
function edited(
  tape: Tape,
  edit: (events: readonly { kind: string; step: number }[]) => readonly object[],
): { trace(): Trace; store: Tape["store"] } {
  const log = new Log({ enabled: true });
  for (const event of edit([...tape.events()])) {
    const { kind, step, hart: _hart, ...fields } = event as { kind: "mark"; step: number; hart: number; code: number };
    log.append(kind, step, fields);
  }
  const sink = new MemorySink();
  const writer = new TraceWriter(sink, tape.trace().header);
  writer.append(log.drain() as LogBatch);
  writer.finish();
  return { trace: () => readTrace(sink.bytes()), store: tape.store };
}

describe.each(techniques)("a replay under $name", (technique) => {
  test("T20: is the recorded run, event by event and at every digest", async () => {
    const tape = await recorded;
    const run = await replay(tape, { technique });
    expect(run).toMatchObject({
      digest: tape.digest,
      steps: tape.steps,
      instret: tape.instret,
      ending: tape.ending,
      complete: true,
    });
    expect(run.console).toEqual(tape.console);
    expect(run.identity).toEqual({ level: "exact", equal: true, firstDifference: null });
    expect(run.trace().header.technique).toBe(technique.name);
  });

  test("T7: takes its inputs from the recording, each at its recorded position", async () => {
    const tape = await typed;
    const run = await replay(tape, { technique });
    expect(run.digest).toBe(tape.digest);
    expect(run.trace().inputs()).toEqual(tape.inputs());
    expect(new TextDecoder().decode(run.console)).toContain("two\n");
  });

  test("makes the same bytes when it is made twice", async () => {
    const tape = await recorded;
    expect(Buffer.compare(await bytesOf(tape, technique), await bytesOf(tape, technique))).toBe(0);
  });

  test("T5: stops at the recorded budget", async () => {
    const tape = await record({ guest, maxSteps: 23_456 });
    const run = await replay(tape, { technique });
    expect(run).toMatchObject({ steps: 23_456, ending: { reason: "budget" } });
  });
});

describe("a replay", () => {
  test("under the recorded technique makes the recording's own bytes", async () => {
    const sink = new MemorySink();
    const tape = await record({ guest, sink });
    const copy = { trace: () => readTrace(sink.bytes()), store: tape.store };
    const again = new MemorySink();
    await replay(copy, { technique: native, sink: again });
    expect(Buffer.compare(again.bytes(), sink.bytes())).toBe(0);
  });

  test("keeps no trace where it is told so, and finds the same", async () => {
    const tape = await recorded;
    const run = await replay(tape, { technique: full, sink: null });
    expect(run).toMatchObject({ digest: tape.digest, identity: { equal: true }, complete: true });
    expect(() => run.trace()).toThrow("Cannot read the replay as its trace must be kept: its sink is null");
    await expect(
      replay(
        edited(tape, (events) => events.slice(1)),
        { sink: null },
      ),
    ).rejects.toThrow(DivergenceError);
  });

  test("of a run that was recorded under full is the same bare", async () => {
    const tape = await record({ guest, technique: full });
    expect((await replay(tape, { technique: native })).digest).toBe((await recorded).digest);
  });

  test("T22: fails when one run is skipped, as two runs without events are not equal", async () => {
    const empty = edited(await recorded, () => []);
    expect(verifyTraces(empty.trace(), empty.trace())).toMatchObject({ equal: false });
    expect(verifyTraces((await recorded).trace(), empty.trace())).toMatchObject({
      equal: false,
      firstDifference: { event: 0 },
    });
    await expect(replay(empty)).rejects.toThrow(DivergenceError);
  });

  test("stops at the first difference, with both sides and the last equal checkpoint", async () => {
    const tape = await recorded;
    const trap = [...tape.trace().guestEvents()].find(
      (event) => event.kind === "guest.trap" && event.cause === 8 && event.step > 30_000,
    )!;
    const broken = edited(tape, (events) =>
      events.map((event) =>
        event.kind === "guest.trap" && event.step === trap.step ? { ...event, cause: 13 } : event,
      ),
    );
    const error = await replay(broken, { technique: full, files: { recorded: "a.trace", replayed: "b.trace" } }).catch(
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(DivergenceError);
    const { message, difference, reached } = error as DivergenceError;
    expect(message.split("\n")).toEqual([
      expect.stringMatching(/^Cannot verify null-syscall 30 under full as event [\d,]+ of the guest stream differs:$/),
      expect.stringMatching(/^ {2}native {2}guest\.trap +load page fault +pc 0x[0-9a-f]+ .*at step/),
      expect.stringMatching(
        /^ {2}full {4}guest\.trap +ecall from U +pc 0x[0-9a-f]+ .*at step .*\(after .*vmm\.exit environment-call/,
      ),
      expect.stringMatching(/^The [\d,]+ events before it agree; last equal checkpoint: step 40,000\. See both with:$/),
      `  trapline diff a.trace b.trace --around ${difference.event}`,
    ]);
    expect(difference.step).toBe(trap.step);
    expect(reached.steps).toBeLessThan(tape.steps);
  });

  test("tells of an input that is left over, with its position", async () => {
    const tape = await typed;
    const at = tape.steps;
    // Behind the guest's power-off, where nobody can take it.
    const more = edited(tape, (events) => [
      ...events.slice(0, -2),
      { kind: "input.console", step: at, data: Uint8Array.of(65), request: 99 },
      ...events.slice(-2),
    ]);
    const { identity } = await verify(more);
    expect(identity).toMatchObject({ equal: false, firstDifference: { step: at } });
    expect(identity.firstDifference?.message).toContain(
      `The recorded input at step ${at} was not consumed there (the recording has 4)`,
    );
  });

  test("tells of an input that is missing, with its position", async () => {
    const tape = await typed;
    const lost = tape.inputs().at(-1)!;
    const less = edited(tape, (events) =>
      events.filter(({ kind, step }) => kind !== "input.console" || step !== lost.step),
    );
    const { identity } = await verify(less);
    expect(identity.equal).toBe(false);
    expect(identity.firstDifference?.step).toBeGreaterThanOrEqual(lost.step);
    expect(identity.firstDifference?.message).toMatch(
      /\n {2}recorded {2}device\.read .*\n {2}replayed {2}device\.read /,
    );
  });

  test("starts the clock where the recording did", async () => {
    // Reads the RTC, 10 ns behind its start, and powers off.
    const source =
      "li t0, 0x101000; lw a0, 0(t0); lw a1, 4(t0); li t1, 0x100000; li t2, 0x5555; sw t2, 0(t1); loop: j loop";
    const kernel = assemble(source, { base: 0x8000_0000n }).bytes;
    const clock = {
      name: "clock",
      workload: "clock",
      machineMode: true,
      memoryBytes: 16 << 20,
      load: async () => ({ kernel }),
    };
    const tape = await record({ guest: clock, rtcSeconds: 5 });
    expect([...tape.events()].find(({ kind }) => kind === "device.read")).toMatchObject({
      value: 705_032_704n + 10n,
    });
    expect((await replay(tape)).digest).toBe(tape.digest);
  });

  test("refuses another guest than the recorded one", async () => {
    const other = { ...guest, load: async () => ({ kernel: Uint8Array.of(1, 2, 3) }) };
    await expect(replay(await recorded, { guest: other })).rejects.toThrow(
      /^Cannot replay null-syscall as its images must be the recorded ones/,
    );
  });

  test("of a recording that was cut short is equal as far as that goes", async () => {
    const sink = new MemorySink();
    const tape = await record({ guest: running("null-syscall 3000"), technique: full, sink });
    const whole = readTrace(sink.bytes());
    const second = whole.index.chunks[1]!;
    const prefix = readTrace(sink.bytes().subarray(0, second.offset + 10));
    const run = await replay({ trace: () => prefix, store: tape.store }, { technique: native });
    expect(run).toMatchObject({ complete: false, identity: { equal: true } });
    expect(run.steps).toBeLessThan(tape.steps);
  });
});
