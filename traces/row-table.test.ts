import { expect, test } from "vitest";
import { RowTable } from "./row-table.ts";

/** Records of four words: kind, step low, step high, one field. */
function records(count: number): Uint32Array {
  const words = new Uint32Array(count * 4);
  for (let i = 0; i < count; i++) words.set([9 | ((i % 3) << 8), i, 0, Math.imul(i, 0x1_0001)], i * 4);
  return words;
}

test("finds each row again, whatever its step, up to its capacity", () => {
  const capacity = 5000;
  const table = new RowTable(capacity);
  const words = records(capacity);
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < capacity; i++) {
      expect(table.find(words, i * 4, 4)).toBe(0);
      expect(table.add(words, i * 4, 4, 1, true)).toBe(i + 1);
    }
    const later = words.slice();
    for (let i = 0; i < capacity; i++) later[i * 4 + 1] = 77;
    const found = Array.from({ length: capacity }, (_, i) => table.find(later, i * 4, 4));
    expect(found).toEqual(Array.from({ length: capacity }, (_, i) => i + 1));
    table.clear();
  }
});

test("a record of another hart, or another field, is another row; one that is not looked for is not found", () => {
  const table = new RowTable(10);
  const words = Uint32Array.of(9, 0, 0, 5, 9 | 256, 0, 0, 5, 9, 0, 0, 6);
  table.add(words, 0, 4, 1, true);
  expect([0, 4, 8].map((at) => table.find(words, at, 4))).toEqual([1, 0, 0]);
  expect(table.add(words, 4, 4, 1, false)).toBe(2);
  expect(table.find(words, 4, 4)).toBe(0);
});
