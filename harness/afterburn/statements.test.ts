import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { operandsOf, parseSource } from "./statements.ts";

const read = (text: string) =>
  parseSource(text, "t.s").statements.map(({ labels, name, rest }) => [...labels, name, rest]);

describe("statements", () => {
  test("have labels, a name and the rest, without comments", () => {
    expect(read('a: 1: csrr t0 , /* ; */ sepc # ;x\n nop;b:\n .ascii "a;b # \\" c:", "x"\n')).toEqual([
      ["a", "1", "csrr", "t0 , sepc"],
      ["nop", ""],
      ["b", "", ""],
      [".ascii", '"a;b # \\" c:", "x"'],
    ]);
  });

  test("may assign", () => {
    expect(read("EPC = 1 + 2\nx==y\n.if a == b\n")).toEqual([
      ["=", "EPC,1 + 2"],
      ["=", "x,y"],
      [".if", "a == b"],
    ]);
  });

  test("in bodies of macros have arguments everywhere", () => {
    expect(read(".L\\name\\()_\\@: \\op \\a, (\\b)\n")).toEqual([[".L\\name\\()_\\@", "\\op", "\\a, (\\b)"]]);
  });

  test("have a place, which line markers change", () => {
    const text = 'nop\n# 14 "k/fp.c" 1\nwfi /* \n\n */ ; sret\nnop\n# 0 "" 2\nnop\n';
    expect(parseSource(text, "t.s").statements.map(({ place: { file, line } }) => `${file}:${line}`)).toEqual([
      ...["t.s:1", "k/fp.c:14", "k/fp.c:16", "k/fp.c:17", "t.s:8"],
    ]);
  });

  test("have offsets at which their text stands", () => {
    const text = "  a : /* x */ csrr t0, sepc  # c\n";
    const { start, body, end } = parseSource(text, "t.s").statements[0]!;
    expect([text.slice(start, end), text.slice(body, end)]).toEqual(["a : /* x */ csrr t0, sepc", "csrr t0, sepc"]);
  });

  test("that do not end are refused", () => {
    expect(() => parseSource("nop\n /* wfi\n", "t.s")).toThrow(/^Cannot read t.s:2 as a comment must end: /);
    expect(() => parseSource('nop\n .ascii "wfi\n', "t.s")).toThrow(/^Cannot read t.s:2 as a string must end: /);
  });

  test("never overlap and lose nothing but blanks, separators and comments, whatever the text", () => {
    const pieces = fc.constantFrom(
      ..."\n;:#,\\= \t".split(""),
      ...['"a;b"', "'", "'x'", "/*", "*/", "a", "1", ".set", "csrr", "t0", "("],
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
        const text = parts.join("");
        let parsed: ReturnType<typeof parseSource>;
        try {
          parsed = parseSource(text, "t.s");
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError);
          return;
        }
        let from = 0;
        for (const { start, body, end } of parsed.statements) {
          expect(from <= start && start <= body && body <= end).toBe(true);
          expect(text.slice(from, start)).toMatch(/^(\s|;|#[^\n]*|\/\*[\s\S]*?\*\/)*$/);
          from = end;
        }
        expect(text.slice(from)).toMatch(/^(\s|;|#[^\n]*|\/\*[\s\S]*?\*\/)*$/);
      }),
    );
  });
});

describe("operands", () => {
  test("are split at commas, but for those in strings, characters and parentheses", () => {
    expect(operandsOf("t0, (1, 2), ',', \"a, b\", \\x\\(), 'a")).toEqual([
      ...["t0", "(1, 2)", "','", '"a, b"', "\\x\\()", "'a"],
    ]);
    expect(operandsOf("")).toEqual([]);
  });
});
