import { describe, expect, test } from "vitest";
import { full } from "../engine/mod.ts";
import { ConsoleMarks, numberConsoleMarks, packConsoleMarks, unpackConsoleMarks } from "./console-marks.ts";
import { hutch } from "./guests/mod.ts";
import { record } from "./record.ts";
import { replay } from "./replay.ts";

const heard = (marks: ConsoleMarks, text: string) => {
  marks.heard(new TextEncoder().encode(text));
  return marks.take();
};

describe("marks from console text", () => {
  test("come when the text's last byte does, however it is cut, each time", () => {
    const marks = new ConsoleMarks([
      { id: 200, text: "=> " },
      { id: 201, text: ">" },
    ]);
    expect(heard(marks, "boot =")).toEqual([]);
    expect(heard(marks, ">")).toEqual([(3 << 8) | 201]);
    expect(heard(marks, " ")).toEqual([(3 << 8) | 200]);
    expect(heard(marks, "=> => ").filter((code) => (code & 0xff) === 200).length).toBe(2);
  });

  test("get ids that the guest's own marks do not have", () => {
    expect(numberConsoleMarks({ a: "x", b: "é" }, [200, 1])).toEqual([
      { name: "a", id: 201, text: "x" },
      { name: "b", id: 202, text: "\u00c3\u00a9" },
    ]);
    expect(() => numberConsoleMarks({ a: "" }, [])).toThrow(/^Cannot mark a as a text must have/);
    expect(() =>
      numberConsoleMarks(Object.fromEntries(Array.from({ length: 57 }, (_, n) => [`m${n}`, "x"])), []),
    ).toThrow(/^Cannot mark m56/);
  });

  test("are kept in the header and come again, at the same steps, under another technique", async () => {
    const guest = {
      ...hutch.running("echo one; echo two; echo one"),
      memoryBytes: 16 << 20,
      consoleMarks: { one: "one\n" },
    };
    const tape = await record({ guest });
    const marks = [...tape.events()].filter(({ kind }) => kind === "mark");
    expect(marks).toMatchObject([{ code: (3 << 8) | 200 }, { code: (3 << 8) | 200 }]);
    expect(tape.trace().header.marks).toContainEqual({ id: 200, name: "one" });
    const run = await replay(tape, { technique: full });
    expect([...run.events()].filter(({ kind }) => kind === "mark")).toEqual(marks);
    // A mark is no step, and changes nothing.
    const { consoleMarks: _, ...unmarked } = guest;
    expect((await record({ guest: unmarked })).digest).toBe(tape.digest);
  });

  test("of a header that is not ours are refused", () => {
    const marks = [{ id: 200, text: "\u00ff\n" }];
    expect(unpackConsoleMarks(packConsoleMarks(marks))).toEqual(marks);
    expect(unpackConsoleMarks(undefined)).toEqual([]);
    for (const setting of ["", "[1]", "[[1,2]]", '[[1,""]]', 5])
      expect(() => unpackConsoleMarks(setting)).toThrow(/^Cannot replay as/);
  });
});
