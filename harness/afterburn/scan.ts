/**
 * The scan of a linked image: whether every sensitive instruction in it has a record, and every record is of a sensitive instruction with room for
 * what may replace it. It knows nothing of sources: it decodes what is there.
 *
 * Executable sections are decoded from their start, instruction by instruction; where a halfword begins none, the next is tried. Records of
 * addresses that no executable section holds are of code that the linker dropped, and are counted.
 *
 * Left out: what a jump into the middle of an instruction would execute. It is counted by address where it would be sensitive.
 *
 * @module
 */
import {
  decode,
  decodeAt,
  disassemble,
  elfSections,
  findInstruction,
  readSites,
  SITE_CLASSES,
  SITE_SECTION,
  type Site,
  siteClassOf,
} from "../../engine/mod.ts";
import { isListed, type MemoryInstruction, type MemoryPlace, memoryInstructions, placeText } from "./memory-sites.ts";

/** Something wrong with an image. */
export interface ScanFault {
  readonly address: bigint;
  readonly message: string;
}

export interface Scan {
  readonly sites: readonly Site[];
  /** Records of code that is not in the image. */
  readonly dropped: number;
  /** Instructions that were decoded, of all executable sections. */
  readonly instructions: number;
  /** Pads, among them. */
  readonly pads: number;
  /** Halfwords that begin no instruction. */
  readonly undecoded: number;
  /** Addresses inside of instructions at which a sensitive one could be made out. */
  readonly interior: readonly bigint[];
  readonly faults: readonly ScanFault[];
}

const PAD = findInstruction("pad")!.op;

/**
 * @param file An ELF64 file for RISC-V, linked.
 * @param name What messages call it.
 * @param memory Memory instructions that must be annotated besides.
 * @throws {RangeError} If it is none, or its records are broken.
 */
export function scanImage(file: Uint8Array, name: string, memory: readonly MemoryPlace[] = []): Scan {
  const sections = elfSections(file, name);
  const records = readSites(sections.find((section) => section.name === SITE_SECTION)?.bytes ?? new Uint8Array(0));
  const code = sections.filter(({ executable, loaded }) => executable && loaded);
  const faults: ScanFault[] = [];
  const byAddress = new Map<bigint, Site>();
  let dropped = 0;
  for (const site of records) {
    const { address } = site;
    const section = code.find((held) => address >= held.address && address < held.address + BigInt(held.bytes.length));
    if (section === undefined) {
      // What the linker drops is at 0, or anywhere: nothing there is executed.
      dropped++;
      continue;
    }
    if (byAddress.has(address)) faults.push({ address, message: "it has two records" });
    byAddress.set(address, site);
    const message = complaint(site, section.bytes, Number(address - section.address));
    if (message !== undefined) faults.push({ address, message });
  }
  const totals = { instructions: 0, pads: 0, undecoded: 0 };
  const interior: bigint[] = [];
  for (const { address, bytes } of code) {
    const half = (at: number): number => (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
    for (let at = 0; at + 1 < bytes.length; ) {
      const here = address + BigInt(at);
      const decoded = decodeAt(half(at), half(at + 2));
      if (decoded === undefined) {
        totals.undecoded++;
        at += 2;
        continue;
      }
      totals.instructions++;
      if (decoded.instruction.op === PAD) totals.pads++;
      const siteClass = siteClassOf(decoded);
      if (siteClass !== undefined && !byAddress.has(here)) {
        const text = disassemble(wordAt(bytes, at), here);
        faults.push({ address: here, message: `${text}, of class ${siteClass}, is neither annotated nor listed` });
      }
      if (decoded.length === 4) {
        const inside = decodeAt(half(at + 2), half(at + 4));
        if (inside !== undefined && siteClassOf(inside) !== undefined) interior.push(here + 2n);
      }
      at += decoded.length;
    }
  }
  if (memory.length > 0) faults.push(...unannotated(memoryInstructions(file, name), memory, byAddress));
  faults.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  return { sites: [...byAddress.values()], dropped, ...totals, interior, faults };
}

/** What is wrong with the memory instructions that a run named. */
function unannotated(
  instructions: readonly MemoryInstruction[],
  memory: readonly MemoryPlace[],
  byAddress: ReadonlyMap<bigint, Site>,
): ScanFault[] {
  const wanted = instructions.filter(({ places }) => isListed(places, memory));
  const named = wanted.flatMap(({ places }) => places);
  return [
    ...wanted
      .filter(({ address }) => byAddress.get(address)?.siteClass !== "memory")
      .map(({ address, places }) => ({ address, message: `${placeText(places[0]!)} is not annotated` })),
    ...memory
      .filter((place) => !isListed(named, [place]))
      .map((place) => ({ address: 0n, message: `${placeText(place)} names no memory instruction` })),
  ];
}

/** What is wrong with a record, or undefined. */
function complaint({ siteClass, length, padding, treatment }: Site, bytes: Uint8Array, at: number): string | undefined {
  if (length !== 4 || at + length + padding > bytes.length)
    return `its site has ${length + padding} bytes, which are not there`;
  const decoded = decode(wordAt(bytes, at));
  const found = decoded === undefined ? undefined : siteClassOf(decoded);
  const loads = decoded !== undefined && (decoded.instruction.effects.loads || decoded.instruction.effects.stores);
  const fits = siteClass === "undecided" || (siteClass === "memory" ? loads : found === siteClass);
  if (!fits)
    return `its record is of class ${siteClass}, but ${disassemble(wordAt(bytes, at))} is ${found ?? "of none"}`;
  if (treatment !== "annotated") return undefined;
  const needed = Math.max(SITE_CLASSES[siteClass].bytes, found === undefined ? 0 : SITE_CLASSES[found].bytes);
  if (length + padding < needed)
    return `a site of class ${found ?? siteClass} needs ${needed} bytes: it has ${length + padding}`;
  for (let pad = at + length; pad < at + length + padding; pad += 4) {
    if (decode(wordAt(bytes, pad))?.instruction.op !== PAD)
      return `pads must follow it: ${disassemble(wordAt(bytes, pad))} does`;
  }
  return undefined;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)) >>> 0;
}
