import { describe, expect, test } from "vitest";
import { EXPECTATIONS } from "./expectations.ts";
import { makeImage } from "./image.ts";
import { Ledger } from "./ledger.ts";
import { Stepper } from "./lockstep.ts";

describe("the ledger", () => {
  test("names everything while nothing was compared", () => {
    const { gaps, entries } = new Ledger();
    expect(gaps).toHaveLength(entries.length);
    for (const gap of [
      "mnemonic amoadd.w",
      "register f31 as rs3",
      "csr satp written",
      "exception 15 to S",
      "leaf 2M R-XU fetch",
    ])
      expect(gaps).toContain(gap);
  });

  test("keeps what was expected apart from what was compared", () => {
    const ledger = new Ledger();
    ledger.expect("exception", "6 to M");
    expect(ledger.entries.find(({ kind, name }) => kind === "exception" && name === "6 to M")).toMatchObject({
      compared: 0,
      expected: 1,
    });
    expect(ledger.gaps).not.toContain("exception 6 to M");
    expect(ledger.table()).toMatch(/6 to M +0 +1/);
  });

  test("is complete after eight images and the expectations", () => {
    const ledger = new Ledger();
    for (const { covers } of EXPECTATIONS) for (const [kind, name] of covers) ledger.expect(kind, name);
    for (let seed = 1; seed <= 8; seed++) {
      const image = makeImage(seed);
      const stepper = new Stepper(image, "interpreter");
      while (!stepper.ended) {
        stepper.step();
        ledger.count(image, stepper);
      }
    }
    expect(ledger.gaps).toEqual([]);
    expect(ledger.steps).toBeGreaterThan(300_000);
  });
});
