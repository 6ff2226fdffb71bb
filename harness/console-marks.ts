/**
 * Marks for guests that make none: a lap point wherever the console shows a text.
 *
 * They stand in the guest stream like the guest's own, behind the instruction that printed the text's last byte, so a replay makes them
 * at the same step or differs.
 *
 * @module
 */

import { quote } from "./input-script.ts";

/** A text that makes a mark. */
export interface ConsoleMark {
  /** The mark's id, from 0 to 255. */
  readonly id: number;
  /** Bytes as characters from 0 to 255, so that it can be kept in a header. */
  readonly text: string;
}

/** A lap, as the guest's own marks code it: kind << 8 | id. */
export const LAP = 3 << 8;
/** The first id that is given out: guests number their own from 1. */
const FIRST_ID = 200;
const LAST_ID = 255;

/** Watches a console for texts. */
export class ConsoleMarks {
  readonly #marks: readonly ConsoleMark[];
  readonly #longest: number;
  #recent = "";
  #due: number[] = [];

  constructor(marks: readonly ConsoleMark[]) {
    this.#marks = marks;
    this.#longest = Math.max(0, ...marks.map(({ text }) => text.length));
  }

  /** Whether there is anything to watch for. */
  get watching(): boolean {
    return this.#marks.length > 0;
  }

  heard(bytes: Uint8Array): void {
    if (!this.watching) return;
    for (const byte of bytes) {
      this.#recent = (this.#recent + String.fromCharCode(byte)).slice(-this.#longest);
      for (const { id, text } of this.#marks) if (this.#recent.endsWith(text)) this.#due.push(LAP | id);
    }
  }

  /** Codes of the marks that are due, each once. */
  take(): readonly number[] {
    const due = this.#due;
    this.#due = [];
    return due;
  }
}

/**
 * Ids for marks that the guest does not make itself.
 *
 * @param taken Ids that have their mark already.
 * @returns A function that gives the mark of a name the next id. @throws {RangeError} If there are too many.
 */
export function freeIds(taken: readonly number[]): (name: string) => number {
  let id = FIRST_ID - 1;
  return (name) => {
    do id++;
    while (taken.includes(id));
    if (id > LAST_ID)
      throw new RangeError(`Cannot mark ${name} as at most ${LAST_ID - FIRST_ID + 1} marks are added: there are more`);
    return id;
  };
}

/**
 * Gives each text an id that no mark of the guest has.
 *
 * @param texts Texts by mark name.
 * @param taken Ids of the guest's own marks.
 * @throws {RangeError} If a text is empty, or there are too many.
 */
export function numberConsoleMarks(
  texts: Readonly<Record<string, string>>,
  taken: readonly number[],
): readonly (ConsoleMark & { readonly name: string })[] {
  const next = freeIds(taken);
  return Object.entries(texts).map(([name, text]) => {
    const id = next(name);
    const bytes = new TextEncoder().encode(text);
    if (bytes.length === 0)
      throw new RangeError(`Cannot mark ${name} as a text must have at least one byte: it is ${quote(bytes)}`);
    return { name, id, text: String.fromCharCode(...bytes) };
  });
}

/** The marks as a header's setting keeps them, and back. */
export function packConsoleMarks(marks: readonly ConsoleMark[]): string {
  return JSON.stringify(marks.map(({ id, text }) => [id, text]));
}

/** @throws {RangeError} If the setting is none that {@link packConsoleMarks} wrote. */
export function unpackConsoleMarks(setting: string | number | boolean | undefined): readonly ConsoleMark[] {
  if (setting === undefined) return [];
  try {
    return (JSON.parse(String(setting)) as unknown[]).map((pair) => {
      const [id, text] = pair as [unknown, unknown];
      if (typeof id !== "number" || typeof text !== "string" || text === "") throw new TypeError("no id and text");
      return { id, text };
    });
  } catch (error) {
    throw new RangeError(`Cannot replay as a recording's console marks must be ids with texts: ${String(setting)}`, {
      cause: error,
    });
  }
}
