/**
 * What the assembler knows where a statement stands, as far as a sensitive instruction's fate depends on it: the section, the constants, the
 * macros, and whether the statement is part of a macro's or a repetition's body, whose arguments are known only where it is expanded.
 *
 * Conditions are not evaluated: both sides of an `.if` are looked at, and a constant that one of them changes is taken for unknown.
 *
 * Left out: what `.include` brings in (it is remarked on; the scan of the linked image finds its sites).
 * Source: Using as (binutils 2.40), "Pseudo Ops".
 *
 * @module
 */
import { evaluate } from "../../engine/mod.ts";
import { operandsOf, type Statement } from "./statements.ts";

interface Section {
  readonly name: string;
  readonly executable: boolean;
}

const TEXT: Section = { name: ".text", executable: true };
/** Directives that begin and end a body with arguments, or one that is assembled several times. */
export const OPENING: ReadonlySet<string> = new Set([".macro", ".rept", ".irp", ".irpc"]);
export const CLOSING: ReadonlySet<string> = new Set([".endm", ".endr"]);
/** Sections that are code even where their flags are not given (`elf_special_sections`). */
const CODE = /^\.(text|init|fini|plt|gnu\.linkonce\.t)(\.|$)/;

export class AssemblyState {
  #section = TEXT;
  #previous = TEXT;
  #stack: { section: Section; previous: Section }[] = [];
  /** Sections whose flags were given; they hold where the section is named again. */
  readonly #known = new Map<string, Section>();
  readonly #constants = new Map<string, bigint | undefined>();
  readonly #macros = new Set<string>();
  #bodies: string[] = [];
  #conditions = 0;
  #ended = false;

  /** The section; in a macro's body, that in which the macro is defined. */
  get section(): Section {
    return this.#section;
  }

  /** Whether arguments may stand in a statement here. */
  get inBody(): boolean {
    return this.#bodies.length > 0;
  }

  /** Whether `.end` was reached, behind which nothing is assembled. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether a name is a macro's. It then hides an instruction of that name. */
  isMacro(name: string): boolean {
    return this.#macros.has(name.toLowerCase());
  }

  /** @returns The value of an expression, or undefined where it is not known here. */
  valueOf(expression: string): bigint | undefined {
    try {
      return evaluate(decimal(expression), (symbol) => {
        const value = this.#constants.get(symbol);
        if (value === undefined)
          throw new SyntaxError(`Cannot evaluate ${symbol} as it must be a constant: it is none`);
        return value;
      });
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof RangeError) return undefined;
      throw error;
    }
  }

  /** Takes notice of a statement. It holds for the statements behind it. */
  follow({ name, rest, labels }: Statement): void {
    const directive = name.toLowerCase();
    if (OPENING.has(directive)) {
      // `name: .macro` is another way to write `.macro name`.
      if (directive === ".macro") this.#macros.add((labels.at(-1) ?? /^[^\s,]*/.exec(rest)![0]).toLowerCase());
      this.#bodies.push(directive);
    } else if (CLOSING.has(directive)) {
      this.#bodies.pop();
    } else if (directive === ".purgem") {
      this.#macros.delete(rest.toLowerCase());
    } else if (directive.startsWith(".if")) {
      this.#conditions++;
    } else if (directive === ".endif") {
      this.#conditions--;
    } else if (directive === ".end") {
      this.#ended = !this.inBody && this.#conditions === 0;
    } else if (directive === "=" || directive === ".set" || directive === ".equ" || directive === ".equiv") {
      const [symbol = "", value = ""] = operandsOf(rest);
      const certain = !this.inBody && this.#conditions === 0;
      this.#constants.set(symbol, certain ? this.valueOf(value) : undefined);
    } else {
      this.#enter(directive, rest);
    }
  }

  #enter(directive: string, rest: string): void {
    if (directive === ".pushsection") {
      this.#stack.push({ section: this.#section, previous: this.#previous });
      this.#change(this.#named(rest));
    } else if (directive === ".popsection") {
      const saved = this.#stack.pop();
      if (saved !== undefined) [this.#section, this.#previous] = [saved.section, saved.previous];
    } else if (directive === ".previous") {
      this.#change(this.#previous);
    } else if (directive === ".section") {
      this.#change(this.#named(rest));
    } else if (directive === ".text") {
      this.#change(TEXT);
    } else if (directive === ".data" || directive === ".bss" || directive === ".rodata" || directive === ".sdata") {
      this.#change({ name: directive, executable: false });
    }
  }

  #change(section: Section): void {
    [this.#previous, this.#section] = [this.#section, section];
  }

  #named(rest: string): Section {
    const operands = operandsOf(rest);
    const name = unquoted(operands[0] ?? "");
    // `.pushsection` may have a subsection's number before the flags.
    const flags = operands.slice(1).find((operand) => operand.startsWith('"'));
    const known = this.#known.get(name);
    if (flags === undefined && known !== undefined) return known;
    const section = { name, executable: flags === undefined ? CODE.test(name) : unquoted(flags).includes("x") };
    this.#known.set(name, section);
    return section;
  }
}

/** Numbers that C and the assembler take for octal, as the engine's expressions have them. */
function decimal(expression: string): string {
  return expression.replace(/(?<![\w.$])0([0-7]+)(?![\w.$])/g, (_, digits: string) => String(BigInt(`0o${digits}`)));
}

export function unquoted(text: string): string {
  return /^"(.*)"$/s.exec(text)?.[1] ?? text;
}
