/**
 * Marks for guests that make none: a lap point wherever the guest is about to run the instruction at a symbol or an address.
 *
 * The engine makes them (`Machine.watch`), so that they stand at the same steps under every technique; what a symbol stands for is found
 * once, and the trace keeps the address.
 *
 * Left out: symbols of anything but the images that the machine starts with, such as programs that the guest loads.
 *
 * @module
 */

import { type Machine, symbolsOf } from "../engine/mod.ts";
import { freeIds, LAP } from "./console-marks.ts";
import type { GuestImages } from "./guests/mod.ts";

/** An address that makes a mark. */
export interface AddressMark {
  /** The mark's id, from 0 to 255. */
  readonly id: number;
  /** Virtual. */
  readonly address: bigint;
}

/** Most symbols that are named where one was not found. */
const SUGGESTIONS = 4;

/**
 * Finds the address of each place, and gives it an id that no other mark has.
 *
 * @param places Symbols, or addresses such as `0xffffffff80000000`, by mark name.
 * @param images Where symbols are looked up: in the kernel, then in the firmware.
 * @param others Ids of the guest's other marks, by name.
 * @throws {RangeError} If there is no such symbol, no instruction can stand there, two marks share a name or an address, or there are too many.
 */
export function resolveAddressMarks(
  places: Readonly<Record<string, string>>,
  images: Pick<GuestImages, "kernel" | "firmware">,
  others: Readonly<Record<string, number>>,
): readonly (AddressMark & { readonly name: string })[] {
  let symbols: ReadonlyMap<string, bigint> | undefined;
  const next = freeIds(Object.values(others));
  const names = new Map<bigint, string>();
  return Object.entries(places).map(([name, place]) => {
    if (Object.hasOwn(others, name))
      throw new RangeError(`Cannot mark ${name} as each mark has a name of its own: another one of the guest has it`);
    symbols ??= symbolsOfImages(images);
    const address = /^0x[0-9a-f]+$/i.test(place) ? BigInt(place) : symbolNamed(symbols, name, place);
    if ((address & 1n) !== 0n || address >> 64n !== 0n)
      throw new RangeError(
        `Cannot mark ${name} as an instruction has an even address of 64 bits: it is ${hex(address)}`,
      );
    const other = names.get(address);
    if (other !== undefined)
      throw new RangeError(`Cannot mark ${name} as an address makes one mark: ${hex(address)} makes ${other} already`);
    names.set(address, name);
    return { name, id: next(name), address };
  });
}

function symbolsOfImages({ kernel, firmware }: Pick<GuestImages, "kernel" | "firmware">): ReadonlyMap<string, bigint> {
  return new Map([...(firmware === undefined ? [] : symbolsOf(firmware, "firmware")), ...symbolsOf(kernel, "kernel")]);
}

function symbolNamed(symbols: ReadonlyMap<string, bigint>, mark: string, symbol: string): bigint {
  const address = symbols.get(symbol);
  if (address !== undefined) return address;
  if (symbols.size === 0) {
    throw new RangeError(
      `Cannot mark ${mark} at ${symbol} as symbols come from an ELF kernel: this one has none; use --mark-at ${mark}=0xADDRESS`,
    );
  }
  const similar = similarTo(symbol, [...symbols.keys()]);
  const found = similar.length === 0 ? "no name is like it" : `it has ${similar.join(", ")}`;
  throw new RangeError(`Cannot mark ${mark} at ${symbol} as the kernel must have a symbol of that name: ${found}`);
}

/** Names that share most with one, the likest first. */
export function similarTo(name: string, names: readonly string[]): readonly string[] {
  const pairs = pairsOf(name);
  return names
    .map((other) => {
      const theirs = pairsOf(other);
      const shared = [...pairs].filter((pair) => theirs.has(pair)).length;
      return { other, likeness: (2 * shared) / (pairs.size + theirs.size) };
    })
    .filter(({ likeness }) => likeness >= 0.4)
    .sort((a, b) => b.likeness - a.likeness || (a.other < b.other ? -1 : 1))
    .slice(0, SUGGESTIONS)
    .map(({ other }) => other);
}
/** Pairs of adjacent letters, with the ends of the name as letters too. */
function pairsOf(name: string): ReadonlySet<string> {
  const text = `^${name.toLowerCase()}$`;
  return new Set(Array.from({ length: text.length - 1 }, (_, at) => text.slice(at, at + 2)));
}

const hex = (address: bigint): string => `0x${address.toString(16)}`;

/** The marks as a header's setting keeps them. */
export function packAddressMarks(marks: readonly AddressMark[]): string {
  return JSON.stringify(marks.map(({ id, address }) => [id, hex(address)]));
}

/**
 * Makes a machine watch for the marks of a header's setting.
 *
 * @throws {RangeError} If the setting is none that {@link packAddressMarks} wrote.
 */
export function watchAddresses(machine: Pick<Machine, "watch">, setting: string | number | boolean | undefined): void {
  if (setting === undefined) return;
  try {
    for (const pair of JSON.parse(String(setting)) as unknown[]) {
      const [id, address] = pair as [unknown, unknown];
      if (typeof id !== "number" || id >>> 8 !== 0 || typeof address !== "string" || !/^0x[0-9a-f]+$/.test(address))
        throw new TypeError("no id and address");
      machine.watch(BigInt(address), LAP | id);
    }
  } catch (error) {
    throw new RangeError(
      `Cannot replay as a recording's address marks must be ids with addresses: ${String(setting)}`,
      {
        cause: error,
      },
    );
  }
}
