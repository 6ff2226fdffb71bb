import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { eventsOf } from "../engine/event/mod.ts";
import { crc32 } from "./crc32.ts";
import { readFrames } from "./frame.ts";
import { readTrace } from "./reader.ts";
import { syntheticRun } from "./synthetic-run.ts";
import { TraceWriter } from "./writer.ts";

/** Checksums of the chunks of a made-up run: what every runtime must write, and every later version of this format. */
function chunkChecksums(deflate: boolean): string[] {
  const pieces: Uint8Array[] = [];
  const { header } = readTrace(golden());
  const writer = new TraceWriter({ write: (bytes) => void pieces.push(bytes) }, header, { deflate, chunkEvents: 4096 });
  writer.append(syntheticRun({ rounds: 1200, vmm: true, seed: 5 }).drain());
  writer.finish();
  const bytes = Uint8Array.from(pieces.flatMap((piece) => [...piece]));
  const chunks = readFrames(bytes).frames.filter(({ tag }) => tag.startsWith("CHN"));
  return [chunks[0]!, chunks.at(-1)!].map(
    ({ tag, payload }) => `${tag} ${payload.length} ${crc32(payload).toString(16)}`,
  );
}

/** A trace that version 0.1.0 wrote: `syntheticRun({ rounds: 40, vmm: true, seed: 3 })`, in chunks of 256 events. */
function golden(): Uint8Array {
  return new Uint8Array(readFileSync(new URL("golden/version-2.trace", import.meta.url)));
}

describe("golden traces", () => {
  test("chunks have the same bytes in every runtime and version, plain and deflated", () => {
    expect(chunkChecksums(false)).toEqual(["CHNK 3463 abf6678", "CHNK 2591 9cfabcd4"]);
    expect(chunkChecksums(true)).toEqual(["CHNZ 2350 978c1147", "CHNZ 1871 f9662146"]);
  });

  test("a trace of format version 2 gives the events that it was written from", () => {
    const trace = readTrace(golden());
    expect(trace.state).toBe("complete");
    expect(trace.header).toMatchObject({
      engineVersion: "0.1.0",
      guest: "hutch",
      technique: "full",
      devices: ["uart"],
    });
    const expected = [...eventsOf(syntheticRun({ rounds: 40, vmm: true, seed: 3 }).drain())];
    expect([...trace.events()]).toEqual(expected);
    expect(expected.length).toBeGreaterThan(1000);
    expect(trace.rebuildIndex()).toEqual(trace.index);
  });
});
