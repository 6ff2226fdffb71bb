/**
 * `trapline stats`: what a trace holds, in numbers.
 *
 * @module
 */

import { statSync } from "node:fs";
import type { Command } from "commander";
import { EVENTS, KINDS } from "../../engine/mod.ts";
import { named, openTrace } from "../recording.ts";
import type { Finish } from "./main.ts";
import { EXIT, type Outcome } from "./outcome.ts";
import { grouped } from "./run-document.ts";
import { storedRun } from "./stored-run.ts";

export function declare(command: Command, finish: Finish): void {
  command
    .argument("<TRACE>", "a trace")
    .option("--salvage", "read a damaged trace as far as it is good")
    .action((path: string, options: { readonly salvage?: boolean }) => finish(run(path, options.salvage === true)));
}

async function run(path: string, salvage: boolean): Promise<Outcome> {
  const trace = openTrace(path, { salvage });
  return named(path, () => {
    const { header } = trace;
    const counts = new Map<string, number>();
    for (const { kind } of trace.events()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    const sum = (stream: string) =>
      KINDS.reduce((total, kind) => total + (EVENTS[kind].stream === stream ? (counts.get(kind) ?? 0) : 0), 0);
    const [guestEvents, machineEvents] = [sum("guest"), sum("machine")];
    const events = guestEvents + machineEvents;
    const bytes = statSync(path).size;
    const byKind = Object.fromEntries(
      KINDS.flatMap((kind) => (counts.has(kind) ? [[kind, counts.get(kind)!] as const] : [])),
    );
    const { digest, instret, steps, ending } = storedRun(trace);
    const bytesPerEvent = events === 0 ? 0 : Math.round((bytes / events) * 100) / 100;
    const cut = trace.state === "prefix";
    const checkpoints = trace.checkpoints.length;
    const facts: readonly (readonly [string, string])[] = [
      ["guest", `${header.workload} (${header.guest})`],
      ["technique", header.technique],
      ["steps", `${grouped(steps)} (${grouped(instret)} instructions)`],
      ["ended", `${ending.reason}, code ${ending.code}`],
      ["digest", digest],
      ["checkpoints", grouped(checkpoints)],
      ["bytes", `${grouped(bytes)} (${bytesPerEvent} an event)`],
      ["events", `${grouped(events)}: ${grouped(guestEvents)} of the guest, ${grouped(machineEvents)} of the machine`],
      ...Object.entries(byKind).map(([kind, count]) => [`  ${kind}`, grouped(count)] as const),
    ];
    return {
      exitCode: cut ? EXIT.partial : EXIT.ok,
      document: {
        trace: path,
        complete: !cut,
        guest: header.guest,
        workload: header.workload,
        technique: header.technique,
        variant: header.variant,
        steps,
        instret,
        digest,
        reason: ending.reason,
        guestCode: ending.code,
        checkpoints,
        bytes,
        bytesPerEvent,
        events: { total: events, guest: guestEvents, machine: machineEvents, byKind },
      },
      text: facts.map(([name, value]) => `${name.padEnd(18)}${value}`).join("\n"),
      ...(cut ? { remark: `The trace is cut short: ${trace.reason}` } : {}),
    };
  });
}
