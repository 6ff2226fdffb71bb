/**
 * Small kernels: guests of one page of code or a few, in assembly that stands in the repository as text and is assembled when it is loaded.
 *
 * The file is an ELF64 with the code, its labels, and a record of each sensitive instruction, as the afterburner leaves them in a large kernel: so
 * one binary runs on the bare machine and under each technique that needs no port. No site here needs a pad.
 *
 * Left out: data sections; whatever is not in the source is zero.
 * Source: ELF-64 Object File Format 1.5, draft 2; `engine/isa/sites.ts` for the records.
 *
 * @module
 */
import {
  assemble,
  decode,
  SITE_CLASSES,
  SITE_RECORD,
  SITE_RECORD_BYTES,
  SITE_SECTION,
  siteClassOf,
} from "../../engine/mod.ts";
import type { Guest } from "./guest.ts";

/** Where kernels are loaded, under the platform's SBI. */
export const KERNEL_BASE = 0x8020_0000;
/** Enough for a kernel that keeps no more than its tables. */
const MEMORY_BYTES = 4 << 20;

/** @param source What is executed comes first, up to the label `text_end` if there is one, and in 4-byte instructions. */
export function smallKernel(
  options: Pick<Guest, "name" | "workload" | "marks"> & { readonly binary: string; readonly source: string },
): Guest {
  const { source, ...rest } = options;
  return { ...rest, memoryBytes: MEMORY_BYTES, load: async () => ({ kernel: smallImage(source) }) };
}

/**
 * Assembles a kernel into a file.
 *
 * @throws {SyntaxError} If the source is none of the assembler's.
 */
export function smallImage(source: string): Uint8Array {
  const { bytes, labels } = assemble(`.option norvc\n${source}`, { base: BigInt(KERNEL_BASE) });
  const text = Number(labels.get("text_end") ?? BigInt(KERNEL_BASE + bytes.length)) - KERNEL_BASE;
  return elf(bytes, labels, siteRecords(bytes.subarray(0, text)));
}

function siteRecords(text: Uint8Array): Uint8Array {
  const view = new DataView(text.buffer, text.byteOffset, text.length);
  const records: Uint8Array[] = [];
  for (let at = 0; at + 4 <= text.length; at += 4) {
    const decoded = decode(view.getUint32(at, true));
    const siteClass = decoded === undefined ? undefined : siteClassOf(decoded);
    if (siteClass === undefined) continue;
    const values = {
      address: KERNEL_BASE + at,
      length: 4,
      padding: 0,
      class: SITE_CLASSES[siteClass].number,
      treatment: 0,
    };
    const record = new Uint8Array(SITE_RECORD_BYTES);
    let place = 0;
    for (const [field, size] of SITE_RECORD) {
      for (let i = 0; i < size; i++) record[place++] = Math.floor(values[field] / 2 ** (8 * i)) & 0xff;
    }
    records.push(record);
  }
  return joined(records);
}

const [HEADER, SEGMENT, SECTION, SYMBOL] = [64, 56, 64, 24] as const;
const [PROGBITS, SYMTAB, STRTAB] = [1, 2, 3] as const;
const ALLOCATED_CODE = 6n;

interface Part {
  readonly name: string;
  readonly type: number;
  readonly bytes: Uint8Array;
  readonly flags?: bigint;
  readonly address?: bigint;
  readonly link?: number;
  readonly entry?: number;
}

function elf(code: Uint8Array, labels: ReadonlyMap<string, bigint>, sites: Uint8Array): Uint8Array {
  const symbols = [...labels].filter(([, value]) => value >= BigInt(KERNEL_BASE));
  const names = text(symbols.map(([name]) => name));
  const table = new Uint8Array(SYMBOL * (symbols.length + 1));
  const entries = new DataView(table.buffer);
  for (const [i, [, value]] of symbols.entries()) {
    const at = SYMBOL * (i + 1);
    entries.setUint32(at, names.at[i]!, true);
    // Global, of no type, in section 1.
    table[at + 4] = 0x10;
    entries.setUint16(at + 6, 1, true);
    entries.setBigUint64(at + 8, value, true);
  }
  const parts: Part[] = [
    { name: ".text", type: PROGBITS, bytes: code, flags: ALLOCATED_CODE, address: BigInt(KERNEL_BASE) },
    { name: SITE_SECTION, type: PROGBITS, bytes: sites },
    { name: ".symtab", type: SYMTAB, bytes: table, link: 4, entry: SYMBOL },
    { name: ".strtab", type: STRTAB, bytes: names.bytes },
  ];
  const titles = text([...parts.map(({ name }) => name), ".shstrtab"]);
  parts.push({ name: ".shstrtab", type: STRTAB, bytes: titles.bytes });

  const sectionsAt = HEADER + SEGMENT;
  const contentsAt = sectionsAt + SECTION * (parts.length + 1);
  const head = new Uint8Array(contentsAt);
  const view = new DataView(head.buffer);
  const u64 = (at: number, value: bigint | number): void => view.setBigUint64(at, BigInt(value), true);
  head.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  // Executable, for RISC-V; program headers at 64, then section headers, of which the last names them.
  for (const [at, value] of [[16, 2], [18, 243], [52, HEADER], [54, SEGMENT], [56, 1], [58, SECTION], [60, parts.length + 1], [62, parts.length]] as const) view.setUint16(at, value, true); // biome-ignore format: a table
  view.setUint32(20, 1, true);
  u64(24, KERNEL_BASE);
  u64(32, HEADER);
  u64(40, sectionsAt);
  // Loadable: read, write and execute.
  view.setUint32(HEADER, 1, true);
  view.setUint32(HEADER + 4, 7, true);
  u64(HEADER + 8, contentsAt);
  for (const at of [16, 24]) u64(HEADER + at, KERNEL_BASE);
  for (const at of [32, 40]) u64(HEADER + at, code.length);
  let offset = contentsAt;
  for (const [i, { type, bytes, flags = 0n, address = 0n, link = 0, entry = 0 }] of parts.entries()) {
    const at = sectionsAt + SECTION * (i + 1);
    view.setUint32(at, titles.at[i]!, true);
    view.setUint32(at + 4, type, true);
    for (const [place, value] of [[8, flags], [16, address], [24, offset], [32, bytes.length], [48, 1], [56, entry]] as const) u64(at + place, value); // biome-ignore format: a table
    view.setUint32(at + 40, link, true);
    // Of a symbol table: behind its last local symbol, which is the empty first one.
    view.setUint32(at + 44, type === SYMTAB ? 1 : 0, true);
    offset += bytes.length;
  }
  return joined([head, ...parts.map(({ bytes }) => bytes)]);
}

/** Names as a string table, and where each is in it. */
function text(names: readonly string[]): { readonly bytes: Uint8Array; readonly at: readonly number[] } {
  const at: number[] = [];
  let all = "\0";
  for (const name of names) {
    at.push(all.length);
    all += `${name}\0`;
  }
  return { bytes: new TextEncoder().encode(all), at };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
