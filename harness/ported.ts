/**
 * Replays a recording under a technique that needs a port of its guest: the ported binary is driven by the recording's inputs, and what its
 * users observe is compared with the recorded run's (T19, T20).
 *
 * The recorded run is run again, bare and compared exactly, to be observed. Inputs are keyed to the guest's own requests: each comes when the
 * ported guest has read and printed as much as the recorded one had.
 *
 * @module
 */
import { native, type Technique } from "../engine/mod.ts";
import type { TraceHeader } from "../traces/mod.ts";
import type { FirstDifference } from "./comparison.ts";
import type { ConsoleInput, Moment } from "./console-input.ts";
import { unpackConsoleMarks } from "./console-marks.ts";
import { DivergenceError } from "./divergence.ts";
import { drive } from "./drive.ts";
import { portedAddressSpaceSwitch } from "./guests/address-space-switch.ts";
import { hutchPara, hutchPre } from "./guests/hutch.ts";
import { portedInterruptFlag } from "./guests/interrupt-flag.ts";
import type { Guest } from "./guests/mod.ts";
import { compareObservations, Observation, type ObservedInput, type SystemCallAbi } from "./observable.ts";
import { OwnTrace, resultOf } from "./record.ts";
import { type Recording, type Replay, type ReplayOptions, replay } from "./replay.ts";
import { setUpPort } from "./setup.ts";

interface Port {
  /** The same workload on the ported binary. */
  guest(command: string): Guest;
  readonly abi: SystemCallAbi;
}

/** exit and exec (`abi.h`). */
const HUTCH: SystemCallAbi = { ends: [1n, 3n] };
/** One program to the end. */
const SMALL: SystemCallAbi = { ends: [] };

/** Ports by the binary that was recorded, and the kind of port. */
const PORTS: Readonly<Record<string, Partial<Record<Technique["port"], Port>>>> = {
  hutch: {
    para: { guest: (command) => hutchPara.running(command), abi: HUTCH },
    // Afterburned from the same sources: exact against a recording of its own, observable against one of the original.
    pre: { guest: (command) => hutchPre.running(command), abi: HUTCH },
  },
  "interrupt-flag": { para: { guest: portedInterruptFlag, abi: SMALL } },
  "address-space-switch": { para: { guest: portedAddressSpaceSwitch, abi: SMALL } },
};

/**
 * The port that a technique needs in place of a recorded binary; undefined where it runs that as it is.
 *
 * @throws {RangeError} If a ported kernel is needed, the recording is of none, and there is none of its guest.
 */
export function portFor(
  { guest, technique: recorded }: Pick<TraceHeader, "guest" | "technique">,
  technique: Technique,
): Port | undefined {
  const port = PORTS[guest]?.[technique.port];
  if (port !== undefined || technique.port !== "para" || recorded === technique.name) return port;
  throw new RangeError(
    `Cannot replay ${guest} under ${technique.name} as that needs a port of the guest: there is one of ${Object.keys(PORTS).join(", ")}`,
  );
}

/** Gives each input when the guest has come to where the recorded one was. */
export class RequestedInput implements ConsoleInput {
  readonly #inputs: readonly ObservedInput[];
  readonly #reads: () => number;
  #printed = 0;
  #at = 0;

  /** @param reads How often the guest has read its console so far. */
  constructor(inputs: readonly ObservedInput[], reads: () => number) {
    this.#inputs = inputs;
    this.#reads = reads;
  }

  get listening(): boolean {
    return this.#at < this.#inputs.length;
  }
  nextStop(step: number): number {
    return this.listening ? step + ASK_EVERY : Number.POSITIVE_INFINITY;
  }
  heard(bytes: Uint8Array): void {
    this.#printed += bytes.length;
  }
  take({ waiting }: Moment): Uint8Array | undefined {
    const next = this.#inputs[this.#at];
    if (next === undefined) return undefined;
    if (!waiting && (this.#printed < next.printed || this.#reads() < next.request)) return undefined;
    this.#at++;
    return next.data;
  }
  unfinished(): string | undefined {
    return this.listening ? `input ${this.#at + 1} of ${this.#inputs.length}` : undefined;
  }
}
/** A guest that reads without printing is looked at again after so many steps. */
const ASK_EVERY = 10_000;

/**
 * Replays a recording on a ported binary.
 *
 * @throws {DivergenceError} If users observe another run, or the recording is not what its own machine does.
 * @throws {RangeError} If the recording was cut short.
 */
export async function replayPorted(
  recording: Recording,
  port: Port,
  technique: Technique,
  options: ReplayOptions,
): Promise<Replay> {
  const recorded = recording.trace();
  if (recorded.state === "prefix") {
    throw new RangeError(
      `Cannot replay under ${technique.name} as another binary is compared by its whole run: the recording was cut short; record it again`,
    );
  }
  const bare = new Observation(port.abi);
  const again = await replay(recording, { technique: native, sink: null, observation: bare });
  bare.finish(again.ending);

  const guest = port.guest(recorded.header.workload);
  const { header, machine } = await setUpPort(recorded.header, recording.store, guest, technique, options);
  const ported = new Observation(port.abi);
  ported.attach(machine);
  const own = new OwnTrace(options.sink, header);
  const input = new RequestedInput(bare.inputs, () => machine.parts.platform.console.reads);
  const ending = await drive(machine, {
    checkpointEvery: header.checkpointEvery,
    maxSteps: header.maxSteps,
    input,
    consoleMarks: unpackConsoleMarks(header.settings.consoleMarks),
    onBatch(batch) {
      own.writer?.append(batch);
      ported.feed(batch);
      return true;
    },
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
    ...(options.tamper === undefined ? {} : { tamper: options.tamper }),
  });
  own.writer?.finish();
  ported.finish(ending);
  const result = resultOf(machine, ending!);

  const left = recorded.header.technique;
  const names = { workload: recorded.header.workload, left, right: technique.name };
  const found = compareObservations(bare, ported, names);
  const unused = input.unfinished();
  const difference: FirstDifference | undefined =
    found !== undefined
      ? { event: null, ...found }
      : unused === undefined
        ? undefined
        : {
            event: null,
            step: machine.step,
            message: `Cannot verify ${names.workload} under ${names.right} as every input must be used: ${unused} was not`,
          };
  if (difference !== undefined) throw new DivergenceError(difference, result, "observable");
  return {
    ...result,
    identity: { level: "observable", equal: true, firstDifference: null },
    complete: true,
    trace: () => own.read(),
    events: () => own.read().events(),
  };
}
