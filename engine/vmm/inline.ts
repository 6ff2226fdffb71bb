/**
 * What may stand in the place of a sensitive instruction, to work on the state page without an exit: one load or store relative to x0, or a
 * jump to a stub. All of it is RISC-V code that the hart runs in user mode.
 *
 * A form is made only where it does all that the instruction does in every state, but for what its stub looks at before it changes anything:
 * then the stub gives the registers back and traps, and the VMM carries out the instruction itself, as for a site that traps.
 *
 * Left out, so that these trap: what acts on more than the virtual CPU's state (satp, stvec, sie, sip, fences, wfi, sret), changes of sstatus
 * other than of SIE by an immediate, and set or clear of the other CSRs. Floating point switched on by the kernel itself is the VMM's to see.
 *
 * @module
 */
import { assemble } from "../isa/assemble.ts";
import { csrByNumber } from "../isa/csr.ts";
import type { Decoded } from "../isa/decode.ts";
import { FIELDS, type StateFieldName } from "./state-page.ts";

export interface InlineForm {
  /** The one instruction that stands in the site's place; undefined where it is a jump to a stub. */
  readonly word?: number;
  /** The stub's instructions, but for the jump back that follows them. */
  readonly stub?: readonly number[];
}

/** CSRs that the page holds: the guest's kernel reads and writes them there. */
const HELD: ReadonlySet<string> = new Set(["sscratch", "sepc", "scause", "stval"]);
/** CSRs that the page has copies of, to be read. */
const COPIED: ReadonlySet<string> = new Set(["stvec", "satp", "sie"]);
const SIE = 2;

const at = (field: StateFieldName): string => `${FIELDS[field].offset}(x0)`;

/** @returns What may stand in for a sensitive instruction; undefined where it has to trap. */
export function inlineForm(decoded: Decoded): InlineForm | undefined {
  const { csr } = decoded.instruction.effects;
  const name = csr === undefined ? undefined : csrByNumber(decoded.imm & 0xfff)?.name;
  if (csr === undefined || name === undefined) return undefined;
  const { rd, rs1 } = decoded;
  const isImmediate = csr.source === "immediate";
  // Set and clear of nothing only read; a write of x0's is one of zero.
  const reads = csr.kind !== "write" && rs1 === 0;
  if (name === "sstatus") return statusForm(csr.kind, isImmediate, rd, rs1);
  if (!HELD.has(name) && !(COPIED.has(name) && reads)) return undefined;
  const field = name as StateFieldName;
  if (reads) {
    if (name !== "sepc") return inPlace(`ld x${rd}, ${at(field)}`);
    return stub([`ld x${rd}, ${at(field)}`, `andi x${rd}, x${rd}, -2`]);
  }
  if (csr.kind !== "write" || (isImmediate && rs1 !== 0)) return undefined;
  if (rd === 0) return inPlace(`sd x${rs1}, ${at(field)}`);
  // Reading sepc and writing it in one would need its low bit cleared in between.
  if (name === "sepc") return undefined;
  if (rd !== rs1) return stub([`ld x${rd}, ${at(field)}`, `sd x${rs1}, ${at(field)}`]);
  const other = temporary(rd);
  return stub([
    `sd ${other}, ${at("spill0")}`,
    `mv ${other}, x${rd}`,
    `ld x${rd}, ${at(field)}`,
    `sd ${other}, ${at(field)}`,
    `ld ${other}, ${at("spill0")}`,
  ]);
}

function statusForm(kind: string, isImmediate: boolean, rd: number, rs1: number): InlineForm | undefined {
  if (kind === "write") return undefined;
  if (rs1 === 0) return rd === 0 ? undefined : stub(readStatus(rd));
  if (!isImmediate || rs1 !== SIE) return undefined;
  if (kind === "clear") {
    const close = `sb x0, ${at("sieFlag")}`;
    return rd === 0 ? inPlace(close) : stub([...readStatus(rd), close]);
  }
  const other = temporary(rd);
  return stub([
    `sd ${other}, ${at("spill0")}`,
    // Before anything changes: an interrupt that waits for this is the VMM's to bring.
    `lbu ${other}, ${at("pending")}`,
    `beqz ${other}, open`,
    `ld ${other}, ${at("spill0")}`,
    "ebreak",
    "open:",
    ...(rd === 0 ? [] : readStatus(rd, other)),
    `li ${other}, ${SIE}`,
    `sb ${other}, ${at("sieFlag")}`,
    `ld ${other}, ${at("spill0")}`,
  ]);
}
/** sstatus into a register, by way of another one, which is spilled unless it is given. */
function readStatus(rd: number, spilled?: string): string[] {
  const other = spilled ?? temporary(rd);
  const merge = [`lbu ${other}, ${at("sieFlag")}`, `ld x${rd}, ${at("status")}`, `or x${rd}, x${rd}, ${other}`];
  return spilled === undefined ? [`sd ${other}, ${at("spill0")}`, ...merge, `ld ${other}, ${at("spill0")}`] : merge;
}

/** A register other than the one named. */
const temporary = (register: number): string => (register === 5 ? "x6" : "x5");

const inPlace = (text: string): InlineForm => ({ word: words([text])[0]! });
const stub = (lines: readonly string[]): InlineForm => ({ stub: words(lines) });

function words(lines: readonly string[]): readonly number[] {
  const { bytes } = assemble(lines.join("\n"), { base: 0n });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(4 * i, true));
}
