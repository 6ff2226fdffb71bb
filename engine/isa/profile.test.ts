import { expect, test } from "vitest";
import { csrByName } from "./csr.ts";
import { isaString, strict } from "./profile.ts";

test("the strict profile leaks nothing, and its ISA string is in canonical order", () => {
  expect(strict.leaks).toEqual({ csrs: {}, nops: [] });
  expect(isaString(strict)).toBe("rv64imafdc_zicntr_zicsr_zifencei");
});

test("a step is 10 ns, so a second has 100 million steps", () => {
  expect(strict.timebaseHertz * strict.stepsPerTick).toBe(100_000_000);
});

test("the strict profile has the letters that misa names, privilege modes aside", () => {
  const misa = csrByName("misa")!.reset;
  const letters = [..."abcdefghijklmnopqrstuvwxyz"].filter((_, bit) => (misa >> BigInt(bit)) & 1n);
  const profile = strict.extensions.filter((name) => name.length === 1);
  expect(letters.filter((letter) => letter !== "s" && letter !== "u")).toEqual([...profile].sort());
});
