/**
 * The only door to d3-node: draws one figure in a document of its own and gives back its bytes.
 *
 * Bytes are the same on every runtime: no font is measured, every number is rounded to two decimals, ids are made from the figure's name,
 * and all text is made visible before it enters the document. The library is loaded at the first figure.
 *
 * @module
 */
import { visible } from "./escape.ts";
import { STYLE } from "./palette.ts";

/** More than this and a browser feels it; long series are one path. */
export const ELEMENT_CAP = 3000;

/** The part of a d3 selection that figures use. */
interface Selection {
  append(name: string): Selection;
  attr(name: string, value: string): Selection;
  text(value: string): Selection;
  node(): unknown;
}

interface Figure {
  readonly window: { readonly XMLSerializer: new () => { serializeToString(node: unknown): string } };
  createSVG(width: number, height: number, attributes: Readonly<Record<string, string>>): Selection;
}

export type Attributes = Readonly<Record<string, string | number>>;

/** An element that is being drawn into. */
export class Pen {
  readonly #selection: Selection;
  readonly #budget: { left: number };

  constructor(selection: Selection, budget: { left: number }) {
    this.#selection = selection;
    this.#budget = budget;
  }

  /**
   * Adds an element.
   *
   * @param name Its tag.
   * @param attributes Its attributes; numbers are rounded to two decimals.
   * @param text Its text, whoever wrote it.
   * @returns The new element.
   * @throws {RangeError} If the figure has too many elements.
   */
  add(name: string, attributes: Attributes = {}, text?: string): Pen {
    this.#budget.left -= 1;
    if (this.#budget.left < 0)
      throw new RangeError(`Cannot draw the figure as it may have ${ELEMENT_CAP} elements: it wants more`);
    const element = this.#selection.append(name);
    for (const [key, value] of Object.entries(attributes)) {
      element.attr(key, typeof value === "number" ? coordinate(value) : visible(value));
    }
    if (text !== undefined) element.text(visible(text));
    return new Pen(element, this.#budget);
  }
}

/** @returns A coordinate with two decimals at most. */
export function coordinate(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`Cannot draw the figure as coordinates must be finite: ${value}`);
  // + 0 turns -0 into 0.
  return String(Math.round(value * 100) / 100 + 0);
}

export interface FigureFrame {
  /** Lower-case words joined by dashes; ids inside the figure begin with it. */
  readonly name: string;
  readonly title: string;
  /** What the figure shows, for those who do not see it. */
  readonly description: string;
  readonly width: number;
  readonly height: number;
}

/**
 * Draws a figure.
 *
 * @param frame Its name, words and size in pixels.
 * @param draw Draws into the figure.
 * @returns Well-formed XML, ended by a line feed. The same text may stand inside an HTML page.
 */
export async function drawSvg(frame: FigureFrame, draw: (svg: Pen) => void): Promise<string> {
  // biome-ignore lint/suspicious/noTsIgnore: d3-node has no types, and an expected error would itself be one where a runtime assumes any.
  // @ts-ignore: d3-node has no types, neither its own nor elsewhere.
  const module = (await import("d3-node")) as { readonly D3Node: new () => Figure };
  const figure = new module.D3Node();
  const { name, title, description, width, height } = frame;
  const selection = figure.createSVG(width, height, {
    viewBox: `0 0 ${coordinate(width)} ${coordinate(height)}`,
    class: "trapline-figure",
    role: "img",
    "aria-labelledby": `${name}-title ${name}-desc`,
  });
  const svg = new Pen(selection, { left: ELEMENT_CAP });
  svg.add("title", { id: `${name}-title` }, title);
  svg.add("desc", { id: `${name}-desc` }, description);
  svg.add("style", {}, STYLE);
  draw(svg);
  return `${new figure.window.XMLSerializer().serializeToString(selection.node())}\n`;
}
