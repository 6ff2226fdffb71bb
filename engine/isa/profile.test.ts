import { describe, expect, test } from "vitest";
import { csrByName, csrsOf } from "./csr.ts";
import { decodeAt, decoderFor } from "./decode.ts";
import { findInstruction, INSTRUCTIONS } from "./instructions.ts";
import {
  extended,
  isaString,
  leakNames,
  leakyMin,
  leakySilent,
  leakyX86,
  PROFILES,
  profileByName,
  regions,
  strict,
  sv48,
  svadu,
} from "./profile.ts";

test("the strict profile leaks nothing, and its ISA string is in canonical order", () => {
  expect(strict.leaks).toEqual({ csrs: {}, nops: [] });
  expect(isaString(strict)).toBe("rv64imafdc_zicntr_zicsr_zifencei_zihpm_sstc_svade");
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

describe("the presets", () => {
  test("are found by their names, and by no other", () => {
    expect(PROFILES.map(({ name }) => name)).toEqual([
      "strict",
      "sv48",
      "extended",
      "svadu",
      "regions",
      "leaky-x86",
      "leaky-silent",
      "leaky-min",
    ]);
    for (const profile of PROFILES) expect(profileByName(profile.name)).toBe(profile);
    expect(profileByName("toString")).toBeUndefined();
  });

  test("differ as they say", () => {
    expect(sv48).toEqual({ ...strict, name: "sv48", satpModes: ["sv39", "sv48"] });
    expect(isaString(extended)).toBe(
      "rv64imafdc_zicbom_zicboz_zicntr_zicsr_zifencei_zihpm_zawrs_zba_zbb_zbs_sstc_svade",
    );
    expect(extended.satpModes).toEqual(["sv39", "sv48"]);
    expect({ ...regions, name: "strict", extensions: strict.extensions }).toEqual(strict);
    expect(isaString(regions)).toBe(`${isaString(strict)}_xregions`);
    expect(svadu.extensions).toEqual([...extended.extensions.filter((name) => name !== "svade"), "svadu"]);
  });

  test("that leak differ from strict in their holes alone", () => {
    for (const profile of [leakyX86, leakySilent, leakyMin])
      expect({ ...profile, name: "strict", leaks: strict.leaks }).toEqual(strict);
    const supervisor = csrsOf(strict.extensions)
      .filter(({ mode }) => mode === "supervisor")
      .map(({ name }) => name);
    expect(leakNames(leakySilent)).toEqual([...supervisor, "sfence.vma", "wfi"]);
    expect(leakNames(leakyX86)).toEqual(supervisor.filter((name) => name !== "stimecmp"));
    expect(leakNames(leakyMin)).toEqual(["sfence.vma"]);
  });

  test("have between them each extension that a row of the table belongs to", () => {
    const known = new Set(PROFILES.flatMap(({ extensions }) => extensions));
    expect(INSTRUCTIONS.filter(({ extension }) => !known.has(extension))).toEqual([]);
    expect([...new Set(INSTRUCTIONS.map(({ extension }) => extension))]).toEqual([
      ...["i", "m", "a", "f", "d", "zba", "zbb", "zbs", "zicbom", "zicboz", "zawrs"],
    ]);
  });
});

describe("a decoder for a profile", () => {
  const wordOf = (mnemonic: string) => findInstruction(mnemonic)!.match;
  const decodes = (extensions: readonly string[], mnemonic: string) => {
    const word = wordOf(mnemonic);
    return decoderFor(extensions)(word & 0xffff, word >>> 16)?.instruction.mnemonic;
  };

  test("takes an instruction of an extension that is off for none", () => {
    for (const mnemonic of ["sh1add", "rev8", "bext", "cbo.zero", "cbo.clean", "wrs.sto"]) {
      expect(decodes(strict.extensions, mnemonic)).toBeUndefined();
      expect(decodes(extended.extensions, mnemonic)).toBe(mnemonic);
    }
    const some = [...strict.extensions, "zbb"];
    expect(["rev8", "sh1add", "bext"].map((mnemonic) => decodes(some, mnemonic))).toEqual([
      "rev8",
      undefined,
      undefined,
    ]);
  });

  test("knows all of the base, in 16 bits too, and is the plain one where nothing is off", () => {
    // All but `slti`, whose bits with rd = x0 are a mark's.
    const base = INSTRUCTIONS.filter(({ extension, mnemonic }) => extension.length === 1 && mnemonic !== "slti");
    expect(base.filter(({ mnemonic }) => decodes(strict.extensions, mnemonic) !== mnemonic)).toEqual([]);
    expect(decoderFor(strict.extensions)(0x8082, 0)).toEqual(decodeAt(0x8082, 0));
    expect(decoderFor(extended.extensions)).toBe(decodeAt);
  });
});
