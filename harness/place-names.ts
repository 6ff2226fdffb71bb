/**
 * Names of places in a kernel: the symbol before an address, and how far behind it.
 *
 * Left out: symbols of a kernel before it has turned paging on, when it runs at other addresses than it was linked for.
 *
 * @module
 */
import { disassemble, elfSections, symbolsOf } from "../engine/mod.ts";
import type { PlaceNames } from "./costs/run-tallies.ts";

/** @param kernel The kernel's file; one that is no ELF, or is stripped, has no names. */
export function placeNamesOf(kernel: Uint8Array): PlaceNames {
  const found = [...symbolsOf(kernel)].filter(([name]) => /^[A-Za-z_]/.test(name));
  const text =
    found.length === 0 ? [] : elfSections(kernel, "kernel").filter(({ executable, loaded }) => executable && loaded);
  const inText = (pc: bigint): boolean =>
    text.some(({ address, bytes }) => pc >= address && pc < address + BigInt(bytes.length));
  // Several names may be of one address: the first in code-unit order is taken, so that it is always the same one.
  const symbols = found
    .filter(([, address]) => inText(address))
    .sort(([a, one], [b, other]) => (one < other ? -1 : one > other ? 1 : a < b ? -1 : 1))
    .filter(([, address], at, all) => all[at - 1]?.[1] !== address);
  return {
    instruction: (bits) => disassemble(bits),
    place(pc) {
      if (symbols.length === 0) return "";
      const before = inText(pc) ? symbols.findLast(([, address]) => address <= pc) : undefined;
      if (before === undefined) return `0x${pc.toString(16)}`;
      const behind = pc - before[1];
      return behind === 0n ? before[0] : `${before[0]}+0x${behind.toString(16)}`;
    },
  };
}
