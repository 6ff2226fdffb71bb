/**
 * Kernels for tests of what stands in for sites: their code goes on at addresses with nothing below, where stubs have room, and has records.
 *
 * @module
 */
import { assemble, SITE_SECTION } from "../engine/mod.ts";
import { elfFile } from "./afterburn/image.fixture.ts";

export const BASE = 0x8020_0000n;
/** From an address of the code to the other that it has. */
export const UP = 0xffff_ffff_0000_0000n;

/** Sv39: RAM's first gigabyte as it is; and the 2 MiB at 0x80200000 at 0xffffffff_80200000 too. */
const HIGH = `
  li t0, 0x80300000
  li t1, 0x200000cf
  sd t1, 16(t0)
  li t1, 0x200c0401
  li t2, 0x80300ff0
  sd t1, 0(t2)
  li t0, 0x80301000
  li t1, 0x200800cf
  sd t1, 8(t0)
  li t1, 8
  slli t1, t1, 60
  li t2, 0x80300
  or t1, t1, t2
  csrw satp, t1
  li t0, 0xffffffff
  slli t0, t0, 32
  la t1, high
  add t0, t0, t1
  jr t0
  .align 3
  high:
`;

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
