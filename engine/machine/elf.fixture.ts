/**
 * ELF64 files for tests.
 *
 * @module
 */

/** A loadable segment. */
export interface Part {
  readonly physical: bigint;
  readonly virtual?: bigint;
  readonly bytes: Uint8Array;
  readonly memory?: bigint;
}

export const [SECTION_BYTES, SYMBOL_BYTES] = [64, 24] as const;

/** An ELF64 file: header, program headers, contents, symbol names, symbols, three section headers. */
export function elf(
  parts: readonly Part[],
  entry: bigint,
  symbols: readonly (readonly [string, bigint, number?])[] = [],
): Uint8Array {
  const contentsAt = 64 + 56 * parts.length;
  const contents = parts.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const names = new TextEncoder().encode(`\0${symbols.map(([name]) => `${name}\0`).join("")}`);
  const namesAt = contentsAt + contents;
  const symbolsAt = namesAt + names.length;
  const sectionsAt = symbolsAt + SYMBOL_BYTES * (symbols.length + 1);
  const file = new Uint8Array(sectionsAt + 3 * SECTION_BYTES);
  const view = new DataView(file.buffer);
  const u16 = (at: number, value: number): void => view.setUint16(at, value, true);
  const u32 = (at: number, value: number): void => view.setUint32(at, value, true);
  const u64 = (at: number, value: bigint | number): void => view.setBigUint64(at, BigInt(value), true);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  u16(16, 2);
  u16(18, 243);
  u32(20, 1);
  u64(24, entry);
  u64(32, 64);
  u64(40, sectionsAt);
  u16(52, 64);
  u16(54, 56);
  u16(56, parts.length);
  u16(58, SECTION_BYTES);
  u16(60, 3);
  let at = contentsAt;
  for (const [index, { physical, virtual = physical, bytes, memory = BigInt(bytes.length) }] of parts.entries()) {
    const header = 64 + 56 * index;
    u32(header, 1);
    u64(header + 8, at);
    u64(header + 16, virtual);
    u64(header + 24, physical);
    u64(header + 32, bytes.length);
    u64(header + 40, memory);
    file.set(bytes, at);
    at += bytes.length;
  }
  file.set(names, namesAt);
  let name = 1;
  for (const [index, [text, value, info = 0x10]] of symbols.entries()) {
    const symbol = symbolsAt + SYMBOL_BYTES * (index + 1);
    u32(symbol, name);
    view.setUint8(symbol + 4, info);
    u16(symbol + 6, 1);
    u64(symbol + 8, value);
    name += text.length + 1;
  }
  const section = (index: number, type: number, offset: number, length: number, link: number): void => {
    u32(sectionsAt + SECTION_BYTES * index + 4, type);
    u64(sectionsAt + SECTION_BYTES * index + 24, offset);
    u64(sectionsAt + SECTION_BYTES * index + 32, length);
    u32(sectionsAt + SECTION_BYTES * index + 40, link);
  };
  section(1, 2, symbolsAt, SYMBOL_BYTES * (symbols.length + 1), 2);
  section(2, 3, namesAt, names.length, 0);
  return file;
}
