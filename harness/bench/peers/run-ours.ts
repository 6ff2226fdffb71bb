/**
 * One measured run of a workload in the machine of ours; a process of its own, so that its CPU time is all that the run took.
 *
 * Arguments: `record`, `plain` or `replay`; the tier; the kernel's path; the trace's path, for record and replay.
 * The guest's console goes to the standard output, the instruction count to the standard error.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { argv } from "node:process";
import { createMachine, type Machine, native, strict, type Tier } from "../../../engine/mod.ts";
import { TraceWriter } from "../../../traces/mod.ts";
import { NO_INPUT } from "../../console-input.ts";
import { drive } from "../../drive.ts";
import { PartialFile } from "../../files.ts";
import { DEFAULT_MEMORY_BYTES, fileGuest } from "../../guests/mod.ts";
import { recordTo } from "../../record-to.ts";
import { openRecording } from "../../recording.ts";
import { replay } from "../../replay.ts";
import { DEFAULT_RTC_SECONDS, setUp } from "../../setup.ts";
import { storeBeside } from "../../store.ts";

/** Steps between two returns to the caller, as in a recording. */
const SLICE_STEPS = 250_000;

interface Ran {
  readonly console: Uint8Array;
  readonly instret: number;
}

function machineFor(kernel: string, tier: Tier, logging: boolean): Machine {
  return createMachine({
    kernel: readFileSync(kernel),
    memoryBytes: DEFAULT_MEMORY_BYTES,
    rtcSeconds: DEFAULT_RTC_SECONDS,
    machineMode: true,
    profile: strict,
    technique: native,
    logging,
    tier,
  });
}

function plain(kernel: string, tier: Tier): Ran {
  const machine = machineFor(kernel, tier, false);
  while (machine.run(machine.step + SLICE_STEPS).kind === "until");
  return machine;
}

/** As `record` does it, but in any tier. */
async function record(kernel: string, tier: Tier, trace: string): Promise<Ran> {
  const guest = fileGuest(kernel, { machineMode: true });
  if (tier === "jit") return recordTo(trace, guest, {});
  const { header } = await setUp(guest, {}, storeBeside(trace));
  const machine = machineFor(kernel, tier, true);
  const file = new PartialFile(trace);
  const writer = new TraceWriter(file, header);
  await drive(machine, {
    checkpointEvery: header.checkpointEvery,
    maxSteps: header.maxSteps,
    input: NO_INPUT,
    consoleMarks: [],
    onBatch(batch) {
      writer.append(batch);
      return true;
    },
  });
  writer.finish();
  file.finish();
  return machine;
}

const [, , mode, tier, kernel, trace] = argv;
if (
  kernel === undefined ||
  (tier !== "jit" && tier !== "interpreter") ||
  (mode !== "plain" && trace === undefined) ||
  (mode === "replay" && tier !== "jit")
) {
  throw new RangeError(
    `Cannot run as the arguments must be a mode, a tier, a kernel and a trace: they are ${argv.slice(2)}`,
  );
}
const ran =
  mode === "plain"
    ? plain(kernel, tier)
    : mode === "record"
      ? await record(kernel, tier, trace!)
      : await replay(openRecording(trace!), { sink: null });
process.stdout.write(ran.console);
process.stderr.write(`${ran.instret}\n`);
