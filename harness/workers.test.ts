import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { hutch } from "./guests/mod.ts";
import { recordTo } from "./record-to.ts";
import { type ReplayJob, runJob } from "./replay-job.ts";
import { runInWorkers } from "./workers.ts";

const folder = mkdtempSync(join(tmpdir(), "trapline-workers-"));
const recording = join(folder, "calls.native.trace");
const recorded = recordTo(recording, { ...hutch.running("null-syscall 30"), memoryBytes: 16 << 20 }, {});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("replays in worker threads", () => {
  test("T21: write the bytes that one thread writes", async () => {
    await recorded;
    const jobs = (lane: string): ReplayJob[] =>
      ["full", "native"].map((name) => ({
        recording,
        technique: { name },
        output: join(folder, `${name}.${lane}.trace`),
      }));
    const alone = [];
    for (const job of jobs("alone")) alone.push(await runJob(job, () => undefined));
    const together = await runInWorkers(jobs("together"), 2, () => undefined);
    expect(together.map(({ identity, run }) => [identity.equal, run.digest])).toEqual(
      alone.map(({ run }) => [true, run.digest]),
    );
    for (const name of ["full", "native"]) {
      const [one, two] = ["alone", "together"].map((lane) => readFileSync(join(folder, `${name}.${lane}.trace`)));
      expect(Buffer.compare(one!, two!)).toBe(0);
    }
  });

  test("pass on what a job throws, with its name", async () => {
    await recorded;
    const job = {
      recording: join(folder, "nowhere.trace"),
      technique: { name: "full" },
      output: join(folder, "never.trace"),
    };
    await expect(runInWorkers([job], 2, () => undefined)).rejects.toThrow(
      /^Cannot open .*nowhere\.trace as it must be a readable trace/,
    );
  });
});
