/**
 * Input scripts: what to type at a guest's console, and when.
 *
 * One statement a line: `expect "T"` waits until the console has shown T, `send "T"` types T, `wait N` lets N steps go by.
 * Blank lines and lines that start with `#` say nothing. Escapes in T: \n \r \t \" \\ and \xNN, a byte in hexadecimal.
 *
 * Left out: patterns, alternatives and loops. A script types into the recorded run only; a replay takes the bytes from the recording.
 *
 * @module
 */

/** One statement. Text is bytes: what is not escaped is UTF-8. */
export type Statement =
  | { readonly kind: "expect"; readonly text: Uint8Array; readonly line: number }
  | { readonly kind: "send"; readonly text: Uint8Array; readonly line: number }
  | { readonly kind: "wait"; readonly steps: number; readonly line: number };

const ESCAPES: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, '"': 34, "\\": 92 };
const ENCODER = new TextEncoder();

/**
 * Reads an input script.
 *
 * @param text The script.
 * @param name What messages call it: a file name.
 * @returns Its statements, in order.
 * @throws {SyntaxError} If a line is none of the three statements; the message names the line.
 *
 * @example parseInputScript('expect "=> "\nsend "version\\n"')
 */
export function parseInputScript(text: string, name = "the input script"): readonly Statement[] {
  const statements: Statement[] = [];
  for (const [index, whole] of text.split(/\r?\n/).entries()) {
    const line = index + 1;
    const trimmed = whole.trim();
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    const [, word = "", rest = ""] = /^(\S+)\s*(.*)$/.exec(trimmed) ?? [];
    const refuse = (rule: string, found: string): never => {
      throw new SyntaxError(`Cannot read ${name} as ${rule}: line ${line} has ${found}`);
    };
    if (word === "wait") {
      if (!/^\d{1,15}$/.test(rest)) refuse("wait takes a whole number of steps", JSON.stringify(rest));
      statements.push({ kind: "wait", steps: Number(rest), line });
    } else if (word === "expect" || word === "send") {
      const bytes = quoted(rest, (found) => refuse(`${word} takes one text in double quotes`, found));
      if (bytes.length === 0) refuse(`${word} takes a text of at least one byte`, '""');
      statements.push({ kind: word, text: bytes, line });
    } else {
      refuse("a statement is expect, send or wait", JSON.stringify(word));
    }
  }
  return statements;
}

/** The bytes of a text in double quotes; nothing may follow it but a comment. */
function quoted(source: string, refuse: (found: string) => never): Uint8Array {
  if (!source.startsWith('"')) refuse(source === "" ? "no text" : JSON.stringify(source));
  const bytes: number[] = [];
  let at = 1;
  for (;;) {
    const character = String.fromCodePoint(source.codePointAt(at) ?? 0);
    if (at >= source.length) refuse("a text that does not end");
    if (character === '"') break;
    at += character.length;
    if (character !== "\\") {
      bytes.push(...ENCODER.encode(character));
      continue;
    }
    const escaped = source[at] ?? "";
    const hex = /^x([0-9a-fA-F]{2})/.exec(source.slice(at, at + 3));
    if (hex) bytes.push(Number.parseInt(hex[1]!, 16));
    else if (ESCAPES[escaped] !== undefined) bytes.push(ESCAPES[escaped]);
    else refuse(`the escape \\${escaped}, which is none of \\n \\r \\t \\" \\\\ \\xNN`);
    at += hex ? 3 : 1;
  }
  const behind = source.slice(at + 1).trim();
  if (behind !== "" && !behind.startsWith("#")) refuse(`${JSON.stringify(behind)} behind the text`);
  return Uint8Array.from(bytes);
}

/** A text as a script writes it, for messages. */
export function quote(text: Uint8Array): string {
  let out = "";
  for (const byte of text) {
    const named = Object.entries(ESCAPES).find(([, code]) => code === byte);
    if (named) out += `\\${named[0]}`;
    else if (byte >= 32 && byte < 127) out += String.fromCharCode(byte);
    else out += `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return `"${out}"`;
}
