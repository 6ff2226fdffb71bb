import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { eventAt, IS_GUEST, KIND_NUMBER, LAYOUTS, Log, type LogBatch, RECORD_WORDS } from "../engine/event/mod.ts";
import { compareGuestStreams, GuestStreamComparer } from "./compare.ts";
import { formatDifference } from "./format-event.ts";
import { syntheticRun } from "./synthetic-run.ts";

const ROUNDS = 300;

/** The run in batches of some rounds each. */
function run(options: { vmm?: boolean; roundsPerBatch?: number; seed?: number } = {}): LogBatch[] {
  const batches: LogBatch[] = [];
  const log = syntheticRun({
    rounds: ROUNDS,
    vmm: options.vmm ?? false,
    seed: options.seed ?? 7,
    afterRound: (running, round) => {
      if (round % (options.roundsPerBatch ?? 50) === 0) batches.push(running.drain());
    },
  });
  batches.push(log.drain());
  return batches;
}

/** A run in one batch, with where its guest records start. */
function whole(): { batch: LogBatch; guests: number[] } {
  const batch = syntheticRun({ rounds: ROUNDS, vmm: false, seed: 7 }).drain();
  const guests: number[] = [];
  for (let at = 0; at < batch.words.length; at += RECORD_WORDS[batch.words[at]! & 0xff]!) {
    if (IS_GUEST[batch.words[at]! & 0xff] === 1) guests.push(at);
  }
  return { batch, guests };
}

function without(batch: LogBatch, at: number): LogBatch {
  const length = RECORD_WORDS[batch.words[at]! & 0xff]!;
  return { ...batch, words: Uint32Array.from([...batch.words.slice(0, at), ...batch.words.slice(at + length)]) };
}

describe("comparison of guest streams", () => {
  test("a run is equal to itself, however either side is cut into batches and whatever the machine did", () => {
    const { guests } = whole();
    const expected = { equal: true, events: guests.length };
    expect(compareGuestStreams(run(), run({ roundsPerBatch: 7 }))).toEqual(expected);
    expect(compareGuestStreams(run(), run({ vmm: true, roundsPerBatch: 1 }))).toEqual(expected);
  });

  test("a batch may be overwritten once it was compared, and is shown all the same", () => {
    const make = (last: number) => {
      const log = new Log({ enabled: true });
      const batches: LogBatch[] = [];
      for (let step = 0; step < 30; step++) {
        log.append("device.read", step, { device: `uart${step}`, offset: 0, size: 1, value: step });
        log.append("vmm.work", step, { work: "emulate", count: step });
        batches.push(log.drain());
      }
      log.append("mark", 30, { code: last });
      batches.push(log.drain());
      return batches;
    };
    function* lent(batches: readonly LogBatch[]): Generator<LogBatch> {
      const words = new Uint32Array(64);
      for (const batch of batches) {
        words.set(batch.words);
        yield { ...batch, words: words.subarray(0, batch.words.length) };
        words.fill(0xffff_ffff);
      }
    }
    const expected = compareGuestStreams(make(1), make(2));
    expect(expected).toMatchObject({ equal: false, index: 30 });
    if (expected.equal) throw new Error("they are equal");
    expect(expected.before.map((event) => event.step)).toEqual(Array.from({ length: 20 }, (_, i) => i + 10));
    expect(expected.rightMachine.map((event) => event.step)).toEqual([29]);
    expect(compareGuestStreams(lent(make(1)), lent(make(2)))).toEqual(expected);
    expect(compareGuestStreams(lent(make(1)), lent(make(1)))).toEqual({ equal: true, events: 31 });
  });

  test("names are compared as text, not by number", () => {
    const log = new Log({ enabled: true });
    for (const name of ["page-fault", "virtio-block", "uart", "poweroff"]) log.name(name);
    const { batch } = whole();
    const renumbered = batch.words.slice();
    for (let at = 0; at < renumbered.length; ) {
      const layout = LAYOUTS[renumbered[at]! & 0xff]!;
      for (const field of layout.fields) {
        if (field.type === "name") renumbered[at + field.at] = log.name(batch.names[renumbered[at + field.at]!]!);
      }
      at += layout.words;
    }
    expect(renumbered).not.toEqual(batch.words);
    expect(compareGuestStreams([batch], [{ ...batch, words: renumbered, names: log.names }])).toMatchObject({
      equal: true,
    });
  });

  test("one flipped bit in any word of any record is found at its event", () => {
    const { batch, guests } = whole();
    fc.assert(
      fc.property(fc.nat(guests.length - 1), fc.nat(14), fc.nat(31), (index, place, bit) => {
        const at = guests[index]!;
        const layout = LAYOUTS[batch.words[at]! & 0xff]!;
        const word = at + 1 + (place % (layout.words - 1));
        const field = layout.fields.find((f) => f.at === word - at);
        fc.pre(field?.type !== "name" && field?.type !== "bytes");
        const words = batch.words.slice();
        words[word]! ^= 1 << bit;
        const changed = { ...batch, words };
        const result = compareGuestStreams([batch], [changed]);
        expect(result).toMatchObject({ equal: false, index, left: eventAt(batch, at), right: eventAt(changed, at) });
      }),
    );
  });

  test("another name and other bytes are found", () => {
    const make = (device: string, data: number) => {
      const log = new Log({ enabled: true });
      log.append("mark", 1, { code: 1 });
      log.append("device.read", 2, { device, offset: 0, size: 1, value: 0 });
      log.append("input.console", 3, { data: Uint8Array.of(1, data), request: 0 });
      return [log.drain()];
    };
    expect(compareGuestStreams(make("uart", 2), make("uart", 2))).toEqual({ equal: true, events: 3 });
    expect(compareGuestStreams(make("uart", 2), make("plic", 2))).toMatchObject({ equal: false, index: 1 });
    expect(compareGuestStreams(make("uart", 2), make("uart", 3))).toMatchObject({ equal: false, index: 2 });
  });

  test("a missing and an extra event are found where they are", () => {
    const { batch, guests } = whole();
    for (const index of [0, 1, 137, guests.length - 1]) {
      const shorter = without(batch, guests[index]!);
      const here = eventAt(batch, guests[index]!);
      const next = guests[index + 1] === undefined ? undefined : eventAt(batch, guests[index + 1]!);
      const missing = compareGuestStreams([batch], [shorter]);
      expect(missing).toMatchObject({ equal: false, index, left: here });
      expect(missing.equal ? "equal" : missing.right).toEqual(next);
      const extra = compareGuestStreams([shorter], [batch]);
      expect(extra).toMatchObject({ equal: false, index, right: here });
      expect(extra.equal ? "equal" : extra.left).toEqual(next);
    }
  });

  test("a skipped run is a difference on either side and on both (T22)", () => {
    const { batch, guests } = whole();
    const first = eventAt(batch, guests[0]!);
    expect(compareGuestStreams([batch], [])).toMatchObject({ equal: false, index: 0, left: first, right: undefined });
    expect(compareGuestStreams([], [batch])).toMatchObject({ equal: false, index: 0, left: undefined, right: first });
    const nothing = compareGuestStreams([], []);
    expect(nothing).toMatchObject({ equal: false, index: 0, left: undefined, right: undefined });
    expect(compareGuestStreams(onlyMachine(), onlyMachine())).toMatchObject({ equal: false, index: 0 });
  });

  function onlyMachine(): LogBatch[] {
    const log = new Log({ enabled: true });
    log.append("vmm.work", 1, { work: "emulate", count: 1 });
    return [log.drain()];
  }

  test("a difference comes with the events before it, the machine beside it and the last equal checkpoint", () => {
    const make = (cause: number, vmm: boolean) => {
      const log = new Log({ enabled: true });
      for (let step = 0; step < 30; step++) log.append("mark", step, { code: 0x300 + step });
      log.append("checkpoint", 30, { digestLow: 1, digestHigh: 2, instret: 30, time: 30 });
      // What the machine did before an event that is equal is not shown beside a later one.
      if (vmm) log.append("vmm.work", 31, { work: "emulate", count: 1 });
      for (let step = 31; step < 36; step++) log.append("mark", step, { code: 0x100 });
      if (vmm) {
        log.append("vmm.exit", 36, { reason: "page-fault", pc: 0x8000_1a38, bits: 0 });
        log.append("shadow.fill", 36, { root: 1, address: 0x1000, level: 0 });
      }
      log.append("guest.trap", 36, { cause, pc: 0x8000_1a38, value: 0, from: 0, to: 1 });
      return [log.drain()];
    };
    const result = compareGuestStreams(make(8, false), make(13, true));
    if (result.equal) throw new Error("they are equal");
    expect(result.index).toBe(36);
    expect(result.before.map((event) => event.step)).toEqual(Array.from({ length: 20 }, (_, i) => 16 + i));
    expect(result.leftMachine).toEqual([]);
    expect(result.rightMachine.map((event) => event.kind)).toEqual(["vmm.exit", "shadow.fill"]);
    expect(result.checkpoint).toMatchObject({ step: 30, digestHigh: 2n });
    const names = { workload: "null-syscall", left: "native", right: "full", next: "trapline diff a.trace b.trace" };
    expect(formatDifference(result, names)).toBe(
      [
        "Cannot verify null-syscall under full as event 36 of the guest stream differs:",
        "  native  guest.trap  ecall from U  pc 0x80001a38  value 0x0  U to S  at step 36",
        "  full    guest.trap  load page fault  pc 0x80001a38  value 0x0  U to S  at step 36  (after vmm.exit page-fault, shadow.fill)",
        "The 36 events before it agree; last equal checkpoint: step 30. See both with:",
        "  trapline diff a.trace b.trace",
      ].join("\n"),
    );
  });

  test("a difference in words says which side has ended, and that nothing was compared", () => {
    const { batch } = whole();
    const names = { workload: "w", left: "native", right: "full" };
    const ended = compareGuestStreams([batch], []);
    if (ended.equal) throw new Error("they are equal");
    expect(formatDifference(ended, names)).toContain(
      "\n  full    has ended\nThe 0 events before it agree; no checkpoint before it",
    );
    const nothing = compareGuestStreams([], []);
    if (nothing.equal) throw new Error("they are equal");
    expect(formatDifference(nothing, names)).toBe(
      "Cannot verify w under full as there must be events to compare: neither native nor full has any",
    );
  });

  test("the comparer reports as soon as it can, keeps its first difference and reads no further", () => {
    const { batch, guests } = whole();
    const words = batch.words.slice();
    words[guests[40]! + RECORD_WORDS[words[guests[40]!]! & 0xff]! - 1]! ^= 1;
    let taken = 0;
    function* recorded() {
      for (const part of run({ roundsPerBatch: 10 })) {
        taken++;
        yield part;
      }
    }
    const comparer = new GuestStreamComparer(recorded());
    expect(comparer.difference).toBeUndefined();
    const difference = comparer.feed({ ...batch, words });
    expect(difference).toMatchObject({ index: 40 });
    expect(comparer.feed(batch)).toBe(difference);
    expect(comparer.finish()).toBe(difference);
    expect(comparer.difference).toBe(difference);
    expect(comparer.events).toBe(40);
    expect(taken).toBeLessThan(5);
  });

  test("a record of no known kind is refused, not skipped", () => {
    const bad = { words: Uint32Array.of(250, 0, 0), blobs: [], names: [] };
    expect(() => compareGuestStreams([bad], [bad])).toThrow("of a known kind");
  });

  test("events of another seed differ", () => {
    expect(compareGuestStreams(run(), run({ seed: 8 }))).toMatchObject({ equal: false });
    expect(KIND_NUMBER["input.console"]).toBe(0);
  });
});
