import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Message, pack, Shape, unpack } from "./message.ts";
import { TraceFormatError } from "./trace-format-error.ts";

function refusal(bytes: ArrayLike<number>): string | undefined {
  try {
    unpack(Uint8Array.from(bytes), "it");
    return undefined;
  } catch (error) {
    if (!(error instanceof TraceFormatError)) throw error;
    return error.message;
  }
}

describe("message", () => {
  test("gives back what was packed", () => {
    const message = {
      a: [1, -2, 2 ** 40, "text", null, true, Uint8Array.of(1, 2)],
      b: { c: [] },
      d: 65,
      e: 200,
      f: 0.5,
    };
    const read = new Shape(unpack(pack(message as Message), "it"), "it");
    expect(read.at("a").items()[2]!.whole()).toBe(2 ** 40);
    expect(new Uint8Array(read.at("a").items()[6]!.bytes())).toEqual(Uint8Array.of(1, 2));
    expect(read.at("b").at("c").items()).toEqual([]);
    expect([read.at("d").whole(), read.at("e").whole(), read.at("f").scalar()]).toEqual([65, 200, 0.5]);
  });

  test("packed bytes are the caller's own", () => {
    const first = pack(["first"]);
    const copy = first.slice();
    pack(["second, and longer"]);
    expect(first).toEqual(copy);
    expect(first.buffer.byteLength).toBe(first.length);
  });

  test.each([
    ["nothing", []],
    ["two messages", [1, 2]],
    ["200,000 lists in each other", Array(200_000).fill(0x91)],
    ["200,000 maps in each other", Array(200_000).fill(0x81)],
    ["a list of 2^32 - 1 items", [0xdd, 0xff, 0xff, 0xff, 0xff, 1]],
    ["a map of 2^32 - 1 members", [0xdf, 0xff, 0xff, 0xff, 0xff, 1]],
    ["a text of 2^32 - 1 bytes", [0xdb, 0xff, 0xff, 0xff, 0xff, 1]],
    ["bytes of 2^32 - 1 bytes", [0xc6, 0xff, 0xff, 0xff, 0xff, 1]],
    ["a number that is cut", [0xcf, 1, 2]],
    ["the type that is never used", [0xc1]],
    ["an extension", [0xd4, 0x72, 0x40]],
    ["a long extension", [0xc7, 2, 0x69, 1, 2]],
    ["a map with a key and no value", [0x81, 0xa1, 0x61]],
  ])("refuses %s", (_, bytes) => {
    expect(refusal(bytes)).toMatch(/^Cannot read trace as it must /);
  });

  test("refuses a whole message that is nested too deep, before it is unpacked", () => {
    expect(refusal([...Array(7).fill(0x91), 0xc0])).toBeUndefined();
    expect(refusal([...Array(8).fill(0x91), 0xc0])).toBe(
      "Cannot read trace as it must be at most 8 deep: it is deeper",
    );
    expect(refusal([...Array(200_000).fill(0x91), 0xc0])).toBe(
      "Cannot read trace as it must be at most 8 deep: it is deeper",
    );
  });

  test("any bytes are a message or are refused", () => {
    let messages = 0;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        if (refusal(bytes) === undefined) messages++;
      }),
      { numRuns: 5000 },
    );
    expect(messages).toBeGreaterThan(0);
  });

  test("a shape names the place that is wrong", () => {
    const shape = new Shape({ a: [{ b: "x" }], n: 1.5, deep: new Uint8Array(1) }, "the header");
    const wrong: [() => unknown, string][] = [
      [
        () => shape.at("a").items()[0]!.at("b").whole(),
        "b of item 0 of a of the header must be a whole number from 0 to 9007199254740991: it is string",
      ],
      [() => shape.at("n").whole(4), "n of the header must be a whole number from 0 to 4: it is 1.5"],
      [() => shape.at("none").text(), "none of the header must be text: it is undefined"],
      [() => shape.at("__proto__").at("x"), "__proto__ of the header must be a map: it is undefined"],
      [() => shape.at("deep").at("length"), "deep of the header must be a map: it is object"],
      [() => shape.at("a").truth(), "a of the header must be true or false: it is a list"],
      [() => shape.at("a").bytes(), "a of the header must be bytes: it is a list"],
      [() => shape.items(), "the header must be a list: it is object"],
      [() => shape.at("a").scalar(), "a of the header must be a text, a number, true or false: it is a list"],
    ];
    for (const [read, message] of wrong)
      expect(read).toThrow(new TraceFormatError(message.split(": ")[0]!, message.split(": ")[1]!));
  });
});
