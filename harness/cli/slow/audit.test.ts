/** Every instruction on every profile, every litmus, and the experiments on the theorem and on its price. */
import { afterAll, describe, expect, test } from "vitest";
import { PROFILES } from "../../../engine/mod.ts";
import { Terminal } from "../cli.fixture.ts";

const terminal = new Terminal();
afterAll(() => terminal.remove());

const LITMUS: Readonly<Record<string, number>> = { "leaky-x86": 50, "leaky-silent": 122, "leaky-min": 1 };

describe("all of it", () => {
  test.each(PROFILES)("is as predicted on $name, and every hole is seen", async ({ name }) => {
    const { code, document } = await terminal.json("audit", "--profile", name, "--litmus");
    const rows = document["instructions"] as readonly { readonly agrees: boolean }[];
    expect([code, rows.filter(({ agrees }) => !agrees)]).toEqual([0, []]);
    expect(document["verdict"]).toBe(name in LITMUS ? "not-virtualizable" : "virtualizable");
    expect(document["litmus"]).toMatchObject({ detected: LITMUS[name] ?? 0, total: LITMUS[name] ?? 0 });
  });

  test("trap-and-emulate is possible where all that is sensitive is privileged, and nowhere else", async () => {
    const { code, document } = await terminal.json("run", "virtualizable", "-o", terminal.path("virtualizable"));
    const audits = document["audits"] as readonly { profile: string; run: { equal: boolean } }[];
    expect(code).toBe(0);
    expect(audits.map(({ profile, run }) => [profile, run.equal])).toEqual(
      PROFILES.map(({ name }) => [name, !(name in LITMUS)]),
    );
  });

  test("it is very expensive where instructions trap, and hardly where none do", async () => {
    const folder = terminal.path("traps");
    const { code, document } = await terminal.json("run", "traps-are-expensive", "-o", folder);
    const runs = document["runs"] as readonly { cycles: { total: number }; exits: { total: number } }[];
    const [bare, virtual] = runs.map(({ cycles }) => cycles.total) as [number, number];
    expect([code, virtual / bare > 3, runs[1]!.exits.total > 10_000]).toEqual([0, true, true]);
  });
});
