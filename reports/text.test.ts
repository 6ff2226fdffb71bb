import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ticks } from "./axis.ts";
import { csv } from "./csv.ts";
import { escapeText, scriptJson, visible } from "./escape.ts";
import { formatAmount, formatCount, formatExits, formatRatio, formatShare } from "./format.ts";
import { markdown } from "./markdown.ts";
import { fitted, number, type Table, text } from "./table.ts";

describe("text", () => {
  test("shows controls as their pictures, and what else is obeyed by its number", () => {
    expect(visible("a\u001b[2J\u0000\u007f")).toBe("a\u241b[2J\u2400\u2421");
    expect(visible("\u0085\u202e\u{e0041}\ud800\uffff")).toBe(
      "\u2039U+0085\u203a\u2039U+202E\u203a\u2039U+E0041\u203a\u2039U+D800\u203a\u2039U+FFFF\u203a",
    );
    expect(visible("naïve 日本語 😀 − × “quoted”")).toBe("naïve 日本語 😀 − × “quoted”");
  });

  test("has no markup left when it is escaped", () => {
    expect(escapeText(`<a href="x" id='y'>&\`</a>`)).toBe(
      "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;&#96;&lt;/a&gt;",
    );
  });

  test("comes back from JSON in a script as it was, in ASCII and with no way out of the script", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0xffff)), (units) => {
        const any = String.fromCharCode(...units);
        const written = scriptJson({ any });
        expect(written).toMatch(/^[\x20-\x7e]*$/);
        expect(written).not.toMatch(/[<>&]/);
        expect(JSON.parse(written)).toEqual({ any });
      }),
    );
  });
});

describe("numbers", () => {
  test.each([
    [0, "0"],
    [7, "7"],
    [1234567, "1,234,567"],
    [0.025, "0.025"],
    [0.25, "0.25"],
    [14.25, "14.3"],
    [99.96, "100"],
    [2866.6, "2,867"],
  ])("%d is shown as %s", (value, shown) => {
    expect(formatAmount(value)).toBe(shown);
  });

  test.each([
    [0, "0 exits"],
    [1, "1 exit"],
    [1.25, "1.3 exits"],
    [1234, "1,234 exits"],
  ])("%d exits are told as %s", (value, said) => {
    expect(formatExits(value)).toBe(said);
  });

  test("are grouped by thousands, and ratios have three digits", () => {
    expect([999, 1000, 1e9].map(formatCount)).toEqual(["999", "1,000", "1,000,000,000"]);
    expect([1, 9.996, 12.34, 99.96, 1234.5].map(formatRatio)).toEqual(["1.00×", "10.0×", "12.3×", "100×", "1,235×"]);
    expect([0, 0.004, 0.5, 1].map(formatShare)).toEqual(["0 %", "0.4 %", "50 %", "100 %"]);
  });
});

describe("an axis", () => {
  test.each([
    [1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]],
    [63.7, 8, [0, 10, 20, 30, 40, 50, 60, 70]],
    [234, 3, [0, 100, 200, 300]],
    [0.03, 3, [0, 0.01, 0.02, 0.03]],
  ])("to %d has at most %d steps of 1, 2 or 5", (max, count, expected) => {
    expect(ticks(max, count)).toEqual(expected);
  });

  test("reaches over its largest value in no more steps than allowed", () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-3, max: 1e12, noNaN: true }), fc.integer({ min: 2, max: 10 }), (max, count) => {
        const all = ticks(max, count);
        expect(all.at(-1)!).toBeGreaterThanOrEqual(max * (1 - 1e-6));
        expect(all.length).toBeLessThanOrEqual(count + 1);
      }),
    );
  });
});

const table: Table = {
  columns: [
    { title: "name", numeric: false },
    { title: "cycles", numeric: true },
    { title: "exact, in full", numeric: true, room: "file" },
  ],
  rows: [
    [text('say "hi", you'), number(1234.5678, formatAmount), number(0.1, String)],
    [text("=1+1"), number(null, formatAmount), number(-3, String)],
    [text("two\nlines|*"), number(5, formatAmount), number(1e21, String)],
  ],
};

describe("a table", () => {
  test("is RFC 4180 in CSV: CRLF, doubled quotes, numbers in full, no formulas", () => {
    expect(csv(table)).toBe(
      'name,cycles,"exact, in full"\r\n"say ""hi"", you",1234.5678,0.1\r\n\'=1+1,,-3\r\ntwo\u240alines|*,5,1e+21\r\n',
    );
  });

  test("lines up in Markdown, with its own marks escaped", () => {
    expect(markdown(fitted(table, "terminal"))).toBe(
      [
        "| name          | cycles |",
        "| ------------- | -----: |",
        '| say "hi", you |  1,235 |',
        "| =1+1          |      \u2013 |",
        "| two\u240alines\\|\\* |      5 |",
        "",
      ].join("\n"),
    );
  });

  test("leaves out the columns that a medium has no room for", () => {
    expect(fitted(table, "page").columns.map(({ title }) => title)).toEqual(["name", "cycles"]);
    expect(fitted(table, "file")).toEqual(table);
  });
});
