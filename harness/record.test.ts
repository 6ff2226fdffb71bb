import { describe, expect, test } from "vitest";
import { type Event, full, rewritingTrap } from "../engine/mod.ts";
import { LiveInput, ScriptedInput } from "./console-input.ts";
import { fileGuest, type Guest, hutch } from "./guests/mod.ts";
import { parseInputScript } from "./input-script.ts";
import { MemorySink, type RecordOptions, record } from "./record.ts";
import { replay } from "./replay.ts";
import { memoryStore } from "./store.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
/** Little memory: digests take time by the megabyte. */
const small = (guest: Guest): Guest => ({ ...guest, memoryBytes: 16 << 20 });
const calls = (count: number) => small(hutch.running(`null-syscall ${count}`));
const script = (source: string) => new ScriptedInput(parseInputScript(source));

async function bytesOf(options: RecordOptions): Promise<Uint8Array> {
  const sink = new MemorySink();
  await record({ ...options, sink });
  return sink.bytes();
}

function steps(events: Iterable<Event>, kind: Event["kind"]): number[] {
  return [...events].filter((event) => event.kind === kind).map(({ step }) => step);
}

describe("a recorded run", () => {
  test("tells how the guest ended, what it printed, and how far it came", async () => {
    const tape = await record({ guest: calls(10) });
    expect(tape.ending).toEqual({ reason: "poweroff", code: 0 });
    expect(text(tape.console)).toBe("null-syscall: 10 calls\n");
    expect(tape.digest).toMatch(/^[0-9a-f]{32}$/);
    expect(tape.instret).toBeLessThan(tape.steps);
    const last = [...tape.events()].at(-1);
    expect(last).toMatchObject({ kind: "end", reason: "poweroff", code: 0, step: tape.steps });
  });

  test("has a header from which the run can be made again", async () => {
    const store = memoryStore();
    const tape = await record({ guest: calls(10), rtcSeconds: 5, checkpointEvery: 20_000, maxSteps: 1e9, store });
    const { header } = tape.trace();
    expect(header).toMatchObject({
      guest: "hutch",
      workload: "null-syscall 10",
      append: "null-syscall 10",
      technique: "native",
      variant: "",
      profile: "strict",
      memoryBytes: 16 << 20,
      rtcSeconds: 5,
      checkpointEvery: 20_000,
      maxSteps: 1e9,
      machineMode: false,
    });
    expect(header.marks).toContainEqual({ id: 1, name: "syscall" });
    expect(header.devices.length).toBeGreaterThan(3);
    expect(store.get(header.images[0]!.sha256).length).toBe(header.images[0]!.sizeBytes);
  });

  test("is the same to the byte when it is made twice", async () => {
    const [first, second] = [await bytesOf({ guest: calls(20) }), await bytesOf({ guest: calls(20) })];
    expect(Buffer.compare(first, second)).toBe(0);
  });

  test("exits with the guest's own code where the guest fails", async () => {
    const tape = await record({ guest: small(hutch.running("no-such-program")) });
    expect(tape.ending.code).not.toBe(0);
    expect(text(tape.console)).toContain("not found");
  });
});

describe("checkpoints", () => {
  test("stand at every multiple of the distance and at the end", async () => {
    const tape = await record({ guest: calls(50), checkpointEvery: 10_000 });
    const expected = Array.from({ length: Math.floor(tape.steps / 10_000) }, (_, n) => (n + 1) * 10_000);
    expect(steps(tape.events(), "checkpoint")).toEqual([...expected, tape.steps]);
  });

  test("stand at the first mark that is 100,000 steps or more behind the last one", async () => {
    const tape = await record({ guest: calls(4000) });
    let last = 0;
    const expected: number[] = [];
    for (const step of steps(tape.events(), "mark")) {
      // The mark is stamped with the step that it makes; the checkpoint stands behind it.
      if (step + 1 - last < 100_000) continue;
      last = step + 1;
      expected.push(last);
    }
    expect(expected.length).toBeGreaterThan(1);
    expect(steps(tape.events(), "checkpoint")).toEqual([...expected, tape.steps]);
  });
});

describe("the step budget", () => {
  test.each([1, 777, 12_345])("stops any guest exactly: %i steps", async (maxSteps) => {
    const tape = await record({ guest: calls(50), maxSteps });
    expect(tape.steps).toBe(maxSteps);
    expect(tape.ending).toEqual({ reason: "budget", code: 0 });
  });

  test("stops a guest that only traps", async () => {
    const trapping = { ...small(fileGuest("unused")), load: async () => ({ kernel: new Uint8Array(4096) }) };
    const tape = await record({ guest: trapping, maxSteps: 5000 });
    expect(tape).toMatchObject({ steps: 5000, ending: { reason: "budget" } });
  });
});

describe("input", () => {
  const shell = small(hutch.running("sh"));

  test("is typed when the guest has printed what the script expects", async () => {
    const input = () =>
      script('expect "hutch$ "\nsend "echo one two\\n"\nexpect "one two\\n"\nexpect "hutch$ "\nsend "exit\\n"');
    const tape = await record({ guest: shell, input: input() });
    expect(text(tape.console)).toContain("one two");
    expect(tape.ending).toEqual({ reason: "poweroff", code: 0 });
    expect(tape.unfinished).toBeUndefined();
    expect(tape.inputs().map(({ data }) => text(data))).toEqual(["echo one two\n", "exit\n"]);
  });

  test("T21: lands at the same step wherever the run is cut into slices", async () => {
    const typed = 'expect "hutch$ "\nwait 1234\nsend "echo x\\n"\nexpect "hutch$ "\nsend "exit\\n"';
    const coarse = await record({ guest: shell, input: script(typed) });
    const fine = await record({ guest: shell, input: script(typed), checkpointEvery: 1000 });
    expect(fine.inputs()).toEqual(coarse.inputs());
    expect([fine.digest, fine.steps]).toEqual([coarse.digest, coarse.steps]);
  });

  test("that is left when the guest ends is named", async () => {
    const tape = await record({ guest: calls(5), input: script('expect "login: "') });
    expect(tape.unfinished).toBe('line 1, expect "login: "');
  });
});

describe("a person at the console", () => {
  const typed = (line: string) => new TextEncoder().encode(line);

  test("sees what the guest writes, and what is typed is recorded", async () => {
    let [shown, lines] = ["", ["echo hello\n", "exit\n"]];
    const input = new LiveInput((bytes) => {
      shown += text(bytes);
      if (shown.endsWith("hutch$ ")) input.typed(typed(lines.shift() ?? ""));
    });
    const tape = await record({ guest: small(hutch.running("sh")), input });
    expect(tape.ending).toEqual({ reason: "poweroff", code: 0 });
    expect(shown).toBe(text(tape.console));
    expect(shown).toContain("\nhello\n");
    lines = [];
    const run = await replay(tape, { technique: full });
    expect([run.digest, run.trace().inputs()]).toEqual([tape.digest, tape.inputs()]);
  });

  test("may leave, which ends the run there and in every replay", async () => {
    const input = new LiveInput((bytes) => {
      if (text(bytes).includes("$")) input.leave();
    });
    const tape = await record({ guest: small(hutch.running("sh")), input });
    expect(tape.ending.reason).toBe("left");
    const run = await replay(tape, { technique: full });
    expect(run).toMatchObject({ steps: tape.steps, digest: tape.digest, ending: { reason: "left" }, complete: true });
  });
});

describe("what is refused", () => {
  test.each([
    ["checkpointEvery", { checkpointEvery: 10 }],
    ["maxSteps", { maxSteps: 0 }],
    ["rtcSeconds", { rtcSeconds: -1 }],
    ["profile", { profile: "lax" }],
  ])("a %s out of range, before a byte is written", async (name, wrong) => {
    const sink = new MemorySink();
    await expect(record({ guest: calls(1), sink, ...wrong })).rejects.toThrow(new RegExp(`^Cannot .*${name}`));
    expect(sink.bytes().length).toBe(0);
  });

  test("a machine-mode guest under a technique that has no machine mode", async () => {
    await expect(record({ guest: { ...calls(1), machineMode: true }, technique: rewritingTrap })).rejects.toThrow(
      /^Cannot run a machine-mode guest/,
    );
  });
});
