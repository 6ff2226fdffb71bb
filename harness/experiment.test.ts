import { describe, expect, test } from "vitest";
import { full, leakyX86, native, rewritingTrap } from "../engine/mod.ts";
import { compare } from "./compare.ts";
import { inOrder } from "./costs/in-order.ts";
import { experiment, isExperiment, subjectsOf, techniqueLabel } from "./experiment.ts";
import { hutch } from "./guests/mod.ts";
import { loadExperiment, packageExperiments } from "./load-experiment.ts";
import { profileNamed, techniqueNamed } from "./names.ts";
import { record } from "./record.ts";
import { replay } from "./replay.ts";

const parts = {
  question: "Is it?",
  guest: hutch.running("true"),
  techniques: [native, full],
  costs: [inOrder],
  reports: [],
};

describe("an experiment", () => {
  test("is what its author said, and known as one", () => {
    const made = experiment(parts);
    expect(made).toMatchObject({ question: "Is it?", techniques: [native, full] });
    expect([isExperiment(made), isExperiment(parts), isExperiment(null), isExperiment("experiment")]).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });

  test("is refused without techniques, with one twice, with a stranger among the unsound, or without a cost model", () => {
    expect(() => experiment({ ...parts, techniques: [] })).toThrow(
      /^Cannot declare an experiment as it needs techniques/,
    );
    expect(() => experiment({ ...parts, techniques: [full, { ...full }] })).toThrow(/full is listed twice$/);
    expect(() => experiment({ ...parts, unsound: [rewritingTrap] })).toThrow(
      "Cannot declare an experiment as what is unsound must be one of its techniques: rewriting.trap is not",
    );
    expect(() => experiment({ ...parts, costs: [] })).toThrow(/^Cannot declare an experiment as it needs a cost model/);
  });

  test("records further guests, each under techniques of its own or the experiment's, by names of their own", () => {
    const other = hutch.running("null-syscall 5");
    const third = hutch.running("pipe 5");
    const made = experiment({
      ...parts,
      also: [{ guest: other }, { guest: third, techniques: [native, rewritingTrap] }],
    });
    expect(subjectsOf(made).map(({ guest, techniques }) => [guest.name, techniques.map(techniqueLabel)])).toEqual([
      ["true", ["native", "full"]],
      ["null-syscall", ["native", "full"]],
      ["pipe", ["native", "rewriting.trap"]],
    ]);
    expect(() => experiment({ ...parts, also: [{ guest: { ...other, name: "true" } }] })).toThrow(
      'Cannot declare an experiment as names tell its guests apart: two are called true; write { ...guest, name: "another" }',
    );
    expect(() => experiment({ ...parts, also: [{ guest: other, techniques: [full, full] }] })).toThrow(
      /full is listed twice$/,
    );
    const unsound = [rewritingTrap];
    expect(() => experiment({ ...parts, unsound, also: [{ guest: third, techniques: unsound }] })).not.toThrow();
  });

  test.each(packageExperiments())("that comes with the package loads: %s", async (name) => {
    const loaded = await loadExperiment(name);
    expect(loaded.name).toBe(name);
    expect(loaded.experiment.question).toMatch(/\?$/);
  });

  test("that does not exist is refused, with those that do", async () => {
    await expect(loadExperiment("nothing")).rejects.toThrow(
      /^Cannot run nothing as it must be a file or one of .*all-techniques, boot, .*null-syscall/,
    );
    await expect(loadExperiment("../package")).rejects.toThrow(/^Cannot run/);
  });
});

describe("names", () => {
  test("mean techniques and profiles, or are refused", () => {
    expect([
      techniqueNamed("full"),
      techniqueLabel(full),
      techniqueLabel({ name: "rewriting", variant: "trap" }),
    ]).toEqual([full, "full", "rewriting.trap"]);
    expect([techniqueNamed("rewriting:trap"), profileNamed("leaky-x86")]).toEqual([rewritingTrap, leakyX86]);
    expect(() => techniqueNamed("rewriting")).toThrow(
      /it must be one of native, full, .*rewriting:trap, rewriting:inline, para, pre: it is none/,
    );
    expect(profileNamed("strict").name).toBe("strict");
    expect(() => techniqueNamed("magic")).toThrow(/^Cannot use technique "magic" as it must be one of native, full/);
    expect(() => profileNamed("toString")).toThrow(/^Cannot use profile "toString"/);
  });
});

describe("a comparison", () => {
  test("prices each run's own trace, and says of which guest and mark", async () => {
    const tape = await record({ guest: { ...hutch.running("null-syscall 20"), memoryBytes: 16 << 20 } });
    const run = await replay(tape, { technique: full });
    const comparison = compare({
      experiment: "calls",
      question: "?",
      measure: "syscall",
      model: inOrder,
      runs: [
        { trace: tape.trace(), file: "a.trace", identity: null },
        { trace: run.trace(), file: "b.trace", identity: run.identity },
      ],
    });
    expect(comparison).toMatchObject({ experiment: "calls", measure: "syscall", guest: { name: "null-syscall" } });
    expect(comparison.guest.images.map(({ name }) => name)).toEqual(["kernel", "disk"]);
    expect(comparison.runs.map(({ technique, trace, digest }) => [technique, trace, digest])).toEqual([
      ["native", "a.trace", tape.digest],
      ["full", "b.trace", tape.digest],
    ]);
    expect(comparison.runs.map(({ marks }) => marks[0]!.laps)).toEqual([20, 20]);
    expect(comparison.runs[1]!.cycles.total).toBeGreaterThan(comparison.runs[0]!.cycles.total);
  });

  test("of no runs is refused", () => {
    expect(() => compare({ experiment: "none", question: "", measure: null, model: inOrder, runs: [] })).toThrow(
      /^Cannot compare none/,
    );
  });
});
