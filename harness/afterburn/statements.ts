/**
 * The GNU assembler's surface for RISC-V: from a source text to its statements, each with its place in the text, so that a change is made by
 * inserting text and what is not changed stays byte for byte.
 *
 * Comments are `#` to the end of the line and `/*` blocks. `//` begins none: on RISC-V only the C preprocessor knows it, and has removed it.
 * Statements end at a newline or `;`, labels at `:`; strings and characters protect all of these.
 *
 * Left out: the `#NO_APP` form, in which the assembler takes a compiler's output without looking for comments: it is read like any other.
 * Source: Using as (binutils 2.40), "Syntax" and "RISC-V-Directives"; its character classes are those of `gas/app.c` and `gas/config/tc-riscv.c`.
 *
 * @module
 */

/** Where something stands, for messages and records. */
export interface Place {
  /** As the source's line markers name it, or the file that was read. */
  readonly file: string;
  readonly line: number;
}

export interface Statement {
  /** Offsets in the source: of the first label or the mnemonic, of what stands behind the labels, and past the last character. */
  readonly start: number;
  readonly body: number;
  readonly end: number;
  readonly labels: readonly string[];
  /** An instruction's, a directive's or a macro's name; `=` for an assignment; empty where there are only labels. */
  readonly name: string;
  /** All behind the name, comments taken out and blanks drawn together. */
  readonly rest: string;
  readonly place: Place;
}

/** A comment `afterburn: off` or `afterburn: on`: what stands between the two is left as it is. */
export interface Switch {
  readonly at: number;
  readonly on: boolean;
}

export interface ParsedSource {
  readonly text: string;
  readonly statements: readonly Statement[];
  readonly switches: readonly Switch[];
}

/** A word that may be a label: symbols, numbers of local labels, names in quotes, arguments of macros. */
const LABEL = /^((?:[\w.$@]|\\(?:\(\)|[\w.$@]+))+|"(?:\\.|[^"\\])*")\s*:/s;
const ASSIGNMENT = /^((?:[\w.$@]|\\(?:\(\)|[\w.$@]+))+|"(?:\\.|[^"\\])*")\s*==?(?!=)/s;
const MARKER = /^#[ \t]*(?:line[ \t]+)?(\d+)[ \t]+"((?:\\.|[^"\\])*)"/;
const SWITCH = /\bafterburn:\s*(on|off)\b/;

/**
 * Reads a source.
 *
 * @param file What the file is called where no line marker says otherwise.
 * @throws {SyntaxError} If a block comment or a string does not end.
 */
export function parseSource(text: string, file: string): ParsedSource {
  const statements: Statement[] = [];
  const switches: Switch[] = [];
  let line = 1;
  let marked = { file, delta: 0 };
  let [at, start, end] = [0, -1, -1];
  // The statement's characters without its comments, each with its offset in the source.
  let bare = "";
  let offsets: number[] = [];
  let startLine = 1;

  const keep = (from: number, to: number): void => {
    if (start < 0) [start, startLine] = [from, line];
    for (let offset = from; offset < to; offset++) offsets.push(offset);
    bare += text.slice(from, to);
    end = to;
  };
  const blank = (): void => {
    if (start < 0) return;
    bare += " ";
    offsets.push(at);
  };
  const close = (): void => {
    if (start >= 0) {
      const place = { file: marked.file, line: startLine + marked.delta };
      statements.push(statementFrom(bare, offsets, { start, end, place }));
    }
    [start, end, bare, offsets] = [-1, -1, "", []];
  };
  const skip = (to: number): void => {
    for (; at < to; at++) if (text[at] === "\n") line++;
  };
  const comment = (to: number): void => {
    const said = SWITCH.exec(text.slice(at, to))?.[1];
    if (said !== undefined) switches.push({ at, on: said === "on" });
    skip(to);
  };
  const unended = (what: string): SyntaxError =>
    new SyntaxError(
      `Cannot read ${marked.file}:${line + marked.delta} as ${what} must end: the file ends before it does`,
    );

  while (at < text.length) {
    const char = text[at]!;
    if (char === "\n" || char === ";") {
      close();
      skip(at + 1);
    } else if (char === "#") {
      const newline = text.indexOf("\n", at);
      const to = newline < 0 ? text.length : newline;
      const [, number, name] = start < 0 ? (MARKER.exec(text.slice(at, to)) ?? []) : [];
      // `# 0 "" 2` ends what came from a file of inline assembly: back to the source's own count.
      if (number !== undefined)
        marked = name === "" ? { file, delta: 0 } : { file: name!, delta: Number(number) - line - 1 };
      close();
      comment(to);
    } else if (char === "/" && text[at + 1] === "*") {
      const last = text.indexOf("*/", at + 2);
      if (last < 0) throw unended("a comment");
      blank();
      comment(last + 2);
    } else if (char === '"') {
      const to = stringEnd(text, at);
      if (to < 0) throw unended("a string");
      keep(at, to);
      skip(to);
    } else if (char === "'") {
      const to = characterEnd(text, at);
      keep(at, to);
      skip(to);
    } else if (/\s/.test(char)) {
      blank();
      at++;
    } else {
      keep(at, at + 1);
      at++;
    }
  }
  close();
  return { text, statements, switches };
}

/** Past the closing quote of a string, or -1. */
function stringEnd(text: string, at: number): number {
  for (let next = at + 1; next < text.length; next++) {
    if (text[next] === "\\") next++;
    else if (text[next] === '"') return next + 1;
  }
  return -1;
}

/** Past a character: `'a`, `'\n`, each with or without a quote behind it. */
function characterEnd(text: string, at: number): number {
  const to = Math.min(at + (text[at + 1] === "\\" ? 3 : 2), text.length);
  return text[to] === "'" ? to + 1 : to;
}

function statementFrom(
  bare: string,
  offsets: readonly number[],
  { start, end, place }: Pick<Statement, "start" | "end" | "place">,
): Statement {
  const labels: string[] = [];
  let rest = bare;
  let consumed = 0;
  for (;;) {
    const [whole, label] = LABEL.exec(rest) ?? [];
    if (whole === undefined) break;
    labels.push(label!);
    const blanks = /^\s*/.exec(rest.slice(whole.length))![0];
    consumed += whole.length + blanks.length;
    rest = rest.slice(whole.length + blanks.length);
  }
  rest = rest.trimEnd();
  const body = rest === "" ? end : offsets[consumed]!;
  const assigned = ASSIGNMENT.exec(rest);
  if (assigned !== null) {
    const value = rest.slice(assigned[0].length).trim();
    return { start, body, end, labels, name: "=", rest: `${assigned[1]},${value}`, place };
  }
  const name = /^\S*/.exec(rest)![0];
  return { start, body, end, labels, name, rest: squeezed(rest.slice(name.length)), place };
}

/** Blanks drawn together, but for those in strings and characters. */
function squeezed(text: string): string {
  return text.replace(/("(?:\\.|[^"\\])*"|'\\?.)|\s+/gs, (_, kept: string | undefined) => kept ?? " ").trim();
}

/** Operands: split at commas, those in strings, characters and parentheses excepted. */
export function operandsOf(rest: string): readonly string[] {
  if (rest === "") return [];
  const operands = [""];
  let depth = 0;
  for (const part of rest.match(/"(?:\\.|[^"\\])*"|'\\?.'?|\\\(\)|[^"']/gs) ?? []) {
    if (part === "(") depth++;
    if (part === ")") depth--;
    if (part === "," && depth <= 0) operands.push("");
    else operands[operands.length - 1] += part;
  }
  return operands.map((operand) => operand.trim());
}
