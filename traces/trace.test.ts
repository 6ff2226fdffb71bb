import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EVENTS, type Event, type EventKind, type FieldsOf, type FieldType, KINDS, Log } from "../engine/event/mod.ts";
import { CHUNK_BLOB_BYTES, CHUNK_EVENTS } from "./chunk-builder.ts";
import type { TraceHeader } from "./header.ts";
import { readTrace, type Trace } from "./reader.ts";
import { syntheticRun } from "./synthetic-run.ts";
import { TraceWriter, type TraceWriterOptions } from "./writer.ts";

const HEADER: TraceHeader = {
  engineVersion: "0.1.0",
  guest: "hutch",
  workload: "null-syscall 1000",
  images: [{ role: "kernel", name: "hutch.elf", sha256: "0123456789abcdef".repeat(4), sizeBytes: 70_000 }],
  technique: "native",
  variant: "",
  profile: "strict",
  memoryBytes: 128 << 20,
  append: "quiet",
  rtcSeconds: 1_735_689_600,
  machineMode: false,
  checkpointEvery: 10_000_000,
  maxSteps: 10_000_000_000,
  devices: ["uart", "plic"],
  marks: [{ id: 1, name: "syscall" }],
  settings: { timescale: 10, lax: false, name: "hutch" },
};

const value = {
  u32: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 0xffff_ffff })),
  u64: fc.oneof(fc.bigInt({ min: 0n, max: 200n }), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })),
  name: fc.oneof(fc.constantFrom("uart", "plic"), fc.string({ maxLength: 6 })),
  bytes: fc.uint8Array({ maxLength: 12 }),
} satisfies Record<FieldType, fc.Arbitrary<unknown>>;

/** Events of all kinds with any values, their steps never going back. */
const anyEvents: fc.Arbitrary<Event[]> = fc
  .array(
    fc.constantFrom(...KINDS).chain((kind) =>
      fc.record({
        kind: fc.constant(kind),
        step: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 2 ** 46 })),
        hart: fc.integer({ min: 0, max: 2 }),
        ...Object.fromEntries(
          Object.entries<FieldType>(EVENTS[kind].fields).map(([name, type]) => [
            name,
            value[type] as fc.Arbitrary<unknown>,
          ]),
        ),
      }),
    ),
    { maxLength: 60 },
  )
  .map((events) => {
    let step = 0;
    return events.map((event) => {
      step += event.step;
      return { ...event, step } as unknown as Event;
    });
  });

function append(log: Log, event: Event): void {
  log.hart = event.hart;
  log.append(event.kind, event.step, event as unknown as FieldsOf<EventKind>);
}

function appendAll(log: Log, events: readonly Event[]): void {
  for (const event of events) append(log, event);
}

/** Writes what `produce` logs; it may drain whenever it calls `drain`. */
function write(
  produce: (log: Log, drain: () => void) => void,
  options: TraceWriterOptions = {},
  header = HEADER,
): Uint8Array {
  const pieces: Uint8Array[] = [];
  const writer = new TraceWriter({ write: (bytes) => void pieces.push(bytes) }, header, options);
  const log = new Log({ enabled: true });
  produce(log, () => writer.append(log.drain()));
  writer.append(log.drain());
  const { bytes, events } = writer.finish();
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  expect(whole.length).toBe(bytes);
  expect(events).toBe(log.count);
  return whole;
}

function writeRun(
  rounds: number,
  vmm: boolean,
  options: TraceWriterOptions & { roundsPerBatch?: number } = {},
): Uint8Array {
  const pieces: Uint8Array[] = [];
  const writer = new TraceWriter({ write: (bytes) => void pieces.push(bytes) }, HEADER, options);
  const log = syntheticRun({
    rounds,
    vmm,
    afterRound: (running, round) => {
      if (round % (options.roundsPerBatch ?? 100) === 0) writer.append(running.drain());
    },
  });
  writer.append(log.drain());
  writer.finish();
  return new Uint8Array(pieces.flatMap((piece) => [...piece]));
}

function all(trace: Trace): Event[] {
  return [...trace.events()];
}

describe("trace", () => {
  test.each([false, true])("gives back its header and every kind of event, deflated: %s", (deflate) => {
    fc.assert(
      fc.property(anyEvents, (events) => {
        const bytes = write((log) => appendAll(log, events), { deflate });
        const trace = readTrace(bytes);
        expect(trace.header).toEqual(HEADER);
        expect(trace.state).toBe("complete");
        expect(trace.reason).toBeUndefined();
        expect(all(trace)).toEqual(events);
        expect([...trace.guestEvents()]).toEqual(events.filter(({ kind }) => EVENTS[kind].stream === "guest"));
        expect(trace.rebuildIndex()).toEqual(trace.index);
      }),
    );
  });

  test("has the same bytes wherever the log was drained", () => {
    fc.assert(
      fc.property(anyEvents, fc.infiniteStream(fc.boolean()), (events, drains) => {
        const once = write((log) => appendAll(log, events));
        const often = write((log, drain) => {
          for (const event of events) {
            append(log, event);
            if (drains.next().value) drain();
          }
        });
        expect(often).toEqual(once);
      }),
    );
  });

  test("has the same bytes over many chunks, however often the log was drained", () => {
    const once = writeRun(2500, true, { roundsPerBatch: 1e9 });
    expect(equal(writeRun(2500, true, { roundsPerBatch: 1 }), once)).toBe(true);
    expect(equal(writeRun(2500, true, { roundsPerBatch: 37 }), once)).toBe(true);
    const trace = readTrace(once);
    expect(trace.index.chunks.length).toBe(Math.ceil(trace.index.events / CHUNK_EVENTS));
    expect(trace.index.chunks.length).toBeGreaterThan(5);
  });

  test("has the same bytes in whatever order the log numbered its names", () => {
    const make = (first: string) =>
      write((log) => {
        log.name(first);
        log.append("device.path", 1, { device: "uart", path: "native" });
      });
    expect(make("native")).toEqual(make("uart"));
  });

  test("has the same bytes where its batches come from another trace, with names of their own", () => {
    const once = writeRun(2500, true);
    const pieces: Uint8Array[] = [];
    const writer = new TraceWriter({ write: (bytes) => void pieces.push(bytes) }, HEADER);
    for (const batch of readTrace(once).batches()) writer.append(batch);
    writer.finish();
    expect(equal(new Uint8Array(pieces.flatMap((piece) => [...piece])), once)).toBe(true);
    const bad = { words: Uint32Array.of(11, 999_999_999, 0, 5, 0), blobs: [], names: ["other"] };
    const open = new TraceWriter({ write: () => undefined }, HEADER);
    for (const batch of readTrace(once).batches()) open.append(batch);
    expect(() => open.append(bad)).toThrow(
      new RangeError("Cannot write end as its reason must be in the batch: there is no number 5"),
    );
  });

  test("a loop is stored once, however often it runs, and a new row in it disturbs nothing behind it", () => {
    const loop = (rounds: number, odd: number) =>
      write((log) => {
        for (let round = 0; round < rounds; round++) {
          log.append("guest.trap", round * 60, { cause: 8, pc: 0x1000, value: round === odd ? 77 : 0, from: 0, to: 1 });
          for (let i = 0; i < 8; i++)
            log.append("device.write", round * 60 + i * i, { device: "uart", offset: i, size: 1, value: i });
          log.append("guest.return", round * 60 + 59, { pc: 0x1004, from: 1, to: 0 });
        }
      }).length;
    expect(loop(1600, -1) - loop(16, -1)).toBeLessThan(20);
    expect(loop(1600, 800) - loop(1600, -1)).toBeLessThan(20);
  });

  test("gives back a run of many chunks, its guest stream, and its checkpoints with their places", () => {
    const log = syntheticRun({ rounds: 3000, vmm: true });
    const batch = log.drain();
    const trace = readTrace(writeRun(3000, true));
    const words = [...trace.batches()].reduce((sum, part) => sum + part.words.length, 0);
    expect(words).toBe(batch.words.length);
    const guests = [...trace.guestEvents()];
    expect(trace.index.guestEvents).toBe(guests.length);
    expect(trace.checkpoints.length).toBe(3);
    for (const { index, event } of trace.checkpoints) expect(guests[index]).toEqual(event);
    expect(trace.rebuildIndex()).toEqual(trace.index);
    expect(trace.end).toMatchObject({ kind: "end", reason: "poweroff", code: 0 });
  });

  test("may be empty", () => {
    const trace = readTrace(write(() => {}));
    expect(trace.index).toEqual({ events: 0, guestEvents: 0, chunks: [], checkpoints: [] });
    expect(trace.state).toBe("complete");
    expect(all(trace)).toEqual([]);
    expect(trace.end).toBeUndefined();
  });

  test("machine events stand between the guest events that they stood between", () => {
    const events: Event[] = [
      { kind: "mark", step: 1, hart: 0, code: 1 },
      { kind: "vmm.exit", step: 5, hart: 0, reason: "a", pc: 2n, bits: 3 },
      { kind: "mark", step: 5, hart: 0, code: 2 },
      { kind: "vmm.resume", step: 5, hart: 0, mode: 1, real: 0 },
      // The machine may stamp what it does ahead of the guest event that it leads to.
      { kind: "vmm.inject", step: 7, hart: 0, cause: 13, pc: 2n },
      { kind: "vmm.resume", step: 6, hart: 0, mode: 1, real: 0 },
      { kind: "mark", step: 6, hart: 0, code: 3 },
    ];
    const trace = readTrace(write((log) => appendAll(log, events)));
    expect(all(trace)).toEqual(events);
    expect([...trace.events({ stream: "machine" })]).toEqual(events.filter(({ kind }) => kind !== "mark"));
    expect([...trace.events({ kinds: ["vmm.exit", "mark"], fromStep: 5 })]).toEqual([events[1], events[2], events[6]]);
  });

  test("events from a step on are those of the whole trace from that step on", () => {
    const trace = readTrace(writeRun(1500, true));
    const events = all(trace);
    for (const fromStep of [1, 1000, events[20_000]!.step, events[CHUNK_EVENTS]!.step, events.at(-1)!.step, 2 ** 50]) {
      const expected = events.filter(({ step }) => step >= fromStep).length;
      expect([...trace.events({ fromStep })].length).toBe(expected);
    }
  });

  test("inputs come with the guest time at which they are due (T7)", () => {
    const data = Uint8Array.of(0x6c, 0x73);
    const trace = readTrace(
      write((log) => {
        log.append("input.console", 10, { data, request: 0 });
        log.append("idle", 20, { ticks: 500 });
        log.append("input.console", 20, { data, request: 1 });
        log.append("idle", 30, { ticks: 2 });
        log.append("input.console", 31, { data, request: 2 });
      }),
    );
    expect(trace.inputs()).toEqual([
      { step: 10, time: 10, request: 0, data },
      { step: 20, time: 520, request: 1, data },
      { step: 31, time: 533, request: 2, data },
    ]);
  });

  test("a chunk ends early where its bytes fields are long", () => {
    const data = new Uint8Array(CHUNK_BLOB_BYTES / 2);
    const trace = readTrace(
      write((log) => {
        for (let step = 0; step < 5; step++) log.append("input.console", step, { data, request: step });
      }),
    );
    expect(trace.index.chunks.map(({ events }) => events)).toEqual([2, 2, 1]);
    expect(trace.inputs().map((input) => input.data.length)).toEqual(Array(5).fill(data.length));
  });

  test("needs at most 6 bytes an event on a realistic mix, and fewer when deflated", () => {
    for (const vmm of [false, true]) {
      const plain = writeRun(vmm ? 2000 : 8000, vmm);
      const { events } = readTrace(plain).index;
      expect(events).toBeGreaterThan(40_000);
      expect(plain.length / events).toBeLessThan(6);
      const deflated = writeRun(vmm ? 2000 : 8000, vmm, { deflate: true });
      expect(deflated.length).toBeLessThan(plain.length);
      expect(all(readTrace(deflated)).length).toBe(events);
    }
  });

  test("the writer refuses a guest stream that goes back, and events after the end", () => {
    const pieces: Uint8Array[] = [];
    const writer = new TraceWriter({ write: (bytes) => void pieces.push(bytes) }, HEADER);
    const log = new Log({ enabled: true });
    log.append("mark", 7, { code: 1 });
    log.append("mark", 5, { code: 1 });
    expect(() => writer.append(log.drain())).toThrow(
      new RangeError("Cannot write mark as steps of the guest stream never go back: step 5 follows step 7"),
    );
    expect(() => writer.append({ words: Uint32Array.of(200, 0, 0), blobs: [], names: [] })).toThrow("of a known kind");
    log.append("end", 8, { reason: "poweroff", code: 0 });
    const batch = log.drain();
    expect(() => writer.append({ ...batch, names: [] })).toThrow(
      new RangeError("Cannot write end as its reason must be in the batch: there is no number 0"),
    );
    writer.append(batch);
    writer.finish();
    // What was refused is not in it, and nothing else is missing.
    const trace = readTrace(Uint8Array.from(pieces.flatMap((piece) => [...piece])));
    expect(all(trace).map(({ kind, step }) => [kind, step])).toEqual([
      ["mark", 7],
      ["end", 8],
    ]);
    expect(() => writer.append(log.drain())).toThrow("Cannot append events as a finished trace takes none");
    expect(() => writer.finish()).toThrow("Cannot finish a trace as it must be open");
  });

  test.each([0, -1, 1.5, CHUNK_EVENTS + 1])("the writer refuses %s events a chunk", (chunkEvents) => {
    expect(() => write(() => {}, { chunkEvents })).toThrow(
      new RangeError(
        `Cannot write a trace as chunkEvents must be a whole number from 1 to 16384: it is ${chunkEvents}`,
      ),
    );
  });

  test("equal headers give equal bytes, in whatever order they were put together", () => {
    const reversed = Object.fromEntries(Object.entries(HEADER).reverse()) as unknown as TraceHeader;
    const settings = Object.fromEntries(Object.entries(HEADER.settings).reverse());
    expect(write(() => {}, {}, { ...reversed, settings })).toEqual(write(() => {}));
    const odd = { ...HEADER, settings: JSON.parse('{"__proto__": "x", "constructor": 1}') };
    expect(Object.entries(readTrace(write(() => {}, {}, odd)).header.settings)).toEqual(Object.entries(odd.settings));
  });
});

/** Equality of long byte runs, without the minutes that a printed difference takes. */
function equal(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, i) => byte === right[i]);
}
