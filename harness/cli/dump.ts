/**
 * `trapline dump`: the events of a trace, one a line.
 *
 * @module
 */

import { type Command, Option } from "commander";
import { type Event, type EventKind, KINDS } from "../../engine/mod.ts";
import { exportCsv, exportJsonLines, formatEvent, type Trace } from "../../traces/mod.ts";
import { named, openTrace } from "../recording.ts";
import { eventDocument } from "./event-document.ts";
import type { Finish } from "./main.ts";
import { wholeNumber } from "./options.ts";
import { EXIT, type Outcome } from "./outcome.ts";

interface Options {
  readonly from: number;
  readonly limit?: number;
  readonly stream?: "guest" | "machine";
  readonly kind: readonly string[];
  readonly format: "text" | "csv" | "jsonl";
  readonly salvage?: boolean;
}

export function declare(command: Command, finish: Finish): void {
  command
    .argument("<TRACE>", "a trace")
    .addOption(new Option("--from <STEP>", "the first step to show").argParser(wholeNumber(0)).default(0))
    .addOption(new Option("--limit <N>", "the most events to show").argParser(wholeNumber(1)))
    .addOption(new Option("--stream <NAME>", "only the events of one stream").choices(["guest", "machine"]))
    .option(
      "--kind <KIND>",
      "only events of this kind; may be repeated",
      (value: string, all: readonly string[]) => [...all, value],
      [],
    )
    .addOption(new Option("--format <NAME>", "how to print them").choices(["text", "csv", "jsonl"]).default("text"))
    .option("--salvage", "read a damaged trace as far as it is good")
    .action((path: string, options: Options) => finish(run(path, options)));
}

async function run(path: string, options: Options): Promise<Outcome> {
  const kinds = options.kind.map(checkedKind);
  const trace = openTrace(path, { salvage: options.salvage === true });
  return named(path, () => {
    const events = [...selected(trace, options, kinds)];
    const cut = trace.state === "prefix";
    return {
      exitCode: cut ? EXIT.partial : EXIT.ok,
      document: { trace: path, header: trace.header, complete: !cut, events: events.map(eventDocument) },
      text: written(events, options.format),
      ...(cut ? { remark: `The trace is cut short: ${trace.reason}` } : {}),
    };
  });
}

function checkedKind(kind: string): EventKind {
  if ((KINDS as readonly string[]).includes(kind)) return kind as EventKind;
  throw new RangeError(
    `Cannot dump events of kind "${kind}" as it must be one of ${KINDS.join(", ")}: it is none of them`,
  );
}

function* selected(trace: Trace, { from, limit, stream }: Options, kinds: readonly EventKind[]): Generator<Event> {
  let left = limit ?? Number.POSITIVE_INFINITY;
  const selection = {
    fromStep: from,
    ...(stream === undefined ? {} : { stream }),
    ...(kinds.length === 0 ? {} : { kinds }),
  };
  for (const event of trace.events(selection)) {
    if (left-- <= 0) return;
    yield event;
  }
}

function written(events: readonly Event[], format: Options["format"]): string {
  if (format === "text") return events.map(formatEvent).join("\n");
  return [...(format === "csv" ? exportCsv : exportJsonLines)(events)].join("");
}
