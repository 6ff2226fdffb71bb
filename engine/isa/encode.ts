/**
 * Encoder: from a row and its operands to bits.
 *
 * @module
 */
import type { Instruction } from "./instructions.ts";
import { FIELDS, type FieldName, IMMEDIATES, type ImmediateLayout, scatter } from "./table.ts";

/** Operands by field name, and the immediate as one number. What is left out is 0. */
export type EncodeOperands = { readonly [F in FieldName | "imm"]?: number };

/**
 * @param operands Register numbers, `aq`, `rl`, `rm` and so on, and `imm` as in `Decoded`. Fields the encoding does not have are ignored.
 * @returns The 32-bit instruction, as an unsigned number.
 * @throws {RangeError} If an operand does not fit its field.
 */
export function encode(instruction: Instruction, operands: EncodeOperands): number {
  let word = instruction.match;
  for (const field of instruction.fields) {
    const [high, low] = FIELDS[field];
    const value = operands[field];
    if (value === undefined || field in IMMEDIATES) continue;
    const most = 2 ** (high - low + 1) - 1;
    if (!Number.isInteger(value) || value < 0 || value > most) {
      throw new RangeError(`Cannot encode ${instruction.mnemonic} as ${field} is from 0 to ${most}: ${value}`);
    }
    word |= value << low;
  }
  if (instruction.immediate !== undefined) {
    const value = operands.imm ?? 0;
    checkImmediate(instruction.mnemonic, value, instruction.immediate);
    word |= scatter(value, instruction.immediate);
  }
  return word >>> 0;
}

function checkImmediate(mnemonic: string, value: number, { segments, width, signed }: ImmediateLayout): void {
  const least = signed ? -(2 ** (width - 1)) : 0;
  const most = signed ? 2 ** (width - 1) - 1 : 2 ** width - 1;
  const unit = 2 ** Math.min(...segments.map(({ bit }) => bit));
  if (!Number.isInteger(value) || value < least || value > most || value % unit !== 0) {
    const multiple = unit === 1 ? "" : `a multiple of ${unit} `;
    throw new RangeError(
      `Cannot encode ${mnemonic} as its immediate is ${multiple}from ${least} to ${most - unit + 1}: ${value}`,
    );
  }
}
