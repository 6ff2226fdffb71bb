/**
 * Events as text for other programs: JSON lines and CSV, line by line so that a long trace needs no memory.
 *
 * In both, 32-bit numbers and steps are decimal, 64-bit numbers are text such as `0x80200000` (JSON numbers would lose bits), and
 * bytes are text of two hexadecimal digits each. Lines end in a line feed (JSON lines) or in CR LF (CSV, RFC 4180).
 *
 * @module
 */

import { type Event, KIND_NUMBER, LAYOUTS } from "../engine/event/mod.ts";

type Cell = string | number;

function cell(value: unknown): Cell {
  if (typeof value === "bigint") return `0x${value.toString(16)}`;
  if (value instanceof Uint8Array) return Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return value as Cell;
}

/** One JSON object a line: `kind`, `step`, `hart`, then the kind's fields in the order of the events table. */
export function* exportJsonLines(events: Iterable<Event>): Generator<string, void, undefined> {
  for (const event of events) {
    const values = event as unknown as Readonly<Record<string, unknown>>;
    const line: Record<string, Cell> = { kind: event.kind, step: event.step, hart: event.hart };
    for (const { name } of LAYOUTS[KIND_NUMBER[event.kind]]!.fields) line[name] = cell(values[name]);
    yield `${JSON.stringify(line)}\n`;
  }
}

/** Every field that any kind has, in order of first appearance in the events table. */
const FIELDS: readonly string[] = [...new Set(LAYOUTS.flatMap(({ fields }) => fields.map(({ name }) => name)))];

/** A header line, then one line for each event: its place, stamp, kind and fields; fields that its kind does not have are empty. */
export function* exportCsv(events: Iterable<Event>): Generator<string, void, undefined> {
  yield row(["index", "step", "hart", "kind", ...FIELDS]);
  let index = 0;
  for (const event of events) {
    const fields = event as unknown as Readonly<Record<string, unknown>>;
    const values = FIELDS.map((name) => (fields[name] === undefined ? "" : cell(fields[name])));
    yield row([index++, event.step, event.hart, event.kind, ...values]);
  }
}

function row(cells: readonly Cell[]): string {
  return `${cells.map((value) => (/[",\r\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : value)).join(",")}\r\n`;
}
