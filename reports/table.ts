/**
 * A table, before anybody has decided how it is written: HTML, CSV and Markdown are made from the same one.
 *
 * @module
 */

/** A cell: what it is, and how it is shown where that differs. Null is nothing known, shown as a dash. */
export interface Cell {
  readonly value: string | number | null;
  readonly shown: string;
}

/** Where a table is read; each has room for more columns than the one before it. */
export const MEDIA = ["terminal", "page", "file"] as const;
export type Medium = (typeof MEDIA)[number];

export interface Column {
  readonly title: string;
  readonly numeric: boolean;
  /** The narrowest medium that has room for it; `terminal` by default. */
  readonly room?: Medium;
}

export interface Table {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
}

/** @returns A cell of text, as it is. */
export function text(value: string): Cell {
  return { value, shown: value };
}

/** @returns A cell of a number, shown by `format`; null is shown as a dash. */
export function number(value: number | null, format: (value: number) => string): Cell {
  return { value, shown: value === null ? "\u2013" : format(value) };
}

/** @returns The table with the columns that a medium has room for. */
export function fitted(table: Table, medium: Medium): Table {
  const keep = table.columns.map(({ room = "terminal" }) => MEDIA.indexOf(room) <= MEDIA.indexOf(medium));
  const pick = <T>(row: readonly T[]) => row.filter((_, column) => keep[column]);
  return { columns: pick(table.columns), rows: table.rows.map(pick) };
}
