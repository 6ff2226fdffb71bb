/**
 * ELF64 files: segments, entry and symbols, with every offset checked before it is followed.
 *
 * Left out: relocation, dynamic linking, and more than 65,534 program headers.
 * Source: ELF-64 Object File Format 1.5, draft 2; RISC-V ELF psABI 1.0, chapter 8.
 *
 * @module
 */
import type { Segment } from "./image.ts";

/** What an ELF file says of itself. Nothing is checked against RAM yet. */
export interface Elf {
  /** Loadable segments with a length in memory, in the file's order. */
  readonly segments: readonly Segment[];
  /** As in the header: physical or virtual. */
  readonly entry: bigint;
  /** Reads the symbol table. */
  symbols(): ReadonlyMap<string, bigint>;
}

const HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const SECTION_HEADER_BYTES = 64;
const SYMBOL_BYTES = 24;

const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const TYPE_EXECUTABLE = 2;
const TYPE_SHARED = 3;
const MACHINE_RISCV = 243;
const LOAD = 1;
const SYMBOL_TABLE = 2;
const TYPE_SECTION = 3;
const TYPE_FILE = 4;
const BINDING_LOCAL = 0;

/**
 * Reads an ELF64 little-endian RISC-V file.
 *
 * @param fail Makes the error to throw from the rule that was broken and what was found.
 */
export function elfFrom(file: Uint8Array, fail: (rule: string, found: string) => Error): Elf {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < HEADER_BYTES)
    throw fail(`an ELF64 header has ${HEADER_BYTES} bytes`, `the file has ${file.length}`);
  const must = (ok: boolean, rule: string, found: () => string): void => {
    if (!ok) throw fail(rule, found());
  };
  const u16 = (at: number): number => view.getUint16(at, true);
  const u32 = (at: number): number => view.getUint32(at, true);
  const u64 = (at: number): bigint => view.getBigUint64(at, true);
  /** A range of the file, as numbers, once it is known to lie in it. */
  const inFile = (offset: bigint, length: bigint, what: string): number => {
    must(
      offset + length <= BigInt(file.length),
      `${what} must lie inside the file`,
      () => `${length} bytes at offset ${offset} of ${file.length}`,
    );
    return Number(offset);
  };

  must(file[4] === CLASS_64, "an ELF file must be of class ELF64", () => `class ${file[4]}`);
  must(file[5] === LITTLE_ENDIAN, "an ELF file must be little-endian", () => `data encoding ${file[5]}`);
  must(u16(18) === MACHINE_RISCV, "an ELF file must be for RISC-V (machine 243)", () => `machine ${u16(18)}`);
  must(
    u16(16) === TYPE_EXECUTABLE || u16(16) === TYPE_SHARED,
    "an ELF file must be executable (type 2 or 3)",
    () => `type ${u16(16)}`,
  );

  const headers = u16(56);
  const segments: Segment[] = [];
  if (headers > 0) {
    must(headers !== 0xffff, "an ELF file has at most 65,534 program headers", () => "more");
    must(u16(54) === PROGRAM_HEADER_BYTES, "a program header has 56 bytes", () => `${u16(54)}`);
    const table = inFile(u64(32), BigInt(headers * PROGRAM_HEADER_BYTES), "program headers");
    for (let at = table; at < table + headers * PROGRAM_HEADER_BYTES; at += PROGRAM_HEADER_BYTES) {
      const fileBytes = u64(at + 32);
      const memoryBytes = u64(at + 40);
      if (u32(at) !== LOAD || memoryBytes === 0n) continue;
      must(
        fileBytes <= memoryBytes,
        "a segment is at least as long in memory as in the file",
        () => `${fileBytes} bytes in the file, ${memoryBytes} in memory`,
      );
      must(memoryBytes <= BigInt(Number.MAX_SAFE_INTEGER), "a segment must fit into RAM", () => `${memoryBytes} bytes`);
      const from = inFile(u64(at + 8), fileBytes, "a segment");
      segments.push({
        address: u64(at + 24),
        virtualAddress: u64(at + 16),
        bytes: file.subarray(from, from + Number(fileBytes)),
        memoryBytes: Number(memoryBytes),
      });
    }
  }
  must(
    segments.length > 0,
    "an ELF file has a loadable segment",
    () => `${headers} program headers, none of which is one`,
  );

  const sections = u64(40) === 0n ? 0 : u16(60);
  let sectionTable = 0;
  if (sections > 0) {
    must(u16(58) === SECTION_HEADER_BYTES, "a section header has 64 bytes", () => `${u16(58)}`);
    sectionTable = inFile(u64(40), BigInt(sections * SECTION_HEADER_BYTES), "section headers");
  }
  const sectionRange = (index: number, what: string): { from: number; to: number; link: number } => {
    must(index < sections, `${what} must be a section`, () => `number ${index} of ${sections}`);
    const at = sectionTable + index * SECTION_HEADER_BYTES;
    const from = inFile(u64(at + 24), u64(at + 32), what);
    return { from, to: from + Number(u64(at + 32)), link: u32(at + 40) };
  };

  let symbolSection: { from: number; to: number } | undefined;
  let names: { from: number; to: number } | undefined;
  for (let index = 0; index < sections; index++) {
    if (u32(sectionTable + index * SECTION_HEADER_BYTES + 4) !== SYMBOL_TABLE) continue;
    const table = sectionRange(index, "the symbol table");
    symbolSection = table;
    names = sectionRange(table.link, "the symbols' names");
    break;
  }

  const symbols = (): ReadonlyMap<string, bigint> => {
    const found = new Map<string, bigint>();
    const local = new Map<string, bigint>();
    if (symbolSection === undefined || names === undefined) return found;
    for (let at = symbolSection.from; at + SYMBOL_BYTES <= symbolSection.to; at += SYMBOL_BYTES) {
      const info = file[at + 4] ?? 0;
      const type = info & 0xf;
      if (type === TYPE_SECTION || type === TYPE_FILE || u16(at + 6) === 0) continue;
      const name = textAt(file, names.from + u32(at), names.to);
      if (name === "") continue;
      const table = info >>> 4 === BINDING_LOCAL ? local : found;
      if (!table.has(name)) table.set(name, u64(at + 8));
    }
    for (const [name, value] of local) if (!found.has(name)) found.set(name, value);
    return found;
  };
  return { segments, entry: u64(24), symbols };
}

/** The text from `from` to its zero byte or `to`; "" where it lies outside. */
function textAt(file: Uint8Array, from: number, to: number): string {
  let text = "";
  for (let at = from; at < to && file[at] !== 0; at++) text += String.fromCharCode(file[at] ?? 0);
  return text;
}
