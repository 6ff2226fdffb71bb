/**
 * Progress on stderr: one line that is written over on a terminal, one every ten seconds elsewhere.
 *
 * @module
 */

import { performance } from "node:perf_hooks";
import { stderr } from "node:process";
import { grouped } from "./run-document.ts";

const TERMINAL_MS = 200;
const OTHER_MS = 10_000;

/** Shows how far something has come. */
export class Progress {
  readonly #what: string;
  readonly #every = stderr.isTTY ? TERMINAL_MS : OTHER_MS;
  #last = performance.now();
  #shown = false;

  /** @param what What is going on: `recording null-syscall`. */
  constructor(what: string) {
    this.#what = what;
  }

  /** @param part Which part of it, where it has parts. */
  readonly at = (step: number, part?: string): void => {
    const now = performance.now();
    if (now - this.#last < this.#every) return;
    this.#last = now;
    const line = `${this.#what}${part === undefined ? "" : `, ${part}`}: step ${grouped(step)}`;
    stderr.write(stderr.isTTY ? `\r${line}\x1b[K` : `${line}\n`);
    this.#shown = stderr.isTTY === true;
  };

  /** Wipes the line. */
  end(): void {
    if (this.#shown) stderr.write("\r\x1b[K");
    this.#shown = false;
  }
}
