/**
 * Regions: the blocks of straight code that can be reached from one entry without leaving its page.
 *
 * @module
 */
import type { DecodeAt, Decoded } from "../isa/decode.ts";
import { PLAIN_CSRS } from "./lower-csr.ts";
import type { MachineMemory } from "./memory.ts";

/** Most instructions in a region: what compiles in a fraction of a millisecond. */
const MOST = 256;

export interface RegionInstruction {
  /** Offset in the page, in bytes. */
  readonly offset: number;
  readonly decoded: Decoded;
  /** Whether it is the VMM's own, and may reach the VMM's page. */
  readonly own: boolean;
}

/** Instructions with one way in and no branch but at the end. */
export interface Block {
  readonly offset: number;
  readonly instructions: readonly RegionInstruction[];
  /** Whether control is likely to come here from outside the region: a jump's target, or where a call returns to. */
  readonly entry: boolean;
  /** Offset behind the last instruction, where control falls through to; the region may end there. */
  readonly end: number;
}

/** A region can be entered at its entry blocks. */
export interface Region {
  /** In order of offset; at most 256. */
  readonly blocks: readonly Block[];
}

/** Whether compiled code carries the instruction out; what it leaves to the interpreter ends a block. */
function compilable({ instruction, imm }: Decoded): boolean {
  const { effects, mnemonic } = instruction;
  if (effects.csr !== undefined) return PLAIN_CSRS.has(imm & 0xfff);
  if (effects.block !== undefined || mnemonic === "mark") return false;
  return effects.system === undefined || effects.system === "fence.i";
}

/** The offset that a jump or branch goes to, if it stays in the page. */
export function targetOf({ offset, decoded }: RegionInstruction): number | undefined {
  const { effects, fields } = decoded.instruction;
  if (!effects.branches && !(effects.jumps && fields.includes("jimm20"))) return undefined;
  const target = offset + decoded.imm;
  return target >= 0 && target < 4096 ? target : undefined;
}

/**
 * Finds the region of an entry.
 *
 * @param physical Address of the page. @param entry Offset of its first instruction.
 * @param taken Whether another region can be entered at an offset: this one then ends there.
 * @param owns Whether the VMM's own code stands at an offset.
 * @returns undefined where there is nothing to compile.
 */
export function findRegion(
  memory: MachineMemory,
  decodeAt: DecodeAt,
  physical: number,
  entry: number,
  taken: (offset: number) => boolean,
  owns: (offset: number) => boolean,
): Region | undefined {
  const found = new Map<number, RegionInstruction>();
  const leaders = new Set<number>([entry]);
  const entries = new Set<number>([entry]);
  const queue = [entry];
  const bytes = memory.view(physical, 4096);
  for (let start = queue.shift(); start !== undefined; start = queue.shift()) {
    for (let offset = start; offset < 4096 && !found.has(offset) && found.size < MOST && !taken(offset); ) {
      const low = bytes[offset]! | (bytes[offset + 1]! << 8);
      const wide = (low & 3) === 3;
      if (wide && offset === 4094) break;
      const decoded = decodeAt(low, wide ? bytes[offset + 2]! | (bytes[offset + 3]! << 8) : 0);
      if (decoded === undefined || !compilable(decoded)) break;
      const instruction = { offset, decoded, own: decoded.rs1 === 0 && owns(offset) };
      found.set(offset, instruction);
      const { effects } = decoded.instruction;
      const target = targetOf(instruction);
      if (target !== undefined) {
        leaders.add(target);
        entries.add(target);
        queue.push(target);
      }
      offset += decoded.length;
      if (effects.jumps || effects.branches) leaders.add(offset);
      // A call comes back behind itself, most likely: let that be in the region too.
      if (effects.jumps && decoded.rd === 0) break;
      if (effects.jumps) {
        entries.add(offset);
        queue.push(offset);
        break;
      }
    }
  }
  const blocks = assemble(found, leaders, entries);
  return blocks.length === 0 ? undefined : { blocks };
}

function assemble(
  found: ReadonlyMap<number, RegionInstruction>,
  leaders: ReadonlySet<number>,
  entries: ReadonlySet<number>,
): Block[] {
  const blocks: Block[] = [];
  let current: RegionInstruction[] = [];
  let end = -1;
  const close = () => {
    if (current.length > 0)
      blocks.push({ offset: current[0]!.offset, instructions: current, end, entry: entries.has(current[0]!.offset) });
    current = [];
  };
  for (const offset of [...found.keys()].sort((a, b) => a - b)) {
    // A gap, a leader, or an instruction that overlaps the last (reached by a jump into its middle) begins a block.
    if (offset !== end || leaders.has(offset)) close();
    const instruction = found.get(offset)!;
    current.push(instruction);
    end = offset + instruction.decoded.length;
  }
  close();
  return blocks;
}
