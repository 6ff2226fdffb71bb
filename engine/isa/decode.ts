/**
 * Decoder: from bits to a row and its operands.
 *
 * @module
 */
import { expand } from "./compressed.ts";
import { INSTRUCTIONS, type Instruction } from "./instructions.ts";
import { gather } from "./table.ts";

/** An instruction with its operands. A field that its encoding does not have is 0. */
export interface Decoded {
  readonly instruction: Instruction;
  /** Register numbers; of x or f registers, as the row says. A `zimm5` stands in `rs1`. */
  readonly rd: number;
  readonly rs1: number;
  readonly rs2: number;
  readonly rs3: number;
  /** Rounding mode, 7 for that of frm. */
  readonly rm: number;
  /** The immediate as a signed 32-bit number: that of `lui` and `auipc` with its low 12 bits zero, a shift count, or a CSR's number. */
  readonly imm: number;
  /** Bytes. */
  readonly length: 2 | 4;
}

/** What the rows that share an opcode, funct3 and the top seven bits have in their `fields`, worked out once. */
interface Candidate {
  readonly instruction: Instruction;
  readonly rd: boolean;
  readonly rs1: boolean;
  readonly rs2: boolean;
  readonly rs3: boolean;
  readonly rm: boolean;
}

const CANDIDATES: readonly Candidate[] = INSTRUCTIONS.map((instruction) => {
  const has = (...names: string[]) => instruction.fields.some((field) => names.includes(field));
  return { instruction, rd: has("rd"), rs1: has("rs1", "zimm5"), rs2: has("rs2"), rs3: has("rs3"), rm: has("rm") };
}).sort((a, b) => bitCount(b.instruction.mask) - bitCount(a.instruction.mask)); // A row that specialises another comes first.

function bitCount(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}

// Bits 6:0, 14:12 and 31:25 tell most rows apart. A list is made when it is first looked for.
const KEY = 0xfe00_707f;
const buckets: (readonly Candidate[] | undefined)[] = new Array(1 << 15);

function bucket(word: number): readonly Candidate[] {
  const key = ((word >>> 2) & 0x1f) | ((word >>> 7) & 0xe0) | ((word >>> 17) & 0x7f00);
  const known = buckets[key];
  if (known !== undefined) return known;
  const found = CANDIDATES.filter(({ instruction: { mask, match } }) => ((word ^ match) & mask & KEY) === 0);
  buckets[key] = found;
  return found;
}

/**
 * @param word A 32-bit instruction.
 * @returns What it is, or undefined for an illegal instruction: one without a row, or with a reserved rounding mode (5 or 6).
 */
export function decode(word: number): Decoded | undefined {
  return (word & 3) === 3 ? decodeAs(word, 4) : undefined;
}

/**
 * @param low The 16 bits at pc.
 * @param high The 16 bits behind them; any number if `low` is a compressed instruction.
 */
export function decodeAt(low: number, high: number): Decoded | undefined {
  if ((low & 3) === 3) return decodeAs((low & 0xffff) | (high << 16), 4);
  const word = expand(low);
  return word === 0 ? undefined : decodeAs(word, 2);
}

/** {@link decodeAt}, or that of a machine with fewer extensions. */
export type DecodeAt = (low: number, high: number) => Decoded | undefined;

/**
 * @param extensions Names as in an ISA string.
 * @returns {@link decodeAt} for a machine that has these extensions alone: what belongs to others is illegal there.
 */
export function decoderFor(extensions: readonly string[]): DecodeAt {
  const has = INSTRUCTIONS.map(({ extension }) => extensions.includes(extension));
  if (has.every((present) => present)) return decodeAt;
  return (low, high) => {
    const decoded = decodeAt(low, high);
    return decoded !== undefined && has[decoded.instruction.op - 1] === true ? decoded : undefined;
  };
}

function decodeAs(word: number, length: 2 | 4): Decoded | undefined {
  for (const { instruction, rd, rs1, rs2, rs3, rm } of bucket(word)) {
    if (((word ^ instruction.match) & instruction.mask) !== 0) continue;
    const rounding = rm ? (word >>> 12) & 7 : 0;
    if (rounding === 5 || rounding === 6) return undefined;
    return {
      instruction,
      rd: rd ? (word >>> 7) & 31 : 0,
      rs1: rs1 ? (word >>> 15) & 31 : 0,
      rs2: rs2 ? (word >>> 20) & 31 : 0,
      rs3: rs3 ? word >>> 27 : 0,
      rm: rounding,
      imm: instruction.immediate === undefined ? 0 : gather(word, instruction.immediate),
      length,
    };
  }
  return undefined;
}
