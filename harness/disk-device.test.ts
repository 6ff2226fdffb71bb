/** What a machine's disk is, and who has it: recorded, replayed, and compared by the experiment that is about it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { full, native, para } from "../engine/mod.ts";
import { hurried } from "./guests/catalogue.ts";
import { type Guest, hutch } from "./guests/mod.ts";
import { loadExperiment } from "./load-experiment.ts";
import { record } from "./record.ts";
import { openTrace } from "./recording.ts";
import { replay } from "./replay.ts";
import { runExperiment } from "./run-experiment.ts";

const folder = mkdtempSync(join(tmpdir(), "trapline-disk-"));
afterAll(() => rmSync(folder, { recursive: true }));

const reading: Guest = { ...hutch.running("disk-read 2"), memoryBytes: 16 << 20 };

describe("a recording of a guest with an ATA disk", () => {
  test("says so, and is replayed on such a machine", async () => {
    const tape = await record({ guest: { ...reading, diskDevice: "ata" } });
    const { header } = tape.trace();
    expect([header.settings.disk, header.devices.at(-1)]).toEqual(["ata", "ata0"]);
    for (const options of [{ technique: native }, { technique: full }, { technique: full, passThrough: ["disk"] }]) {
      const run = await replay(tape, options);
      expect(run.identity).toEqual({ level: "exact", equal: true, firstDifference: null });
      expect(run.digest).toBe(tape.digest);
      // Who had the disk is the replay's own to say.
      expect(run.trace().header.settings.passThrough).toBe(options.passThrough?.join());
      expect(run.trace().header.settings.disk).toBe("ata");
    }
    const ported = await replay(tape, { technique: para });
    expect(ported.identity).toEqual({ level: "observable", equal: true, firstDifference: null });
  });

  test("is another run than one with a virtio disk, whose recording is as it always was", async () => {
    const [ata, virtio, plain] = await Promise.all(
      [{ ...reading, diskDevice: "ata" as const }, { ...reading, diskDevice: "virtio" as const }, reading].map(
        (guest) => record({ guest }),
      ),
    );
    expect(plain!.trace().header.settings).toEqual({ name: "disk-read" });
    expect(virtio!.trace().header).toEqual(plain!.trace().header);
    expect(virtio!.digest).toBe(plain!.digest);
    expect(ata!.digest).not.toBe(plain!.digest);
    expect(ata!.console).toEqual(plain!.console);
  });

  test("with a disk that there is not is refused", async () => {
    const tape = await record({ guest: reading });
    const { header } = tape.trace();
    const bad = { ...header, settings: { ...header.settings, disk: "tape" } };
    const trace = () => Object.assign(Object.create(tape.trace()), { header: bad }) as never;
    await expect(replay({ ...tape, trace }, { technique: native })).rejects.toThrow(
      "Cannot make the machine as its disk must be one of virtio, ata: it is tape",
    );
  });
});

describe("a recording that is made under a VMM which leaves the disk to the guest", () => {
  test("says so, is the bare run, and is replayed with and without", async () => {
    const tape = await record({ guest: reading, technique: full, passThrough: ["disk"] });
    expect(tape.trace().header.settings.passThrough).toBe("disk");
    const bare = await record({ guest: reading });
    expect(tape.digest).toBe(bare.digest);
    for (const technique of [native, full]) {
      const run = await replay(tape, { technique });
      expect([run.digest, run.trace().header.settings.passThrough]).toEqual([tape.digest, undefined]);
    }
  });

  test("is refused bare, where nobody could take a device away", async () => {
    await expect(record({ guest: reading, passThrough: ["disk"] })).rejects.toThrow(
      /^Cannot pass disk through under native/,
    );
  });
});

test("disk-read: every way to the disk is the recorded run, and each saves exits over the one before", async () => {
  const loaded = await loadExperiment("disk-read");
  const small = (guest: Guest): Guest => ({ ...hurried(guest), memoryBytes: 16 << 20 });
  const { comparison, differences } = await runExperiment(loaded, { folder, alter: small });
  expect(differences).toEqual([]);
  const runs = comparison.runs.map((run) => {
    const disk = run.marks.find(({ name }) => name === "disk")!;
    return { run, path: `${run.recording} ${run.technique}`, exits: disk.exits.total / disk.laps, disk };
  });
  const identities = runs.map(({ run, path }) => `${path} ${run.identity?.level ?? "recorded"}`);
  expect(identities).toEqual([
    "ata native recorded",
    "ata full exact",
    "ata-passed-through native recorded",
    "ata-passed-through full exact",
    "virtio native recorded",
    "virtio full exact",
    "virtio para observable",
    "virtio-passed-through native recorded",
    "virtio-passed-through full exact",
  ]);
  const of = (path: string) => runs.find((one) => one.path === path)!;
  // 4 KiB by words of 16 bits, and the registers of a command and of eight interrupts.
  expect(of("ata full").disk.exits.byReason["device-access"]! / of("ata full").disk.laps).toBeGreaterThan(2048);
  expect(of("ata-passed-through full").exits).toBeLessThan(of("ata full").exits / 10);
  expect(of("virtio full").exits).toBeLessThan(of("ata full").exits / 10);
  expect(of("virtio-passed-through full").exits).toBeLessThan(of("virtio full").exits);
  expect(of("virtio para").exits).toBeLessThan(of("virtio full").exits);
  // The disk itself costs the port no exit but its calls.
  expect(of("virtio para").disk.exits.byReason["device-access"]).toBeUndefined();
  expect(openTrace(join(folder, "ata-passed-through.full.trace")).header.settings.passThrough).toBe("disk");
});
