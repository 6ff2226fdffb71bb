/** `--disk-device` and `--pass-through`: a machine's disk, and who has it, from the command line. */
import { afterAll, expect, test } from "vitest";
import { Terminal } from "./cli.fixture.ts";

const terminal = new Terminal();
afterAll(() => terminal.remove());

const RECORD = ["record", "--guest", "hutch", "--run", "disk-read 2", "--memory", "16M"] as const;

test("an ATA disk is recorded, and verified where the guest has it to itself", async () => {
  const trace = terminal.path("ata.trace");
  const { code, document } = await terminal.json(...RECORD, "--disk-device", "ata", "-o", trace);
  expect([code, document.console]).toEqual([0, expect.stringContaining("disk-read: 2 blocks")]);
  const own = terminal.path("passed.trace");
  const passed = ["--technique", "full", "--pass-through", "disk"] as const;
  const replayed = await terminal.json("replay", trace, ...passed, "-o", own);
  expect([replayed.code, replayed.document.digest]).toEqual([0, document.digest]);
  expect((await terminal.run("verify", trace, ...passed)).code).toBe(0);
  const { out } = await terminal.run("dump", own, "--kind", "device.path");
  expect(out).toContain("ata0  native");
  expect(out).toContain("uart0  emulated");
});

test("a device that there is not, one twice, one without a name, and one of the bare machine are refused with code 2", async () => {
  const trace = terminal.path("refused.trace");
  await terminal.run(...RECORD, "-o", trace);
  for (const [devices, technique, message] of [
    ["tape", "full", /^Cannot pass tape through as it must be a device of the machine: there are disk, /],
    ["disk,virtio0", "full", /^Cannot give virtio0 to the guest as a device has one owner: it is the guest's/],
    ["disk", "native", /^Cannot pass disk through under native as that is what a VMM does/],
    ["disk,", "full", /it must be names divided by commas/],
    ["", "full", /it must be names divided by commas/],
  ] as const) {
    const { code, err } = await terminal.run("replay", trace, "--technique", technique, "--pass-through", devices);
    expect([code, err]).toEqual([2, expect.stringMatching(message)]);
  }
  const compared = await terminal.run("verify", trace, trace, "--pass-through", "disk");
  expect([compared.code, compared.err]).toEqual([2, expect.stringMatching(/^Cannot pass devices through as neither/)]);
  const { code, err } = await terminal.run(...RECORD, "--disk-device", "tape");
  expect(code).toBe(2);
  expect(err).toMatch(/virtio, ata/);
});
