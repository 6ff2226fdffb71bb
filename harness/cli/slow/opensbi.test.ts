import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { catalogue } from "../../guests/catalogue.ts";
import { Terminal } from "../cli.fixture.ts";

/** Two small packages, and a boot of seconds. */
const FETCH_MS = 10 * 60_000;
const RUN_MS = 5 * 60_000;

const terminal = new Terminal();
afterAll(() => terminal.remove());

describe("OpenSBI with U-Boot on top of it", () => {
  const trace = terminal.path("opensbi.trace");
  let recorded: Awaited<ReturnType<Terminal["json"]>>;
  beforeAll(async () => {
    if (!catalogue().some(({ name, ready }) => name === "opensbi" && ready)) {
      const { code, err } = await terminal.run("guests", "fetch", "opensbi");
      expect([code, err]).toEqual([0, expect.any(String)]);
    }
    recorded = await terminal.json("record", "--guest", "opensbi", "-o", trace);
  }, FETCH_MS);

  test("boots on the bare machine, where its payload asks the firmware, and powers off", () => {
    const { code, document } = recorded;
    expect([code, document]).toMatchObject([0, { exitCode: 0, guestCode: 0, reason: "poweroff" }]);
    const shown = String(document["console"]);
    expect(shown).toMatch(/OpenSBI v[\s\S]*Next Mode +: S-mode[\s\S]*U-Boot 20[\s\S]*=> sbi\r\nSBI \d/);
    // The answer to U-Boot's question is the firmware's, not the engine's.
    expect(shown).toMatch(/\r\nOpenSBI \d+\.\d+\r\n/);
  });

  test.each(["full", "full:traced"])(
    "is the same run under %s",
    async (technique) => {
      const { code, document } = await terminal.json("replay", trace, "--technique", technique);
      expect(document).toMatchObject({
        digest: recorded.document["digest"],
        steps: recorded.document["steps"],
        identity: { level: "exact", equal: true, firstDifference: null },
      });
      expect(code).toBe(0);
    },
    RUN_MS,
  );

  test("is refused by a technique that has no machine mode", async () => {
    const { code, document } = await terminal.json("replay", trace, "--technique", "rewriting:trap");
    expect([code, document]).toMatchObject([
      2,
      { error: { message: expect.stringMatching(/^Cannot run firmware under rewriting as it must have a virtual/) } },
    ]);
  });
});
