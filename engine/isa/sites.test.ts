import { describe, expect, test } from "vitest";
import { assemble } from "./assemble.ts";
import { CSRS } from "./csr.ts";
import { decode } from "./decode.ts";
import { encode } from "./encode.ts";
import { INSTRUCTIONS } from "./instructions.ts";
import { readSites, SITE_CLASSES, SITE_RECORD_BYTES, type SiteClass, siteClassOf } from "./sites.ts";

function classOf(text: string): SiteClass | undefined {
  const { bytes } = assemble(text, { base: 0n });
  return siteClassOf(decode(new DataView(bytes.buffer).getUint32(0, true))!);
}

describe("the class of a site", () => {
  test.each([
    ["csrr a0, sepc", "epc-read"],
    ["csrr a0, scause", "csr-read"],
    ["csrrci a0, sscratch, 0", "csr-read"],
    ["csrr a0, satp", "csr-read"],
    ["csrw sepc, t0", "csr-write"],
    ["csrwi sscratch, 0", "csr-write"],
    ["csrrw sp, sscratch, sp", "csr-swap"],
    ["csrs sscratch, t0", "csr-swap"],
    ["csrw satp, a0", "control-write"],
    ["csrs sie, t0", "control-write"],
    ["csrrc t0, sip, t0", "control-swap"],
    ["csrr t0, sstatus", "status-read"],
    ["csrci sstatus, 2", "status-clear"],
    ["csrrci t0, sstatus, 2", "status-clear-read"],
    ["csrs sstatus, t0", "status-set"],
    ["csrw sstatus, t0", "status-set"],
    ["csrrsi t0, sstatus, 2", "status-swap"],
    ["csrrw t0, sstatus, x0", "status-swap"],
    ["sret", "trap-return"],
    ["mret", "trap-return"],
    ["wfi", "wait"],
    ["sfence.vma a0", "fence"],
    ["csrr a0, mhartid", "csr-read"],
    ["rdtime a0", undefined],
    ["frcsr a0", undefined],
    ["csrr a0, 0x7ff", undefined],
    ["fence.i", undefined],
    ["ecall", undefined],
    ["ebreak", undefined],
    ["cbo.clean (a0)", undefined],
    ["ld a0, 0(a1)", undefined],
  ] as const)("of %s is %s", (text, expected) => {
    expect(classOf(text)).toBe(expected);
  });

  test("is there for every sensitive row and CSR, but for what traps everywhere and for cache blocks", () => {
    const without = INSTRUCTIONS.filter(
      (instruction) =>
        instruction.sensitivity !== "innocuous" &&
        CSRS.filter(({ sensitivity }) => sensitivity !== "innocuous").some(
          ({ number }) =>
            siteClassOf(decode(encode(instruction, instruction.effects.csr === undefined ? {} : { imm: number }))!) ===
            undefined,
        ),
    );
    expect(without.map(({ mnemonic }) => mnemonic)).toEqual([
      ...["ecall", "ebreak", "cbo.inval", "cbo.clean", "cbo.flush", "cbo.zero"],
    ]);
  });

  test("has room for whole instructions, and a number of its own", () => {
    const rows = Object.values(SITE_CLASSES);
    for (const { bytes, form } of rows) {
      expect(bytes % 4).toBe(0);
      expect(form.split("; ").length * 4).toBeLessThanOrEqual(bytes);
    }
    expect(new Set(rows.map(({ number }) => number)).size).toBe(rows.length);
  });
});

describe("records", () => {
  const record = (siteClass: number, treatment: number): Uint8Array => {
    const bytes = new Uint8Array(SITE_RECORD_BYTES);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, 0xffff_ffff_8020_0010n, true);
    bytes.set([4, 0, 8, 0, siteClass, 0, treatment, 0], 8);
    return bytes;
  };

  test("are read", () => {
    expect(readSites(record(9, 2))).toEqual([
      {
        address: 0xffff_ffff_8020_0010n,
        length: 4,
        padding: 8,
        siteClass: "status-clear-read",
        treatment: "section",
      },
    ]);
  });

  test("that are none are refused", () => {
    expect(() => readSites(new Uint8Array(17))).toThrow(/records of 16 bytes: it has 17 bytes$/);
    expect(() => readSites(record(0, 0))).toThrow(/record 0 is of class 0$/);
    expect(() => readSites(record(1, 4))).toThrow(/record 0 has treatment 4$/);
  });
});
