/** What an experiment takes an audit to prove, and what speaks against it. */
import { describe, expect, test } from "vitest";
import { leakySilent } from "../../engine/mod.ts";
import type { ProfileAudit } from "../comparison.ts";
import { hutch } from "../guests/mod.ts";
import { record } from "../record.ts";
import { audit } from "./audit.ts";
import { auditSummary, beliedBy } from "./audit-profile.ts";
import { runLitmus } from "./litmus.ts";

const sound: ProfileAudit = {
  profile: "p",
  verdict: "virtualizable",
  classes: { privileged: 1, "control-sensitive": 0, "behaviour-sensitive": 0, innocuous: 1 },
  violators: [],
  disagreements: 0,
  litmus: { detected: 0, total: 0 },
  run: { level: "exact", equal: true, firstDifference: null },
};
const astray = { level: "exact", equal: false, firstDifference: null } as const;
const leaky: ProfileAudit = { ...sound, verdict: "not-virtualizable", litmus: { detected: 2, total: 2 }, run: astray };

describe("an audit", () => {
  test("proves the theorem where verdict and run agree, both ways", () => {
    expect([beliedBy(sound), beliedBy(leaky), beliedBy({ ...leaky, run: null, litmus: null })]).toEqual([[], [], []]);
  });

  test("is belied by a run, by a row, by a litmus", () => {
    expect(beliedBy({ ...sound, run: astray })).toEqual(["p is virtualizable, but full was not exact there"]);
    expect(beliedBy({ ...leaky, run: sound.run })).toEqual(["p is not virtualizable, but full was exact there"]);
    expect(beliedBy({ ...sound, disagreements: 3 })).toEqual([
      "on p, 3 instructions are of another class than predicted",
    ]);
    expect(beliedBy({ ...leaky, litmus: { detected: 1, total: 2 } })).toEqual(["on p, 1 litmus guests saw nothing"]);
  });

  test("is kept in a comparison as its counts and its violators", () => {
    const audited = audit(leakySilent, ({ instruction }) => ["wfi", "sret", "add"].includes(instruction.mnemonic));
    expect(auditSummary(audited, runLitmus(leakySilent, audited), null)).toEqual({
      profile: "leaky-silent",
      verdict: "not-virtualizable",
      classes: { privileged: 1, "control-sensitive": 1, "behaviour-sensitive": 0, innocuous: 1 },
      violators: [{ mnemonic: "wfi", csr: null, class: "control-sensitive" }],
      disagreements: 0,
      litmus: { detected: 1, total: 1 },
      run: null,
    });
  });
});

describe("kernels on the bare machine", () => {
  const digestOn = async (profile: string) => (await record({ guest: hutch.running("signal 3"), profile })).digest;

  test("see nothing of what leaks in user mode", async () => {
    const strict = await digestOn("strict");
    for (const profile of ["leaky-x86", "leaky-silent", "leaky-min"])
      expect(await digestOn(profile), profile).toBe(strict);
  });
});
