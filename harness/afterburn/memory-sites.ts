/**
 * Memory instructions that are sensitive: stores to page tables, accesses to devices. Nothing in a source tells them from others, so a run does: its
 * exits name the instructions that faulted, each gets a name that holds from build to build, and the next build annotates the instructions of these
 * names. This is repeated until no new ones come.
 *
 * Such a name is a symbol, a number and a mnemonic: `set_leaf 2 sd` is the second memory instruction behind the label `set_leaf`, which must be a
 * store of a doubleword. Pads and other annotations do not change it.
 *
 * Left out: instructions behind a macro's call or a repetition, up to the next label, as these may hold any number of memory instructions.
 * Source: LeVasseur et al., "Pre-virtualization: soft layering for virtual machines", ACSAC 2008, on profile feedback.
 *
 * @module
 */
import {
  COMPRESSED_PATTERNS,
  type Decoded,
  decodeAt,
  type Event,
  elfSections,
  findInstruction,
} from "../../engine/mod.ts";
import { CLOSING, OPENING } from "./assembly-state.ts";
import type { Statement } from "./statements.ts";

/** The name of a memory instruction. */
export interface MemoryPlace {
  readonly symbol: string;
  /** Among the memory instructions behind the symbol, from 1. */
  readonly index: number;
  readonly mnemonic: string;
}

/** A memory instruction of an image. */
export interface MemoryInstruction {
  readonly address: bigint;
  /** By each symbol that its address is counted from. */
  readonly places: readonly MemoryPlace[];
}

/** Exits that a memory instruction's address is the reason for. */
const REASONS: readonly string[] = ["device-access", "table-write"];

export function placeText({ symbol, index, mnemonic }: MemoryPlace): string {
  return `${symbol} ${index} ${mnemonic}`;
}

/**
 * Reads a list of names, one a line; `#` begins a comment.
 *
 * @throws {SyntaxError} If a line is none.
 */
export function parsePlaces(text: string): readonly MemoryPlace[] {
  return text.split("\n").flatMap((whole, index) => {
    const line = whole.replace(/#.*/, "").trim();
    if (line === "") return [];
    const [, symbol = "", number = "", mnemonic = ""] = /^(\S+)\s+([1-9]\d*)\s+([a-z][\w.]*)$/.exec(line) ?? [];
    if (symbol === "") {
      throw new SyntaxError(
        `Cannot read line ${index + 1} of memory sites as it must be a symbol, a number and a mnemonic: "${line}"`,
      );
    }
    return [{ symbol, index: Number(number), mnemonic }];
  });
}

/** Whether an instruction reads or writes memory. */
function isMemory({ instruction: { effects } }: Pick<Decoded, "instruction">): boolean {
  return effects.loads || effects.stores;
}

/** Counts the memory instructions of a source behind each of its labels. */
export class MemoryCounter {
  #symbols: string[] = [];
  #index = 0;
  #counts = true;
  #fresh = false;
  /** Bodies of macros and repetitions around the statement. */
  #bodies = 0;

  /** @returns The names of a statement, if it is a memory instruction whose number is known. */
  follow({ labels, name }: Statement): readonly MemoryPlace[] {
    const directive = name.toLowerCase();
    if (OPENING.has(directive)) this.#bodies++;
    if (CLOSING.has(directive)) this.#bodies--;
    if (OPENING.has(directive) && directive !== ".macro") this.#counts = false;
    if (this.#bodies > 0) return [];
    const symbols = labels.filter((label) => !/^(\d+|\.L.*)$/.test(label));
    if (symbols.length > 0) {
      // Labels of one address are names of it alike.
      this.#symbols = this.#fresh ? [...this.#symbols, ...symbols] : symbols;
      [this.#index, this.#counts, this.#fresh] = [0, true, true];
    }
    if (name === "" || IN_PLACE.test(name)) return [];
    this.#fresh = false;
    if (name === "=" || name.startsWith(".")) return [];
    const mnemonic = memoryMnemonic(name);
    if (mnemonic === "unknown") this.#counts = false;
    if (mnemonic === undefined || !this.#counts) return [];
    this.#index++;
    return this.#symbols.map((symbol) => ({ symbol, index: this.#index, mnemonic }));
  }
}

const compressed = new Map(COMPRESSED_PATTERNS.map(({ mnemonic, instruction }) => [mnemonic, instruction]));
/** What the assembler knows besides the rows, and has no memory instruction in it, in code that is not position-independent. */
const WITHOUT_MEMORY =
  /^(li|la|lla|mv|not|negw?|nop|seqz|snez|sltz|sgtz|sext\..*|zext\..*|b\w+|jr?|jal|jalr|call|tail|ret|csr\w+|rd\w+|f[a-z.]+|sret|fence\..*|sfence.*|ebreak|ecall|pause)$/;

/** @returns The mnemonic of a memory instruction's row; undefined for another instruction, `unknown` for what may be a macro. */
function memoryMnemonic(name: string): string | undefined {
  const base = name.replace(/\.(aq|rl|aqrl)$/, "");
  const row = findInstruction(base) ?? compressed.get(name);
  if (row !== undefined) return isMemory({ instruction: row }) ? row.mnemonic : undefined;
  return WITHOUT_MEMORY.test(name) ? undefined : "unknown";
}

/** Directives that neither put anything down nor go elsewhere: the labels before and behind have one address. */
const IN_PLACE = /^\.(type|size|globl|global|local|weak|hidden|loc|cfi_\w+)$/;

const SYMBOL_BYTES = 24;
const ABSOLUTE = 0xfff1;
/** Types of symbols that name no address: sections and files. */
const NAMELESS = [3, 4];

/** The memory instructions of a linked image, by address. */
export function memoryInstructions(image: Uint8Array, name: string): readonly MemoryInstruction[] {
  const sections = elfSections(image, name);
  const symbols = symbolsByAddress(sections.find((section) => section.name === ".symtab")?.bytes, sections);
  const found: MemoryInstruction[] = [];
  for (const { address, bytes, executable, loaded } of sections) {
    if (!executable || !loaded) continue;
    const half = (at: number): number => (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
    let [current, index]: [readonly string[], number] = [[], 0];
    for (let at = 0; at + 1 < bytes.length; ) {
      const here = address + BigInt(at);
      const named = symbols.get(here);
      if (named !== undefined) [current, index] = [named, 0];
      const decoded = decodeAt(half(at), half(at + 2));
      if (decoded !== undefined && isMemory(decoded)) {
        index++;
        const { mnemonic } = decoded.instruction;
        found.push({ address: here, places: current.map((symbol) => ({ symbol, index, mnemonic })) });
      }
      at += decoded?.length ?? 2;
    }
  }
  return found;
}

function symbolsByAddress(
  table: Uint8Array | undefined,
  sections: ReturnType<typeof elfSections>,
): ReadonlyMap<bigint, readonly string[]> {
  const found = new Map<bigint, string[]>();
  const names = sections.find((section) => section.name === ".strtab")?.bytes;
  if (table === undefined || names === undefined) return found;
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  for (let at = 0; at + SYMBOL_BYTES <= table.length; at += SYMBOL_BYTES) {
    const [section, type] = [view.getUint16(at + 6, true), view.getUint8(at + 4) & 0xf];
    if (section === 0 || section === ABSOLUTE || NAMELESS.includes(type)) continue;
    let text = "";
    for (let from = view.getUint32(at, true); from < names.length && names[from] !== 0; from++)
      text += String.fromCharCode(names[from]!);
    if (text === "" || /^(\.L|\$[xd])/.test(text)) continue;
    const address = view.getBigUint64(at + 8, true);
    found.set(address, [...(found.get(address) ?? []), text]);
  }
  return found;
}

/**
 * The memory instructions of an image that made a run leave deprivileged execution.
 *
 * @param events A run's log. Only read once.
 * @returns One name each, in order of address. Exits at other addresses, as before paging is on, are left out.
 */
export function faultingPlaces(events: Iterable<Event>, image: Uint8Array, name: string): readonly MemoryPlace[] {
  const pcs = new Set<bigint>();
  for (const event of events) if (event.kind === "vmm.exit" && REASONS.includes(event.reason)) pcs.add(event.pc);
  return memoryInstructions(image, name)
    .filter(({ address, places }) => pcs.has(address) && places.length > 0)
    .map(({ places }) => places[0]!);
}

export function isListed(places: readonly MemoryPlace[], list: readonly MemoryPlace[]): boolean {
  return places.some(({ symbol, index, mnemonic }) =>
    list.some((wanted) => wanted.symbol === symbol && wanted.index === index && wanted.mnemonic === mnemonic),
  );
}
