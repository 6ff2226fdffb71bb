import { describe, expect, test } from "vitest";
import { assemble } from "./assemble.ts";
import { COMPRESSED_PATTERNS } from "./compressed.ts";
import { decodeAt } from "./decode.ts";
import { disassemble } from "./disassemble.ts";
import { INSTRUCTIONS } from "./instructions.ts";
import { wordsFrom } from "./random-words.ts";

const BASE = 0x8000_0000n;

/** Texts of the instructions in some bytes, targets relative. */
function listing(bytes: Uint8Array): string[] {
  const halves = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const texts: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const low = halves.getUint16(at, true);
    const full = (low & 3) === 3;
    texts.push(disassemble(full ? halves.getUint32(at, true) : low));
    at += full ? 4 : 2;
  }
  return texts;
}
const list = (source: string, compressed = false) => listing(assemble(source, { base: BASE, compressed }).bytes);
const bytesOf = (source: string) => [...assemble(source, { base: BASE }).bytes];

/** Index of the first byte that differs or that only one has, or -1. */
function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const [long, short] = a.length < b.length ? [b, a] : [a, b];
  return long.findIndex((byte, index) => byte !== short[index]);
}

/** The value that a sequence of lui, addi, addiw and slli leaves in a register. */
function valueLeft(source: string, compressed: boolean): bigint {
  const { bytes } = assemble(source, { base: BASE, compressed });
  const halves = new DataView(bytes.buffer);
  const x = new BigInt64Array(32);
  let at = 0;
  while (at < bytes.length) {
    const decoded = decodeAt(halves.getUint16(at, true), at + 2 < bytes.length ? halves.getUint16(at + 2, true) : 0)!;
    const { rd, rs1, imm } = decoded;
    const name = decoded.instruction.mnemonic;
    if (name === "lui") x[rd] = BigInt(imm);
    else if (name === "addi") x[rd] = x[rs1]! + BigInt(imm);
    else if (name === "addiw") x[rd] = BigInt.asIntN(32, x[rs1]! + BigInt(imm));
    else if (name === "slli") x[rd] = x[rs1]! << BigInt(imm);
    else throw new Error(`li used ${name}`);
    at += decoded.length;
  }
  return x[10]!;
}

describe("assembling what was disassembled", () => {
  test("gives the same bits for every row and random operands, and for random words", () => {
    const fences = Array.from({ length: 256 }, (_, sets) => 0x0000_000f | (sets << 20));
    const words = [...fences, ...wordsFrom(INSTRUCTIONS, { seed: 5, each: 20, wild: 1_000 })];
    const relative = words.map((word) => disassemble(word));
    const absolute = words.map((word, index) => disassemble(word, BASE + BigInt(4 * index)));
    const expected = new Uint8Array(Uint32Array.from(words).buffer);
    expect(firstDifference(assemble(relative.join("\n"), { base: BASE }).bytes, expected)).toBe(-1);
    expect(firstDifference(assemble(absolute.join("\n"), { base: BASE }).bytes, expected)).toBe(-1);
    const instructions = new Set(relative.map((text) => text.split(" ")[0]!.replace(/\.(aq|rl|aqrl)$/, "")));
    expect(INSTRUCTIONS.filter(({ mnemonic }) => !instructions.has(mnemonic) && mnemonic !== "fence.i")).toEqual([]);
  });

  test("gives the same bits for every fifth 16-bit instruction", () => {
    const halves = Array.from({ length: 0x10000 / 5 }, (_, index) => 5 * index).filter((half) => (half & 3) !== 3);
    halves.push(0x0001, 0x9002);
    const texts = halves.map((half) => disassemble(half));
    const { bytes } = assemble(texts.join("\n"), { base: BASE });
    expect(firstDifference(bytes, new Uint8Array(Uint16Array.from(halves).buffer))).toBe(-1);
    const mnemonics = new Set(texts.map((text) => text.split(" ")[0]));
    expect(COMPRESSED_PATTERNS.filter(({ mnemonic }) => !mnemonics.has(mnemonic))).toEqual([]);
  });

  test("keeps fence.tso, fence.i and the bits that fences ignore", () => {
    expect([0x8330000f, 0x0000100f, 0x0ff0000f, 0x0ff0008f, 0x1000100f].map((word) => disassemble(word))).toEqual([
      "fence.tso",
      "fence.i",
      "fence iorw,iorw",
      ".word 0x0ff0008f",
      ".word 0x1000100f",
    ]);
    expect(list("fence.tso; fence.i; fence w,r")).toEqual(["fence.tso", "fence.i", "fence w,r"]);
  });
});

describe("the assembler", () => {
  test("takes ABI and numeric names, and leaves out what the manual leaves out", () => {
    expect(list("add x10,fp,t6; lw a0,(sp); jalr a0,a1; jalr a0,a1,4; fadd.d f10,fa1,ft11; sfence.vma a0")).toEqual([
      "add a0,s0,t6",
      "lw a0,0(sp)",
      "jalr a0,0(a1)",
      "jalr a0,4(a1)",
      "fadd.d fa0,fa1,ft11",
      "sfence.vma a0,zero",
    ]);
  });

  test("writes rounding modes only where they are not the usual one", () => {
    expect(list("fcvt.w.d a0,fa0,rtz; fadd.s fa0,fa0,fa0,dyn; fcvt.d.w fa0,a0; fcvt.d.w fa0,a0,rtz")).toEqual([
      "fcvt.w.d a0,fa0,rtz",
      "fadd.s fa0,fa0,fa0",
      "fcvt.d.w fa0,a0",
      "fcvt.d.w fa0,a0,rtz",
    ]);
  });

  test("takes aq and rl", () => {
    expect(list("lr.w.aq a0,(a1); sc.d.rl a0,a2,(a1); amoadd.w.aqrl a0,a2,(a1); amoor.d a0,a2,0(a1)")).toEqual([
      "lr.w.aq a0,(a1)",
      "sc.d.rl a0,a2,(a1)",
      "amoadd.w.aqrl a0,a2,(a1)",
      "amoor.d a0,a2,(a1)",
    ]);
  });

  test("knows CSRs by name and by number", () => {
    expect(list("csrr a0,mhartid; csrw 0x7c0,a1; csrci sstatus,2; rdtime a2; fsrm a0,a1")).toEqual([
      "csrrs a0,mhartid,zero",
      "csrrw zero,0x7c0,a1",
      "csrrci zero,sstatus,2",
      "csrrs a2,time,zero",
      "csrrw a0,frm,a1",
    ]);
  });

  test("resolves labels in both directions, and numeric ones to the nearest", () => {
    const source = `
      start: beqz a0, end     # forward
      1:     addi a0, a0, -1
             bnez a0, 1b
             j 1f
      1: 2:  j 1b
      end:   j start`;
    expect(list(source)).toEqual([
      "beq a0,zero,.+20",
      "addi a0,a0,-1",
      "bne a0,zero,.-4",
      "jal zero,.+4",
      "jal zero,.+0",
      "jal zero,.-20",
    ]);
    expect(list("1: j 1f; 1: nop")).toEqual(["jal zero,.+4", "addi zero,zero,0"]);
    expect(assemble(source, { base: BASE }).labels).toEqual(
      new Map([
        ["start", BASE],
        ["end", BASE + 20n],
      ]),
    );
  });

  test("makes addresses with la and call, relative to pc", () => {
    expect(list("near: la a0,near; call near; tail near; la a1,near+0x7ffff000")).toEqual([
      "auipc a0,0x0",
      "addi a0,a0,0",
      "auipc ra,0x0",
      "jalr ra,-8(ra)",
      "auipc t1,0x0",
      "jalr zero,-16(t1)",
      "auipc a1,0x7ffff",
      "addi a1,a1,-24",
    ]);
  });

  test("loads any 64-bit number with li", () => {
    const numbers = [
      0n,
      1n,
      -1n,
      2047n,
      2048n,
      -2048n,
      -2049n,
      0x7fff_ffffn,
      0x8000_0000n,
      0xffff_ffffn,
      2n ** 63n - 1n,
    ];
    for (let bit = 11n; bit < 64n; bit++) numbers.push(1n << bit, (1n << bit) - 1n, -(1n << bit), (1n << bit) + 0x800n);
    for (
      let round = 0n, word = 1n;
      round < 200n;
      round++, word = BigInt.asUintN(64, word * 6364136223846793005n + round)
    ) {
      numbers.push(word);
    }
    const range = numbers.filter((number) => number < 2n ** 64n);
    for (const compressed of [false, true]) {
      expect(range.map((number) => valueLeft(`li a0, ${number}`, compressed))).toEqual(
        range.map((number) => BigInt.asIntN(64, number)),
      );
    }
    expect(list("li a0, 5")).toEqual(["addi a0,zero,5"]);
    expect(list("li a0, 1<<63")).toEqual(["addi a0,zero,-1", "slli a0,a0,63"]);
  });

  test("calculates", () => {
    expect(bytesOf(".byte 1+2*3, (1+2)*3, 1<<4|1, 0xff&~0xf0, 'a', '\\n', -1, 0b101, 7-2-1, 6^3")).toEqual([
      7, 9, 17, 15, 97, 10, 255, 5, 4, 5,
    ]);
    expect(bytesOf(".equ size, 3*4\n.byte size, size-1, there-here\nhere: .zero 5\nthere:")).toEqual([
      12, 11, 5, 0, 0, 0, 0, 0,
    ]);
  });

  test("lays out data", () => {
    expect(
      bytesOf('.half 0x1234; .word -2; .dword here; here: .asciz "a;#\\n\\x41"; .ascii "b"; .org 24; .byte 1'),
    ).toEqual([0x34, 0x12, 0xfe, 0xff, 0xff, 0xff, 14, 0, 0, 0x80, 0, 0, 0, 0, 97, 59, 35, 10, 65, 0, 98, 0, 0, 0, 1]);
  });

  test("aligns with nops that code may run through", () => {
    expect(bytesOf(".byte 1; .align 3")).toEqual([1, 0, 1, 0, 0x13, 0, 0, 0]);
    expect(list("nop; .align 2; ret; .balign 1")).toEqual(["addi zero,zero,0", "jalr zero,0(ra)"]);
    expect(list("c.nop; .align 3; .option norvc; ret")).toEqual([
      "c.nop",
      "c.nop",
      "addi zero,zero,0",
      "jalr zero,0(ra)",
    ]);
  });

  test("takes 16-bit forms when asked to, where no symbol decides", () => {
    expect(list("x: addi a0,a0,1; mv a0,a1; add a0,a1,a2; ld a0,8(sp); j x; ret", true)).toEqual([
      "c.addi a0,1",
      "c.mv a0,a1",
      "add a0,a1,a2",
      "c.ldsp a0,8(sp)",
      "jal zero,.-10",
      "c.jr ra",
    ]);
  });

  test.each([
    ["nop\nfoo a0", 'Cannot assemble line 2 as its mnemonic must be in the tables: "foo", in "foo a0"'],
    ["addi a0,a0,5000", 'Cannot assemble line 1 as its immediate is from -2048 to 2047: 5000, in "addi a0,a0,5000"'],
    ["beq a0,a1,nowhere", 'Cannot assemble line 1 as its symbol must be defined: "nowhere", in "beq a0,a1,nowhere"'],
    ["j 1b", 'Cannot assemble line 1 as its symbol must be defined: "1b", in "j 1b"'],
    ["add a0,a1", 'Cannot assemble line 1 as it takes 3 operands: 2 are given, in "add a0,a1"'],
    ["lw a0,a1", 'Cannot assemble line 1 as it must be offset(register): "a1", in "lw a0,a1"'],
    ["add a0,a1,fa0", 'Cannot assemble line 1 as it must be an x register: "fa0", in "add a0,a1,fa0"'],
    ["lr.w a0,4(a1)", 'Cannot assemble line 1 as this one takes no offset: "4(a1)", in "lr.w a0,4(a1)"'],
    ["c.addi16sp a0,16", 'Cannot assemble line 1 as it must be sp: "a0", in "c.addi16sp a0,16"'],
    ["c.foo", 'Cannot assemble line 1 as its mnemonic must be in the tables: "c.foo", in "c.foo"'],
    ["fence wr,w", 'Cannot assemble line 1 as it must be some of iorw, in that order: "wr", in "fence wr,w"'],
    ["lui a0,0x100000", 'Cannot assemble line 1 as it is from 0 to 0xfffff: 1048576, in "lui a0,0x100000"'],
    [
      "fadd.s fa0,fa0,fa1,up",
      'Cannot assemble line 1 as it must be rne, rtz, rdn, rup, rmm or dyn: "up", in "fadd.s fa0,fa0,fa1,up"',
    ],
    [
      "j 0x7",
      'Cannot assemble line 1 as its immediate is a multiple of 2 from -1048576 to 1048574: -2147483641, in "j 0x7"',
    ],
    ["lw a0,1+(a1)", 'Cannot assemble line 1 as it must be a number or an expression: "1+", in "lw a0,1+(a1)"'],
    ["li a0", 'Cannot assemble line 1 as its operands are a register and a value, in "li a0"'],
    ["li a0,1<<64", 'Cannot assemble line 1 as its value must have 64 bits: 18446744073709551616, in "li a0,1<<64"'],
    ["la a0,1<<33", 'Cannot assemble line 1 as its upper part has 20 bits: 0x180000000, in "la a0,1<<33"'],
    ["x: x: nop", 'Cannot assemble line 1 as its name must be new: "x", in "x: x: nop"'],
    [".byte 256", 'Cannot assemble line 1 as it must have 8 bits: 256, in ".byte 256"'],
    [".foo 1", 'Cannot assemble line 1 as it must be one of this assembler\'s: ".foo", in ".foo 1"'],
    [".zero -1", 'Cannot assemble line 1 as it takes one number from 0 to 268435456: -1, in ".zero -1"'],
    [".zero 4; .org 2", 'Cannot assemble line 1 as .org must not go back: -2 bytes, in ".org 2"'],
    [".ascii hello", 'Cannot assemble line 1 as it must be in quotes: hello, in ".ascii hello"'],
    ['.ascii "\\q"', 'Cannot assemble line 1 as it has an escape that is not known: "\\q", in ".ascii "\\q""'],
  ])("says of %j what is wrong and where", (source, message) => {
    expect(() => assemble(source, { base: BASE })).toThrow(new SyntaxError(message));
  });
});
