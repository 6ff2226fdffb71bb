import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { type Event, Log } from "../engine/event/mod.ts";
import { ByteWriter } from "./byte-writer.ts";
import { Column, encodeColumn } from "./column.ts";
import { FrameChain, type FrameTag, HEAD_BYTES, PREAMBLE_BYTES, preamble, readFrames } from "./frame.ts";
import { type Message, pack } from "./message.ts";
import { readTrace, type Trace } from "./reader.ts";
import { TraceFormatError } from "./trace-format-error.ts";
import { TraceWriter } from "./writer.ts";

const CHUNK_EVENTS = 10;

/** A small trace with chunks of ten events, all kinds of columns, and both streams. */
function smallTrace({ events = 38, deflate = false, code = 0 } = {}): Uint8Array {
  const pieces: number[] = [];
  const writer = new TraceWriter(
    { write: (bytes) => void pieces.push(...bytes) },
    {
      engineVersion: "0.1.0",
      guest: "hutch",
      workload: "null-syscall 10",
      images: [{ role: "kernel", name: "hutch.elf", sha256: "ab".repeat(32), sizeBytes: 70_000 }],
      technique: "full",
      variant: "",
      profile: "strict",
      memoryBytes: 128 << 20,
      append: "",
      rtcSeconds: 1_735_689_600,
      machineMode: false,
      checkpointEvery: 10_000_000,
      maxSteps: 10_000_000_000,
      devices: ["uart"],
      marks: [{ id: 1, name: "syscall" }],
      settings: { lax: false },
    },
    { chunkEvents: CHUNK_EVENTS, deflate },
  );
  const log = new Log({ enabled: true });
  for (let step = 0; log.count < events; step++) {
    log.append("guest.trap", step, {
      cause: 8,
      pc: 0xffff_ffff_8000_0000n + BigInt(step * 8),
      value: 0,
      from: 0,
      to: 1,
    });
    log.append("vmm.exit", step, { reason: "privileged-instruction", pc: 0x8000_0000 + step, bits: step * 99 });
    if (step % 3 === 0) log.append("input.console", step, { data: Uint8Array.of(step, 10), request: step });
    if (step % 5 === 0)
      log.append("checkpoint", step, { digestLow: 0x1234_5678_9abc_def0n, digestHigh: 7, instret: step, time: step });
  }
  log.append("end", 999, { reason: "poweroff", code });
  writer.append(log.drain());
  writer.finish();
  return Uint8Array.from(pieces);
}

/** Opens a trace and reads everything in it. */
function readAll(bytes: Uint8Array, salvage = false): { trace: Trace; events: Event[] } {
  const trace = readTrace(bytes, { salvage });
  expect(trace.index.events).toBe(trace.index.chunks.reduce((sum, { events }) => sum + events, 0));
  return { trace, events: [...trace.events()] };
}

function refusal(bytes: Uint8Array, salvage = false): string | undefined {
  try {
    readAll(bytes, salvage);
    return undefined;
  } catch (error) {
    // Anything but this class is a failure of the reader itself.
    if (!(error instanceof TraceFormatError)) throw error;
    expect(error.message).toMatch(/^Cannot read trace as .+: .+[^.]$/s);
    return error.message;
  }
}

let whole: Uint8Array;
let events: Event[];
/** Where each frame starts, and where the last ends. */
let edges: number[];

beforeAll(() => {
  whole = smallTrace();
  events = readAll(whole).events;
  edges = [...readFrames(whole).frames.map(({ offset }) => offset), whole.length];
  expect(edges.length).toBe(1 + 4 + 2 + 1); // HEAD, four chunks, INDX, TAIL; and the end.
});

/** The frames as their bytes, for putting them together in another way. */
function cutFrames(bytes: Uint8Array = whole): Uint8Array[] {
  const { frames } = readFrames(bytes);
  return [
    bytes.slice(0, PREAMBLE_BYTES),
    ...frames.map(({ offset, payload }) => bytes.slice(offset, offset + HEAD_BYTES + payload.length)),
  ];
}

function join(pieces: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

/** A trace with these payloads, all checksums and chains right: what a forger, or a bug in a writer, could make. */
function forge(payloads: readonly (readonly [FrameTag, Uint8Array])[]): Uint8Array {
  const chain = new FrameChain(preamble());
  return join([preamble(), ...payloads.map(([tag, payload]) => chain.frame(tag, payload))]);
}

describe("a damaged trace", () => {
  test("cut at any byte, opens as its whole chunks or says that its header is not whole", () => {
    for (let length = 0; length < whole.length; length++) {
      const bytes = whole.subarray(0, length);
      if (length < edges[1]!) {
        expect(refusal(bytes), `cut at ${length}`).toMatch(/^Cannot read trace as its header must be whole: /);
        continue;
      }
      const read = readAll(bytes);
      // Chunks are frames 1 to 4.
      const chunks = Math.min(4, edges.slice(2).filter((edge) => edge <= length).length);
      expect(read.trace.state, `cut at ${length}`).toBe("prefix");
      expect(read.trace.reason).toMatch(/^it ends /);
      expect(read.events.length, `cut at ${length}`).toBe(Math.min(chunks * CHUNK_EVENTS, events.length));
      expect(read.events).toEqual(events.slice(0, read.events.length));
    }
    expect(readAll(whole).trace.state).toBe("complete");
  });

  test("any one flipped bit is found, and what stands before it can be salvaged", () => {
    let opened = 0;
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const bytes = whole.slice();
      bytes[bit >>> 3]! ^= 1 << (bit & 7);
      expect(refusal(bytes), `bit ${bit}`).toBeDefined();
      if (bit % 7 !== 0 || bit >>> 3 < edges[1]!) continue;
      const salvaged = readAll(bytes, true);
      opened++;
      expect(salvaged.trace.state).toBe("prefix");
      expect(salvaged.events).toEqual(events.slice(0, salvaged.events.length));
      const damaged = edges.findIndex((edge) => edge > bit >>> 3) - 1;
      expect(salvaged.events.length, `bit ${bit}`).toBe(Math.min((damaged - 1) * CHUNK_EVENTS, events.length));
    }
    expect(opened).toBeGreaterThan(1000);
  });

  test("flipped bits are found in deflated chunks too", () => {
    const bytes = smallTrace({ events: 400, deflate: true });
    expect(readFrames(bytes).frames.some(({ tag }) => tag === "CHNZ")).toBe(true);
    for (let bit = 0; bit < bytes.length * 8; bit += 11) {
      const flipped = bytes.slice();
      flipped[bit >>> 3]! ^= 1 << (bit & 7);
      expect(refusal(flipped), `bit ${bit}`).toBeDefined();
    }
  });

  test("a frame that is lost, doubled, swapped or from another trace is found", () => {
    const frames = cutFrames();
    const other = cutFrames(smallTrace({ code: 1 }));
    for (let i = 1; i < frames.length; i++) {
      // Without its last frame a trace is a prefix, which is not damage.
      if (i < frames.length - 1) expect(refusal(join(frames.toSpliced(i, 1))), `lost ${i}`).toBeDefined();
      expect(refusal(join(frames.toSpliced(i, 0, frames[i]!))), `doubled ${i}`).toBeDefined();
      if (i > 1)
        expect(refusal(join(frames.with(i, frames[i - 1]!).with(i - 1, frames[i]!))), `swapped ${i}`).toBeDefined();
    }
    // The first three chunks of both are equal, the fourth is not: what follows it gives it away.
    expect(refusal(join(other.with(5, frames[5]!)))).toContain("each frame must follow the one it was written after");
    expect(refusal(join([...frames, frames.at(-1)!]))).toContain("nothing may follow the TAIL");
    expect(refusal(join([...frames, Uint8Array.of(0)]))).toContain("nothing may follow the TAIL");
  });

  test("a tail of zeros, as a file system may leave, is a cut and not an end", () => {
    for (const length of [edges[2]!, edges[4]!, edges[6]!]) {
      const bytes = new Uint8Array(4096 * Math.ceil((length + 1) / 4096));
      bytes.set(whole.subarray(0, length));
      const read = readAll(bytes);
      expect(read.trace.state).toBe("prefix");
      expect(read.trace.reason).toBe(`only zeros follow after byte ${length}`);
      expect(read.events).toEqual(events.slice(0, read.events.length));
    }
  });

  test("a block of zeros in the middle is damage", () => {
    const bytes = whole.slice();
    bytes.fill(0, edges[2]! + 30, edges[4]! + 30);
    expect(refusal(bytes)).toMatch(/must match its checksum: frame 2 does not, at byte \d+$/);
    expect(readAll(bytes, true).events).toEqual(events.slice(0, CHUNK_EVENTS));
    expect(readAll(bytes, true).trace.reason).toContain("frame 2 does not");
  });

  test("of another format version, it is refused before anything else is read, with what to do", () => {
    const bytes = whole.slice(0, 40);
    bytes[8] = 1;
    expect(refusal(bytes)).toBe(
      "Cannot read trace as its format version must be 2: it is 1; read it with the version of trapline that wrote it, or record it again",
    );
  });

  test.each([
    ["an empty file", Uint8Array.of(), "its header must be whole: it has 0 bytes; record it again"],
    [
      "an ELF file",
      Uint8Array.of(0x7f, 0x45, 0x4c, 0x46),
      "it must start as a trace does: byte 0 is 0x7f; no such file is a trace",
    ],
    [
      "a trace through a text filter",
      Uint8Array.of(0x93, 0x54, 0x52, 0x41, 0x50, 0x0a, 0x1a),
      "it must start as a trace does: byte 5 is 0xa; no such file is a trace",
    ],
  ])("%s is refused as what it is", (_, bytes, message) => {
    expect(refusal(bytes)).toBe(`Cannot read trace as ${message}`);
    expect(refusal(bytes, true)).toBe(`Cannot read trace as ${message}`);
  });

  test("an event that this version does not know is refused with the version that recorded it", () => {
    const { frames } = readFrames(whole);
    const text = Array.from(frames[0]!.payload, (byte) => String.fromCharCode(byte))
      .join("")
      .replace("guest.trap", "guest.trip");
    const header = Uint8Array.from(text, (c) => c.charCodeAt(0));
    expect(refusal(forge(frames.map(({ tag, payload }, i) => [tag, i === 0 ? header : payload])))).toBe(
      'Cannot read trace as its events must be known to this version: kind 1 is "guest.trip guest cause u32 pc u64 value u64 from u32 to u32"; it was recorded by version 0.1.0: read it with that one, or record it again',
    );
  });

  test("frames that are whole but do not belong together are refused", () => {
    const frames = readFrames(whole).frames.map(({ tag, payload }) => [tag, payload] as const);
    const [head, first, second, , , index, tail] = frames;
    expect(refusal(forge(frames))).toBeUndefined();
    expect(refusal(forge([first!, head!]))).toContain("its header must be whole");
    expect(refusal(forge([head!, first!, second!, index!, tail!]))).toContain("its tail must point to its index");
    expect(refusal(forge([...frames.slice(0, 6), head!, tail!]))).toContain(
      "must be one HEAD, chunks, one INDX and one TAIL",
    );
    expect(refusal(forge(frames.toSpliced(2, 1).slice(0, 4)))).toContain("must begin where the one before it ends");
    expect(refusal(forge(frames.with(1, second!).with(2, first!).slice(0, 4)))).toContain(
      "must begin where the one before it ends",
    );
  });

  test("whatever is written into whole frames, reading ends in events or in a plain refusal", () => {
    for (const deflate of [false, true]) {
      const frames = readFrames(smallTrace({ events: 60, deflate })).frames.map(
        ({ tag, payload }) => [tag, payload] as const,
      );
      const edit = fc.record({
        frame: fc.nat(frames.length - 1),
        at: fc.double({ min: 0, max: 1, noNaN: true }),
        bytes: fc.uint8Array({ maxLength: 4 }),
        removed: fc.nat(4),
      });
      fc.assert(
        fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
          const changed = frames.map(([tag, payload]) => [tag, [...payload]] as [FrameTag, number[]]);
          for (const { frame, at, bytes, removed } of edits) {
            const payload = changed[frame]![1];
            payload.splice(Math.floor(at * payload.length), removed, ...bytes);
          }
          const message = refusal(forge(changed.map(([tag, payload]) => [tag, Uint8Array.from(payload)])));
          expect(typeof message).toBe(message === undefined ? "undefined" : "string");
        }),
        { numRuns: 500 },
      );
    }
  });

  test.each([
    ["no first row", { order: [0, [], []] }, "order of chunk 0 must begin with a row: event 0 has none"],
    ["a row too many", { order: [2, [0, 0], [0, 0]] }, "must stay among its 1 rows: event 1 goes back by 0 of 1"],
    [
      "a row before the first",
      { order: [2, [0, 0], [0, 2]] },
      "must stay among its 1 rows: event 1 goes back by 2 of 1",
    ],
    [
      "a row that is not used",
      { rows: 2, kinds: [9, 9], harts: [0, 0], codes: [5, 6] },
      "it has 1 and 3 and says 2 and 3",
    ],
    ["guest events that it has not", { guestEvents: 2 }, "it has 1 and 3 and says 1 and 2"],
    [
      "an exception behind its end",
      { steps: [2, [0, 2], [0, 1]] },
      "steps of chunk 0 must be of its 3 events: it is of event 3",
    ],
    ["a step before the start", { steps: [1, [0], [0xffff_ffff]] }, undefined],
    [
      "a guest step that goes back",
      { steps: [2, [0, 0], [9, -1]] },
      "of its guest stream never go back: event 1 has step 8",
    ],
    ["exceptions that are none", { order: [1, [0]] }, "order of chunk 0 must be a number and two columns: it is not"],
  ])("a chunk with %s is refused", (_, changes, message) => {
    // Three marks, equal but for their steps.
    const plain = (values: readonly number[]): Uint8Array => {
      const column = new Column();
      for (const value of values) column.push(value >>> 0, value < 0 ? 0xffff_ffff : 0);
      const out = new ByteWriter();
      encodeColumn(column, out);
      return out.take();
    };
    const parts = {
      order: [1, [0], [0]],
      steps: [1, [0], [9]],
      rows: 1,
      kinds: [9],
      harts: [0],
      codes: [5],
      guestEvents: 3,
      ...changes,
    };
    const exceptions = ([count, ...columns]: readonly (number | readonly number[])[]): Message[] => [
      count as number,
      ...columns.map((column) => plain(column as number[])),
    ];
    const chunk = pack({
      ...{ first: 0, firstGuest: 0, stepBefore: 0, step: 9, events: 3, guestEvents: parts.guestEvents },
      ...{ names: [], rows: parts.rows, kinds: plain(parts.kinds), harts: plain(parts.harts) },
      ...{ fields: [[9, plain(parts.codes)]], order: exceptions(parts.order), steps: exceptions(parts.steps) },
    });
    const found = refusal(
      forge([
        ["HEAD", readFrames(whole).frames[0]!.payload],
        ["CHNK", chunk],
      ]),
    );
    if (message === undefined) expect(found).toBeUndefined();
    else expect(found).toContain(message);
  });

  test("a deflated chunk that would inflate to more than it says, or to more than any chunk, is refused", () => {
    const frames = readFrames(smallTrace({ events: 400, deflate: true })).frames.map(
      ({ tag, payload }) => [tag, payload] as const,
    );
    const at = frames.findIndex(([tag]) => tag === "CHNZ");
    for (const length of [0, 10, 0x1000_0001, 0xffff_ffff]) {
      const payload = frames[at]![1].slice();
      new DataView(payload.buffer).setUint32(0, length, true);
      expect(refusal(forge(frames.with(at, ["CHNZ", payload])))).toContain("must inflate to the length that it says");
    }
    expect(refusal(forge([...frames.slice(0, at), ["CHNZ", Uint8Array.of(1)]]))).toContain(
      "must inflate to the length that it says",
    );
  });
});
