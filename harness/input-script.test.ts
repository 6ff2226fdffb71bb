import { describe, expect, test } from "vitest";
import { ScriptedInput } from "./console-input.ts";
import { parseInputScript, quote } from "./input-script.ts";

const at = (step: number, waiting = false) => ({ step, time: step, waiting });
const bytes = (text: string) => new TextEncoder().encode(text);

describe("an input script", () => {
  test("has expect, send and wait, with comments and blank lines between", () => {
    expect(parseInputScript('# U-Boot\n\nexpect "=> "\r\n  send "version\\n"  # typed\nwait 5000\n')).toEqual([
      { kind: "expect", text: bytes("=> "), line: 3 },
      { kind: "send", text: bytes("version\n"), line: 4 },
      { kind: "wait", steps: 5000, line: 5 },
    ]);
  });

  test("escapes newline, return, tab, quote, backslash and any byte; the rest is UTF-8", () => {
    const [statement] = parseInputScript(String.raw`send "\n\r\t\"\\\x00\xfF é#"`);
    expect(statement).toMatchObject({ text: Uint8Array.of(10, 13, 9, 34, 92, 0, 255, 32, 0xc3, 0xa9, 35) });
  });

  test.each([
    ['send "a', "line 1 has a text that does not end"],
    ["send a", 'line 1 has "a"'],
    ["send", "line 1 has no text"],
    ['send ""', 'line 1 has ""'],
    ['\nsend "\\q"', "line 2 has the escape \\q"],
    ['send "\\x4"', "line 1 has the escape \\x"],
    ['send "a" b', 'line 1 has "b" behind the text'],
    ["wait soon", 'line 1 has "soon"'],
    ["wait -1", 'line 1 has "-1"'],
    ["type me", 'line 1 has "type"'],
  ])("refuses %j and names the line", (script, found) => {
    expect(() => parseInputScript(script, "boot.input")).toThrow(SyntaxError);
    expect(() => parseInputScript(script, "boot.input")).toThrow(/^Cannot read boot\.input as /);
    expect(() => parseInputScript(script)).toThrow(found);
  });

  test("writes a text back as a script would", () => {
    expect(quote(Uint8Array.of(97, 34, 10, 0, 200))).toBe(String.raw`"a\"\n\x00\xc8"`);
  });
});

describe("a script at a console", () => {
  test("types after the expected text has been seen, and only what was written since counts", () => {
    const input = new ScriptedInput(parseInputScript('expect "$ "\nsend "ls\\n"\nexpect "$ "\nsend "exit\\n"'));
    expect(input.take(at(10, false))).toBeUndefined();
    input.heard(bytes("boot\n$"));
    expect(input.take(at(20, false))).toBeUndefined();
    input.heard(bytes(" "));
    expect(input.take(at(30, false))).toEqual(bytes("ls\n"));
    expect(input.take(at(30, false))).toBeUndefined();
    expect(input.unfinished()).toBe('line 3, expect "$ "');
    input.heard(bytes("a b\n$ "));
    expect(input.take(at(40, false))).toEqual(bytes("exit\n"));
    expect(input.unfinished()).toBeUndefined();
  });

  test("waits for so many steps, or until the guest waits for input itself", () => {
    const patient = new ScriptedInput(parseInputScript('wait 100\nsend "x"'));
    expect(patient.take(at(50, false))).toBeUndefined();
    expect(patient.nextStop(50)).toBe(150);
    expect(patient.take(at(149, false))).toBeUndefined();
    expect(patient.take(at(150, false))).toEqual(bytes("x"));
    const woken = new ScriptedInput(parseInputScript('wait 100\nsend "x"'));
    expect(woken.take(at(50, false))).toBeUndefined();
    expect(woken.take(at(60, true))).toEqual(bytes("x"));
  });

  test("listens to the console only while it expects something", () => {
    const input = new ScriptedInput(parseInputScript('expect "a"\nwait 5'));
    expect([input.listening, input.nextStop(0)]).toEqual([true, Number.POSITIVE_INFINITY]);
    input.heard(bytes("a"));
    input.take(at(10));
    expect([input.listening, input.nextStop(10)]).toEqual([false, 15]);
  });
});
