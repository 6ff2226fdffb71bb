import { expect, test } from "vitest";
import { crc32 } from "./crc32.ts";

test("the checksum of the standard's check input is the standard's", () => {
  const bytes = Uint8Array.from("123456789", (c) => c.charCodeAt(0));
  expect(crc32(bytes)).toBe(0xcbf4_3926);
  expect(crc32(new Uint8Array(0))).toBe(0);
});

test("the checksum is that of the bits, one by one, at any length", () => {
  for (let length = 0; length < 40; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => Math.imul(i + length, 0x9e37_79b1) >>> 24);
    let remainder = 0xffff_ffff;
    for (const byte of bytes) {
      for (let bit = 0; bit < 8; bit++) {
        const one = (remainder ^ (byte >>> bit)) & 1;
        remainder = (remainder >>> 1) ^ (one === 1 ? 0xedb8_8320 : 0);
      }
    }
    expect(crc32(bytes), `${length}`).toBe(~remainder >>> 0);
  }
});
