/**
 * Kernels for tests of what stands in for sites: their code goes on at addresses with nothing below, where stubs have room, and has records.
 *
 * @module
 */
import { assemble, SITE_SECTION } from "../engine/mod.ts";
import { HIGH } from "../engine/vmm/inline.fixture.ts";
import { elfFile } from "./afterburn/image.fixture.ts";

export const BASE = 0x8020_0000n;
/** From an address of the code to the other that it has. */
export const UP = 0xffff_ffff_0000_0000n;

/** Bytes and labels of a program that runs there. */
export const highCode = (source: string): ReturnType<typeof assemble> => assemble(HIGH + source, { base: BASE });

/** What a record says. */
export interface SiteRecord {
  readonly address: bigint;
  readonly length?: number;
  /** Bytes of pads. */
  readonly padding?: number;
  readonly siteClass: number;
}

/** Its image, with records of sites. */
export function highKernel(bytes: Uint8Array, sites: readonly SiteRecord[]): Uint8Array {
  const records = new DataView(new ArrayBuffer(16 * sites.length));
  for (const [i, { address, length = 4, padding = 0, siteClass }] of sites.entries()) {
    records.setBigUint64(16 * i, address, true);
    records.setUint16(16 * i + 8, length, true);
    records.setUint16(16 * i + 10, padding, true);
    records.setUint16(16 * i + 12, siteClass, true);
  }
  return elfFile([
    { name: ".text", bytes, address: BASE + UP, flags: 6, physical: BASE },
    { name: SITE_SECTION, bytes: new Uint8Array(records.buffer) },
  ]);
}
