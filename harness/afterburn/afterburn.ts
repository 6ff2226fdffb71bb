/**
 * The afterburner: pads and annotates the sensitive instructions of an assembly source, so that code may be put in their place when the program is
 * loaded, and leaves everything else byte for byte as it is.
 *
 * An annotated statement grows on its own line, so that no line moves and line tables and messages stay right:
 *
 *     1:  csrr t0, sepc   # the fault
 *     1:  77300: csrr t0, sepc; sltiu zero,zero,1445; .pushsection .trapline.sites,""; .8byte 77300b; …; .popsection   # the fault
 *
 * A numeric local label may be defined again and again, so that one form serves bodies of macros and repetitions too: they are annotated where they
 * are written, and make a record each time they are expanded. The record lies in a section of its own, which is not loaded.
 *
 * Left out: memory instructions that no run has named (`memory-sites.ts`).
 * Source: LeVasseur et al., "Pre-virtualization: soft layering for virtual machines", ACSAC 2008.
 *
 * @module
 */
import {
  findInstruction,
  SITE_CLASSES,
  SITE_RECORD,
  SITE_SECTION,
  SITE_TREATMENTS,
  type SiteClass,
  type SiteTreatment,
} from "../../engine/mod.ts";
import { AssemblyState } from "./assembly-state.ts";
import { isListed, MemoryCounter, type MemoryPlace } from "./memory-sites.ts";
import { type Finding, findingOf, wordsThatLookSensitive } from "./sensitive-statements.ts";
import { type ParsedSource, type Place, parseSource, type Statement, type Switch } from "./statements.ts";

export interface AfterburnOptions {
  /** What the source is called where its line markers do not say. */
  readonly file: string;
  /** Changes nothing at all: the text is read and written again. */
  readonly off?: boolean;
  /** Bytes of a class's sites in place of those that it needs. */
  readonly siteBytes?: Partial<Readonly<Record<SiteClass, number>>>;
  /** Names of sections that hold code of user programs: its sensitive instructions are listed, not annotated. */
  readonly userSections?: readonly string[];
  /** Memory instructions to annotate, as a run named them. */
  readonly memory?: readonly MemoryPlace[];
}

/** A sensitive statement of a source, and what became of it. */
export interface StatementSite {
  readonly place: Place;
  /** The instruction as it is written, or the data that would be one. */
  readonly text: string;
  readonly siteClass: SiteClass;
  readonly treatment: SiteTreatment;
  /** Bytes of the pads behind it. */
  readonly padding: number;
}

/** Something that the afterburner cannot see into; the scan of the linked image decides. */
export interface Remark {
  readonly place: Place;
  readonly text: string;
}

export interface Afterburned {
  readonly text: string;
  readonly sites: readonly StatementSite[];
  readonly remarks: readonly Remark[];
}

/** The label of a site. No compiler numbers that high; a source that does is refused. */
const LABEL = "77300";
/** Bytes of the instruction: none of the sensitive ones has a compressed form. */
const INSTRUCTION_BYTES = 4;
/** `sltiu zero,zero,1445`: the pad under the name of the row of which it takes a code point, since assemblers know it by no other. */
const PAD: string = (() => {
  const { specialises, match } = findInstruction("pad")!;
  return `${specialises} zero,zero,${match >>> 20}`;
})();

/**
 * Annotates an assembly source.
 *
 * @param source A text for the GNU assembler for RISC-V, already preprocessed.
 * @returns The text to assemble, and what was found.
 * @throws {SyntaxError} If a comment or a string of the source does not end.
 * @throws {RangeError} If a site would have fewer bytes than its class needs, or the source has the label that sites take.
 *
 * @example
 * ```ts
 * const { text } = afterburn("csrr t0, sepc\n", { file: "trap.s" });
 * ```
 */
export function afterburn(
  source: string,
  { file, off = false, siteBytes = {}, userSections = [], memory = [] }: AfterburnOptions,
): Afterburned {
  const parsed = parseSource(source, file);
  const state = new AssemblyState();
  const output = new Output(parsed, !off);
  const switches = new Regions(parsed.switches);
  const counter = new MemoryCounter();
  const sites: StatementSite[] = [];
  const remarks: Remark[] = [];
  for (const statement of parsed.statements) {
    if (state.ended) break;
    const { place, start, body, end } = statement;
    const text = source.slice(body, end);
    if (!off && statement.labels.includes(LABEL)) {
      throw new RangeError(
        `Cannot afterburn ${at(place)} as the label ${LABEL} must be free for sites: the source defines it`,
      );
    }
    const left = leftAlone(state, switches.isOn(start), userSections);
    const places = counter.follow(statement);
    const finding = findingOf(statement, state) ?? memoryFinding(statement, isListed(places, memory));
    if (finding === "undecidable") remarks.push({ place, text: `${text}: an argument decides what it is` });
    else if (finding === "unknown-csr") remarks.push({ place, text: `${text}: this machine has no such CSR` });
    else if (finding !== undefined) {
      const { siteClass, bytes } = finding;
      const treatment = left ?? "annotated";
      const padding = left === undefined ? paddingOf(siteClass, bytes, siteBytes, place, text) : 0;
      sites.push({ place, text, siteClass, treatment, padding });
      output.annotate(statement, padding, [{ offset: 0, siteClass, treatment }], finding.ifNamed);
    } else if (statement.name.toLowerCase() === ".include") {
      remarks.push({ place, text: `${text}: what it includes is not looked into` });
    } else if (state.inBody || state.section.executable) {
      const words = wordsThatLookSensitive(statement, state);
      for (const { siteClass } of words) sites.push({ place, text, siteClass, treatment: "data", padding: 0 });
      if (words.length > 0) {
        output.annotate(
          statement,
          0,
          words.map((word) => ({ ...word, treatment: "data" as const })),
        );
      }
    }
    state.follow(statement);
  }
  return { text: output.text(), sites, remarks };
}

/** With a symbol for its address a memory instruction is two, of which the label of a site would name the first. */
function memoryFinding({ rest }: Statement, wanted: boolean): Finding | undefined {
  if (!wanted || !/\)$/.test(rest)) return undefined;
  return { siteClass: "memory", bytes: SITE_CLASSES.memory.bytes };
}

/** Why a sensitive instruction here stays as it is, or undefined where it is annotated. */
function leftAlone(
  { section, inBody }: AssemblyState,
  isOn: boolean,
  userSections: readonly string[],
): SiteTreatment | undefined {
  if (!isOn) return "region";
  // Where a macro's body will stand is not known: it is annotated.
  if (inBody && section.executable) return undefined;
  return section.executable && !userSections.includes(section.name) ? undefined : "section";
}

function paddingOf(
  siteClass: SiteClass,
  needed: number,
  siteBytes: AfterburnOptions["siteBytes"] & object,
  place: Place,
  text: string,
): number {
  const bytes = siteBytes[siteClass] ?? needed;
  if (bytes < needed || bytes % INSTRUCTION_BYTES !== 0) {
    throw new RangeError(
      `Cannot afterburn ${at(place)} as a site of class ${siteClass} needs ${needed} bytes, in fours: "${text}" would have ${bytes}`,
    );
  }
  return bytes - INSTRUCTION_BYTES;
}

export function at({ file, line }: Place): string {
  return `${file}:${line}`;
}

/** What the comments `afterburn: off` and `afterburn: on` say of a place. */
class Regions {
  readonly #switches: readonly Switch[];
  constructor(switches: readonly Switch[]) {
    this.#switches = switches;
  }
  isOn(offset: number): boolean {
    return this.#switches.findLast((found) => found.at < offset)?.on ?? true;
  }
}

/** For a mnemonic that is an argument: pads and record only where it turns out to be one of these. */
function onlyIfNamed({ argument, mnemonics }: Finding["ifNamed"] & object, added: string): string {
  return `; .irp trapline_name,${mnemonics.join(",")}; .ifc ${argument},\\trapline_name${added}; .endif; .endr`;
}

interface RecordText {
  readonly offset: number;
  readonly siteClass: SiteClass;
  readonly treatment: SiteTreatment;
}

/** The source with what is put into it. */
class Output {
  readonly #source: ParsedSource;
  readonly #insertions: { readonly at: number; readonly text: string }[] = [];
  readonly #annotates: boolean;
  constructor(source: ParsedSource, annotates: boolean) {
    this.#source = source;
    this.#annotates = annotates;
  }

  annotate(
    { body, end }: Statement,
    padding: number,
    records: readonly RecordText[],
    ifNamed?: Finding["ifNamed"],
  ): void {
    if (!this.#annotates) return;
    const pads = Array<string>(padding / INSTRUCTION_BYTES).fill(`; ${PAD}`);
    const section = records.map((record) => `; ${recordText(record, padding)}`);
    // Memory instructions have compressed forms, in which a jump has no room.
    const whole = records.some(({ siteClass }) => siteClass === "memory");
    const [before, after] = whole ? [".option push; .option norvc; ", "; .option pop"] : ["", ""];
    const added = `${after}${pads.join("")}; .pushsection ${SITE_SECTION},"",@progbits${section.join("")}; .popsection`;
    this.#insertions.push({ at: body, text: `${before}${LABEL}: ` });
    this.#insertions.push({ at: end, text: ifNamed === undefined ? added : onlyIfNamed(ifNamed, added) });
  }

  text(): string {
    const { text } = this.#source;
    let [written, from] = ["", 0];
    for (const insertion of this.#insertions) {
      written += text.slice(from, insertion.at) + insertion.text;
      from = insertion.at;
    }
    return written + text.slice(from);
  }
}

function recordText({ offset, siteClass, treatment }: RecordText, padding: number): string {
  const values: Readonly<Record<(typeof SITE_RECORD)[number][0], string | number>> = {
    address: offset === 0 ? `${LABEL}b` : `${LABEL}b+${offset}`,
    length: INSTRUCTION_BYTES,
    padding,
    class: SITE_CLASSES[siteClass].number,
    treatment: SITE_TREATMENTS.indexOf(treatment),
  };
  return SITE_RECORD.map(([part, bytes]) => `.${bytes}byte ${values[part]}`).join("; ");
}
