import { describe, expect, test } from "vitest";
import { decode, decodeAt } from "./decode.ts";
import { encode } from "./encode.ts";
import { findInstruction, INSTRUCTIONS } from "./instructions.ts";
import { wordsFrom } from "./random-words.ts";

const mnemonicOf = (word: number) => decode(word)?.instruction.mnemonic;

describe("decoding a 32-bit instruction", () => {
  test("gives its operands", () => {
    expect(decode(0xfe010113)).toMatchObject({ rd: 2, rs1: 2, imm: -32, length: 4 });
    expect(decode(0x123452b7)).toMatchObject({ rd: 5, rs1: 0, imm: 0x12345000 });
    expect(decode(0xfffff2b7)).toMatchObject({ rd: 5, imm: -4096 });
    expect(decode(0xfea42e23)).toMatchObject({ rd: 0, rs1: 8, rs2: 10, imm: -4 });
    expect(decode(0xfe0008e3)).toMatchObject({ rd: 0, rs1: 0, rs2: 0, imm: -16 });
    expect(decode(0x14102573)).toMatchObject({ rd: 10, rs1: 0, imm: 0x141 });
    expect(decode(0xf142d573)).toMatchObject({ rd: 10, rs1: 5, imm: 0xf14 });
    expect(decode(0x6ac5f543)).toMatchObject({ rd: 10, rs1: 11, rs2: 12, rs3: 13, rm: 7 });
    expect(decode(0x43f5d593)).toMatchObject({ rd: 11, rs1: 11, imm: 63 });
  });

  test("tells a row from the one it specialises by the row's own bits alone", () => {
    expect(mnemonicOf(0x5a503013)).toBe("pad");
    expect(mnemonicOf(0x5a603013)).toBe("sltiu");
    expect(mnemonicOf(0x5a503093)).toBe("sltiu");
    expect(mnemonicOf(0x5a50b013)).toBe("sltiu");
    expect(mnemonicOf(0x00702013)).toBe("mark");
    expect(decode(0x00702013)?.imm).toBe(7);
    expect(mnemonicOf(0x0070a013)).toBe("slti");
    expect(mnemonicOf(0x00702093)).toBe("slti");
  });

  test("refuses reserved rounding modes, and knows the others", () => {
    const fadd = findInstruction("fadd.d")!;
    const known = [0, 1, 2, 3, 4, 5, 6, 7].filter((rm) => decode(encode(fadd, { rm })) !== undefined);
    expect(known).toEqual([0, 1, 2, 3, 4, 7]);
  });

  test("refuses what has no row", () => {
    expect(
      [0x00000003 | (7 << 12), 0xffffffff, 0x0000000b, 0x02001013 | (1 << 26), 0x30200077].map(mnemonicOf),
    ).toEqual(Array(5).fill(undefined));
    expect(decode(0x00008082)).toBeUndefined();
  });

  test("finds the row that a search of all rows finds, whatever the word", () => {
    const search = (word: number) => {
      const matching = INSTRUCTIONS.filter(({ match, mask }) => ((word ^ match) & mask) === 0);
      const special = matching.find(({ specialises }) => specialises !== undefined) ?? matching[0];
      const reserved = special?.fields.includes("rm") && [5, 6].includes((word >>> 12) & 7);
      return reserved ? undefined : special?.mnemonic;
    };
    const words = [...wordsFrom(INSTRUCTIONS, { seed: 11, each: 20, wild: 10_000 })];
    expect(words.filter((word) => mnemonicOf(word) !== search(word))).toEqual([]);
    const found = new Set(words.map(mnemonicOf));
    expect(INSTRUCTIONS.filter(({ mnemonic }) => !found.has(mnemonic))).toEqual([]);
  });

  test("and encoding its operands again gives the same bits", () => {
    for (const instruction of INSTRUCTIONS) {
      for (const word of wordsFrom([instruction], { seed: instruction.op, each: 20, wild: 0 })) {
        const decoded = decode(word);
        if (decoded === undefined || decoded.instruction !== instruction || instruction.fields.includes("pred"))
          continue;
        const { rd, rs1, rs2, rs3, rm, imm } = decoded;
        const order = instruction.fields.includes("aq") ? { aq: (word >>> 26) & 1, rl: (word >>> 25) & 1 } : {};
        expect(encode(instruction, { rd, rs1, zimm5: rs1, rs2, rs3, rm, imm, ...order }), instruction.mnemonic).toBe(
          word,
        );
      }
    }
  });
});

describe("decoding at an address", () => {
  test("takes two bytes or four, as the low bits say", () => {
    expect(decodeAt(0x8082, 0xffff)).toMatchObject({ rd: 0, rs1: 1, imm: 0, length: 2 });
    expect(decodeAt(0x8082, 0xffff)?.instruction.mnemonic).toBe("jalr");
    expect(decodeAt(0x0113, 0xfe01)).toMatchObject({ rd: 2, rs1: 2, imm: -32, length: 4 });
    expect(decodeAt(0x0000, 0x0000)).toBeUndefined();
  });
});

describe("encoding", () => {
  test("refuses operands that do not fit, and names the rule", () => {
    expect(() => encode(findInstruction("addi")!, { imm: 2048 })).toThrow(
      "Cannot encode addi as its immediate is from -2048 to 2047: 2048",
    );
    expect(() => encode(findInstruction("addi")!, { imm: -2049 })).toThrow("from -2048 to 2047: -2049");
    expect(() => encode(findInstruction("slli")!, { imm: -1 })).toThrow("from 0 to 63: -1");
    expect(() => encode(findInstruction("beq")!, { imm: 3 })).toThrow(
      "Cannot encode beq as its immediate is a multiple of 2 from -4096 to 4094: 3",
    );
    expect(() => encode(findInstruction("slliw")!, { imm: 32 })).toThrow("from 0 to 31: 32");
    expect(() => encode(findInstruction("add")!, { rd: 32 })).toThrow("Cannot encode add as rd is from 0 to 31: 32");
  });
});
