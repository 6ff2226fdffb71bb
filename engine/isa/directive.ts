/**
 * The assembler's directives: data, alignment, and those that are read and ignored.
 *
 * @module
 */
import type { Piece } from "./assemble.ts";
import { evaluate, type Resolve } from "./expression.ts";
import type { Statement } from "./pseudo.ts";

export interface Place {
  readonly at: bigint;
  readonly base: bigint;
  readonly resolve: Resolve;
}

const DATA: Readonly<Record<string, number>> = {
  ".byte": 1,
  ".half": 2,
  ".2byte": 2,
  ".word": 4,
  ".4byte": 4,
  ".dword": 8,
  ".8byte": 8,
  ".quad": 8,
};

const IGNORED: ReadonlySet<string> = new Set([".option", ".globl", ".global", ".text", ".type", ".size"]);

export function isDirective([mnemonic]: Statement): boolean {
  return mnemonic.startsWith(".");
}

/** @throws {SyntaxError} If there is no such directive, or its operands are wrong. */
export function assembleDirective([directive, ...operands]: Statement, place: Place): Piece[] {
  if (IGNORED.has(directive)) return [];
  const size = DATA[directive];
  if (size !== undefined)
    return operands.map((operand) => ({ size, bytes: (resolve) => data(operand, size, resolve) }));
  switch (directive) {
    case ".align":
    case ".p2align":
      return align(2n ** count(directive, operands, place, 16n), place);
    case ".balign":
      return align(count(directive, operands, place, 1n << 16n), place);
    case ".zero":
    case ".space":
    case ".skip":
      return [zeros(Number(count(directive, operands, place, 1n << 28n)))];
    case ".org": {
      const distance = count(directive, operands, place, 1n << 28n) - (place.at - place.base);
      if (distance < 0n) throw new RangeError(`Cannot move as .org must not go back: ${distance} bytes`);
      return [zeros(Number(distance))];
    }
    case ".ascii":
    case ".asciz":
    case ".string":
      return operands.map((operand) => text(operand, directive !== ".ascii"));
    default:
      throw new SyntaxError(`Cannot read a directive as it must be one of this assembler's: "${directive}"`);
  }
}

function count(directive: string, [operand = "", ...more]: readonly string[], place: Place, most: bigint): bigint {
  const value = evaluate(operand, place.resolve);
  if (more.length > 0 || value < 0n || value > most) {
    throw new RangeError(`Cannot read ${directive} as it takes one number from 0 to ${most}: ${[operand, ...more]}`);
  }
  return value;
}

function zeros(size: number): Piece {
  return { size, bytes: () => new Uint8Array(size) };
}

/** Up to a boundary with nops, so that code may run through. */
function align(unit: bigint, { at }: Place): Piece[] {
  if (unit < 2n) return [];
  const size = Number((unit - (at % unit)) % unit);
  const bytes = new Uint8Array(size);
  const odd = size % 4;
  if (odd >= 2) bytes[odd - 2] = 0x01; // c.nop
  for (let place = odd; place < size; place += 4) bytes[place] = 0x13; // nop
  return [{ size, bytes: () => bytes }];
}

function data(operand: string, size: number, resolve: Resolve): Uint8Array {
  const value = evaluate(operand, resolve);
  const bits = BigInt(8 * size);
  if (value < -(1n << (bits - 1n)) || value >= 1n << bits) {
    throw new RangeError(`Cannot store a value as it must have ${bits} bits: ${value}`);
  }
  return Uint8Array.from({ length: size }, (_, index) => Number((value >> BigInt(8 * index)) & 0xffn));
}

const ESCAPES: Readonly<Record<string, number>> = { n: 10, t: 9, r: 13, "0": 0, "\\": 92, '"': 34 };

function text(operand: string, terminated: boolean): Piece {
  const [, body] = /^"(.*)"$/s.exec(operand) ?? [];
  if (body === undefined) throw new SyntaxError(`Cannot read a string as it must be in quotes: ${operand}`);
  const bytes: number[] = [];
  for (const [, hex, escaped, plain] of body.matchAll(/\\x([0-9a-f]{2})|\\(.)|([^\\])/gisu)) {
    if (hex !== undefined) bytes.push(Number.parseInt(hex, 16));
    else if (plain !== undefined) bytes.push(...new TextEncoder().encode(plain));
    else if (escaped !== undefined && ESCAPES[escaped] !== undefined) bytes.push(ESCAPES[escaped]);
    else throw new SyntaxError(`Cannot read a string as it has an escape that is not known: "\\${escaped}"`);
  }
  if (terminated) bytes.push(0);
  return { size: bytes.length, bytes: () => Uint8Array.from(bytes) };
}
