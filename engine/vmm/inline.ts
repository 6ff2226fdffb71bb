/**
 * What may stand in the place of a sensitive instruction, to work on the state page without an exit: one load or store relative to x0, or more
 * than that in a stub. All of it is RISC-V code that the hart runs in user mode.
 *
 * A form is taken only where it does all that the instruction does in every state, but for what it looks at before it changes anything:
 * then it gives the registers back and traps, and the VMM carries out the instruction itself, as for a site that traps.
 *
 * Left out, so that these trap: what acts on more than the virtual CPU's state (satp, stvec, sie, sip, fences, wfi, sret), changes of sstatus
 * other than of SIE by an immediate, and set or clear of the other CSRs. Floating point switched on by the kernel itself is the VMM's to see.
 *
 * @module
 */
import { assemble } from "../isa/assemble.ts";
import { csrByName, csrByNumber } from "../isa/csr.ts";
import type { Decoded } from "../isa/decode.ts";
import { FIELDS, type StateFieldName } from "./state-page.ts";

/** CSRs that the page holds, to be read and written; and those that it has copies of, to be read. By number. */
const HELD = numbersOf("sscratch", "sepc", "scause", "stval");
const COPIED = numbersOf("stvec", "satp", "sie");
export const SSTATUS = csrByName("sstatus")!.number;
export const SEPC = csrByName("sepc")!.number;
export const SIE = 2;

/** Where in the page a CSR is: its offset from address 0, and whether it may be written there. In order of number. */
export const CSR_PLACES: readonly { readonly number: number; readonly offset: number; readonly held: boolean }[] = [
  ...HELD,
  ...COPIED,
]
  .map((number) => ({ number, offset: offsetOf(number), held: HELD.has(number) }))
  .sort((a, b) => a.number - b.number);

const at = (field: StateFieldName): string => `${FIELDS[field].offset}(x0)`;
const SPILL = `sd $t, ${at("spill0")}`;
const UNSPILL = `ld $t, ${at("spill0")}`;
/** sstatus into rd: as it is while interrupts are open; where that is 0, as it is while they are closed. */
const OPEN_STATUS = `ld $rd, ${at("sieFlag")}`;
const CLOSED_STATUS = `ld $rd, ${at("status")}`;
const STATUS = [OPEN_STATUS, "bnez $rd, read", CLOSED_STATUS, "read:"];
const CLOSE = `sd x0, ${at("sieFlag")}`;

/** The instructions of each form: $rd and $rs1 are the site's registers, $t another one than $rd, $csr the CSR's place. */
export const FORMS = {
  read: ["ld $rd, $csr(x0)"],
  "read-epc": ["ld $rd, $csr(x0)", "andi $rd, $rd, -2"],
  write: ["sd $rs1, $csr(x0)"],
  swap: ["ld $rd, $csr(x0)", "sd $rs1, $csr(x0)"],
  "swap-same": [SPILL, "mv $t, $rd", "ld $rd, $csr(x0)", "sd $t, $csr(x0)", UNSPILL],
  status: STATUS,
  close: [CLOSE],
  "close-status": [...STATUS, CLOSE],
  // Before anything changes: an interrupt that waits for interrupts to be opened is the VMM's to bring.
  open: [
    ...[SPILL, `ld $t, ${at("opens")}`, "bnez $t, open", UNSPILL, "ebreak"],
    ...["open:", `sd $t, ${at("sieFlag")}`, UNSPILL],
  ],
  // The same. Where they are open already nothing changes; else rd is what they are opened with, and then what was read.
  "open-status": [
    ...[OPEN_STATUS, "bnez $rd, read", `ld $rd, ${at("opens")}`, "bnez $rd, open", "ebreak"],
    ...["open:", `sd $rd, ${at("sieFlag")}`, CLOSED_STATUS, "read:"],
  ],
} as const satisfies Readonly<Record<string, readonly string[]>>;
export type FormName = keyof typeof FORMS;

/** What the names in a form stand for. */
export interface FormOperands {
  readonly rd: number;
  readonly rs1: number;
  readonly t: number;
  readonly csr: number;
}

/** @returns The form that does what a sensitive instruction does; undefined where it has to trap. */
export function formOf({ instruction, rd, rs1, imm }: Decoded): FormName | undefined {
  const { csr } = instruction.effects;
  const number = imm & 0xfff;
  if (csr === undefined || csrByNumber(number) === undefined) return undefined;
  const isImmediate = csr.source === "immediate";
  // Set and clear of nothing only read; a write of x0's is one of zero.
  const reads = csr.kind !== "write" && rs1 === 0;
  if (number === SSTATUS) {
    if (csr.kind === "write") return undefined;
    if (reads) return rd === 0 ? undefined : "status";
    if (!isImmediate || rs1 !== SIE) return undefined;
    if (csr.kind === "clear") return rd === 0 ? "close" : "close-status";
    return rd === 0 ? "open" : "open-status";
  }
  if (reads) {
    if (rd === 0 || !(HELD.has(number) || COPIED.has(number))) return undefined;
    return number === SEPC ? "read-epc" : "read";
  }
  if (!HELD.has(number) || csr.kind !== "write" || (isImmediate && rs1 !== 0)) return undefined;
  if (rd === 0) return "write";
  // Reading sepc and writing it in one would need its low bit cleared in between.
  if (number === SEPC) return undefined;
  return rd === rs1 ? "swap-same" : "swap";
}

/** The register that a form may use besides the site's own, by the site's rd. */
export const temporaryFor = (rd: number): number => (rd === 5 ? 6 : 5);

/** The words of a form for an instruction. */
export function formWords(name: FormName, { rd, rs1, imm }: Decoded): readonly number[] {
  const number = imm & 0xfff;
  return assembleForm(name, { rd, rs1, t: temporaryFor(rd), csr: number === SSTATUS ? 0 : offsetOf(number) });
}

/** Assembles a form. */
export function assembleForm(name: FormName, { rd, rs1, t, csr }: FormOperands): readonly number[] {
  const text = FORMS[name]
    .join("\n")
    .replaceAll("$rd", `x${rd}`)
    .replaceAll("$rs1", `x${rs1}`)
    .replaceAll("$csr", String(csr))
    .replaceAll("$t", `x${t}`);
  const { bytes } = assemble(text, { base: 0n });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(4 * i, true));
}

function offsetOf(number: number): number {
  return FIELDS[csrByNumber(number)!.name as StateFieldName].offset;
}
function numbersOf(...names: readonly StateFieldName[]): ReadonlySet<number> {
  return new Set(names.map((name) => csrByName(name)!.number));
}
