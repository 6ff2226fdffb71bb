import { expect, test } from "vitest";
import { scriptOf } from "./boot.ts";

test("a boot is compared by what its script prints, whatever kernel and firmware say around it", () => {
  const script = "Linux 6.12.1 riscv64\nbin dev\n1.414214 3.141593\ndone";
  const quoted = script.replaceAll("\n", "\r\n");
  expect(scriptOf(`OpenSBI v1.1\r\n${quoted}\r\n[    1.31] reboot: Power down\r\n`)).toBe(script);
  expect(scriptOf("Linux 6.12.1 riscv64\r\nKernel panic\r\n")).toBe("");
});
