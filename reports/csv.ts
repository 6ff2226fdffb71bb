/**
 * Writes a table as RFC 4180 says: CRLF after each record, quotes doubled, the first record names the columns.
 *
 * Numbers are written in full, not as they are shown. Text that a spreadsheet would run as a formula gets an apostrophe in front.
 * Source: RFC 4180, section 2; OWASP, "CSV Injection".
 *
 * @module
 */
import { visible } from "./escape.ts";
import type { Cell, Table } from "./table.ts";

/** @returns The table as CSV. */
export function csv(table: Table): string {
  const header = table.columns.map(({ title }) => field(title));
  const rows = table.rows.map((row) => row.map(cell));
  return [header, ...rows].map((record) => `${record.join(",")}\r\n`).join("");
}

function cell({ value }: Cell): string {
  if (value === null) return "";
  return typeof value === "number" ? String(value) : field(value);
}

function field(text: string): string {
  // Before controls become visible, as a spreadsheet looks past a leading tab or line feed.
  const safe = /^\s*[=+\-@]/.test(text) ? `'${visible(text)}` : visible(text);
  return /[",]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
