/**
 * `trapline doctor`: whether this installation has what it needs.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { versions } from "node:process";
import type { Command } from "commander";
import { createMachine, native, strict } from "../../engine/mod.ts";
import { cacheFolder } from "../guests/cache.ts";
import { hutch } from "../guests/mod.ts";
import { compiled, version } from "../installation.ts";
import type { Finish } from "./main.ts";
import { EXIT, type Outcome } from "./outcome.ts";

interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** Without it, something still works. */
  readonly optional: boolean;
  readonly found: string;
}

export function declare(command: Command, finish: Finish): void {
  command.action(() => finish(run()));
}

async function run(): Promise<Outcome> {
  const checks = [runtime(), await guestRuns(), typeStripping(), apt()];
  const ok = checks.every((check) => check.ok || check.optional);
  return {
    exitCode: ok ? EXIT.ok : EXIT.unexpected,
    document: { version, compiled, cache: cacheFolder(), ok, checks },
    text: [
      `trapline ${version}, ${compiled ? "compiled" : "from its sources"}`,
      ...checks.map(
        ({ name, ok: good, optional, found }) =>
          `${good ? "ok      " : optional ? "missing " : "FAILED  "} ${name}: ${found}`,
      ),
    ].join("\n"),
  };
}

function runtime(): Check {
  const deno = versions.deno;
  if (deno !== undefined)
    return { name: "runtime", ok: Number.parseInt(deno, 10) >= 2, optional: false, found: `Deno ${deno}` };
  const [major = 0, minor = 0] = versions.node.split(".").map(Number);
  return {
    name: "runtime",
    ok: major > 20 || (major === 20 && minor >= 19),
    optional: false,
    found: `Node ${versions.node}; it takes 20.19 or later`,
  };
}

async function guestRuns(): Promise<Check> {
  const check = { name: "embedded guest", optional: false };
  try {
    const { kernel } = await hutch.running("true").load();
    const machine = createMachine({
      kernel,
      append: "true",
      memoryBytes: 64 << 20,
      rtcSeconds: 0,
      machineMode: false,
      profile: strict,
      technique: native,
      logging: false,
    });
    const stop = machine.run(20_000_000);
    const ok = stop.kind === "end" && stop.reason === "poweroff" && stop.code === 0;
    return {
      ...check,
      ok,
      found: ok ? `powers off after ${machine.step} steps` : `stopped with ${JSON.stringify(stop)}`,
    };
  } catch (error) {
    return { ...check, ok: false, found: (error as Error).message };
  }
}

function typeStripping(): Check {
  const ok = versions.deno !== undefined || existsSync(new URL(import.meta.resolve("@swc/wasm-typescript")));
  return {
    name: "type stripping",
    ok,
    optional: false,
    found: ok ? "experiment files may be TypeScript" : "the package @swc/wasm-typescript is missing; npm install",
  };
}

function apt(): Check {
  let found: string | undefined;
  try {
    found = spawnSync("apt-get", ["--version"], { encoding: "utf8" }).stdout?.split("\n")[0];
  } catch {
    found = undefined; // Deno without leave to run it.
  }
  return {
    name: "apt",
    ok: found !== undefined && found !== "",
    optional: true,
    found: found || "guests fetch needs --mirror URL",
  };
}
