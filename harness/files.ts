/**
 * Files that appear whole or not at all: written under another name in the same folder, then renamed.
 *
 * @module
 */

import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** A file that grows. It has its name only after `finish`. */
export class PartialFile {
  readonly path: string;
  readonly #partial: string;
  readonly #descriptor: number;
  #open = true;

  /** Makes the folder too. @throws {Error} What the file system says, in our words, with the path. */
  constructor(path: string) {
    this.path = path;
    // Two writers of one name, in this process or another, must not share what they write.
    this.#partial = `${path}.${process.pid}-${++partials}.partial`;
    try {
      mkdirSync(dirname(path), { recursive: true });
      this.#descriptor = openSync(this.#partial, "wx");
    } catch (error) {
      throw cannotWrite(path, error);
    }
  }

  write(bytes: Uint8Array): void {
    let at = 0;
    try {
      while (at < bytes.length) at += writeSync(this.#descriptor, bytes, at);
    } catch (error) {
      this.discard();
      throw cannotWrite(this.path, error);
    }
  }

  /** Gives the file its name; an older file of that name is gone then. */
  finish(): void {
    try {
      fsyncSync(this.#descriptor);
      this.#close();
      renameSync(this.#partial, this.path);
    } catch (error) {
      this.discard();
      throw cannotWrite(this.path, error);
    }
  }

  /** Removes what was written. Does nothing after `finish`. */
  discard(): void {
    this.#close();
    rmSync(this.#partial, { force: true });
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.#descriptor);
  }
}

let partials = 0;

/** Writes one whole file. */
export function writeWhole(path: string, content: Uint8Array | string): void {
  const file = new PartialFile(path);
  file.write(typeof content === "string" ? new TextEncoder().encode(content) : content);
  file.finish();
}

function cannotWrite(path: string, error: unknown): Error {
  return new RangeError(`Cannot write ${path} as its folder must take files: ${reasonOf(error)}`, { cause: error });
}

/** What the file system says, without the call and the path that we name ourselves. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: "there is no such file or folder",
    EACCES: "permission denied",
    EPERM: "permission denied",
    EISDIR: "it is a folder",
    ENOTDIR: "part of the path is a file",
    ENOSPC: "no space left",
    EROFS: "the file system is read-only",
  };
  return reasons[code ?? ""] ?? message;
}

/** Whether a path is a folder. */
export function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
