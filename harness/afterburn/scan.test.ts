import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { SITE_CLASSES, SITE_SECTION, SITE_TREATMENTS, type SiteClass, type SiteTreatment } from "../../engine/mod.ts";
import { packageFile } from "../installation.ts";
import { codeSection, elfFile, type MadeSection } from "./image.fixture.ts";
import { scanImage } from "./scan.ts";

const BASE = 0x8020_0000n;
const PAD = "sltiu zero, zero, 0x5a5";

type Record = readonly [offset: number, siteClass: SiteClass, padding?: number, treatment?: SiteTreatment];

function records(...all: readonly Record[]): MadeSection {
  const bytes = new Uint8Array(16 * all.length);
  const view = new DataView(bytes.buffer);
  for (const [index, [offset, siteClass, padding = 0, treatment = "annotated"]] of all.entries()) {
    view.setBigUint64(16 * index, BASE + BigInt(offset), true);
    const parts = [4, padding, SITE_CLASSES[siteClass].number, SITE_TREATMENTS.indexOf(treatment)];
    for (const [part, value] of parts.entries()) view.setUint16(16 * index + 8 + 2 * part, value, true);
  }
  return { name: SITE_SECTION, bytes };
}

const scan = (source: string, ...all: readonly Record[]) =>
  scanImage(elfFile([codeSection(source, BASE), records(...all)]), "t.elf");
const faults = (source: string, ...all: readonly Record[]) => scan(source, ...all).faults.map(({ message }) => message);

describe("the scan of an image", () => {
  test("finds nothing wrong where each sensitive instruction has its record", () => {
    const found = scan(
      `c.nop; csrr t0, sepc; ${PAD}; wfi; rdtime a0; csrr a0, scause`,
      [2, "epc-read", 4],
      [10, "wait"],
      [18, "csr-read", 0, "region"],
    );
    expect(found).toMatchObject({ faults: [], instructions: 6, pads: 1, undecoded: 0, dropped: 0, interior: [] });
    expect(found.sites.map(({ address }) => address)).toEqual([BASE + 2n, BASE + 10n, BASE + 18n]);
  });

  test("names each one without", () => {
    expect(scan("nop; csrw satp, a0; c.nop; sret", [4, "control-write"]).faults).toEqual([
      { address: BASE + 10n, message: "sret, of class trap-return, is neither annotated nor listed" },
    ]);
  });

  test.each([
    ["a missing pad", "csrr t0, sepc; nop", [0, "epc-read"], /^a site of class epc-read needs 8 bytes: it has 4$/],
    ["a pad that is none", "csrr t0, sepc; nop", [0, "epc-read", 4], /^pads must follow it: addi zero,zero,0 does$/],
    ["another class", "csrr t0, scause", [0, "epc-read"], /^its record is of class epc-read, but .* is csr-read$/],
    ["nothing sensitive", "nop", [0, "wait"], /^its record is of class wait, but addi .* is of none$/],
    ["a site that runs out of its section", "wfi", [0, "wait", 4], /^its site has 8 bytes, which are not there$/],
    ["too short a site whose class was open", "csrr t0, sepc", [0, "undecided"], /^a site of class epc-read needs 8/],
    ["memory that is not reached", "add a0, a0, a0", [0, "memory"], /^its record is of class memory, but add/],
  ] as const)("complains of %s", (_, source, record, message) => {
    expect(faults(source, record)).toEqual([expect.stringMatching(message)]);
  });

  test("takes an open class for whatever the instruction is", () => {
    expect(faults(`csrr t0, sstatus; ${PAD}; rdtime t0`, [0, "undecided", 4], [8, "undecided"])).toEqual([]);
    expect(faults("ld a0, 0(a1); amoadd.d a0, a1, (a2)", [0, "memory"], [4, "memory"])).toEqual([]);
  });

  test("complains of two records for one instruction, and counts those of code that is not there", () => {
    expect(faults("wfi", [0, "wait"], [0, "wait"])).toEqual(["it has two records"]);
    expect(scan("wfi", [0, "wait"], [0x1000, "wait"])).toMatchObject({ faults: [], dropped: 1 });
  });

  test("goes on behind what is no instruction, and tells of sensitive ones inside of others", () => {
    expect(scan(".half 0, 0; wfi", [4, "wait"])).toMatchObject({ undecoded: 2, instructions: 1, faults: [] });
    // The second half of lui, with what follows it, is wfi.
    const inside = scan(".half 0x0537, 0x0073, 0x1050; nop");
    expect(inside.interior).toEqual([BASE + 2n]);
    expect(inside.faults).toEqual([]);
  });

  test("looks at loaded code alone", () => {
    const wfi = codeSection("wfi", BASE);
    const image = elfFile([{ ...wfi, flags: 2 }, { ...wfi, name: ".debug", flags: 4 }, codeSection("nop", BASE)]);
    expect(scanImage(image, "t.elf")).toMatchObject({ faults: [], instructions: 1 });
  });

  test("refuses what is no image", () => {
    expect(() => scanImage(new Uint8Array(80), "x")).toThrow(
      /^Cannot read the sections of x as it must be an ELF64 file/,
    );
    const broken = elfFile([codeSection("nop", BASE)]);
    new DataView(broken.buffer).setBigUint64(40, 1n << 40n, true);
    expect(() => scanImage(broken, "x")).toThrow(/as the section table must lie inside the file: 192 bytes at/);
  });
});

describe("hutch", () => {
  const image = (name: string) => readFileSync(packageFile(`experiments/guests/hutch/prebuilt/${name}.elf`));

  test("as the afterburner made it has a record with room for each of its sensitive instructions", () => {
    const found = scanImage(image("hutch-pre"), "hutch-pre");
    expect(found.faults).toEqual([]);
    expect(found.sites.length).toBeGreaterThan(40);
    expect(found.sites.every(({ treatment }) => treatment === "annotated")).toBe(true);
    expect(found.pads).toBe(found.sites.reduce((sum, { padding }) => sum + padding / 4, 0));
  });

  test("without it has the same sensitive instructions, and a record of none", () => {
    const classes = (name: string) =>
      scanImage(image("hutch"), name).faults.map(({ message }) => /of class ([\w-]+)/.exec(message)?.[1]);
    const annotated = [...scanImage(image("hutch-pre"), "hutch-pre").sites].sort((a, b) =>
      a.address < b.address ? -1 : 1,
    );
    expect(classes("hutch")).toEqual(annotated.map(({ siteClass }) => siteClass));
  });

  test("has programs with one, which selftest runs to be sent SIGILL: they need no afterburner", () => {
    // The programs are ELF files inside of the image, each on a page of its own.
    const { length } = image("hutch");
    const programs = [];
    for (let at = 0; at + 4 <= length; at += 4096) {
      const file = image("hutch").subarray(at);
      if (at > 0 && new DataView(file.buffer, file.byteOffset).getUint32(0) === 0x7f45_4c46) programs.push(file);
    }
    expect(programs.length).toBeGreaterThan(10);
    const found = programs.flatMap((file) => scanImage(file, "program").faults);
    expect(found.map(({ message }) => message)).toEqual([expect.stringMatching(/^csrrs t0,sstatus,zero, of class/)]);
    expect(programs.every((file) => scanImage(file, "program").instructions > 50)).toBe(true);
  });
});
