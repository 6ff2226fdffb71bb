/**
 * `trapline diff`: where two traces differ, with what happened around it on both sides.
 *
 * @module
 */

import { basename } from "node:path";
import { type Command, Option } from "commander";
import { EVENTS, type Event } from "../../engine/mod.ts";
import { formatEvent, type Trace } from "../../traces/mod.ts";
import { named, openTrace } from "../recording.ts";
import { verifyTraces } from "../verify.ts";
import { eventDocument } from "./event-document.ts";
import type { Finish } from "./main.ts";
import { wholeNumber } from "./options.ts";
import { EXIT, type Outcome } from "./outcome.ts";

interface Options {
  readonly around?: number;
  readonly context: number;
}

export function declare(command: Command, finish: Finish): void {
  command
    .argument("<LEFT>", "a trace")
    .argument("<RIGHT>", "another trace")
    .addOption(
      new Option("--around <EVENT>", "show this event of the guest stream, in place of the first difference").argParser(
        wholeNumber(0),
      ),
    )
    .addOption(new Option("--context <N>", "guest events to show before it").argParser(wholeNumber(0)).default(20))
    .action((left: string, right: string, options: Options) => finish(run(left, right, options)));
}

/** An event with its place in the guest stream; machine events stand at the place of the guest event behind them. */
interface Placed {
  readonly index: number;
  readonly event: Event;
}

async function run(leftPath: string, rightPath: string, options: Options): Promise<Outcome> {
  const left = openTrace(leftPath);
  const right = openTrace(rightPath);
  return named(`${leftPath} or ${rightPath}`, () => {
    const identity = verifyTraces(left, right);
    const around = options.around ?? identity.firstDifference?.event ?? null;
    const shown = around === null ? [] : [left, right].map((trace) => window(trace, around, options.context));
    const sides = [leftPath, rightPath].map((path, at) => ({ path, events: shown[at] ?? [] }));
    const text = sides.flatMap(({ path, events }) => [
      `${basename(path)}:`,
      ...events.map(
        ({ index, event }) =>
          `${index === around && isGuest(event) ? ">" : " "} ${isGuest(event) ? String(index).padStart(9) : " ".repeat(9)}  ${formatEvent(event)}`,
      ),
      ...(events.length === 0 ? ["  has no events there"] : []),
    ]);
    return {
      exitCode: identity.equal ? EXIT.ok : EXIT.verification,
      document: {
        identity,
        around,
        left: sides[0]!.events.map(placedDocument),
        right: sides[1]!.events.map(placedDocument),
      },
      text: around === null ? "The guest streams are equal, event by event." : text.join("\n"),
      ...(identity.firstDifference === null ? {} : { remark: identity.firstDifference.message }),
    };
  });
}

function placedDocument({ index, event }: Placed): object {
  return { index: isGuest(event) ? index : null, ...eventDocument(event) };
}

function isGuest(event: Event): boolean {
  return EVENTS[event.kind].stream === "guest";
}

/** Events from `context` guest events before `around` to two behind it. */
function window(trace: Trace, around: number, context: number): Placed[] {
  const placed: Placed[] = [];
  let index = 0;
  for (const event of trace.events()) {
    if (index > around + 2) break;
    if (index >= around - context) placed.push({ index, event });
    if (isGuest(event)) index++;
  }
  return placed;
}
