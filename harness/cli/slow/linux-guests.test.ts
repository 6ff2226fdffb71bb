import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readTrace } from "../../../traces/mod.ts";
import { catalogue } from "../../guests/catalogue.ts";
import { diskFiles, LAST_LINE } from "../../guests/userland.ts";
import { sha256 } from "../../store.ts";
import { Terminal } from "../cli.fixture.ts";

/** A boot takes seconds of CPU time; a fetch as long as the network does. */
const FETCH_MS = 20 * 60_000;
const RUN_MS = 10 * 60_000;

const isReady = (guest: string): boolean => catalogue().some(({ name, ready }) => name === guest && ready);
/** debian always, fetched where it is not here; linux-mini where it was built, as that takes minutes and a compiler. */
const GUESTS = ["debian", ...(isReady("linux-mini") ? ["linux-mini"] : [])];

const terminal = new Terminal();
afterAll(() => terminal.remove());

beforeAll(async () => {
  if (isReady("debian")) return;
  const { code, err } = await terminal.run("guests", "fetch", "debian");
  expect([code, err]).toEqual([0, expect.any(String)]);
}, FETCH_MS);

describe.each(GUESTS)("%s", (guest) => {
  const trace = terminal.path(`${guest}.trace`);
  let recorded: Awaited<ReturnType<Terminal["json"]>>;
  beforeAll(async () => {
    recorded = await terminal.json("record", "--guest", guest, "--quick", "-o", trace);
  }, RUN_MS);

  test("boots to its script, which works, and powers off", () => {
    const { code, document } = recorded;
    expect(document).toMatchObject({ exitCode: 0, guestCode: 0, reason: "poweroff" });
    expect(code).toBe(0);
    const { lines, noise } = diskFiles();
    const shown = String(document["console"]).replaceAll("\r", "").split("\n");
    const from = shown.findIndex((line) => line.startsWith("Linux "));
    expect(shown.slice(from, shown.indexOf(LAST_LINE) + 1)).toEqual([
      expect.stringMatching(/^Linux \d+\.\d+\S* riscv64$/),
      expect.stringMatching(/^bin .*\binit\b.*\bproc\b/),
      `${sha256(lines)}  lines`,
      `${sha256(noise)}  noise`,
      ...["line 97 of 100", "line 87 of 100", "line 79 of 100"],
      "1.414214 3.141593",
      LAST_LINE,
    ]);
  });

  test("keeps in its trace the SHA-256 of every package and file that it is made of", () => {
    const { settings, images } = readTrace(readFileSync(trace)).header;
    const hashes = Object.entries(settings).filter(([name]) => name.startsWith("sha256 "));
    expect(hashes.map(([name]) => name)).toEqual(
      expect.arrayContaining([expect.stringMatching(/busybox-static.*\.deb$/), expect.stringMatching(/busybox$/)]),
    );
    for (const [, hash] of hashes) expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(images.map(({ role }) => role)).toEqual(["kernel", "initrd", "disk"]);
    expect(hashes.map(([, hash]) => hash)).toContain(images[0]!.sha256);
  });

  test(
    "is the same run when it is recorded again, byte for byte",
    async () => {
      const again = terminal.path(`${guest}-again.trace`);
      const { document } = await terminal.json("record", "--guest", guest, "--quick", "-o", again);
      expect(document["digest"]).toBe(recorded.document["digest"]);
      expect(Buffer.compare(readFileSync(again), readFileSync(trace))).toBe(0);
    },
    RUN_MS,
  );

  test(
    "is the same run under full virtualization",
    async () => {
      const { code, document } = await terminal.json("replay", trace, "--technique", "full");
      expect(document).toMatchObject({
        digest: recorded.document["digest"],
        steps: recorded.document["steps"],
        identity: { level: "exact", equal: true, firstDifference: null },
      });
      expect(code).toBe(0);
    },
    RUN_MS,
  );
});
