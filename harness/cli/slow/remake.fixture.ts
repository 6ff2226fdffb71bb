/**
 * Makes every trace of a folder again in a tier that is named, from its header, its images and its recorded inputs alone.
 *
 * A program of its own, for either runtime. Arguments: the tier; the folder; the folder that gets the traces, under the same names.
 *
 * @module
 */

import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { argv } from "node:process";
import { createMachine, type Tier } from "../../../engine/mod.ts";
import { type ImageRole, TraceWriter } from "../../../traces/mod.ts";
import { RecordedInput } from "../../console-input.ts";
import { drive } from "../../drive.ts";
import { profileNamed, techniqueNamed } from "../../names.ts";
import { MemorySink } from "../../record.ts";
import { openRecording } from "../../recording.ts";

async function remake(path: string, tier: Tier): Promise<Uint8Array> {
  const recording = openRecording(path);
  const trace = recording.trace();
  const { header, end } = trace;
  const images: Partial<Record<ImageRole, Uint8Array>> = {};
  for (const { role, sha256 } of header.images) images[role] = recording.store.get(sha256);
  if (images.kernel === undefined || header.settings.consoleMarks || header.settings.addressMarks)
    throw new RangeError(`Cannot remake ${path} as it must have a kernel and no marks but the guest's: it has others`);
  const machine = createMachine({
    ...images,
    kernel: images.kernel,
    append: header.append,
    memoryBytes: header.memoryBytes,
    rtcSeconds: header.rtcSeconds,
    machineMode: header.machineMode,
    profile: profileNamed(header.profile),
    technique: techniqueNamed([header.technique, header.variant].filter((part) => part !== "").join(":")),
    logging: true,
    tier,
  });
  const sink = new MemorySink();
  const writer = new TraceWriter(sink, header);
  await drive(machine, {
    checkpointEvery: header.checkpointEvery,
    maxSteps: header.maxSteps,
    input: new RecordedInput(trace.inputs(), end?.reason === "left" ? end.step : undefined),
    consoleMarks: [],
    onBatch(batch) {
      writer.append(batch);
      return true;
    },
  });
  writer.finish();
  return sink.bytes();
}

const [, , tier, folder, into] = argv;
if ((tier !== "jit" && tier !== "interpreter") || folder === undefined || into === undefined)
  throw new RangeError(`Cannot remake as the arguments must be a tier and two folders: they are ${argv.slice(2)}`);
for (const name of readdirSync(folder).filter((file) => file.endsWith(".trace")))
  writeFileSync(join(into, name), await remake(join(folder, name), tier));
