/** The worked examples, from the command line: what a reader is told that they show. */
import { readFileSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { Terminal } from "./cli.fixture.ts";

const terminal = new Terminal();
afterAll(() => terminal.remove());

interface Run {
  readonly workload: string;
  readonly technique: string;
  readonly variant: string;
  readonly cycles: { readonly total: number };
  readonly identity: { readonly level: string; readonly equal: boolean } | null;
}
const labels = (runs: readonly Run[]) =>
  runs.map(({ workload, technique, variant }) => `${workload} ${technique}${variant}`);

test("interrupt-flag: traps and calls exit twice a pair, stores never; every run is the recorded one", async () => {
  const folder = terminal.path("flag");
  const { code, document } = await terminal.json("run", "interrupt-flag", "-o", folder);
  const runs = document.runs as readonly Run[];
  expect([code, labels(runs)]).toEqual([
    0,
    [
      ...["native", "full", "rewritingtrap", "rewritinginline", "pre", "para"].map((name) => `interrupt-flag ${name}`),
      ...["native", "para"].map((name) => `interrupt-flag-by-call ${name}`),
    ],
  ]);
  expect(runs.map(({ identity }) => identity?.level ?? null)).toEqual([
    null,
    "exact",
    "exact",
    "exact",
    "exact",
    "observable",
    null,
    "observable",
  ]);
  expect(runs.every(({ identity }) => identity === null || identity.equal)).toBe(true);
  const rows = readFileSync(`${folder}/tables/machine-instructions.csv`, "utf8")
    .trim()
    .split("\r\n")
    .map((line) => line.split(","));
  const exits = rows.filter(([, mark]) => mark === "pair").map((row) => [row[0], row[2], row[4]].join(" "));
  expect(exits).toEqual([
    ...["native 0", "full 2", "rewriting trap 2", "rewriting inline 0", "pre 0", "para 0"].map(
      (row) => `interrupt-flag ${row}`,
    ),
    ...["native 0", "para 2"].map((row) => `interrupt-flag-by-call ${row}`),
  ]);
}, 60_000);

test("address-space-switch: one call costs less than five traps at any price of a trap, and a batch less than two calls", async () => {
  const folder = terminal.path("spaces");
  const { code, document } = await terminal.json("run", "address-space-switch", "-o", folder);
  const runs = document.runs as readonly Run[];
  expect(code).toBe(0);
  expect(runs.map(({ technique }) => technique)).toEqual([
    "native",
    "full",
    "para",
    "native",
    "full",
    "para",
    "native",
    "full",
    "para",
  ]);
  expect(runs.every(({ identity }) => identity === null || identity.equal)).toBe(true);
  const rows = readFileSync(`${folder}/tables/machine-instructions.csv`, "utf8")
    .trim()
    .split("\r\n")
    .slice(1)
    .map((line) => line.split(","));
  expect(rows.map((row) => Number(row[4]))).toEqual([0, 5, 1, 0, 9, 2, 0, 9, 1]);
  const [, traps, call, , , calls, , , batch] = rows.map((row) => Number(row[8]));
  expect([call! < traps! / 4, batch! < calls!]).toEqual([true, true]);
  const even = readFileSync(`${folder}/tables/break-even.csv`, "utf8").trim().split("\r\n");
  // They meet at no price that is not negative.
  expect(even).toContain(
    'switch,"address-space-switch, full","address-space-switch, para",,"address-space-switch, para"',
  );
}, 60_000);
