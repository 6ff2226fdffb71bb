/**
 * The command line as tests use it: in this process, in a folder of its own.
 *
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main } from "./main.ts";

/** What a command did. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A scratch folder, and the command line in front of it. */
export class Terminal {
  readonly folder: string = mkdtempSync(join(tmpdir(), "trapline-test-"));

  /** A path in the folder. */
  path(name: string): string {
    return join(this.folder, name);
  }

  async run(...args: readonly string[]): Promise<Ran> {
    let [out, err] = ["", ""];
    const code = await main(args, {
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
    });
    return { code, out, err };
  }

  /** Runs with `--json`. @returns The document, with the exit code. */
  async json(
    ...args: readonly string[]
  ): Promise<{ readonly code: number; readonly document: Record<string, unknown> }> {
    const { code, out } = await this.run(...args, "--json");
    return { code, document: JSON.parse(out) as Record<string, unknown> };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
