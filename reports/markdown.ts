/**
 * Writes a table as Markdown whose columns also line up on a terminal.
 *
 * @module
 */
import { visible } from "./escape.ts";
import type { Cell, Table } from "./table.ts";

/** @returns The table as GitHub-flavoured Markdown, one line for each row, each ended by a line feed. */
export function markdown(table: Table): string {
  const cells = [table.columns.map(({ title }) => escaped(title)), ...table.rows.map((row) => row.map(shown))];
  const widths = table.columns.map((_, column) => Math.max(3, ...cells.map((row) => width(row[column] ?? ""))));
  const line = (row: readonly string[]) =>
    `| ${table.columns.map(({ numeric }, column) => pad(row[column] ?? "", widths[column]!, numeric)).join(" | ")} |\n`;
  const rule = table.columns.map(({ numeric }, column) => `${"-".repeat(widths[column]! - 1)}${numeric ? ":" : "-"}`);
  const [header = [], ...rows] = cells;
  return [header, rule, ...rows].map(line).join("");
}

const shown = (cell: Cell) => escaped(cell.shown);

function escaped(text: string): string {
  return visible(text).replace(/[\\`*_[\]<>|&]/g, (character) => `\\${character}`);
}

/** Columns of a terminal, near enough: one for each code point. */
function width(text: string): number {
  return [...text].length;
}

function pad(text: string, columns: number, right: boolean): string {
  const spaces = " ".repeat(Math.max(0, columns - width(text)));
  return right ? spaces + text : text + spaces;
}
