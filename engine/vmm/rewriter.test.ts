/** The one rule of the rewriter, on any bytes: a halfword that keeps its bits begins exactly the guest's instruction there, and an innocuous one. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MachineMemory, RAM_BASE } from "../hart/memory.ts";
import { decodeAt } from "../isa/decode.ts";
import { encode } from "../isa/encode.ts";
import { findInstruction } from "../isa/instructions.ts";
import { siteClassOf } from "../isa/sites.ts";
import { VmmFrames } from "./frames.ts";
import { Rewriter } from "./rewriter.ts";

const HALVES = 2048;
const FRAME = RAM_BASE / 4096;
const SITE = 0x9002;

function parts() {
  const memory = new MachineMemory(4096, 8 * 4096);
  /** Bytes of copies that decoding was told of. */
  const told = new Set<number>();
  const written = (physical: number, length: number) => {
    for (let at = physical; at < physical + length; at++) told.add(at);
  };
  const released: number[] = [];
  const decoded = {
    decodeAt,
    frame: () => {},
    weigh: () => {},
    own: () => {},
    release: (frame: number) => void released.push(frame),
    written,
  };
  const frames = new VmmFrames(memory);
  const rewriter = new Rewriter({ memory, decoded, frames });
  const at = (frame: number) => new Uint16Array(memory.wasm.buffer, memory.linear(frame * 4096), HALVES);
  return { memory, told, released, frames, rewriter, original: at(FRAME), copy: () => at(rewriter.copyOf(FRAME)) };
}

/** What is wrong with a copy: the first halfword that breaks the rule. */
function broken(original: Uint16Array, copy: Uint16Array, rewriter: Rewriter): string | undefined {
  for (let half = 0; half < HALVES; half++) {
    const low = original[half]!;
    if (rewriter.standsAt(RAM_BASE + 2 * half)) {
      if (copy[half] !== SITE) return `halfword ${half} is a site without its trap`;
      if ((low & 3) !== 3) return `halfword ${half} is compressed, and a site`;
      continue;
    }
    if (copy[half] !== low) return `halfword ${half} has other bits`;
    if ((low & 3) !== 3) continue;
    if (half === HALVES - 1 || copy[half + 1] !== original[half + 1]) return `halfword ${half} is cut`;
    const decoded = decodeAt(low, original[half + 1]!);
    if (decoded !== undefined && siteClassOf(decoded) !== undefined) return `halfword ${half} is sensitive`;
  }
  return undefined;
}

const word = (mnemonic: string, operands: object) => encode(findInstruction(mnemonic)!, operands) >>> 0;
const SENSITIVE = [0x140022f3, 0x10200073, 0x12000073, 0x10500073, 0x18051073, 0x10016073, 0x30200073];
/** Pieces of code: random halfwords, those that begin wide, and sensitive instructions at any halfword. */
const piece = fc.oneof(
  { weight: 4, arbitrary: fc.nat(0xffff).map((half) => [half]) },
  { weight: 2, arbitrary: fc.nat(0xffff).map((half) => [half | 3]) },
  { weight: 1, arbitrary: fc.constantFrom(...SENSITIVE).map((bits) => [bits & 0xffff, bits >>> 16]) },
);
const page = fc.array(piece, { minLength: 400, maxLength: 1800 }).map((pieces) => pieces.flat().slice(0, HALVES));

describe("the rewriter", () => {
  test("keeps its rule for any page, and the page itself as it is", () => {
    fc.assert(
      fc.property(page, (halves) => {
        const { rewriter, original, copy } = parts();
        original.set(halves);
        rewriter.make(FRAME);
        expect(broken(original, copy(), rewriter)).toBeUndefined();
        expect([...original.subarray(0, halves.length)]).toEqual(halves);
      }),
      { numRuns: 60 },
    );
  });

  test("mends a copy after any writes to what it would be made as anew", () => {
    const writes = fc.array(fc.tuple(fc.nat(4095), fc.uint8Array({ minLength: 1, maxLength: 12 })), { maxLength: 20 });
    fc.assert(
      fc.property(page, writes, (halves, changes) => {
        const { memory, told, rewriter, original, copy } = parts();
        original.set(halves);
        rewriter.make(FRAME);
        const [made, place] = [copy().slice(), rewriter.copyOf(FRAME) * 4096];
        told.clear();
        for (const [offset, bytes] of changes) {
          const fitting = bytes.subarray(0, 4096 - offset);
          memory.view(RAM_BASE + offset, fitting.length).set(fitting);
          rewriter.written(RAM_BASE + offset, fitting.length);
        }
        expect(broken(original, copy(), rewriter)).toBeUndefined();
        const mended = copy().slice();
        for (let half = 0; half < HALVES; half++)
          if (mended[half] !== made[half]) expect(told.has(place + 2 * half)).toBe(true);
        rewriter.drop(FRAME);
        rewriter.make(FRAME);
        expect(copy()).toEqual(mended);
      }),
      { numRuns: 60 },
    );
  });

  test("mends the copies on both sides of an edge, and of no other frame", () => {
    const { rewriter, memory, original, copy } = parts();
    original[HALVES - 1] = 0x22f3;
    rewriter.make(FRAME);
    expect(rewriter.written(RAM_BASE + 4094, 4)?.scanned).toBeGreaterThan(0);
    expect(rewriter.written(RAM_BASE + 4096, 4)).toBeUndefined();
    memory.write(RAM_BASE + 4094, 2, 0x0001n);
    rewriter.written(RAM_BASE + 4094, 2);
    expect(copy()[HALVES - 1]).toBe(1);
  });

  test.each([
    ["csrrs", { rd: 5, rs1: 0, imm: 0x140 }, true],
    ["csrrw", { rd: 0, rs1: 5, imm: 0x341 }, true],
    ["csrrs", { rd: 5, rs1: 0, imm: 0xc01 }, false],
    ["csrrs", { rd: 5, rs1: 0, imm: 0x003 }, false],
    ["csrrs", { rd: 5, rs1: 0, imm: 0x7c0 }, false],
    ["sret", {}, true],
    ["wfi", {}, true],
    ["sfence.vma", { rs1: 0, rs2: 0 }, true],
    ["ecall", {}, false],
    ["ebreak", {}, false],
    ["fence.i", {}, false],
    ["cbo.zero", { rs1: 5 }, false],
    ["addi", { rd: 5, rs1: 5, imm: 1 }, false],
  ])("takes %s %o for sensitive: %s", (mnemonic, operands, sensitive) => {
    const bits = word(mnemonic, operands);
    expect(siteClassOf(decodeAt(bits & 0xffff, bits >>> 16)!) !== undefined).toBe(sensitive);
  });

  test("gives frames back, in an order of its own", () => {
    const { rewriter, frames, released } = parts();
    expect(frames.free).toBe(8);
    rewriter.make(FRAME);
    const first = rewriter.copyOf(FRAME);
    expect([first, frames.free, rewriter.count]).toEqual([FRAME + 1, 7, 1]);
    rewriter.clear();
    // What was decoded of it must not be found in the frame's next use.
    expect(released).toEqual([1]);
    expect([rewriter.copyOf(FRAME), frames.free, rewriter.count, rewriter.drop(FRAME)]).toEqual([-1, 8, 0, -1]);
    rewriter.make(FRAME);
    expect(rewriter.copyOf(FRAME)).toBe(first);
    for (let left = frames.free; left > 0; left--) frames.allocate();
    expect(() => frames.allocate()).toThrow("Cannot allocate a frame as the VMM has 8: drop tables or copies");
  });
});
