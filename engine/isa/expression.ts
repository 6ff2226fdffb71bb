/**
 * Integer expressions of the assembler: numbers, characters, symbols, `.` for the current address, and C's integer operators.
 *
 * @module
 */

/** @returns The value of a symbol, or of `.`. Throws if there is none. */
export type Resolve = (symbol: string) => bigint;

const TOKEN = /\s*(0x[0-9a-f]+|0b[01]+|\d+[bf](?![\w$])|\d+|'(?:\\.|[^\\])'|%?[a-z_.$][\w.$]*|<<|>>|[-+*&|^~()])/iy;

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", "0": "\0" };

/** Binding strength of the operators, as in C. */
const BINARY: Readonly<Record<string, readonly [strength: number, apply: (a: bigint, b: bigint) => bigint]>> = {
  "|": [1, (a, b) => a | b],
  "^": [2, (a, b) => a ^ b],
  "&": [3, (a, b) => a & b],
  "<<": [4, (a, b) => a << b],
  ">>": [4, (a, b) => a >> b],
  "+": [5, (a, b) => a + b],
  "-": [5, (a, b) => a - b],
  "*": [6, (a, b) => a * b],
};

/**
 * `%hi(e)` and `%lo(e)` are the two parts of an address that `lui` and a 12-bit immediate make up; `%pcrel_hi(e)` is relative to `.`, and
 * `%pcrel_lo(e)` belongs to the `%pcrel_hi(e)` four bytes before it (the GNU assembler names that instruction's label instead).
 */
const FUNCTIONS: Readonly<Record<string, (value: bigint, at: () => bigint) => bigint>> = {
  "%hi": (value) => high(value),
  "%lo": (value) => BigInt.asIntN(12, value),
  "%pcrel_hi": (value, at) => high(value - at()),
  "%pcrel_lo": (value, at) => BigInt.asIntN(12, value - (at() - 4n)),
};

function high(value: bigint): bigint {
  const distance = BigInt.asIntN(64, value);
  if (distance < -0x8000_0800n || distance >= 0x7fff_f800n) {
    throw new RangeError(`Cannot split an address as its upper part has 20 bits: 0x${value.toString(16)}`);
  }
  return ((distance + 0x800n) >> 12n) & 0xfffffn;
}

/**
 * @returns The value, of any size.
 * @throws {SyntaxError} If the text is no expression.
 */
export function evaluate(text: string, resolve: Resolve): bigint {
  const tokens = tokenize(text);
  let next = 0;
  const expect = (token: string) => {
    if (tokens[next++] !== token) throw notAnExpression(text);
  };

  const primary = (): bigint => {
    const token = tokens[next++];
    if (token === undefined) throw notAnExpression(text);
    if (token === "-") return -primary();
    if (token === "+") return primary();
    if (token === "~") return ~primary();
    if (token === "(") {
      const value = binary(0);
      expect(")");
      return value;
    }
    if (token.startsWith("'")) {
      const character = token.slice(1, -1);
      const escaped = character.slice(1);
      return BigInt((character.startsWith("\\") ? (ESCAPES[escaped] ?? escaped) : character).codePointAt(0)!);
    }
    if (/^(0[xb][0-9a-f]+|\d+)$/i.test(token)) return BigInt(token);
    if (token.startsWith("%")) {
      const apply = FUNCTIONS[token];
      if (apply === undefined) throw notAnExpression(text);
      expect("(");
      const value = binary(0);
      expect(")");
      return apply(value, () => resolve("."));
    }
    if (/^(\d+[bf]|[a-z_.$][\w.$]*)$/i.test(token)) return resolve(token);
    throw notAnExpression(text);
  };

  const binary = (least: number): bigint => {
    let left = primary();
    for (;;) {
      const [strength, apply] = BINARY[tokens[next] ?? ""] ?? [];
      if (strength === undefined || apply === undefined || strength <= least) return left;
      next++;
      left = apply(left, binary(strength));
    }
  };

  const value = binary(0);
  if (next !== tokens.length) throw notAnExpression(text);
  return value;
}

function tokenize(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const token = TOKEN.exec(text)?.[1];
    if (token === undefined) throw notAnExpression(text);
    tokens.push(token);
  }
  return tokens;
}

function notAnExpression(text: string): SyntaxError {
  return new SyntaxError(`Cannot evaluate a value as it must be a number or an expression: "${text}"`);
}
