import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteWriter, varintLength } from "./byte-writer.ts";
import { Column, decodeColumn, encodeColumn } from "./column.ts";
import { TraceFormatError } from "./trace-format-error.ts";

function columnOf(values: readonly bigint[]): Column {
  const column = new Column();
  for (const value of values) column.push(Number(value & 0xffff_ffffn), Number(value >> 32n));
  return column;
}

function encode(values: readonly bigint[]): Uint8Array {
  const out = new ByteWriter();
  encodeColumn(columnOf(values), out);
  return out.take();
}

function decode(bytes: Uint8Array, rows: number): bigint[] {
  const { low, high } = decodeColumn(bytes, rows);
  return Array.from({ length: rows }, (_, row) => (BigInt(high[row]!) << 32n) | BigInt(low[row]!));
}

const [DICTIONARY, PLAIN, DELTA] = [0, 1, 2];
const EDGES = [
  0n,
  1n,
  0x7fn,
  0x80n,
  0x3fffn,
  0x4000n,
  0xffff_ffffn,
  1n << 32n,
  (1n << 53n) - 1n,
  1n << 63n,
  (1n << 64n) - 1n,
];
const u64 = fc.oneof(
  fc.constantFrom(...EDGES),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  fc.bigInt({ min: 0n, max: 9n }),
);

describe("column", () => {
  test("gives back any values, from exactly its own bytes", () => {
    fc.assert(
      fc.property(fc.array(u64, { maxLength: 300 }), (values) => {
        const bytes = encode(values);
        expect(decode(bytes, values.length)).toEqual(values);
        const longer = Uint8Array.of(...bytes, 0);
        expect(() => decodeColumn(longer, values.length)).toThrow(TraceFormatError);
        if (values.length > 0)
          expect(() => decodeColumn(bytes.subarray(0, -1), values.length)).toThrow(TraceFormatError);
      }),
    );
  });

  test("takes the shortest form for what it holds", () => {
    const same = Array<bigint>(10_000).fill(0xffff_ffff_8000_1234n);
    expect(encode(same).length).toBeLessThan(10);
    expect(encode(same)[0]).toBe(DICTIONARY);
    const few = Array.from({ length: 10_000 }, (_, i) => 0xffff_ffff_8000_0000n + BigInt((i * 7) % 4) * 64n);
    expect(encode(few).length).toBeLessThan(2520); // Two bits a row.
    const rising = Array.from({ length: 10_000 }, (_, i) => 0xffff_ffff_8000_0000n + BigInt(i * i));
    expect(encode(rising)[0]).toBe(DELTA);
    const unlike = Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? BigInt(i) : 20_000n - BigInt(i)));
    expect(encode(unlike)[0]).toBe(PLAIN);
  });

  test("holds more distinct values than a dictionary may have", () => {
    for (const distinct of [4095, 4096, 4097, 9000]) {
      // Scattered over 64 bits, so that differences are long and a dictionary pays.
      const values = Array.from(
        { length: distinct * 3 },
        (_, i) => (BigInt(i % distinct) * 0x9e37_79b9_7f4a_7c15n) & ((1n << 64n) - 1n),
      );
      const bytes = encode(values);
      expect(bytes[0]! === DICTIONARY, `${distinct}`).toBe(distinct <= 4096);
      expect(decode(bytes, values.length)).toEqual(values);
    }
  });

  test("an empty column has a form and nothing else", () => {
    expect(encode([])).toEqual(Uint8Array.of(PLAIN));
    expect(decode(encode([]), 0)).toEqual([]);
  });

  test.each([
    ["no form", [], 0, "must be of form 0, 1 or 2"],
    ["an unknown form", [3, 0], 1, "must be of form 0, 1 or 2"],
    ["a dictionary of nothing", [DICTIONARY, 0], 1, "must have from 1 to 1 values: it has 0"],
    ["a dictionary of more than its rows", [DICTIONARY, 2, 0, 2, 0], 1, "must have from 1 to 1 values: it has 2"],
    ["an index past the dictionary", [DICTIONARY, 3, 0, 2, 2, 0b111111], 3, "an index must be below 3: row 0 has 3"],
    ["fewer rows than it should", [PLAIN, 1], 2, "must hold all its rows"],
    [
      "a number of more than 64 bits",
      [PLAIN, ...Array(9).fill(0xff), 2],
      1,
      "must fit in 64 bits: its tenth byte is 2",
    ],
    ["a number without an end", [PLAIN, ...Array(20).fill(0xff)], 1, "must fit in 64 bits"],
  ])("refuses %s", (_, bytes, rows, message) => {
    expect(() => decodeColumn(Uint8Array.from(bytes), rows)).toThrow(message);
    expect(() => decodeColumn(Uint8Array.from(bytes), rows)).toThrow(TraceFormatError);
  });

  test("a varint is as long as it says", () => {
    fc.assert(
      fc.property(u64, (value) => {
        const out = new ByteWriter();
        const halves = [Number(value & 0xffff_ffffn), Number(value >> 32n)] as const;
        out.varint(...halves);
        expect(out.length).toBe(varintLength(...halves));
        expect(decode(Uint8Array.of(PLAIN, ...out.take()), 1)).toEqual([value]);
      }),
    );
  });
});
