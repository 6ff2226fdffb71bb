import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EVENTS, type Event, type EventKind, type FieldType, fold, KINDS } from "./event.ts";
import { type FieldsOf, Log } from "./log.ts";
import { eventAt, eventsOf, KIND_NUMBER, LAYOUTS, type LogBatch, RECORD_WORDS } from "./record.ts";

const value = {
  u32: fc.integer({ min: 0, max: 0xffff_ffff }),
  u64: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  name: fc.string({ maxLength: 8 }),
  bytes: fc.uint8Array({ maxLength: 20 }),
} satisfies Record<FieldType, fc.Arbitrary<unknown>>;

/** An event of any kind with any field values. */
const anyEvent: fc.Arbitrary<Event> = fc.constantFrom(...KINDS).chain((kind) =>
  fc
    .record({
      kind: fc.constant(kind),
      step: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
      hart: fc.constant(0),
      ...Object.fromEntries(
        Object.entries<FieldType>(EVENTS[kind].fields).map(([name, type]) => [
          name,
          value[type] as fc.Arbitrary<unknown>,
        ]),
      ),
    })
    .map((event) => event as unknown as Event),
);

function append(log: Log, event: Event): void {
  log.append(event.kind, event.step, event as unknown as FieldsOf<EventKind>);
}

function join(batches: readonly LogBatch[]): Event[] {
  return batches.flatMap((batch) => [...eventsOf(batch)]);
}

describe("log", () => {
  test("gives back every kind of event as it was appended", () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 40 }), (events) => {
        const log = new Log({ enabled: true });
        for (const event of events) append(log, event);
        expect([...eventsOf(log.drain())]).toEqual(events);
      }),
    );
  });

  test("gives the same events wherever it was drained", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyEvent, fc.boolean()), { maxLength: 40 }), (script) => {
        const log = new Log({ enabled: true });
        const batches: LogBatch[] = [];
        for (const [event, drain] of script) {
          append(log, event);
          if (drain) batches.push(log.drain());
        }
        batches.push(log.drain());
        expect(join(batches)).toEqual(script.map(([event]) => event));
        expect(log.count).toBe(script.length);
      }),
    );
  });

  test("raw words and named fields make the same record", () => {
    const named = new Log({ enabled: true });
    const raw = new Log({ enabled: true });
    const step = 2 ** 40 + 5;
    named.append("guest.trap", step, { cause: 13, pc: 0xffff_ffff_8000_1234n, value: 0x1_0000_0008, from: 0, to: 1 });
    raw.appendWords(KIND_NUMBER["guest.trap"], step, 13, 0x8000_1234, -1, 8, 1, 0, 1);
    named.append("vmm.exit", step, { reason: "page-fault", pc: 0x8000_1000n, bits: 0xffff_ffff });
    raw.appendWords(KIND_NUMBER["vmm.exit"], step, raw.name("page-fault"), 0x8000_1000, 0, 0xffff_ffff);
    named.append("sbi", step, { extension: 1, function: 2, a0: 3, a1: 4, a2: 5, error: -1n, value: 7 });
    raw.appendWords(KIND_NUMBER.sbi, step, 1, 2, 3, 0, 4, 0, 5, 0, -1, -1, 7, 0);
    named.append("mark", step, { code: 0x101 });
    raw.appendWords(KIND_NUMBER.mark, step, 0x101);
    const expected = named.drain();
    expect(raw.drain()).toEqual(expected);
    expect(eventAt(expected, 0)).toEqual({
      kind: "guest.trap",
      step,
      hart: 0,
      cause: 13,
      pc: 0xffff_ffff_8000_1234n,
      value: 0x1_0000_0008n,
      from: 0,
      to: 1,
    });
  });

  test("stamps the hart that is set", () => {
    const log = new Log({ enabled: true });
    log.hart = 3;
    log.append("mark", 1, { code: 1 });
    expect([...eventsOf(log.drain())]).toEqual([{ kind: "mark", step: 1, hart: 3, code: 1 }]);
  });

  test("keeps its own copy of bytes, and a batch stays as it was drained", () => {
    const log = new Log({ enabled: true });
    const data = Uint8Array.of(1, 2);
    log.append("input.console", 1, { data, request: 0 });
    data[0] = 9;
    const batch = log.drain();
    log.append("input.console", 2, { data: Uint8Array.of(3), request: 1 });
    log.name("later");
    expect([...eventsOf(batch)]).toEqual([
      { kind: "input.console", step: 1, hart: 0, data: Uint8Array.of(1, 2), request: 0 },
    ]);
    expect(batch.names).toEqual([]);
    expect([batch.blobs, log.drain().blobs]).toEqual([[Uint8Array.of(1, 2)], [Uint8Array.of(3)]]);
  });

  test("lends what it has without a copy, and is empty afterwards, also where the borrower fails", () => {
    const log = new Log({ enabled: true });
    log.append("input.console", 1, { data: Uint8Array.of(7), request: 0 });
    log.append("end", 2, { reason: "poweroff", code: 0 });
    let memory: ArrayBufferLike | undefined;
    const events = log.take((batch) => {
      memory = batch.words.buffer;
      return [...eventsOf(batch)];
    });
    expect(events).toEqual([
      { kind: "input.console", step: 1, hart: 0, data: Uint8Array.of(7), request: 0 },
      { kind: "end", step: 2, hart: 0, reason: "poweroff", code: 0 },
    ]);
    log.append("mark", 3, { code: 3 });
    const failing = (): void =>
      log.take((batch) => {
        expect(batch.words.buffer).toBe(memory);
        expect(batch.blobs).toEqual([]);
        throw new RangeError("no more");
      });
    expect(failing).toThrow("no more");
    expect(log.length).toBe(0);
    expect(log.drain().words.length).toBe(0);
  });

  test("keeps what is appended while a batch is lent", () => {
    const log = new Log({ enabled: true });
    log.append("mark", 1, { code: 1 });
    // More than the first buffer holds.
    log.take((batch) => {
      for (let step = 2; step < 10_000; step++) log.append("mark", step, { code: step });
      expect([...eventsOf(batch)]).toEqual([{ kind: "mark", step: 1, hart: 0, code: 1 }]);
    });
    const steps = [...eventsOf(log.drain())].map(({ step }) => step);
    expect(steps).toEqual(Array.from({ length: 9998 }, (_, i) => i + 2));
  });

  test("holds more events than its first buffer, whatever the length of the last record", () => {
    const log = new Log({ enabled: true });
    for (let step = 0; step < 20_000; step++) {
      log.appendWords(KIND_NUMBER.sbi, step, step, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
    }
    const events = [...eventsOf(log.drain())];
    expect(events.length).toBe(20_000);
    expect(events.at(-1)).toMatchObject({ kind: "sbi", step: 19_999, extension: 19_999, value: 10n | (11n << 32n) });
  });

  test("stays empty where logging is off, and still numbers names", () => {
    const log = new Log({ enabled: false });
    log.append("mark", 1, { code: 1 });
    log.appendWords(KIND_NUMBER.mark, 1, 1);
    expect(log.name("uart")).toBe(0);
    expect(log.name("plic")).toBe(1);
    expect(log.name("uart")).toBe(0);
    expect(log.count).toBe(0);
    expect(log.drain()).toEqual({ words: new Uint32Array(0), blobs: [], names: ["uart", "plic"] });
  });

  test.each([
    ["negative", -1],
    ["not whole", 0.5],
    ["too large", 2 ** 32],
    ["not a number", Number.NaN],
  ])("refuses a field that is %s, and is none the longer", (_, code) => {
    const log = new Log({ enabled: true });
    expect(() => log.append("mark", 7, { code })).toThrow(
      new RangeError(`Cannot append mark at step 7 as code must be a whole number from 0 to 4294967295: it is ${code}`),
    );
    expect(log.drain().words.length).toBe(0);
  });

  test("a fold sees each kind", () => {
    const cases = Object.fromEntries(KINDS.map((kind) => [kind, (event: Event) => event.step])) as never;
    for (const kind of KINDS) expect(fold({ kind, step: 4, hart: 0 } as unknown as Event, cases)).toBe(4);
  });

  test("no record is longer than the room that one append makes", () => {
    for (const { kind, words } of LAYOUTS) expect(words, kind).toBeLessThanOrEqual(15);
    expect(RECORD_WORDS[KIND_NUMBER["guest.trap"]]).toBe(3 + 7);
  });

  test("a batch that is cut or of an unknown kind is refused", () => {
    const batch = { blobs: [], names: [] };
    expect(() => eventAt({ ...batch, words: Uint32Array.of(250, 0, 0, 0) }, 0)).toThrow("of a known kind");
    expect(() => eventAt({ ...batch, words: Uint32Array.of(KIND_NUMBER.mark, 0, 0) }, 0)).toThrow("must be whole");
    expect(() => eventAt({ ...batch, words: Uint32Array.of(KIND_NUMBER.end, 0, 0, 5, 0) }, 0)).toThrow(
      new RangeError("Cannot read end as reason must be in the batch: there is no number 5"),
    );
  });
});
