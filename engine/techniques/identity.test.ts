/** The one table of techniques: each with a binary that it runs, and whether its run is the bare one exactly. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createMachine } from "../create.ts";
import { strict } from "../isa/profile.ts";
import type { Machine } from "../machine/machine.ts";
import type { Technique } from "../vmm/technique.ts";
import { TECHNIQUES } from "./list.ts";
import { native } from "./native.ts";
import { shadowed } from "./shadowed.ts";

const nameOf = ({ name, variant = "" }: Technique): string => (variant === "" ? name : `${name}:${variant}`);

type Row = readonly [technique: string, binary: string, identity: "exact" | "observable"];

// biome-ignore format: a table
const TABLE: readonly Row[] = [
  ["native",           "hutch",      "exact"],
  ["full",             "hutch",      "exact"],
  ...shadowed.map((technique): Row => [nameOf(technique), "hutch", "exact"]),
  ["rewriting:trap",   "hutch",      "exact"],
  ["rewriting:inline", "hutch",      "exact"],
  ["para",             "hutch-para", "observable"],
  ["pre",              "hutch-pre",  "exact"],
];

function hutch(binary: string, technique: Technique): Machine {
  const kernel = readFileSync(new URL(`../../experiments/guests/hutch/prebuilt/${binary}.elf`, import.meta.url));
  return createMachine({
    kernel,
    append: "pipe 10",
    memoryBytes: 16 << 20,
    rtcSeconds: 0,
    machineMode: false,
    profile: strict,
    technique,
    logging: false,
    tier: "interpreter",
    disk: new Uint8Array(1 << 20),
  });
}

test("has a row for each technique on the list", () => {
  expect(TABLE.map(([name]) => name)).toEqual(TECHNIQUES.map(nameOf));
});

test.each(TABLE)("%s runs %s, which is %s", (name, binary, identity) => {
  const technique = TECHNIQUES.find((one) => nameOf(one) === name)!;
  const [bare, virtual] = [hutch(identity === "exact" ? binary : "hutch", native), hutch(binary, technique)];
  while (identity === "exact") {
    const stops = [bare.run(bare.step + 10_007), virtual.run(virtual.step + 10_007)];
    expect(stops[1]).toEqual(stops[0]);
    expect(virtual.digest(), `step ${bare.step}`).toEqual(bare.digest());
    if (stops[0]!.kind !== "until") break;
  }
  const ends = [bare, virtual].map((machine) => machine.run(10_000_000));
  expect(ends[0]).toMatchObject({ kind: "end", reason: "poweroff", code: 0 });
  expect(ends[1]).toEqual(ends[0]);
  expect(new TextDecoder().decode(virtual.console)).toBe(new TextDecoder().decode(bare.console));
  expect(Buffer.compare(virtual.disk!, bare.disk!)).toBe(0);
});
