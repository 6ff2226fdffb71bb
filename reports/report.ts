/**
 * What a report is: a name, and a pure function from a comparison to an artifact.
 *
 * @module
 */
import type { Comparison } from "../harness/comparison.ts";
import { csv } from "./csv.ts";
import { markdown } from "./markdown.ts";
import { fitted, type Table } from "./table.ts";

/** One finding, in every form it is wanted in. */
export interface Artifact {
  /** Lower-case words joined by dashes: the name of its files. */
  readonly name: string;
  readonly title: string;
  /** What to see in it, in one or two sentences. */
  readonly caption: string;
  /** A figure; null where the table says it all. */
  readonly svg: string | null;
  readonly table: Table;
  /** The table as RFC 4180 has it. */
  readonly csv: string;
  /** The table for a terminal, as Markdown, without the columns that a terminal has no room for. */
  readonly text: string;
}

export interface Report {
  readonly name: string;
  /** @throws {RangeError} If the comparison does not hold what the report was asked to show. */
  render(comparison: Comparison): Promise<Artifact>;
}

/** @returns The artifact, with its table written out. */
export function artifact(parts: Omit<Artifact, "csv" | "text">): Artifact {
  return { ...parts, csv: csv(parts.table), text: markdown(fitted(parts.table, "terminal")) };
}
