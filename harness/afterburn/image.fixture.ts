import { assemble } from "../../engine/mod.ts";

/** Sections of an ELF file to make. */
export interface MadeSection {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly address?: bigint;
  /** As in a section header: 2 loaded, 4 executable. */
  readonly flags?: number;
  /** Where a segment loads it, and where the file starts if it is the first; one without is in no segment. */
  readonly physical?: bigint;
}

/** A linked ELF64 file for RISC-V with these sections. */
export function elfFile(sections: readonly MadeSection[]): Uint8Array {
  const names = ["", ...sections.map(({ name }) => name), ".shstrtab"];
  const text = new TextEncoder().encode(names.map((name) => `${name}\0`).join(""));
  const held = [new Uint8Array(0), ...sections.map(({ bytes }) => bytes), text];
  const starts: number[] = [];
  let end = 64;
  for (const bytes of held) {
    starts.push(end);
    end += bytes.length;
  }
  const loaded = sections.filter(({ physical }) => physical !== undefined);
  const segments = end + 64 * held.length;
  const file = new Uint8Array(segments + 56 * loaded.length);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 243, true);
  view.setBigUint64(40, BigInt(end), true);
  view.setBigUint64(24, loaded[0]?.physical ?? 0n, true);
  view.setBigUint64(32, loaded.length > 0 ? BigInt(segments) : 0n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, loaded.length, true);
  view.setUint16(58, 64, true);
  view.setUint16(60, held.length, true);
  view.setUint16(62, held.length - 1, true);
  let nameAt = 0;
  for (const [index, bytes] of held.entries()) {
    file.set(bytes, starts[index]!);
    const header = end + 64 * index;
    const section = sections[index - 1];
    view.setUint32(header, nameAt, true);
    view.setUint32(header + 4, index === 0 ? 0 : 1, true);
    view.setBigUint64(header + 8, BigInt(section?.flags ?? 0), true);
    view.setBigUint64(header + 16, section?.address ?? 0n, true);
    view.setBigUint64(header + 24, BigInt(starts[index]!), true);
    view.setBigUint64(header + 32, BigInt(bytes.length), true);
    nameAt += names[index]!.length + 1;
  }
  for (const [index, section] of loaded.entries()) {
    const header = segments + 56 * index;
    const length = BigInt(section.bytes.length);
    view.setUint32(header, 1, true);
    view.setBigUint64(header + 8, BigInt(starts[sections.indexOf(section) + 1]!), true);
    view.setBigUint64(header + 16, section.address ?? 0n, true);
    view.setBigUint64(header + 24, section.physical!, true);
    view.setBigUint64(header + 32, length, true);
    view.setBigUint64(header + 40, length, true);
  }
  return file;
}

/** Code at an address, as an executable section. */
export function codeSection(source: string, address: bigint, name = ".text"): MadeSection {
  return { name, bytes: assemble(source, { base: address }).bytes, address, flags: 6 };
}
