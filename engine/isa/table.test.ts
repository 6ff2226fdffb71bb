import { describe, expect, test } from "vitest";
import { INSTRUCTIONS } from "./instructions.ts";
import { compile, FIELDS, type FieldName, gather, IMMEDIATES, type Pattern, scatter, segments } from "./table.ts";

/** Match and mask as riscv-opcodes' `encoding.h` has them. */
const KNOWN: readonly (readonly [mnemonic: string, match: number, mask: number])[] = [
  ["lui", 0x37, 0x7f],
  ["jal", 0x6f, 0x7f],
  ["jalr", 0x67, 0x707f],
  ["bgeu", 0x7063, 0x707f],
  ["ld", 0x3003, 0x707f],
  ["sd", 0x3023, 0x707f],
  ["addi", 0x13, 0x707f],
  ["slli", 0x1013, 0xfc00707f],
  ["srai", 0x40005013, 0xfc00707f],
  ["slliw", 0x101b, 0xfe00707f],
  ["sub", 0x40000033, 0xfe00707f],
  ["mulhsu", 0x2002033, 0xfe00707f],
  ["divuw", 0x200503b, 0xfe00707f],
  ["lr.d", 0x1000302f, 0xf9f0707f],
  ["sc.w", 0x1800202f, 0xf800707f],
  ["amomaxu.d", 0xe000302f, 0xf800707f],
  ["fence", 0xf, 0x707f],
  ["fence.i", 0x100f, 0x707f],
  ["csrrw", 0x1073, 0x707f],
  ["csrrci", 0x7073, 0x707f],
  ["ecall", 0x73, 0xffffffff],
  ["ebreak", 0x100073, 0xffffffff],
  ["sret", 0x10200073, 0xffffffff],
  ["mret", 0x30200073, 0xffffffff],
  ["wfi", 0x10500073, 0xffffffff],
  ["sfence.vma", 0x12000073, 0xfe007fff],
  ["flw", 0x2007, 0x707f],
  ["fsd", 0x3027, 0x707f],
  ["fmadd.d", 0x2000043, 0x600007f],
  ["fadd.s", 0x53, 0xfe00007f],
  ["fsqrt.d", 0x5a000053, 0xfff0007f],
  ["fsgnjx.d", 0x22002053, 0xfe00707f],
  ["fle.d", 0xa2000053, 0xfe00707f],
  ["fcvt.lu.d", 0xc2300053, 0xfff0007f],
  ["fcvt.s.d", 0x40100053, 0xfff0007f],
  ["fclass.s", 0xe0001053, 0xfff0707f],
  ["fmv.x.d", 0xe2000053, 0xfff0707f],
  ["fmv.d.x", 0xf2000053, 0xfff0707f],
  ["add.uw", 0x800003b, 0xfe00707f],
  ["sh3add", 0x20006033, 0xfe00707f],
  ["slli.uw", 0x800101b, 0xfc00707f],
  ["andn", 0x40007033, 0xfe00707f],
  ["clzw", 0x6000101b, 0xfff0707f],
  ["cpop", 0x60201013, 0xfff0707f],
  ["sext.h", 0x60501013, 0xfff0707f],
  ["zext.h", 0x800403b, 0xfff0707f],
  ["roriw", 0x6000501b, 0xfe00707f],
  ["orc.b", 0x28705013, 0xfff0707f],
  ["rev8", 0x6b805013, 0xfff0707f],
  ["bexti", 0x48005013, 0xfc00707f],
  ["bset", 0x28001033, 0xfe00707f],
  ["cbo.zero", 0x40200f, 0xfff07fff],
  ["cbo.flush", 0x20200f, 0xfff07fff],
  ["wrs.nto", 0xd00073, 0xffffffff],
  ["wrs.sto", 0x1d00073, 0xffffffff],
];

const overlap = (a: Pattern, b: Pattern) => ((a.match ^ b.match) & a.mask & b.mask) === 0;
/** Whether every instruction word of `a` is also one of `b`. */
const within = (a: Pattern, b: Pattern) => overlap(a, b) && (b.mask & ~a.mask) === 0 && a.mask !== b.mask;

/** What is wrong with how rows overlap: undeclared overlaps, and declarations that do not hold. */
function overlapFaults(patterns: readonly Pattern[]): string[] {
  const faults: string[] = [];
  for (const a of patterns) {
    for (const b of patterns) {
      const declared = a.specialises === b.mnemonic;
      if (declared && !within(a, b)) faults.push(`${a.mnemonic} is no special case of ${b.mnemonic}`);
      if (a !== b && overlap(a, b) && !declared && b.specialises !== a.mnemonic) {
        faults.push(`${a.mnemonic} and ${b.mnemonic} overlap`);
      }
    }
    if (a.specialises !== undefined && !patterns.some(({ mnemonic }) => mnemonic === a.specialises)) {
      faults.push(`${a.mnemonic} specialises ${a.specialises}, which is no row`);
    }
  }
  return faults;
}

describe("the rows", () => {
  test.each(KNOWN)("agree with riscv-opcodes on %s", (mnemonic, match, mask) => {
    const row = INSTRUCTIONS.find((instruction) => instruction.mnemonic === mnemonic);
    expect([row?.match, row?.mask]).toEqual([match, mask]);
  });

  // Disassembling 297,000 words by binutils 2.40 gave the same instructions and operands, and 70,000 of the optional extensions.
  test("have the bits that binutils agreed to, all of them", () => {
    let hash = 0x811c9dc5; // FNV-1a over mnemonic, match and mask.
    for (const { mnemonic, match, mask } of INSTRUCTIONS) {
      for (const character of `${mnemonic} ${match} ${mask}\n`)
        hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
    }
    expect([INSTRUCTIONS.length, (hash >>> 0).toString(16)]).toEqual([208, "88cfe803"]);
  });

  test("are numbered densely from 1, below 250, with a mnemonic each", () => {
    expect(INSTRUCTIONS.map(({ op }) => op)).toEqual(INSTRUCTIONS.map((_, index) => index + 1));
    expect(INSTRUCTIONS.length).toBeLessThan(250);
    expect(new Set(INSTRUCTIONS.map(({ mnemonic }) => mnemonic)).size).toBe(INSTRUCTIONS.length);
  });

  test("overlap only where one says that it specialises another", () => {
    expect(overlapFaults(INSTRUCTIONS)).toEqual([]);
    expect(INSTRUCTIONS.filter(({ specialises }) => specialises !== undefined).map(({ mnemonic }) => mnemonic)).toEqual(
      ["pad", "mark"],
    );
  });

  test("do not pass with an overlap undeclared, or a declaration gone stale", () => {
    const addi = compile("addi", ["imm12 rs1 000 rd 0010011", "innocuous"]);
    const nop = ["000000000000 00000 000 00000 0010011", "innocuous"] as const;
    const slti = compile("slti", ["imm12 rs1 010 rd 0010011", "innocuous"]);
    expect(overlapFaults([addi, compile("nop", nop)])).toEqual(["addi and nop overlap", "nop and addi overlap"]);
    expect(overlapFaults([addi, compile("nop", [...nop, { specialises: "addi" }])])).toEqual([]);
    expect(overlapFaults([slti, compile("nop", [...nop, { specialises: "slti" }])])).toEqual([
      "nop is no special case of slti",
    ]);
    expect(overlapFaults([compile("nop", [...nop, { specialises: "addi" }])])).toEqual([
      "nop specialises addi, which is no row",
    ]);
  });

  test("weigh 1, and only the pad 0 (guest time rule T3)", () => {
    expect(INSTRUCTIONS.filter(({ weight }) => weight !== 1).map(({ mnemonic }) => mnemonic)).toEqual(["pad"]);
  });

  test("name as sensitive what leaves user mode or touches CSRs", () => {
    expect(
      INSTRUCTIONS.filter(({ sensitivity }) => sensitivity !== "innocuous").map(({ mnemonic }) => mnemonic),
    ).toEqual([
      "csrrw",
      "csrrs",
      "csrrc",
      "csrrwi",
      "csrrsi",
      "csrrci",
      "ecall",
      "ebreak",
      "sret",
      "mret",
      "wfi",
      "sfence.vma",
      "cbo.inval",
      "cbo.clean",
      "cbo.flush",
      "cbo.zero",
    ]);
  });
});

describe("compiling a row", () => {
  test("says which field is out of place", () => {
    expect(() => compile("bad", ["rs1 000 rd 0010011", "innocuous"])).toThrow(
      'Cannot compile bad as rs1 must start at bit 19: it starts at bit 31 of "rs1 000 rd 0010011"',
    );
  });
  test("says when bits are missing", () => {
    expect(() => compile("bad", ["imm12 rs1 000 rd 001001", "innocuous"])).toThrow(
      'Cannot compile bad as an encoding must have 32 bits: "imm12 rs1 000 rd 001001" has 31',
    );
  });
  test("says which part it does not know", () => {
    expect(() => compile("bad", ["imm13 rs1 000 rd 0010011", "innocuous"])).toThrow(
      'Cannot compile bad as a part is bits or a field\'s name: "imm13" of "imm13 rs1 000 rd 0010011"',
    );
  });
});

describe("immediates", () => {
  test("fill exactly their fields", () => {
    for (const [name, [bits]] of Object.entries(IMMEDIATES)) {
      const [high, low] = FIELDS[name as FieldName];
      const width = segments(bits, low).reduce((sum, run) => sum + run.width, 0);
      expect(width, name).toBe(high - low + 1);
    }
  });
  test("come out as they went in, sign included", () => {
    const beq = compile("beq", ["bimm12hi rs2 rs1 000 bimm12lo 1100011", "innocuous"]).immediate!;
    const jal = compile("jal", ["jimm20 rd 1101111", "innocuous"]).immediate!;
    for (const value of [0, 2, -2, 4094, -4096, 0x800, 0x7fe]) expect(gather(scatter(value, beq), beq)).toBe(value);
    for (const value of [0, 2, -2, 0xffffe, -0x100000, 0x800, 0x1000])
      expect(gather(scatter(value, jal), jal)).toBe(value);
    expect(scatter(-4096, beq) >>> 0).toBe(0x8000_0000);
    expect(scatter(0x800, beq)).toBe(0x80);
    expect(scatter(0x800, jal)).toBe(0x10_0000);
  });
});
