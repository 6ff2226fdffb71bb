import { expect, test } from "vitest";
import { crc32 } from "./crc32.ts";

test("the checksum of the standard's check input is the standard's", () => {
  const bytes = Uint8Array.from("123456789", (c) => c.charCodeAt(0));
  expect(crc32(bytes)).toBe(0xcbf4_3926);
  expect(crc32(new Uint8Array(0))).toBe(0);
});
