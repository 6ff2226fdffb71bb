/**
 * What the kernels of a comparison are as files: bytes, sensitive instructions by class, and what an afterburner left in them.
 *
 * Left out: kernels that are no ELF files, which have no sections to tell code from data.
 *
 * @module
 */
import {
  decodeAt,
  elfSections,
  ImageError,
  readSites,
  SITE_CLASSES,
  SITE_SECTION,
  type SiteClass,
  siteClassOf,
} from "../engine/mod.ts";
import type { Binary } from "./comparison.ts";

const CLASSES = Object.keys(SITE_CLASSES) as SiteClass[];

/**
 * @param name What the comparison calls the kernel.
 * @returns Undefined where the file is no ELF file.
 */
export function describeBinary(name: string, kernel: Uint8Array): Binary | undefined {
  let sections: ReturnType<typeof elfSections>;
  try {
    sections = elfSections(kernel, name);
  } catch (error) {
    if (error instanceof ImageError) return undefined;
    throw error;
  }
  const code = sections.filter(({ executable, loaded }) => executable && loaded);
  const records = sections.find((section) => section.name === SITE_SECTION)?.bytes;
  const inside = (address: bigint): boolean =>
    code.some((section) => address >= section.address && address < section.address + BigInt(section.bytes.length));
  // Records of code that the linker dropped are of nothing that runs.
  const annotated = (records === undefined ? [] : readSites(records)).filter(
    ({ treatment, address }) => treatment === "annotated" && inside(address),
  );
  const textBytes = code.reduce((sum, { bytes }) => sum + bytes.length, 0);
  return {
    name,
    fileBytes: kernel.length,
    textBytes,
    sensitive: byClass(code.flatMap(({ bytes }) => sensitiveIn(bytes))),
    annotated: byClass(annotated.map(({ siteClass }) => siteClass)),
    padBytes: annotated.reduce((sum, { padding }) => sum + padding, 0),
  };
}

/** Classes of the sensitive instructions, decoded from the start; a halfword that begins no instruction is passed over. */
function sensitiveIn(bytes: Uint8Array): SiteClass[] {
  const half = (at: number): number => (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
  const found: SiteClass[] = [];
  for (let at = 0; at + 1 < bytes.length; ) {
    const decoded = decodeAt(half(at), half(at + 2));
    const siteClass = decoded === undefined ? undefined : siteClassOf(decoded);
    if (siteClass !== undefined) found.push(siteClass);
    at += decoded?.length ?? 2;
  }
  return found;
}

/** In the order of `SITE_CLASSES`; classes of which there is none are absent. */
function byClass(found: readonly SiteClass[]): Readonly<Record<string, number>> {
  const counts = CLASSES.map((name) => [name, found.filter((one) => one === name).length] as const);
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}
