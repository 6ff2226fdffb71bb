/**
 * Assembler, for tests, firmware stubs and patched code: the GNU assembler's syntax for one section at a known address.
 *
 * Left out: sections, macros, relaxation, symbol visibility (`.globl` and `.option` are read and ignored).
 * Source: The RISC-V Assembly Programmer's Manual.
 *
 * @module
 */
import { assembleDirective, isDirective } from "./directive.ts";
import { evaluate, type Resolve } from "./expression.ts";
import { assembleInstruction } from "./instruction-text.ts";
import { expandPseudo, loadImmediate, type Statement } from "./pseudo.ts";

export interface AssembleOptions {
  /** The address of the first byte. */
  readonly base: bigint;
  /** Whether instructions without symbols take their 16-bit form where they have one. Default: only those written `c.*` do. */
  readonly compressed?: boolean;
}

export interface Assembly {
  readonly bytes: Uint8Array;
  /** Labels and `.equ` symbols by name; numeric local labels are not in it. */
  readonly labels: Map<string, bigint>;
}

/** What stands at an address. Its size is known when it is read, its bytes when all labels are. */
export interface Piece {
  readonly size: number;
  readonly bytes: (resolve: Resolve) => Uint8Array;
}

interface Placed extends Piece {
  readonly at: bigint;
  readonly line: number;
  readonly text: string;
}

/**
 * Assembles a source text.
 *
 * @param source Lines of `label: instruction # comment`; `;` separates statements on a line.
 * @returns The bytes from `base` on, and where the labels are.
 * @throws {SyntaxError} If a line is no statement or an operand does not fit: the message names line and rule.
 *
 * @example Five, doubled
 * ```ts
 * const { bytes } = assemble("li a0, 5; slli a0, a0, 1; ret", { base: 0x8000_0000n });
 * ```
 */
export function assemble(source: string, { base, compressed = false }: AssembleOptions): Assembly {
  const labels = new Map<string, bigint>();
  const local: { readonly name: string; readonly at: bigint; readonly order: number }[] = [];
  const placed: Placed[] = [];
  let at = base;

  const resolverAt = (here: bigint, order: number): Resolve => {
    return (symbol) => {
      if (symbol === ".") return here;
      const [, name, direction] = /^(\d+)([bf])$/.exec(symbol) ?? [];
      const sameName = local.filter((label) => label.name === name);
      const value =
        name === undefined
          ? labels.get(symbol)
          : direction === "b"
            ? sameName.findLast((label) => label.order <= order)?.at
            : sameName.find((label) => label.order > order)?.at;
      if (value === undefined)
        throw new SyntaxError(`Cannot evaluate a value as its symbol must be defined: "${symbol}"`);
      return value;
    };
  };

  const place = (piece: Piece, line: number, text: string) => {
    placed.push({ ...piece, at, line, text });
    at += BigInt(piece.size);
  };

  for (const [index, whole] of source.split("\n").entries()) {
    const line = index + 1;
    for (const text of statementsOf(whole)) {
      attempt(line, text, () => {
        const [, names = "", rest = ""] = /^((?:[\w.$]+:\s*)*)(.*)$/s.exec(text) ?? [];
        for (const [, name = ""] of names.matchAll(/([\w.$]+):/g)) {
          if (/^\d+$/.test(name)) local.push({ name, at, order: placed.length });
          else if (labels.has(name)) throw new SyntaxError(`Cannot define a label as its name must be new: "${name}"`);
          else labels.set(name, at);
        }
        if (rest === "") return;
        const statement = parse(rest);
        // A forward reference is `order > here`, so a label in front of the next statement has to come after this one.
        const now = resolverAt(at, placed.length);
        if (isDirective(statement)) {
          const [directive, name, value] = statement;
          if (directive === ".equ" || directive === ".set") labels.set(name ?? "", evaluate(value ?? "", now));
          else for (const piece of assembleDirective(statement, { at, base, resolve: now })) place(piece, line, rest);
        } else {
          for (const instruction of instructionsOf(statement, now)) {
            place(assembleInstruction(instruction, compressed), line, rest);
          }
        }
      });
    }
  }

  const bytes = new Uint8Array(Number(at - base));
  for (const [order, piece] of placed.entries()) {
    attempt(piece.line, piece.text, () => bytes.set(piece.bytes(resolverAt(piece.at, order)), Number(piece.at - base)));
  }
  return { bytes, labels };
}

function instructionsOf(statement: Statement, resolve: Resolve): readonly Statement[] {
  const [mnemonic, rd, value] = statement;
  if (mnemonic !== "li") return expandPseudo(statement) ?? [statement];
  if (rd === undefined || value === undefined || statement.length > 3) {
    throw new SyntaxError("Cannot expand li as its operands are a register and a value");
  }
  const number = evaluate(value, resolve);
  if (number < -(2n ** 63n) || number >= 2n ** 64n) {
    throw new RangeError(`Cannot expand li as its value must have 64 bits: ${number}`);
  }
  return loadImmediate(rd, number);
}

/** Statements of a line, without comments; quotes protect `#` and `;`. */
function statementsOf(line: string): string[] {
  const parts = line.match(/"(?:\\.|[^"\\])*"|'(?:\\.|[^\\])'|#.*|\/\/.*|;|[^"'#;/]+|./gs) ?? [];
  const statements = [""];
  for (const part of parts) {
    if (part === ";") statements.push("");
    else if (!/^(#|\/\/)/.test(part)) statements[statements.length - 1] += part;
  }
  return statements.map((statement) => statement.trim()).filter((statement) => statement !== "");
}

/** Splits a statement at its commas, those inside of quotes excepted. */
function parse(text: string): Statement {
  const [, mnemonic = "", rest = ""] = /^(\S+)\s*(.*)$/s.exec(text) ?? [];
  const operands = rest === "" ? [] : (rest.match(/(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^\\])'|[^,"'])+/g) ?? []);
  return [mnemonic.toLowerCase(), ...operands.map((operand) => operand.trim())];
}

function attempt(line: number, text: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
    const reason = error.message.replace(/^Cannot .*? as /, "");
    throw new SyntaxError(`Cannot assemble line ${line} as ${reason}, in "${text}"`, { cause: error });
  }
}
