/**
 * The sections of an ELF64 file for RISC-V, linked or not: what an annotated object or image is looked through by.
 *
 * Left out: files with more than 65,279 sections; relocation, so the records of an object file that is not linked have no addresses.
 * Source: ELF-64 Object File Format 1.5, draft 2.
 *
 * @module
 */

import { ImageError } from "./image.ts";

export interface ElfSection {
  readonly name: string;
  readonly address: bigint;
  readonly executable: boolean;
  /** Whether it is part of the program in memory. */
  readonly loaded: boolean;
  /** Empty for a section that has none in the file. */
  readonly bytes: Uint8Array;
}

const HEADER_BYTES = 64;
const SECTION_HEADER_BYTES = 64;
const NO_BITS = 8;
const ALLOCATED = 2n;
const EXECUTABLE = 4n;
const MACHINE_RISCV = 243;

/**
 * @param name The file's name, for errors.
 * @throws {ImageError} If it is no ELF64 file for RISC-V, or is broken.
 */
export function elfSections(file: Uint8Array, name: string): readonly ElfSection[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const must = (ok: boolean, rule: string, found: string): void => {
    if (!ok) throw new ImageError(`Cannot read the sections of ${name} as ${rule}: ${found}`);
  };
  const isElf = file.length >= HEADER_BYTES && view.getUint32(0, false) === 0x7f45_4c46 && file[4] === 2;
  must(isElf, "it must be an ELF64 file", `it has ${file.length} bytes, and no such header`);
  must(view.getUint16(18, true) === MACHINE_RISCV, "it must be for RISC-V", `machine ${view.getUint16(18, true)}`);
  const range = (offset: bigint, length: bigint, what: string): [from: number, to: number] => {
    must(
      length === 0n || offset + length <= BigInt(file.length),
      `${what} must lie inside the file`,
      `${length} bytes at ${offset}`,
    );
    return [Number(offset), Number(offset + length)];
  };
  const count = view.getUint16(60, true);
  const [table] = range(view.getBigUint64(40, true), BigInt(count * SECTION_HEADER_BYTES), "the section table");
  const headers = Array.from({ length: count }, (_, index) => {
    const header = table + index * SECTION_HEADER_BYTES;
    const [type, flags] = [view.getUint32(header + 4, true), view.getBigUint64(header + 8, true)];
    const length = type === NO_BITS ? 0n : view.getBigUint64(header + 32, true);
    const [from, to] = range(view.getBigUint64(header + 24, true), length, `section ${index}`);
    return {
      nameAt: view.getUint32(header, true),
      address: view.getBigUint64(header + 16, true),
      executable: (flags & EXECUTABLE) !== 0n,
      loaded: (flags & ALLOCATED) !== 0n,
      bytes: file.subarray(from, to),
    };
  });
  const names = headers[view.getUint16(62, true)]?.bytes ?? new Uint8Array(0);
  return headers.map(({ nameAt, ...section }) => ({ name: textAt(names, nameAt), ...section }));
}

function textAt(bytes: Uint8Array, from: number): string {
  let text = "";
  for (let at = from; at < bytes.length && bytes[at] !== 0; at++) text += String.fromCharCode(bytes[at]!);
  return text;
}
