import { env } from "node:process";
import { afterEach, describe, expect, test } from "vitest";
import { compareImage } from "./compare.ts";
import { conform } from "./conformance.ts";
import { layOut, makeImage } from "./image.ts";
import { qemuVersion, requireQemu } from "./qemu.ts";
import { main } from "./run.ts";

const path = env.PATH;
afterEach(() => {
  env.PATH = path;
});

describe("comparing with QEMU", () => {
  test("says what to install where there is none", () => {
    env.PATH = "";
    expect(requireQemu).toThrow(
      "Cannot compare with QEMU as qemu-system-riscv64 must be installed: it is not; type apt-get install qemu-system-misc",
    );
    expect(main(["--steps", "1"])).toBe(2);
  });

  test("finds one program equal, where QEMU 7.2 is installed", () => {
    if (!qemuVersion()?.startsWith("7.2.")) return expect(requireQemu).toThrow(RangeError);
    const image = layOut(3, makeImage(3).programs.slice(0, 1));
    const { mismatch, steps } = compareImage(image, { tier: "interpreter" });
    expect(mismatch).toBeUndefined();
    expect(steps).toBeGreaterThan(500);
  });

  test("makes what differs small, and names it, where QEMU 7.2 is installed", () => {
    if (!qemuVersion()?.startsWith("7.2.")) return expect(requireQemu).toThrow(RangeError);
    const { failures } = conform({
      steps: 1, seed: 3, tier: "interpreter",
      onMachine: (machine) => {
        const { guest } = machine.parts.platform;
        const enter = guest.enter.bind(guest);
        guest.enter = (cause, interrupt, low, high) => enter(cause, interrupt, cause === 13 ? low + 1 : low, high);
      },
    }); // biome-ignore format: a list
    expect(failures.at(-1)).toMatch(/image 3 differs after \d+ equal steps, at /);
    expect(failures.at(-1)).toMatch(/[ms]tval: QEMU 0x[0-9a-f]+, ours 0x[0-9a-f]+/);
    expect(failures.at(-1)).toContain("npm run conformance -- --seed 3 --steps 1");
  });
});
