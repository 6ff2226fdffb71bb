/**
 * An event as a JSON value: 64-bit fields are text such as `0x80200000`, bytes are text of hexadecimal digits.
 *
 * @module
 */

import type { Event } from "../../engine/mod.ts";
import { exportJsonLines } from "../../traces/mod.ts";

export function eventDocument(event: Event): object {
  const [line = "{}"] = exportJsonLines([event]);
  return JSON.parse(line) as object;
}
