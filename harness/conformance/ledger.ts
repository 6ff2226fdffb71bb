/**
 * What was compared, and how often: instructions, registers, CSRs, causes, modes, and leaves by size and permission.
 *
 * Two columns: steps compared with QEMU, and cases checked against recorded expectations because QEMU 7.2 is known to differ.
 *
 * @module
 */
import { COMPRESSED_PATTERNS, type Decoded, decodeAt, findCompressed, INSTRUCTIONS } from "../../engine/mod.ts";
import { COMPARED, REGISTERS, ROWS } from "./compared.ts";
import type { Image } from "./image.ts";
import type { Stepper } from "./lockstep.ts";
import { ALIAS, CODE, IMAGE_END, RAM } from "./memory-map.ts";
import { COMBINATIONS, canHave, FLAWS, type Size } from "./windows.ts";

/** Kinds of entries, in the order of the table. */
export const KINDS = [
  "mnemonic",
  "compressed",
  "register",
  "rounding",
  "csr",
  "exception",
  "interrupt",
  "mode",
  "translation",
  "leaf",
  "flaw",
] as const;
export type Kind = (typeof KINDS)[number];

export interface Entry {
  readonly kind: Kind;
  readonly name: string;
  compared: number;
  expected: number;
}

const SIZES: readonly Size[] = ["4K", "2M", "1G", "512G"];
const ACCESSES = ["load", "store", "fetch"] as const;
const MODES = ["U", "S", undefined, "M"] as const;
const TRANSLATIONS = ["bare", "sv39", "sv48"] as const;

/** Causes that a machine with 16-bit instructions can have; a fetch is never misaligned there ("Instruction-Address-Misaligned"). */
const EXCEPTIONS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15];
const INTERRUPTS = [1, 3, 5, 7, 9, 11];
/** Those that no delegation takes to supervisor mode here: ecalls of S and M, and what belongs to machine mode. */
const MACHINE_ONLY = [9, 11];
/** By number; the reserved ones are illegal instructions. */
const ROUNDINGS = ["rne", "rtz", "rdn", "rup", "rmm", undefined, undefined, "dyn"] as const;

/** Every name that must have been met. */
function required(): (readonly [Kind, string])[] {
  const registers = (letter: string, slots: readonly string[]) =>
    slots.flatMap((slot) => Array.from({ length: 32 }, (_, i) => `${letter}${i} as ${slot}`));
  const targets = (causes: readonly number[], only: readonly number[]) =>
    causes.flatMap((cause) => (only.includes(cause) ? [`${cause} to M`] : [`${cause} to M`, `${cause} to S`]));
  return [
    // Every row of the table, whether QEMU has it or not.
    ...INSTRUCTIONS.map(({ mnemonic }) => ["mnemonic", mnemonic] as const),
    ...COMPRESSED_PATTERNS.map(({ mnemonic }) => ["compressed", mnemonic] as const),
    ...registers("x", ["rd", "rs1", "rs2"]).map((name) => ["register", name] as const),
    ...registers("f", ["rd", "rs1", "rs2", "rs3"]).map((name) => ["register", name] as const),
    ...ROUNDINGS.flatMap((name) => (name === undefined ? [] : [name])).map((name) => ["rounding", name] as const),
    ...REGISTERS.flatMap(({ name, readOnly }) =>
      [`${name} read`, ...(readOnly ? [] : [`${name} written`]), `${name} refused`].map((use) => ["csr", use] as const),
    ),
    ...targets(EXCEPTIONS, MACHINE_ONLY).map((name) => ["exception", name] as const),
    ...targets(INTERRUPTS, [3, 7, 11]).map((name) => ["interrupt", name] as const),
    ...["U", "S", "M"].map((name) => ["mode", name] as const),
    ...TRANSLATIONS.flatMap((name) => (name === "bare" ? [name] : [`${name} in S`, `${name} in U`])).map(
      (name) => ["translation", name] as const,
    ),
    ...SIZES.flatMap((size) =>
      COMBINATIONS.filter((flags) => !flags.startsWith("---")).flatMap((flags) =>
        ACCESSES.map((access) => ["leaf", `${size} ${flags} ${access}`] as const),
      ),
    ),
    ...SIZES.flatMap((size) =>
      FLAWS.filter((flaw) => canHave(size, flaw)).flatMap((flaw) =>
        ACCESSES.map((access) => ["flaw", `${size} ${flaw} ${access}`] as const),
      ),
    ),
  ];
}

const SLOTS = (IMAGE_END - RAM) / 2;

export class Ledger {
  readonly #entries = new Map<string, Entry>();
  /** By halfword of the image: instructions that retired there, and that trapped. */
  readonly #retired = new Uint32Array(SLOTS);
  readonly #trapped = new Uint32Array(SLOTS);
  #image: Image | undefined;
  /** The leaf that the instruction before jumped through. */
  #jump: string | undefined;
  steps = 0;

  constructor() {
    for (const [kind, name] of required()) this.#entry(kind, name);
  }

  #entry(kind: Kind, name: string): Entry {
    const key = `${kind} ${name}`;
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { kind, name, compared: 0, expected: 0 };
      this.#entries.set(key, entry);
    }
    return entry;
  }
  #add(kind: Kind, name: string, count = 1): void {
    this.#entry(kind, name).compared += count;
  }

  /** Counts a case that was checked against a recorded expectation. */
  expect(kind: Kind, name: string): void {
    this.#entry(kind, name).expected++;
  }

  /** Counts the step that was made last; its outcome is in the state that is compared next. */
  count(image: Image, stepper: Stepper): void {
    if (this.#image !== image) this.settle();
    this.#image = image;
    this.steps++;
    const { state, cause, mode, silent } = stepper;
    const fetchFault = cause === 1 || cause === 12;
    if (this.#jump !== undefined && !(silent && !fetchFault)) {
      this.#leaf(this.#jump, "fetch", fetchFault);
      this.#jump = undefined;
    }
    if (cause >= 0) {
      const after = stepper.machine.parts.platform.guest.mode === 1 ? "S" : "M";
      this.#add(stepper.interrupt ? "interrupt" : "exception", `${cause} to ${after}`);
    }
    this.#add("mode", MODES[mode]!);
    if (!silent) this.#place(image, stepper, state[0]!, state[1]!);
  }

  #place(image: Image, { cause, mode, state }: Stepper, low: number, high: number): void {
    const satp = mode === 3 ? 0 : state[state.length - 1]! >>> 28;
    this.#add("translation", satp === 0 ? "bare" : `sv${satp === 8 ? 39 : 48} in ${MODES[mode]}`);
    let physical = low;
    if (high === 0xffff_ffff) physical = Number((BigInt(high) << 32n) + BigInt(low) - ALIAS) + RAM;
    else if (high !== 0) return;
    const slot = (physical - RAM) >>> 1;
    if (slot >= SLOTS) return;
    if (cause < 0) this.#retired[slot]!++;
    else this.#trapped[slot]!++;
    if (physical < CODE) return;
    const probe = image.instructions.get(physical)?.probe;
    if (probe === undefined) return;
    if (probe.access === "fetch") this.#jump = probe.leaf;
    else if (cause < 0 || [5, 7, 13, 15].includes(cause)) this.#leaf(probe.leaf, probe.access, cause >= 0);
  }
  #leaf(leaf: string, access: string, faulted: boolean): void {
    const isFlaw = FLAWS.some((flaw) => leaf.endsWith(flaw));
    this.#add(isFlaw ? "flaw" : "leaf", `${leaf} ${access}`);
    if (!isFlaw) this.#add("leaf", `${leaf} ${access} ${faulted ? "refused" : "allowed"}`);
  }

  /** Brings what was counted by address into the entries. */
  settle(): void {
    const image = this.#image;
    this.#image = undefined;
    if (image === undefined) return;
    const view = new DataView(image.bytes.buffer);
    for (let slot = 0; slot < SLOTS; slot++) {
      const [retired, trapped] = [this.#retired[slot]!, this.#trapped[slot]!];
      if (retired + trapped === 0) continue;
      const half = view.getUint16(2 * slot, true);
      const decoded = decodeAt(half, 2 * slot + 4 <= view.byteLength ? view.getUint16(2 * slot + 2, true) : 0);
      if (decoded !== undefined) this.#instruction(half, decoded, retired, trapped);
    }
    this.#retired.fill(0);
    this.#trapped.fill(0);
  }

  #instruction(half: number, decoded: Decoded, retired: number, trapped: number): void {
    const { instruction } = decoded;
    const count = retired + trapped;
    this.#add("mnemonic", instruction.mnemonic, count);
    if (decoded.length === 2) this.#add("compressed", findCompressed(half)!.mnemonic, count);
    for (const slot of instruction.effects.x) this.#add("register", `x${decoded[slot]} as ${slot}`, count);
    for (const slot of instruction.effects.f) this.#add("register", `f${decoded[slot]} as ${slot}`, count);
    if (instruction.fields.includes("rm")) this.#add("rounding", ROUNDINGS[decoded.rm]!, count);
    const { csr } = instruction.effects;
    const row = csr === undefined ? undefined : REGISTERS.find(({ number }) => number === decoded.imm);
    if (csr === undefined || row === undefined) return;
    const writes = csr.kind === "write" || decoded.rs1 !== 0;
    if (retired > 0) {
      if (decoded.rd !== 0) this.#add("csr", `${row.name} read`, retired);
      if (writes) this.#add("csr", `${row.name} written`, retired);
    }
    if (trapped > 0) this.#add("csr", `${row.name} refused`, trapped);
  }

  get entries(): readonly Entry[] {
    this.settle();
    return [...this.#entries.values()];
  }
  /** What was neither compared nor checked. */
  get gaps(): readonly string[] {
    return this.entries
      .filter(({ compared, expected }) => compared + expected === 0)
      .map(({ kind, name }) => `${kind} ${name}`);
  }

  /** The table, as text. */
  table(): string {
    const lines: string[] = [];
    for (const kind of KINDS) {
      const entries = this.entries.filter((entry) => entry.kind === kind);
      const least = Math.min(...entries.map(({ compared, expected }) => compared + expected));
      lines.push(
        `${kind}: ${entries.length} entries, least ${least}`,
        `  ${"".padEnd(28)} ${"compared".padStart(10)} ${"expected".padStart(9)}`,
      );
      for (const { name, compared, expected } of entries)
        lines.push(`  ${name.padEnd(28)} ${String(compared).padStart(10)} ${String(expected).padStart(9)}`);
    }
    lines.push(`${this.steps} steps on profile ${COMPARED.name}, ${ROWS.length} of ${INSTRUCTIONS.length} rows`);
    return lines.join("\n");
  }
}
