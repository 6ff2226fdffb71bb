/**
 * One table is the ISA: decoder, assembler, disassembler, the list of sensitive instructions and every tier of the hart are read off
 * the same rows. A row is an encoding as the manual draws it, a Popek-Goldberg class, and (beside it) a semantics function.
 *
 * Source: field names and places are those of riscv-opcodes (`arg_lut.csv`), the immediates' bit orders those of The RISC-V
 * Instruction Set Manual, Volume I, "Immediate Encoding Variants".
 *
 * @module
 */
import type { Emit, ImmediateField, RegisterField, RoundingField } from "./emit.ts";

/** Field name to [most, least] significant bit in a 32-bit instruction word. */
export const FIELDS = {
  rd: [11, 7],
  rs1: [19, 15],
  rs2: [24, 20],
  rs3: [31, 27],
  rm: [14, 12],
  imm12: [31, 20],
  imm12hi: [31, 25],
  imm12lo: [11, 7],
  bimm12hi: [31, 25],
  bimm12lo: [11, 7],
  jimm20: [31, 12],
  imm20: [31, 12],
  shamtd: [25, 20],
  shamtw: [24, 20],
  csr: [31, 20],
  zimm5: [19, 15],
  aq: [26, 26],
  rl: [25, 25],
  fm: [31, 28],
  pred: [27, 24],
  succ: [23, 20],
} as const satisfies Readonly<Record<string, readonly [number, number]>>;

export type FieldName = keyof typeof FIELDS;

/** Which bits of the immediate a field holds, most significant first, as the manual's figures write them; and whether the whole is sign-extended. */
export const IMMEDIATES = {
  imm12: ["11:0", "signed"],
  imm12hi: ["11:5", "signed"],
  imm12lo: ["4:0", "signed"],
  bimm12hi: ["12|10:5", "signed"],
  bimm12lo: ["4:1|11", "signed"],
  jimm20: ["20|10:1|11|19:12", "signed"],
  imm20: ["31:12", "signed"],
  shamtd: ["5:0", "unsigned"],
  shamtw: ["4:0", "unsigned"],
  csr: ["11:0", "unsigned"],
} as const satisfies Partial<Record<FieldName, readonly [bits: string, sign: "signed" | "unsigned"]>>;

export type ImmediateName = keyof typeof IMMEDIATES;
export type RegisterName = RegisterField["slot"];

type Words<S extends string> = S extends `${infer Head} ${infer Tail}` ? Head | Words<Tail> : S;
/** The fields that an encoding string names: `"imm12 rs1 000 rd 0010011"` has `imm12`, `rs1` and `rd`. */
export type FieldsOf<Encoding extends string> = Extract<Words<Encoding>, FieldName>;

type OperandOf<F> = F extends RegisterName | "rm" ? F : F extends ImmediateName ? "imm" : never;
/** What a semantics function is given: register fields and `rm` by name, and whatever makes up the immediate (or CSR number) as one `imm`. */
export type OperandsOf<Encoding extends string> = {
  readonly [K in OperandOf<FieldsOf<Encoding>>]: K extends "imm"
    ? ImmediateField
    : K extends "rm"
      ? RoundingField
      : RegisterField;
};

/**
 * Whether running an instruction deprivileged tells the guest so (behaviour) or lets it touch the machine (control), as Popek and
 * Goldberg (1974) define it; `by-csr` where that depends on the CSR named.
 */
export type Sensitivity = "innocuous" | "control" | "behaviour" | "by-csr";

export interface RowOptions {
  /** Steps that one run of it counts: 0 only for the pad (guest time rule T3). */
  readonly weight?: 0 | 1;
  /** The mnemonic of the row of which this one takes some of the code points. Any other overlap of rows is an error. */
  readonly specialises?: string;
}

/** One instruction: its encoding, most significant bit first, and its sensitivity. */
export type Row<E extends string = string> = readonly [encoding: E, sensitivity: Sensitivity, options?: RowOptions];

export type Table = Readonly<Record<string, Row>>;

/** One function per row: a missing mnemonic, or an operand its encoding does not have, does not compile. */
export type Semantics<T extends Table> = {
  readonly [M in keyof T]: <V>(field: OperandsOf<T[M][0]>, e: Emit<V>) => void;
};

/** A run of bits that an immediate and an instruction have in common. */
export interface Segment {
  /** Least significant bit in the instruction. */
  readonly at: number;
  /** Least significant bit in the immediate. */
  readonly bit: number;
  readonly width: number;
}

/** How an instruction spells its immediate. */
export interface ImmediateLayout {
  readonly segments: readonly Segment[];
  /** Bits from the most significant that is held down to bit 0. */
  readonly width: number;
  readonly signed: boolean;
}

/** An encoding made ready for the decoder. */
export interface Pattern {
  readonly mnemonic: string;
  readonly mask: number;
  readonly match: number;
  readonly fields: readonly FieldName[];
  readonly immediate: ImmediateLayout | undefined;
  readonly sensitivity: Sensitivity;
  readonly weight: 0 | 1;
  readonly specialises: string | undefined;
}

/**
 * Reads a bit order as the manual writes it.
 *
 * @param bits For example `"12|10:5"`: seven bits, of which the first is bit 12.
 * @param at The least significant bit of the field that holds them.
 * @returns The runs of bits, least significant in the instruction last.
 */
export function segments(bits: string, at: number): Segment[] {
  const found: Segment[] = [];
  let place = at;
  for (const run of bits.split("|").reverse()) {
    const [high = "", low = high] = run.split(":");
    const width = Number(high) - Number(low) + 1;
    found.unshift({ at: place, bit: Number(low), width });
    place += width;
  }
  return found;
}

/** @throws {RangeError} If the encoding's parts do not add up to 32 bits or a field is out of place. */
export function compile(mnemonic: string, [encoding, sensitivity, options = {}]: Row): Pattern {
  let mask = 0;
  let match = 0;
  let bit = 32;
  const fields: FieldName[] = [];
  for (const part of encoding.split(" ")) {
    if (part in FIELDS) {
      const field = part as FieldName;
      const [high, low] = FIELDS[field];
      if (high !== bit - 1) {
        throw new RangeError(
          `Cannot compile ${mnemonic} as ${part} must start at bit ${high}: it starts at bit ${bit - 1} of "${encoding}"`,
        );
      }
      fields.push(field);
      bit = low;
    } else if (/^[01]+$/.test(part)) {
      bit -= part.length;
      match |= Number.parseInt(part, 2) << bit;
      mask |= (2 ** part.length - 1) << bit;
    } else {
      throw new RangeError(
        `Cannot compile ${mnemonic} as a part is bits or a field's name: "${part}" of "${encoding}"`,
      );
    }
  }
  if (bit !== 0) {
    throw new RangeError(`Cannot compile ${mnemonic} as an encoding must have 32 bits: "${encoding}" has ${32 - bit}`);
  }
  return {
    mnemonic,
    mask: mask >>> 0,
    match: match >>> 0,
    fields,
    immediate: layout(fields),
    sensitivity,
    weight: options.weight ?? 1,
    specialises: options.specialises,
  };
}

function layout(fields: readonly FieldName[]): ImmediateLayout | undefined {
  const parts = fields.filter((field): field is FieldName & ImmediateName => field in IMMEDIATES);
  if (parts.length === 0) return undefined;
  const runs = parts.flatMap((field) => segments(IMMEDIATES[field][0], FIELDS[field][1]));
  const width = Math.max(...runs.map(({ bit, width }) => bit + width));
  return { segments: runs, width, signed: parts.every((field) => IMMEDIATES[field][1] === "signed") };
}

/** @returns The immediate that an instruction holds, as a signed 32-bit number. */
export function gather(word: number, { segments, width, signed }: ImmediateLayout): number {
  let value = 0;
  for (const run of segments) value |= ((word >>> run.at) & (2 ** run.width - 1)) << run.bit;
  return signed ? (value << (32 - width)) >> (32 - width) : value;
}

/** @returns The instruction's bits that hold an immediate; bits of it beyond the layout are dropped. */
export function scatter(value: number, { segments }: ImmediateLayout): number {
  let word = 0;
  for (const run of segments) word |= ((value >>> run.bit) & (2 ** run.width - 1)) << run.at;
  return word;
}
