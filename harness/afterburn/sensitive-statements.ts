/**
 * Which statements are sensitive instructions, and of which class. Nothing is known here of single instructions: a statement becomes bits by the
 * engine's own rows, and the bits are sorted as those of a running guest are. Where an operand is not known, because an argument of a macro stands
 * in its place, all that it could be is tried.
 *
 * Left out: instructions that this machine does not have (the hypervisor extension, Svinval): they are illegal here, and trap everywhere.
 *
 * @module
 */
import {
  CSRS,
  csrByName,
  decode,
  encode,
  expandPseudo,
  findInstruction,
  INSTRUCTIONS,
  type Instruction,
  PSEUDO_MNEMONICS,
  registerNumber,
  SITE_CLASSES,
  type SiteClass,
  siteClassOf,
} from "../../engine/mod.ts";
import type { AssemblyState } from "./assembly-state.ts";
import { operandsOf, type Statement } from "./statements.ts";

/** A sensitive statement, or one that may be. */
export interface Finding {
  readonly siteClass: SiteClass;
  /** What the site must have at least: the most that any of its possible classes needs. */
  readonly bytes: number;
  /** Where the mnemonic itself is a macro's argument: that argument, and the mnemonics with which the statement is a site. */
  readonly ifNamed?: { readonly argument: string; readonly mnemonics: readonly string[] };
}

/** Names that the assembler has for CSRs besides the manual's present ones. */
const FORMER_NAMES: Readonly<Record<string, string>> = {
  sptbr: "satp",
  sbadaddr: "stval",
  mbadaddr: "mtval",
  mucounteren: "mcountinhibit",
};

/** One CSR of each kind that decides about a class, and none. */
const KINDS_OF_CSRS: readonly number[] = (() => {
  const probe = findInstruction("csrrw")!;
  const kinds = new Map<string, number>();
  for (const { number } of CSRS) {
    const classes = [0, 1].flatMap((rd) => [0, 1].map((rs1) => classOfWord(encode(probe, { rd, rs1, imm: number }))));
    const reads = classOfWord(encode(findInstruction("csrrs")!, { rd: 1, imm: number }));
    kinds.set([...classes, reads].join(), number);
  }
  return [...kinds.values()];
})();

/** Whether an operand's value is not known before a macro is expanded. */
const ARGUMENT = /\\/;

function classOfWord(word: number): SiteClass | undefined {
  const decoded = decode(word);
  return decoded === undefined ? undefined : siteClassOf(decoded);
}

/**
 * @returns What a statement is, if it is a sensitive instruction, whether written as one or by `.insn`; `undecidable` for what a macro's argument
 *   decides so far that not even the place of an instruction is known; `unknown-csr` for an access to a CSR that this machine does not have.
 */
export function findingOf(
  statement: Statement,
  state: AssemblyState,
): Finding | "undecidable" | "unknown-csr" | undefined {
  const { name, rest } = statement;
  if (name === "" || state.isMacro(name)) return undefined;
  if (name.toLowerCase() === ".insn") return insnFinding(operandsOf(rest), state);
  if (name.startsWith(".") && !ARGUMENT.test(name)) return undefined;
  if (state.inBody && ARGUMENT.test(name)) return withUnknownName(name, operandsOf(rest));
  for (const [base, ...operands] of expanded(name, operandsOf(rest))) {
    const found = baseFinding(base, operands, state);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The instructions that a statement stands for. One argument of a macro may hold several operands, so their number decides only without one. */
function expanded(name: string, operands: readonly string[]): ReturnType<typeof expandPseudo> & object {
  const found = expandPseudo([name, ...operands]);
  if (found !== undefined) return found;
  if (!operands.some((operand) => ARGUMENT.test(operand))) return [[name, ...operands]];
  if (findInstruction(name) !== undefined) return [[name, ...Array.from({ length: 3 }, (_, n) => operands[n] ?? "\\")]];
  return [1, 2, 3].map((count) => ofArity(name, count)).find((statements) => statements !== undefined) ?? [];
}

/** Mnemonics that may be sensitive, as instructions and as pseudo-instructions. */
const SENSITIVE_MNEMONICS: readonly string[] = (() => {
  const rows = INSTRUCTIONS.filter((row) => row.effects.csr !== undefined || classOfWord(row.match) !== undefined);
  const names = new Set(rows.map(({ mnemonic }) => mnemonic));
  const isInnocuous = (csr: string | undefined) => csrByName(csr ?? "")?.sensitivity === "innocuous";
  const pseudo = PSEUDO_MNEMONICS.filter((name) =>
    [1, 2, 3].some((count) =>
      (ofArity(name, count) ?? []).some(([base, , csr]) => names.has(base) && !isInnocuous(csr)),
    ),
  );
  return [...new Set([...names, ...pseudo])];
})();

function ofArity(name: string, count: number): ReturnType<typeof expandPseudo> {
  return expandPseudo([name, ...Array<string>(count).fill("\\")]);
}

/** A mnemonic that is an argument, or has one in it: an access to a CSR if an operand names one; else what its name says when it is expanded. */
function withUnknownName(name: string, operands: readonly string[]): Finding | "undecidable" {
  const csr = operands.map(csrNumber).find((number) => number !== undefined);
  const accesses = INSTRUCTIONS.filter(({ effects }) => effects.csr !== undefined);
  const words = accesses.flatMap((row) => wordsOf(row, [0, 1], csr === undefined ? KINDS_OF_CSRS : [csr], [0, 1]));
  const finding = together(words.map(classOfWord));
  if (finding === undefined) return "undecidable";
  if (/^\\[\w.$@]+$/.test(name)) return { ...finding, ifNamed: { argument: name, mnemonics: SENSITIVE_MNEMONICS } };
  return csr === undefined ? "undecidable" : finding;
}

function baseFinding(
  name: string,
  operands: readonly string[],
  state: AssemblyState,
): Finding | "unknown-csr" | undefined {
  const instruction = findInstruction(name);
  if (instruction === undefined) return undefined;
  if (instruction.effects.csr === undefined) return together([classOfWord(instruction.match)]);
  const [rd = "", csr = "", source = ""] = operands;
  // The assembler takes `csrrw rd, csr, 5` for `csrrwi rd, csr, 5`.
  const isRegister = registerNumber("x", source) !== undefined || ARGUMENT.test(source);
  const row = isRegister ? instruction : (findInstruction(`${name}i`) ?? instruction);
  const numbers = csrNumbers(csr, state);
  if (numbers === undefined) return "unknown-csr";
  const target = registerNumber("x", rd);
  const value = state.valueOf(source);
  const given = registerNumber("x", source) ?? (value === undefined ? undefined : Number(BigInt.asUintN(5, value)));
  const words = wordsOf(row, target === undefined ? [0, 1] : [target], numbers, given === undefined ? [0, 1] : [given]);
  return together(words.map(classOfWord));
}

/** What a CSR operand may be: one number, one of each kind, or undefined where it is a name that nobody knows. */
function csrNumbers(text: string, state: AssemblyState): readonly number[] | undefined {
  const known = csrNumber(text) ?? state.valueOf(text);
  if (known !== undefined) return [Number(known) & 0xfff];
  return state.inBody ? KINDS_OF_CSRS : undefined;
}

function csrNumber(text: string): number | undefined {
  return csrByName(FORMER_NAMES[text] ?? text)?.number;
}

function wordsOf(
  instruction: Instruction,
  rds: readonly number[],
  csrs: readonly number[],
  sources: readonly number[],
): number[] {
  const source = instruction.effects.csr?.source === "immediate" ? "zimm5" : "rs1";
  return rds.flatMap((rd) =>
    csrs.flatMap((imm) => sources.map((value) => encode(instruction, { rd, imm, [source]: value }))),
  );
}

/** One class where all that it may be agree, and room for each where they do not. */
function together(classes: readonly (SiteClass | undefined)[]): Finding | undefined {
  const all = [...new Set(classes)];
  const sensitive = all.filter((name) => name !== undefined);
  if (sensitive.length === 0) return undefined;
  const bytes = Math.max(...sensitive.map((name) => SITE_CLASSES[name].bytes));
  return { siteClass: all.length === 1 ? sensitive[0]! : "undecided", bytes };
}

/** The opcode whose instructions may be sensitive, by the name that `.insn` has for it. */
const SYSTEM = BigInt(findInstruction("csrrw")!.match & 0x7f);

/** `.insn 0x10200073`, `.insn 4, 0x10200073`, `.insn i SYSTEM, 2, t0, x0, 0x100`, `.insn r 0x73, 0, 9, x0, x0, x0`. */
function insnFinding(operands: readonly string[], state: AssemblyState): Finding | "undecidable" | undefined {
  const [first = "", ...more] = operands;
  const [, format = "", opcode = ""] = /^([a-z]\w*)\s+(.+)$/i.exec(first) ?? [];
  if (format === "") {
    const value = state.valueOf(operands.at(-1) ?? "");
    if (value === undefined) return "undecidable";
    return value > 0xffff_ffffn ? undefined : together([classOfWord(Number(value))]);
  }
  const major = opcode.toUpperCase() === "SYSTEM" ? SYSTEM : state.valueOf(opcode);
  if (major === undefined) return /^[A-Z_]\w*$/.test(opcode) ? undefined : "undecidable";
  if (major !== SYSTEM) return undefined;
  const word = systemWord(format.toLowerCase(), more, state);
  return word === undefined ? "undecidable" : together([classOfWord(word)]);
}

function systemWord(format: string, operands: readonly string[], state: AssemblyState): number | undefined {
  const field = (text: string | undefined): number | undefined => {
    const value = registerNumber("x", text ?? "") ?? state.valueOf(text ?? "");
    return value === undefined ? undefined : Number(value);
  };
  if (format === "i") {
    const [funct3, rd, third = "", last] = operands;
    // Either `rd, rs1, simm12` or `rd, simm12(rs1)`.
    const [, offset, base] = /^(.*)\(\s*(\w+)\s*\)$/.exec(third) ?? [undefined, last, third];
    return packed([
      [field(offset === "" ? "0" : offset), 20, 0xfff],
      [field(base), 15, 31],
      [field(funct3), 12, 7],
      [field(rd), 7, 31],
    ]);
  }
  if (format === "r" && operands.length === 5) {
    const [funct3, funct7, rd, rs1, rs2] = operands.map(field);
    return packed([
      [funct7, 25, 127],
      [rs2, 20, 31],
      [rs1, 15, 31],
      [funct3, 12, 7],
      [rd, 7, 31],
    ]);
  }
  return undefined;
}

function packed(
  fields: readonly (readonly [value: number | undefined, at: number, mask: number])[],
): number | undefined {
  let word = Number(SYSTEM);
  for (const [value, at, mask] of fields) {
    if (value === undefined) return undefined;
    word |= (value & mask) << at;
  }
  return word >>> 0;
}

/** Directives that put 32-bit numbers down. */
const WORDS = new Set([".word", ".4byte", ".long", ".int"]);

/** @returns Offsets of the 32-bit numbers of a data directive that would be sensitive instructions if they were executed, with their classes. */
export function wordsThatLookSensitive(
  { name, rest }: Statement,
  state: AssemblyState,
): readonly { readonly offset: number; readonly siteClass: SiteClass }[] {
  if (!WORDS.has(name.toLowerCase())) return [];
  return operandsOf(rest).flatMap((operand, index) => {
    const value = state.valueOf(operand);
    const siteClass = value === undefined ? undefined : classOfWord(Number(BigInt.asUintN(32, value)));
    return siteClass === undefined ? [] : [{ offset: 4 * index, siteClass }];
  });
}
