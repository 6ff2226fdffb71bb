/**
 * Makes text that a guest may have chosen harmless: the one way into HTML, SVG, CSV and the terminal.
 *
 * Two dangers: markup, and characters that nobody sees but a terminal or a layout engine obeys (C0 and C1 controls, bidirectional
 * overrides, zero-width and tag characters, lone surrogates, noncharacters). The second kind is shown, not dropped: a control of C0 as its
 * picture (U+2400), any other as ‹U+202E›.
 * Source: Unicode 16, sections 23.1, 23.2, 23.7 and 23.9; Unicode Technical Report 36, section 2.
 *
 * @module
 */

// Default_Ignorable_Code_Point holds bidirectional controls, zero-width characters, fillers, variation selectors and tags; U+FFF9 to
// U+FFFB are interlinear annotation. Newer versions of Unicode keep these sets, so every runtime finds the same.
const INVISIBLE =
  /\p{Cc}|\p{Default_Ignorable_Code_Point}|[\ufff9-\ufffb]|\p{Zl}|\p{Zp}|\p{Cs}|\p{Noncharacter_Code_Point}/gu;

/**
 * Shows what cannot be seen.
 *
 * @param text Any text.
 * @returns The text with no character left that is obeyed instead of being shown; markup is untouched.
 */
export function visible(text: string): string {
  return text.replace(INVISIBLE, (character) => {
    const code = character.codePointAt(0)!;
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    if (code === 0x7f) return "\u2421";
    return `\u2039U+${code.toString(16).toUpperCase().padStart(4, "0")}\u203a`;
  });
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
  "`": "&#96;",
};

/**
 * Makes text safe inside HTML elements and inside quoted attributes.
 *
 * @param text Any text.
 * @returns Text that makes no element and no attribute, and shows all its characters.
 */
export function escapeText(text: string): string {
  return visible(text).replace(/[&<>"'`]/g, (character) => ENTITIES[character]!);
}

/**
 * Writes a value as JSON that may stand inside a script element of type application/json.
 *
 * @param value Anything that JSON can say.
 * @returns ASCII with no `<`, `>` or `&`; `JSON.parse` gives the value back.
 */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
