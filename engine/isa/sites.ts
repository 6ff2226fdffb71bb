/**
 * Sites: which instructions a VMM that patches code has to find, sorted by what may stand in for each, with the bytes that this takes; and the
 * form of the records by which an afterburned binary names its sites.
 *
 * What is sensitive comes from the rows of the ISA and of the CSRs. Left alone are `ecall` and `ebreak`, which trap in every mode, operations on
 * cache blocks, which envcfg permits where the guest may use them, and `fence.i`: a VMM keeps its copies of code up to date by stores, not by it.
 *
 * A site's bytes are those of its instruction and of the pads behind it. Most classes need none: what works on the state page (T17) takes one
 * instruction relative to x0, and what takes longer is a jump to a stub, which comes back by a jump of its own. Only where code in place spares
 * both jumps is there a pad. The class `memory` is for loads and stores that a run under protection found to be sensitive.
 *
 * Source: guest time rules T3, T4, T16 and T17; LeVasseur et al., "Pre-virtualization: soft layering for virtual machines", ACSAC 2008.
 *
 * @module
 */
import { csrByNumber } from "./csr.ts";
import type { Decoded } from "./decode.ts";

interface SiteRow {
  /** As records have it. */
  readonly number: number;
  /** What a site of the class has at least, in bytes: its instruction's four, and four for each pad. */
  readonly bytes: number;
  /** What may stand there, `CSR` and `SIE` being offsets of the state page from the end of the address space. */
  readonly form: string;
}

// biome-ignore format: one line a class
export const SITE_CLASSES = {
  "csr-read":          { number: 1,  bytes: 4,  form: "ld rd, CSR(x0)" },
  // Bit 0 of sepc reads as 0, whatever was stored.
  "epc-read":          { number: 2,  bytes: 8,  form: "ld rd, CSR(x0); andi rd, rd, -2" },
  // CSRs that only hold a value.
  "csr-write":         { number: 3,  bytes: 4,  form: "sd rs1, CSR(x0)" },
  // Old value out and new value in takes a register more than the instruction has.
  "csr-swap":          { number: 4,  bytes: 4,  form: "jal x0, stub" },
  // CSRs that act on the machine.
  "control-write":     { number: 5,  bytes: 4,  form: "exit" },
  "control-swap":      { number: 6,  bytes: 4,  form: "exit" },
  "status-read":       { number: 7,  bytes: 4,  form: "jal x0, stub" },
  "status-clear":      { number: 8,  bytes: 4,  form: "sd x0, SIE(x0)" },
  // sstatus stands there twice, as it is while interrupts are open, and while they are closed.
  "status-clear-read": { number: 9,  bytes: 16, form: "ld rd, SIE(x0); bnez rd, 8; ld rd, CSR(x0); sd x0, SIE(x0)" },
  // Opening interrupts looks for one that is pending, which takes a register.
  "status-set":        { number: 10, bytes: 4,  form: "jal x0, stub" },
  "status-swap":       { number: 11, bytes: 4,  form: "jal x0, stub" },
  "trap-return":       { number: 12, bytes: 4,  form: "jal x0, stub" },
  "wait":              { number: 13, bytes: 4,  form: "exit" },
  "fence":             { number: 14, bytes: 4,  form: "exit" },
  "memory":            { number: 15, bytes: 4,  form: "jal x0, stub" },
  // An argument of a macro decides, where it is expanded. The site has room for all that it may be; who patches it looks.
  "undecided":         { number: 16, bytes: 4,  form: "by its instruction" },
} as const satisfies Readonly<Record<string, SiteRow>>;

export type SiteClass = keyof typeof SITE_CLASSES;

/** @returns The class of an instruction that is sensitive by itself, or undefined for one that may run as it is. */
export function siteClassOf({ instruction, rd, rs1, imm }: Decoded): SiteClass | undefined {
  const { sensitivity, effects } = instruction;
  if (sensitivity === "innocuous" || effects.block !== undefined) return undefined;
  if (effects.csr === undefined) {
    if (effects.system === "sret" || effects.system === "mret") return "trap-return";
    if (effects.system === "wfi") return "wait";
    return effects.system === "sfence.vma" ? "fence" : undefined;
  }
  const csr = csrByNumber(imm & 0xfff);
  if (csr === undefined || csr.sensitivity === "innocuous") return undefined;
  // "Zicsr": a write always writes; setting or clearing writes if its source is not x0, or not 0. A register of 0 counts as any other.
  const { kind } = effects.csr;
  const writes = kind === "write" || rs1 !== 0;
  const reads = rd !== 0;
  if (csr.name === "sstatus") {
    if (!writes) return "status-read";
    if (kind === "clear") return reads ? "status-clear-read" : "status-clear";
    return reads ? "status-swap" : "status-set";
  }
  if (!writes) return csr.name === "sepc" ? "epc-read" : "csr-read";
  if (csr.sensitivity === "behaviour") return kind === "write" && !reads ? "csr-write" : "csr-swap";
  return reads ? "control-swap" : "control-write";
}

/** The section that holds records. It is not loaded, so it changes nothing in the guest's memory. */
export const SITE_SECTION = ".trapline.sites";

/** What became of a sensitive instruction: `annotated`, or why it was left as it is. The position is the number in records. */
export const SITE_TREATMENTS = ["annotated", "data", "section", "region"] as const;
export type SiteTreatment = (typeof SITE_TREATMENTS)[number];

/** The parts of a record, in order, each with its bytes; numbers are little-endian. */
export const SITE_RECORD = [
  ["address", 8],
  ["length", 2],
  ["padding", 2],
  ["class", 2],
  ["treatment", 2],
] as const;
export const SITE_RECORD_BYTES: number = SITE_RECORD.reduce((sum, [, bytes]) => sum + bytes, 0);

/** A record, read. */
export interface Site {
  /** The virtual address of the instruction; an offset into its section before the file is linked. */
  readonly address: bigint;
  /** Bytes of the instruction alone, and of the pads behind it. */
  readonly length: number;
  readonly padding: number;
  readonly siteClass: SiteClass;
  readonly treatment: SiteTreatment;
}

const byNumber: ReadonlyMap<number, SiteClass> = new Map(
  (Object.keys(SITE_CLASSES) as SiteClass[]).map((name) => [SITE_CLASSES[name].number, name]),
);

/**
 * Reads the records of a file.
 *
 * @param bytes What its section of that name holds.
 * @throws {RangeError} If they are no records.
 */
export function readSites(bytes: Uint8Array): readonly Site[] {
  const fail = (found: string) =>
    new RangeError(`Cannot read sites as ${SITE_SECTION} must hold records of ${SITE_RECORD_BYTES} bytes: ${found}`);
  if (bytes.length % SITE_RECORD_BYTES !== 0) throw fail(`it has ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / SITE_RECORD_BYTES }, (_, index) => {
    const at = index * SITE_RECORD_BYTES;
    const [siteClass, treatment] = [view.getUint16(at + 12, true), view.getUint16(at + 14, true)];
    if (!byNumber.has(siteClass)) throw fail(`record ${index} is of class ${siteClass}`);
    if (treatment >= SITE_TREATMENTS.length) throw fail(`record ${index} has treatment ${treatment}`);
    return {
      address: view.getBigUint64(at, true),
      length: view.getUint16(at + 8, true),
      padding: view.getUint16(at + 10, true),
      siteClass: byNumber.get(siteClass)!,
      treatment: SITE_TREATMENTS[treatment]!,
    };
  });
}
