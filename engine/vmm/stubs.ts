/**
 * Where the stubs of a copied page stand: in a page of their own, a fixed way below the page, whatever address that has. So one copy and one
 * page of stubs serve every address that the guest gives the frame, as all jumps between them are relative.
 *
 * The distance and the places are chosen so that the second half of a site's jump is no instruction: whoever jumps into the inside of a site
 * traps there, and the guest's own instruction is carried out.
 *
 * Left out: guests that have something of their own within this distance below their code, as kernels of more than 252 KiB: their sites trap.
 *
 * @module
 */
import { PAGE_BYTES } from "../hart/memory.ts";
import { type DecodeAt, decode } from "../isa/decode.ts";
import { encode } from "../isa/encode.ts";
import { findInstruction } from "../isa/instructions.ts";

/** Pages from a page of stubs up to the page that it serves. */
export const STUB_PAGES = 0x3f;
const DISTANCE = STUB_PAGES * PAGE_BYTES;
const WORDS = PAGE_BYTES / 4;
const JUMP = findInstruction("jal")!;

/** @returns The instruction `jal x0, distance`. */
export const jumpBy = (distance: number): number => encode(JUMP, { rd: 0, imm: distance });

/** How far it is from a site to its stub; both are offsets in their pages. */
export const toStub = (site: number, stub: number): number => stub - site - DISTANCE;

/** What {@link toStub} was told the stub's offset, by the distance. */
export const toSite = (site: number, distance: number): number => distance + site + DISTANCE;
export const isJump = (word: number): boolean => (word & 0xfff) === JUMP.match;
/** How far a jump goes. */
export const distanceOf = (jump: number): number => decode(jump)?.imm ?? 0;

/** Whether the second half of a 4-byte instruction is no instruction by itself, so that a jump to it traps. */
export function trapsInside(word: number, decodeAt: DecodeAt): boolean {
  const half = word >>> 16;
  return (half & 3) !== 3 && decodeAt(half, 0) === undefined;
}

export class StubPlaces {
  readonly #taken = new Uint8Array(WORDS);

  /**
   * Finds room for a stub of a number of words.
   *
   * @param site Offset of the site in its page.
   * @returns The stub's offset in its page, or -1 where none is left that suits the site.
   */
  take(site: number, words: number, decodeAt: DecodeAt): number {
    for (let first = 0; first + words <= WORDS; first++) {
      if (!trapsInside(jumpBy(toStub(site, 4 * first)), decodeAt)) continue;
      let word = first;
      while (word < first + words && this.#taken[word] === 0) word++;
      if (word < first + words) continue;
      this.#taken.fill(1, first, first + words);
      return 4 * first;
    }
    return -1;
  }
  giveBack(stub: number, words: number): void {
    this.#taken.fill(0, stub / 4, stub / 4 + words);
  }
}
