import { describe, expect, test } from "vitest";
import { COMPRESSED_PATTERNS, compileCompressed, encodeCompressed, expand, findCompressed } from "./compressed.ts";
import { disassemble } from "./disassemble.ts";

/** A 16-bit instruction and the text of what it stands for. */
const EXPANSIONS: readonly (readonly [half: number, text: string])[] = [
  [0x0001, "addi zero,zero,0"],
  [0x0048, "addi a0,sp,4"],
  [0x1fe8, "addi a0,sp,1020"],
  [0x2188, "fld fa0,0(a1)"],
  [0x41c8, "lw a0,4(a1)"],
  [0x7d88, "ld a0,56(a1)"],
  [0xa588, "fsd fa0,8(a1)"],
  [0xdde8, "sw a0,124(a1)"],
  [0xfde8, "sd a0,248(a1)"],
  [0x157d, "addi a0,a0,-1"],
  [0x2505, "addiw a0,a0,1"],
  [0x5501, "addi a0,zero,-32"],
  [0x7139, "addi sp,sp,-64"],
  [0x617d, "addi sp,sp,496"],
  [0x7579, "lui a0,0xffffe"],
  [0x657d, "lui a0,0x1f"],
  [0x9101, "srli a0,a0,32"],
  [0x957d, "srai a0,a0,63"],
  [0x997d, "andi a0,a0,-1"],
  [0x8d0d, "sub a0,a0,a1"],
  [0x8d2d, "xor a0,a0,a1"],
  [0x8d4d, "or a0,a0,a1"],
  [0x8d6d, "and a0,a0,a1"],
  [0x9d0d, "subw a0,a0,a1"],
  [0x9d2d, "addw a0,a0,a1"],
  [0xa001, "jal zero,.+0"],
  [0xbffd, "jal zero,.-2"],
  [0xc119, "beq a0,zero,.+6"],
  [0xfd7d, "bne a0,zero,.-2"],
  [0x1502, "slli a0,a0,32"],
  [0x3522, "fld fa0,40(sp)"],
  [0x40a2, "lw ra,8(sp)"],
  [0x70a2, "ld ra,40(sp)"],
  [0x8082, "jalr zero,0(ra)"],
  [0x852e, "add a0,zero,a1"],
  [0x9002, "ebreak"],
  [0x9502, "jalr ra,0(a0)"],
  [0x952e, "add a0,a0,a1"],
  [0xb42e, "fsd fa1,40(sp)"],
  [0xc42e, "sw a1,8(sp)"],
  [0xf42e, "sd a1,40(sp)"],
];

describe("a 16-bit instruction", () => {
  test.each(EXPANSIONS)("%i stands for %s", (half, text) => {
    expect(disassemble(expand(half))).toBe(text);
  });

  test("has a row for each expansion above", () => {
    const named = EXPANSIONS.map(([half]) => findCompressed(half)?.mnemonic);
    expect(new Set(named)).toEqual(new Set(COMPRESSED_PATTERNS.map(({ mnemonic }) => mnemonic)));
  });

  test.each([
    ["all zeros", 0x0000],
    ["c.addi4spn without an offset", 0x0008],
    ["c.addiw to x0", 0x2005],
    ["c.addi16sp by 0", 0x6101],
    ["c.lui of 0", 0x6501],
    ["c.lwsp to x0", 0x4002],
    ["c.ldsp to x0", 0x6002],
    ["c.jr by x0", 0x8002],
    ["quadrant 0, funct3 4", 0x8000],
    ["the fifth and sixth register operation on words", 0x9c41],
    ["the first half of a 32-bit instruction", 0x0113],
  ])("is reserved: %s", (_, half) => {
    expect(expand(half)).toBe(0);
  });

  test.each([
    ["c.nop with an immediate", 0x0005, "addi zero,zero,1"],
    ["c.addi by 0", 0x0501, "addi a0,a0,0"],
    ["c.li to x0", 0x4005, "addi zero,zero,1"],
    ["c.lui to x0", 0x6005, "lui zero,0x1"],
    ["c.slli by 0", 0x0502, "slli a0,a0,0"],
    ["c.slli of x0", 0x0006, "slli zero,zero,1"],
    ["c.mv to x0", 0x802e, "add zero,zero,a1"],
    ["c.add to x0", 0x902e, "add zero,zero,a1"],
  ])("is a HINT, and stands for one of the base: %s", (_, half, text) => {
    expect(disassemble(expand(half))).toBe(text);
  });

  // All 65,536 were compared with binutils 2.40, which differs only in taking c.addi16sp by 0 (reserved) for an instruction.
  test("expands as binutils has it, whichever of the 65,536", () => {
    let legal = 0;
    let hash = 0x811c9dc5; // FNV-1a over the expansions' bytes.
    for (let half = 0; half < 0x10000; half++) {
      const word = expand(half);
      if (word !== 0) legal++;
      for (const shift of [0, 8, 16, 24]) hash = Math.imul(hash ^ ((word >>> shift) & 0xff), 0x01000193);
    }
    expect([legal, (hash >>> 0).toString(16)]).toEqual([46_743, "479b36f3"]);
  });
});

describe("encoding a 16-bit instruction", () => {
  const pattern = (mnemonic: string) => COMPRESSED_PATTERNS.find((row) => row.mnemonic === mnemonic)!;
  test("refuses what its fields cannot hold", () => {
    expect(() => encodeCompressed(pattern("c.and"), { "rd'": 8, "rs2'": 16 })).toThrow(
      "Cannot encode c.and as rs2' is from x8 to x15: x16",
    );
    expect(() => encodeCompressed(pattern("c.lw"), { "rd'": 8, "rs1'": 8, uimm: 6 })).toThrow(
      "Cannot encode c.lw as its immediate does not fit: 6",
    );
    expect(() => encodeCompressed(pattern("c.lui"), { rd: 2, imm: 4096 })).toThrow("or those of another instruction");
    expect(() => encodeCompressed(pattern("c.lwsp"), { rd: 0, uimm: 4 })).toThrow("reserved");
  });
  test("needs 16 bits and a base instruction", () => {
    expect(() => compileCompressed("c.bad", ["000 rd 01", "addi"])).toThrow(
      'Cannot compile c.bad as a compressed encoding must have 16 bits: "000 rd 01" has 10',
    );
    expect(() => compileCompressed("c.bad", ["000 00000000000 01", "nosuch"])).toThrow(
      'Cannot compile c.bad as it must stand for an instruction of the tables: "nosuch"',
    );
  });
});
