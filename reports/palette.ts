/**
 * Colours, names and hatching of causes, light and dark.
 *
 * Colours are Okabe and Ito's, which readers with any colour vision tell apart; those that are too pale for a line are only ever fills,
 * and every fill has an outline in the colour of the text.
 * Source: Okabe and Ito, "Color Universal Design" (2008).
 *
 * @module
 */
import { CAUSES, type Cause } from "../harness/comparison.ts";

export const CAUSE_NAMES: Readonly<Record<Cause, string>> = {
  guest: "guest instructions",
  trap: "hardware traps",
  privileged: "privileged instructions",
  paging: "page tables",
  interrupt: "interrupts",
  device: "devices",
  syscall: "environment calls",
  other: "other",
};

const CAUSE_COLOURS: Readonly<Record<Cause, string>> = {
  guest: "#bbbbbb",
  trap: "#0072b2",
  privileged: "#d55e00",
  paging: "#009e73",
  interrupt: "#cc79a7",
  device: "#e69f00",
  syscall: "#56b4e9",
  other: "#f0e442",
};

export const FONT = 12;

/** Width of text in pixels, guessed from its length: fonts differ between machines, and figures must not. */
export function textWidth(text: string, size = FONT): number {
  return [...text].length * size * 0.56;
}

/** @returns Text cut to a number of characters, with an ellipsis where something is missing. */
export function clipped(text: string, characters: number): string {
  const all = [...text];
  return all.length <= characters ? text : `${all.slice(0, characters - 1).join("")}\u2026`;
}

/**
 * One style for every figure, so that many of them may stand in one page. Colours are variables: a page that sets them wins.
 * It holds no character that HTML and XML read differently.
 */
export const STYLE = [
  ".trapline-figure{--ink:#1b1f24;--quiet:#57606a;--paper:#ffffff;--rule:#d8dee4;color:var(--ink);font:12px system-ui,-apple-system,sans-serif}",
  "@media (prefers-color-scheme:dark){.trapline-figure{--ink:#e8eaed;--quiet:#a0a8b0;--paper:#15181c;--rule:#363c44}}",
  // A halo keeps words readable where they cross a line.
  ".trapline-figure text{fill:currentColor;paint-order:stroke;stroke:var(--paper);stroke-width:3px;stroke-linejoin:round}",
  ".trapline-figure .quiet{fill:var(--quiet)}",
  ".trapline-figure .strong{font-weight:600}",
  ".trapline-figure .end{text-anchor:end}",
  ".trapline-figure .middle{text-anchor:middle}",
  ".trapline-figure .rule{stroke:var(--rule);stroke-width:1}",
  ".trapline-figure .line{stroke:currentColor;stroke-width:1;fill:none}",
  ".trapline-figure .dash{stroke:var(--quiet);stroke-width:1;stroke-dasharray:3 3}",
  ".trapline-figure .whisker{stroke:currentColor;stroke-width:1.5;fill:none}",
  ".trapline-figure .halo{stroke:var(--paper);stroke-width:4;fill:none}",
  ".trapline-figure .fill{stroke:#1b1f24;stroke-width:0.75}",
  ".trapline-figure .hatch{stroke:#1b1f24;stroke-width:1.1}",
  ".trapline-figure .user{fill:var(--paper);stroke:var(--quiet);stroke-width:0.75}",
  ".trapline-figure .kernel{fill:var(--quiet);stroke:var(--quiet);stroke-width:0.75}",
  ...CAUSES.map((cause) => `.trapline-figure .${cause}{fill:${CAUSE_COLOURS[cause]}}`),
].join("");
