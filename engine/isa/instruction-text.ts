/**
 * Instructions as text to bits, by the syntax that is read off their rows.
 *
 * @module
 */
import type { Piece } from "./assemble.ts";
import { COMPRESSED_PATTERNS, encodeCompressed, expand } from "./compressed.ts";
import { csrByName } from "./csr.ts";
import { FENCE_TSO } from "./disassemble.ts";
import { encode } from "./encode.ts";
import { evaluate, type Resolve } from "./expression.ts";
import { findInstruction, type Instruction } from "./instructions.ts";
import type { Statement } from "./pseudo.ts";
import { registerNumber } from "./registers.ts";
import { compressedSyntaxOf, defaultRounding, type Operand, ROUNDING_MODES, syntaxOf } from "./syntax.ts";

type Values = Readonly<Record<string, number>>;

/** Names of registers, CSRs, modes and sets: whatever is no symbol, and so known before the labels are. */
const constantsOnly: Resolve = (symbol) => {
  throw new SymbolNeeded(symbol);
};
class SymbolNeeded extends Error {}

/**
 * @param compressible Whether to choose a 16-bit form where there is one and no symbol is needed to know.
 * @throws {SyntaxError} If there is no such instruction, or its operands are wrong.
 */
export function assembleInstruction(statement: Statement, compressible: boolean): Piece {
  const [mnemonic] = statement;
  if (mnemonic.startsWith("c."))
    return { size: 2, bytes: (resolve) => half(compressedInstruction(statement, resolve)) };
  // A mnemonic is checked before the labels are known, so that the first error of a source is reported first.
  const encoder = encoderOf(mnemonic);
  if (compressible) {
    const short = shortForm(() => encoder(statement, constantsOnly));
    if (short !== undefined) return { size: 2, bytes: () => half(short) };
  }
  return { size: 4, bytes: (resolve) => word(encoder(statement, resolve)) };
}

type Encoder = (statement: Statement, resolve: Resolve) => number;

function encoderOf(mnemonic: string): Encoder {
  if (mnemonic === "fence.tso") return () => FENCE_TSO;
  const [, base = mnemonic, order = ""] = /^((?:lr|sc|amo\w+)\.[wd])\.(aq|rl|aqrl)$/.exec(mnemonic) ?? [];
  const instruction = findInstruction(base);
  if (instruction === undefined) {
    throw new SyntaxError(`Cannot find an instruction as its mnemonic must be in the tables: "${mnemonic}"`);
  }
  const ordering = { aq: order.startsWith("aq") ? 1 : 0, rl: order.endsWith("rl") ? 1 : 0 };
  return ([, ...operands], resolve) =>
    encode(instruction, { ...ordering, ...operandsOf(instruction, operands, resolve) });
}

function operandsOf(instruction: Instruction, operands: readonly string[], resolve: Resolve): Values {
  const { mnemonic } = instruction;
  const syntax = syntaxOf(instruction);
  if (syntax.at(-1)?.kind === "rounding" && operands.length === syntax.length - 1) {
    return { ...read(mnemonic, syntax.slice(0, -1), operands, resolve), rm: defaultRounding(instruction) };
  }
  return read(mnemonic, syntax, mnemonic === "jalr" ? jalrOperands(operands) : operands, resolve);
}

/** `jalr rd, rs1` and `jalr rd, rs1, offset` are `jalr rd, offset(rs1)`. */
function jalrOperands([rd = "", rs1 = "", offset = "0", ...more]: readonly string[]): readonly string[] {
  return [rd, registerNumber("x", rs1) === undefined ? rs1 : `${offset}(${rs1})`, ...more];
}

const compressedByMnemonic = new Map(COMPRESSED_PATTERNS.map((pattern) => [pattern.mnemonic, pattern]));

function compressedInstruction([mnemonic, ...operands]: Statement, resolve: Resolve): number {
  const pattern = compressedByMnemonic.get(mnemonic);
  if (pattern === undefined) {
    throw new SyntaxError(`Cannot find an instruction as its mnemonic must be in the tables: "${mnemonic}"`);
  }
  const syntax = mnemonic === "c.nop" && operands.length === 0 ? [] : compressedSyntaxOf(pattern);
  return encodeCompressed(pattern, read(mnemonic, syntax, operands, resolve));
}

function read(mnemonic: string, syntax: readonly Operand[], texts: readonly string[], resolve: Resolve): Values {
  if (texts.length !== syntax.length) {
    throw new SyntaxError(`Cannot read ${mnemonic} as it takes ${syntax.length} operands: ${texts.length} are given`);
  }
  return Object.assign({}, ...syntax.map((operand, index) => readOperand(operand, texts[index]!, resolve)));
}

/** @returns What an operand puts into the fields that it fills. */
function readOperand(operand: Operand, text: string, resolve: Resolve): Values {
  switch (operand.kind) {
    case "x":
    case "f":
      return { [operand.name]: registerOf(operand.kind, text) };
    case "sp":
      return stackPointer(text);
    case "address":
    case "memory":
      return readAddress(operand, text, resolve);
    case "immediate":
      return { [operand.name]: small(evaluate(text, resolve)) };
    case "upper":
      return { [operand.name]: upper(evaluate(text, resolve)) };
    case "target":
      return { [operand.name]: small(BigInt.asIntN(64, evaluate(text, resolve) - resolve("."))) };
    case "csr":
      return { [operand.name]: csrByName(text)?.number ?? small(evaluate(text, resolve)) };
    case "rounding":
      return { [operand.name]: roundingMode(text) };
    case "order":
      return { [operand.name]: orderOf(text) };
  }
}

type Address = Extract<Operand, { kind: "address" | "memory" }>;

function readAddress(operand: Address, text: string, resolve: Resolve): Values {
  const [, offset = "", base] = /^(.*?)\(\s*([\w.]+)\s*\)$/s.exec(text) ?? [];
  if (base === undefined) throw new SyntaxError(`Cannot read an address as it must be offset(register): "${text}"`);
  const value = offset.trim() === "" ? 0 : small(evaluate(offset, resolve));
  const address = operand.base === "sp" ? stackPointer(base) : { [operand.base]: registerOf("x", base) };
  if (operand.kind === "memory" && operand.name !== undefined) return { ...address, [operand.name]: value };
  if (value !== 0) throw new SyntaxError(`Cannot read an address as this one takes no offset: "${text}"`);
  return address;
}

function roundingMode(text: string): number {
  const mode = ROUNDING_MODES.indexOf(text);
  if (mode < 0) {
    throw new SyntaxError(`Cannot read a rounding mode as it must be rne, rtz, rdn, rup, rmm or dyn: "${text}"`);
  }
  return mode;
}

function registerOf(file: "x" | "f", text: string): number {
  const number = registerNumber(file, text);
  if (number === undefined)
    throw new SyntaxError(`Cannot read an operand as it must be an ${file} register: "${text}"`);
  return number;
}

function stackPointer(text: string): Values {
  if (registerNumber("x", text) !== 2) throw new SyntaxError(`Cannot read an operand as it must be sp: "${text}"`);
  return {};
}

function orderOf(text: string): number {
  if (!/^(0|i?o?r?w?)$/.test(text) || text === "") {
    throw new SyntaxError(`Cannot read a fence's set as it must be some of iorw, in that order: "${text}"`);
  }
  return [..."iorw"].reduce((bits, letter, index) => bits | (text.includes(letter) ? 8 >> index : 0), 0);
}

/** A number for a field; whether it fits is the encoder's to check, so beyond 2^53 any large number will do. */
function small(value: bigint): number {
  return Number(value);
}

/** 20 bits, given unsigned or sign-extended, to the immediate that they are the upper bits of. */
function upper(value: bigint): number {
  if (value < -0x8_0000n || value > 0xf_ffffn) {
    throw new RangeError(`Cannot read an upper immediate as it is from 0 to 0xfffff: ${value}`);
  }
  return Number(BigInt.asIntN(20, value)) * 4096;
}

let shortForms: Map<number, number> | undefined;

/** The 16-bit instruction that stands for a 32-bit one, if its encoder needs no symbol. */
function shortForm(encoder: () => number): number | undefined {
  if (shortForms === undefined) {
    shortForms = new Map();
    for (let at = 0xffff; at > 0; at--) if (expand(at) !== 0) shortForms.set(expand(at), at);
    // A move is written as `addi`, but its 16-bit form stands for `add`.
    const [addi, move] = [findInstruction("addi")!, compressedByMnemonic.get("c.mv")!];
    for (let rd = 1; rd < 32; rd++) {
      for (let rs2 = 1; rs2 < 32; rs2++)
        shortForms.set(encode(addi, { rd, rs1: rs2 }), encodeCompressed(move, { rd, rs2 }));
    }
  }
  try {
    return shortForms.get(encoder());
  } catch (error) {
    if (error instanceof SymbolNeeded) return undefined;
    throw error;
  }
}

function half(value: number): Uint8Array {
  return Uint8Array.of(value, value >> 8);
}

function word(value: number): Uint8Array {
  return Uint8Array.of(value, value >> 8, value >> 16, value >> 24);
}
