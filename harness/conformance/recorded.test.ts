import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { packageFile } from "../installation.ts";
import { makeImage } from "./image.ts";
import { differsFrom, type Recorded, recordOwn } from "./recorded.ts";

const kept = JSON.parse(readFileSync(packageFile("harness/conformance/recorded.json"), "utf8")) as readonly Recorded[];

describe("what QEMU 7.2 answered once", () => {
  test("is what the interpreter answers, state by state", () => {
    for (const recorded of kept)
      expect(differsFrom(recorded, makeImage(recorded.seed), "interpreter"), `image ${recorded.seed}`).toBeUndefined();
    expect(kept.reduce((sum, { steps }) => sum + steps, 0)).toBeGreaterThan(50_000);
  });

  test("is not what a machine with a fault answers", () => {
    const [recorded] = kept;
    const at = differsFrom(recorded!, makeImage(recorded!.seed), "interpreter", (machine) => {
      const { guest } = machine.parts.platform;
      const enter = guest.enter.bind(guest);
      guest.enter = (cause, interrupt, low, high) => enter(cause, interrupt, cause === 13 ? low + 1 : low, high);
    });
    expect(at).toBeGreaterThan(0);
  });

  test("is found to differ where a run is longer, or not as long", () => {
    const image = makeImage(1);
    const own = recordOwn(1, image, "interpreter");
    expect(differsFrom({ ...own, steps: own.steps + 1 }, image, "interpreter")).toBe(own.steps);
  });
});
